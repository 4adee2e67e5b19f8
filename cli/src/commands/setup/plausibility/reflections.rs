//! Whether a list of reflections lacks the symmetry equivalents that a render needs: it takes every reflection from the
//! list, or its default F.

use widebragg_formats::hkl_table::HklTable;

/// Fewer reflections than this are a test, not a data set.
const FEW: usize = 30;
/// A smaller fraction of the Friedel mates counts as none.
const HARDLY_ANY: f64 = 0.05;

/// What the list lacks, in words; `None` where it covers all of reciprocal space. Reflections whose F is `default_f`
/// count as not listed.
///
/// Time is proportional to the size of the table.
pub(in super::super) fn missing_equivalents(table: &HklTable, default_f: f64) -> Option<String> {
    let (mut listed, mut with_mate) = (0usize, 0usize);
    let mut octants = [0usize; 8];
    let is_listed = |f: f64| f != default_f && f != 0.0;
    let mut values = table.data.iter();
    for h in table.h.0..=table.h.1 {
        for k in table.k.0..=table.k.1 {
            for (l, &f) in (table.l.0..=table.l.1).zip(&mut values) {
                // Reflections on an axis or in a plane between octants belong to several.
                if !is_listed(f) || h == 0 || k == 0 || l == 0 {
                    continue;
                }
                listed += 1;
                octants[usize::from(h < 0) * 4 + usize::from(k < 0) * 2 + usize::from(l < 0)] += 1;
                let mate = table.position(-h, -k, -l).and_then(|position| table.data.get(position));
                with_mate += usize::from(mate.is_some_and(|&f| is_listed(f)));
            }
        }
    }
    if listed < FEW {
        return None;
    }
    let covered = octants.iter().filter(|&&count| count > 0).count();
    let advice = "all symmetry equivalents and Friedel mates must be listed: --space-group expands it";
    let rest = if default_f == 0.0 { "are dark".to_owned() } else { format!("have default_F, {default_f}") };
    if (with_mate as f64) < HARDLY_ANY * listed as f64 {
        let what = match covered {
            1 => "one octant of reciprocal space, as an asymmetric unit does".to_owned(),
            2 | 3 => format!("{covered} of 8 octants of reciprocal space, as an asymmetric unit does"),
            _ => "half a sphere, without Friedel mates".to_owned(),
        };
        return Some(format!("the list covers {what}; all other reflections {rest}; {advice}"));
    }
    if covered < 8 {
        return Some(format!(
            "the list covers {covered} of 8 octants of reciprocal space; all other reflections {rest}; {advice}"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use widebragg_formats::hkl::MAX_CELLS;

    use super::*;

    /// A table to index 4 along each axis of the reflections that `listed` selects.
    fn table(default_f: f64, listed: impl Fn(i32, i32, i32) -> bool) -> HklTable {
        let axis = (-4, 4);
        let mut table = HklTable::filled(axis, axis, axis, default_f, MAX_CELLS).unwrap();
        for h in -4..=4 {
            for k in -4..=4 {
                for l in -4..=4 {
                    if listed(h, k, l) {
                        let position = table.position(h, k, l).unwrap();
                        table.data[position] = 100.0;
                    }
                }
            }
        }
        table
    }

    #[test]
    fn whole_spheres_pass_and_parts_are_named() {
        for default_f in [0.0, 7.0] {
            let missing =
                |listed: fn(i32, i32, i32) -> bool| missing_equivalents(&table(default_f, listed), default_f);
            assert_eq!(missing(|_, _, _| true), None);
            assert_eq!(missing(|h, k, l| (h * h + k * k + l * l) % 3 != 0), None);
            // Absences of a centred lattice.
            assert_eq!(missing(|h, k, l| (h + k + l) % 2 == 0), None);
            let says = |listed, words: &str| {
                let found = missing(listed).unwrap_or_default();
                assert!(found.contains(words), "{words}: {found}");
            };
            says(|h, k, l| (h, k, l) > (0, 0, 0), "half a sphere, without Friedel mates");
            says(|h, k, l| h >= 0 && k >= 0 && l >= 0, "one octant");
            says(
                |_, k, l| k >= 0 && l >= 0,
                "2 of 8 octants of reciprocal space, as an asymmetric unit does",
            );
            // Both Friedel mates of an asymmetric unit.
            says(|h, k, l| h.signum() * k.signum() >= 0 && k.signum() * l.signum() >= 0, "2 of 8 octants");
        }
    }

    #[test]
    fn few_reflections_are_no_data_set() {
        assert_eq!(missing_equivalents(&table(0.0, |h, k, l| h == 1 && k > 0 && l > 0), 0.0), None);
        assert_eq!(missing_equivalents(&table(0.0, |_, _, _| false), 0.0), None);
    }
}
