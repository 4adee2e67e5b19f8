//! Groups of panels that files name. In those of CrystFEL `group_NAME` and `rigid_group_NAME` list panels or other
//! groups; collections of groups (`rigid_group_collection_NAME`) are none themselves. In those of DIALS the nodes of the
//! hierarchy are groups.

use std::collections::{BTreeMap, BTreeSet};

use super::GeometryFile;
use crate::failure::Failure;
use crate::text::shown;

/// What the names of groups begin with in a file, and what follows that where it is a collection.
const PREFIXES: [&str; 2] = ["rigid_group_", "group_"];
const COLLECTION: &str = "collection_";

/// The members of a list, from the last to the first.
fn members(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').rev().map(str::trim).filter(|member| !member.is_empty())
}

/// A group of panels that is a node of a hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// Its name, which no other node has.
    pub name: String,
    /// Its panels, counted from 0, in the order of the hierarchy.
    pub panels: Vec<usize>,
}

impl GeometryFile {
    /// The names of its listed groups and what they list, in the order of the file.
    fn lists(&self) -> impl Iterator<Item = (&str, &str)> {
        self.held.iter().filter_map(|held| {
            let name = PREFIXES.iter().find_map(|prefix| held.name.strip_prefix(prefix))?;
            (!name.starts_with(COLLECTION) && !name.contains('/')).then_some((name, &*held.value))
        })
    }

    /// The names of its groups of panels, in the order of the file.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|group| &*group.name).chain(self.lists().map(|(name, _)| name))
    }

    /// The panels of a group, counted from 0, in the order in which the file lists them; `None` without such a group.
    /// Of lists with the same name the last counts.
    ///
    /// # Errors
    /// The group holds something that is neither a panel nor a group.
    pub fn group(&self, name: &str) -> Result<Option<Vec<usize>>, Failure> {
        if let Some(node) = self.nodes.iter().find(|node| node.name == name) {
            return Ok(Some(node.panels.clone()));
        }
        let groups: BTreeMap<&str, &str> = self.lists().collect();
        let Some(&listed) = groups.get(name) else { return Ok(None) };
        let panels = self.geometry.panels.iter().enumerate();
        let panels: BTreeMap<&str, usize> = panels.map(|(index, panel)| (&*panel.name, index)).collect();
        // The last is the next. Each name is followed once, so that groups may hold each other.
        let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
        let mut open: Vec<&str> = members(listed).collect();
        while let Some(member) = open.pop() {
            if !seen.insert(member) {
                continue;
            }
            match (panels.get(member), groups.get(member)) {
                (Some(&panel), _) => found.push(panel),
                (None, Some(&listed)) => open.extend(members(listed)),
                (None, None) => {
                    let [name, member] = [name, member].map(|name| shown(name.as_bytes()));
                    let why = format!("group {name} holds {member}, which is neither a panel nor a group");
                    return Err(Failure::input(why));
                }
            }
        }
        Ok(Some(found))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::geometry::{GeometryFile, parse_geometry};

    fn with(groups: &str) -> GeometryFile {
        let mut text = "clen = 0.1\nres = 1000\n".to_owned();
        for panel in 0..4 {
            text += &format!(
                "p{panel}/min_fs = 0\np{panel}/max_fs = 9\np{panel}/min_ss = {0}\np{panel}/max_ss = {0}\n\
                 p{panel}/corner_x = 0\np{panel}/corner_y = {0}\np{panel}/fs = x\np{panel}/ss = y\n",
                panel
            );
        }
        parse_geometry(&mut (text + groups).as_bytes(), Path::new("a.geom"), 0).unwrap()
    }

    #[test]
    fn groups_hold_panels_and_groups() {
        let file = with(
            "rigid_group_q1 = p3, p1\nrigid_group_q0 = p0,p2,\ngroup_all = q1,q0\ngroup_loop = all,loop,p2\n\
             rigid_group_collection_quads = q0,q1\ngroup_bad = p0,p7\nrigid_group_p2 = p2\n",
        );
        assert_eq!(file.group_names().collect::<Vec<_>>(), ["q1", "q0", "all", "loop", "bad", "p2"]);
        let panels = |name: &str| file.group(name).map_err(|failure| failure.to_string());
        assert_eq!(panels("q1"), Ok(Some(vec![3, 1])));
        assert_eq!(panels("all"), Ok(Some(vec![3, 1, 0, 2])));
        assert_eq!(panels("loop"), Ok(Some(vec![3, 1, 0, 2])));
        assert_eq!(panels("p2"), Ok(Some(vec![2])));
        assert_eq!((panels("quads"), panels("p0")), (Ok(None), Ok(None)));
        let why = "group \"bad\" holds \"p7\", which is neither a panel nor a group";
        assert_eq!(panels("bad"), Err(why.to_owned()));
    }
}
