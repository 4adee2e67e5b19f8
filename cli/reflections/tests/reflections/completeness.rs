//! Completeness against counts of the whole sphere.

use crate::common::{observations, small_indices};
use std::collections::BTreeSet;
use widebragg_reflections::cell::Cell;
use widebragg_reflections::completeness::completeness;
use widebragg_reflections::expansion::Expansion;
use widebragg_reflections::observations::{Hkl, Quantity};
use widebragg_reflections::symmetry::SpaceGroup;

fn cell(lengths_angstrom: [f64; 3], angles_deg: [f64; 3]) -> Cell {
    Cell { lengths_angstrom, angles_deg }
}

fn expansion(group: &SpaceGroup, list: impl IntoIterator<Item = Hkl>) -> Expansion {
    Expansion::new(&observations(Quantity::Amplitude, list.into_iter().map(|hkl| (hkl, 1.0))), group).unwrap()
}

#[test]
fn shells_hold_the_classes_of_the_sphere() {
    for (name, cell) in [
        ("P 1", cell([8.0, 9.0, 10.0], [83.0, 101.0, 95.0])),
        ("C 1 2 1", cell([16.0, 9.0, 10.0], [90.0, 104.0, 90.0])),
        ("P 21 21 21", cell([8.0, 9.0, 10.0], [90.0; 3])),
        ("R 3 2:H", cell([12.0, 12.0, 20.0], [90.0, 90.0, 120.0])),
        ("F d -3 m:1", cell([14.0; 3], [90.0; 3])),
    ] {
        let group = SpaceGroup::from_name(name, None).unwrap();
        let metric = cell.reciprocal_metric();
        let (d_min, count) = (2.0, 5);
        // Of the whole sphere, and of those with an even h + k + l.
        let mut expected = vec![(BTreeSet::new(), BTreeSet::new()); count];
        let mut list = Vec::new();
        for hkl in small_indices(12) {
            let d = metric.d_angstrom(hkl);
            if hkl == [0; 3] || d < d_min || group.is_absent(hkl) {
                continue;
            }
            let shell = ((d_min / d).powi(3) * count as f64) as usize;
            let laue = group.images(hkl).flat_map(|image| [image, image.map(|index| -index)]);
            let class = laue.max().unwrap();
            let (all, present) = &mut expected[shell.min(count - 1)];
            all.insert(class);
            if class.iter().sum::<i32>() % 2 == 0 {
                present.insert(class);
                list.push(hkl);
            }
        }
        list.push([0; 3]);
        let shells = completeness(&expansion(&group, list), &cell, Some(d_min), count).unwrap();
        for (shell, (all, present)) in shells.iter().zip(&expected) {
            assert_eq!((shell.expected, shell.present), (all.len(), present.len()), "{name} {shell:?}");
        }
        assert_eq!(shells.len(), count);
        assert_eq!(shells[0].d_max_angstrom, f64::INFINITY);
        assert_eq!(shells[count - 1].d_min_angstrom, d_min);
        assert!(shells.windows(2).all(|pair| pair[0].d_min_angstrom == pair[1].d_max_angstrom));
        // Shells of equal volume.
        for shell in &shells {
            let volume = shell.d_min_angstrom.powi(-3) - shell.d_max_angstrom.powi(-3);
            assert!((volume * d_min.powi(3) * count as f64 - 1.0).abs() < 1e-12, "{shell:?}");
        }
    }
}

#[test]
fn the_observations_set_the_resolution() {
    let group = SpaceGroup::from_name("P 4 3 2", None).unwrap();
    let cubic = cell([10.0; 3], [90.0; 3]);
    let shells = completeness(&expansion(&group, [[2, 0, 0], [1, 1, 0]]), &cubic, None, 1).unwrap();
    assert_eq!(shells[0].d_min_angstrom, 5.0);
    // 100 110 111 200
    assert_eq!((shells[0].expected, shells[0].present), (4, 2));
    assert_eq!(shells[0].completeness(), Some(0.5));
    let shells = completeness(&expansion(&group, [[2, 0, 0], [1, 1, 0]]), &cubic, Some(6.0), 1).unwrap();
    assert_eq!((shells[0].expected, shells[0].present), (2, 1));
    let shells = completeness(&expansion(&group, []), &cubic, Some(11.0), 1).unwrap();
    assert_eq!(shells[0].completeness(), None);
}

#[test]
fn what_cannot_be_counted_is_refused() {
    let group = SpaceGroup::from_name("P 1", None).unwrap();
    let good = cell([10.0; 3], [90.0; 3]);
    let refusal = |list: &[Hkl], cell: &Cell, d_min, count| {
        completeness(&expansion(&group, list.iter().copied()), cell, d_min, count).unwrap_err().to_string()
    };
    let none = "completeness needs a resolution: there is none, and no reflection that has one";
    assert_eq!(refusal(&[[0; 3]], &good, None, 3), none);
    for d_min in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(refusal(&[[1; 3]], &good, Some(d_min), 3), none);
    }
    let zero = cell([0.0; 3], [0.0; 3]);
    assert_eq!(refusal(&[[1; 3]], &zero, None, 3), "there is no cell 0 0 0 0 0 0");
    let many = "the indices to 0.001 Å in the cell 10 10 10 90 90 90 are too many to be counted";
    assert_eq!(refusal(&[[1; 3]], &good, Some(0.001), 3), many);
    for count in [0, 1001] {
        let shells = format!("{count} shells: 1 to 1000 are possible");
        assert_eq!(refusal(&[[1; 3]], &good, None, count), shells);
    }
}
