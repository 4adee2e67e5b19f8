//! The panels and the groups of panels that `--wrt` and `--panel-group` name.

use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::gradient::moves::{Body, PanelGroup};

use super::setup::SetUp;
use crate::error::Failure;

/// Most names that a line of an error tells.
const MOST_NAMED: usize = 4;

/// A word of `--wrt` about panels or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyWord<'w> {
    /// `panels`: the motions of each panel.
    Panels,
    /// `groups`: those of each group.
    Groups,
    /// `panel[NAME]` or `panel[NAME].COMPONENT`.
    Panel(&'w str, Option<&'w str>),
    /// `group[NAME]` or `group[NAME].COMPONENT`.
    Group(&'w str, Option<&'w str>),
}

impl<'w> BodyWord<'w> {
    /// The word, where it is one.
    pub fn new(word: &'w str) -> Option<Self> {
        match word {
            "panels" => return Some(Self::Panels),
            "groups" => return Some(Self::Groups),
            _ => {}
        }
        let (kind, rest) = word.split_once('[')?;
        let (name, rest) = rest.rsplit_once(']')?;
        let component = if rest.is_empty() { None } else { Some(rest.strip_prefix('.')?) };
        match kind {
            "panel" => Some(Self::Panel(name, component)),
            "group" => Some(Self::Group(name, component)),
            _ => None,
        }
    }

    /// The component that is named, where it is one alone.
    pub fn component(self) -> Option<&'w str> {
        match self {
            Self::Panels | Self::Groups => None,
            Self::Panel(_, component) | Self::Group(_, component) => component,
        }
    }
}

/// The words of a list, separated by commas outside brackets.
pub(super) fn words(list: &str) -> impl Iterator<Item = &str> {
    let mut is_inside = false;
    let words = list.split(move |c: char| {
        is_inside = if is_inside { c != ']' } else { c == '[' };
        c == ',' && !is_inside
    });
    words.map(str::trim).filter(|word| !word.is_empty())
}

/// The bodies that can move.
#[derive(Debug)]
pub(super) struct Bodies<'s> {
    experiment: &'s Experiment,
    /// Groups that are given or named, larger ones before smaller ones, so that a group takes along those within it.
    pub groups: Vec<PanelGroup>,
}

impl<'s> Bodies<'s> {
    /// Those of the groups `given` by `--panel-group`, and of those of the file of geometry that `words` name.
    ///
    /// # Errors
    /// A group that is not there, or with a panel that is not there.
    pub fn new<'w>(
        set_up: &'s SetUp,
        given: &[String],
        words: impl Iterator<Item = BodyWord<'w>>,
    ) -> Result<Self, Failure> {
        let mut bodies = Self { experiment: &set_up.experiment, groups: Vec::new() };
        for group in given {
            let group = bodies.given(group)?;
            if bodies.group(&group.name).is_some() {
                return Err(Failure::input(format!("--panel-group {}: it is given twice", group.name)));
            }
            bodies.groups.push(group);
        }
        let of_file = |name: &str| match &set_up.geometry {
            Some(geometry) => geometry.group(name),
            None => Ok(None),
        };
        let file_names = || set_up.geometry.iter().flat_map(|geometry| geometry.group_names());
        for word in words {
            let names: Vec<&str> = match word {
                BodyWord::Groups => file_names().collect(),
                BodyWord::Group(name, _) => vec![name],
                BodyWord::Panels | BodyWord::Panel(..) => continue,
            };
            for name in names {
                if bodies.group(name).is_some() {
                    continue;
                }
                let Some(numbers) = of_file(name)? else {
                    let known = bodies.groups.iter().map(|group| &*group.name).chain(file_names());
                    return Err(no_such("group", name, "--wrt", known));
                };
                let panels: Vec<usize> =
                    numbers.into_iter().filter_map(|number| bodies.rendered(number)).collect();
                match word {
                    // Of the groups of the file, those whose panels are rendered.
                    BodyWord::Groups if panels.is_empty() => {}
                    _ if panels.is_empty() => {
                        return Err(Failure::input(format!(
                            "--wrt: group {name} has no panel that is rendered"
                        )));
                    }
                    _ => bodies.groups.push(PanelGroup { name: name.to_owned(), panels }),
                }
            }
        }
        bodies.groups.sort_by_key(|group| core::cmp::Reverse(group.panels.len()));
        Ok(bodies)
    }

    /// The bodies of a word.
    ///
    /// # Errors
    /// There are none.
    pub fn of(&self, word: BodyWord<'_>) -> Result<Vec<Body>, Failure> {
        match word {
            BodyWord::Panels => Ok((0..self.experiment.panels.len()).map(Body::Panel).collect()),
            BodyWord::Groups if self.groups.is_empty() => {
                Err(Failure::input("--wrt groups: there are no groups of panels (--panel-group)"))
            }
            BodyWord::Groups => Ok((0..self.groups.len()).map(Body::Group).collect()),
            BodyWord::Panel(name, _) => Ok(vec![Body::Panel(self.panel(name, "--wrt")?)]),
            BodyWord::Group(name, _) => {
                let known = self.groups.iter().map(|group| &*group.name);
                let group = self.group(name).ok_or_else(|| no_such("group", name, "--wrt", known))?;
                Ok(vec![Body::Group(group)])
            }
        }
    }

    /// The place of a group.
    fn group(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == name)
    }

    /// The place of a panel among those that are rendered.
    fn rendered(&self, number: usize) -> Option<usize> {
        self.experiment.panels.iter().position(|panel| panel.number == number)
    }

    /// The place of a panel that `option` names, by its name or its number.
    fn panel(&self, name: &str, option: &str) -> Result<usize, Failure> {
        let panels = &self.experiment.panels;
        let by_name = panels.iter().position(|panel| panel.name == name);
        let by_number = || self.rendered(name.parse().ok()?);
        by_name
            .or_else(by_number)
            .ok_or_else(|| no_such("panel", name, option, panels.iter().map(|panel| &*panel.name)))
    }

    /// The group of a value of `--panel-group`.
    fn given(&self, text: &str) -> Result<PanelGroup, Failure> {
        let parts = text.split_once('=').map(|(name, panels)| (name.trim(), panels.trim()));
        let Some((name, list)) = parts.filter(|(name, list)| !name.is_empty() && !list.is_empty()) else {
            return Err(Failure::input(format!(
                "--panel-group {text}: expected NAME=PANEL,..., for example left=p0,p1"
            )));
        };
        let mut panels = Vec::new();
        for panel in list.split(',').map(str::trim) {
            let at = self.panel(panel, &format!("--panel-group {name}"))?;
            if panels.contains(&at) {
                return Err(Failure::input(format!("--panel-group {name}: panel {panel} is in it twice")));
            }
            panels.push(at);
        }
        Ok(PanelGroup { name: name.to_owned(), panels })
    }
}

/// Says that `option` names something that is not there, and some of what is.
fn no_such<'n>(kind: &str, name: &str, option: &str, known: impl Iterator<Item = &'n str>) -> Failure {
    let mut known = known.peekable();
    if known.peek().is_none() {
        return Failure::input(format!("{option}: there is no {kind} {name}"));
    }
    let mut names: Vec<&str> = known.by_ref().take(MOST_NAMED).collect();
    if known.next().is_some() {
        names.push("...");
    }
    Failure::input(format!("{option}: there is no {kind} {name}; there are {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_split_outside_brackets() {
        let list = "cell, panel[a,b].fast,group[q],,panel[x]y].rot_slow";
        let expected = ["cell", "panel[a,b].fast", "group[q]", "panel[x]y].rot_slow"];
        assert_eq!(words(list).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn words_of_bodies() {
        assert_eq!(BodyWord::new("panels"), Some(BodyWord::Panels));
        assert_eq!(BodyWord::new("panel[a,b].fast"), Some(BodyWord::Panel("a,b", Some("fast"))));
        assert_eq!(BodyWord::new("group[q]"), Some(BodyWord::Group("q", None)));
        for word in ["cell", "panel", "panel[q", "panel[q]fast", "origin[0]"] {
            assert_eq!(BodyWord::new(word), None, "{word}");
        }
    }
}
