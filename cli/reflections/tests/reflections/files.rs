//! The expansion of golden files against the lists of P1 that they must give.
//!
//! The files are read here in the plainest way; the readers of the formats have tests of their own.

use crate::common::{Lcg, golden, observations};
use std::collections::{BTreeMap, BTreeSet};
use widebragg_reflections::expansion::{Counts, Expansion};
use widebragg_reflections::observations::{Hkl, Mates, Observation, Observations, Quantity};
use widebragg_reflections::symmetry::SpaceGroup;

/// The list of P1.
fn expected(name: &str) -> BTreeMap<Hkl, f64> {
    golden(&format!("expected/{name}.csv"))
        .lines()
        .skip(1)
        .map(|row| {
            let fields: Vec<&str> = row.split(',').collect();
            let hkl = [0, 1, 2].map(|axis| fields[axis].parse().unwrap());
            (hkl, fields[3].parse().unwrap())
        })
        .collect()
}

/// Compares a list of P1: the same reflections, with F equal to a relative `tolerance`.
fn check(
    observations: &Observations,
    group: &SpaceGroup,
    expected: &BTreeMap<Hkl, f64>,
    tolerance: f64,
) -> Counts {
    let expansion = Expansion::new(observations, group).unwrap();
    let bounds = expansion.bounds();
    let mut nodes = vec![0.0_f64; bounds.nodes().unwrap()];
    expansion.fill(&bounds, -1.0, &mut nodes).unwrap();
    let mut present = 0;
    for (hkl, f) in expected {
        let node = nodes[bounds.position(*hkl).unwrap()];
        assert!((node - f).abs() <= tolerance * f, "{group} {hkl:?}: {node}, not {f}");
        present += usize::from(node >= 0.0);
    }
    assert_eq!((present, expansion.counts().expanded), (expected.len(), expected.len()), "{group}");
    let absent = if group.has_absences() { nodes.iter().filter(|node| **node == 0.0).count() } else { 0 };
    let known = nodes.iter().filter(|node| **node >= 0.0).count();
    assert!(known <= expected.len() + absent, "{group}");
    *expansion.counts()
}

#[test]
fn crystfel_lists() {
    for (name, symbol) in [("222", "222"), ("2_uab", "2_uab"), ("321_H", "321_H"), ("4mmm", "4/mmm")] {
        let text = golden(&format!("crystfel_{name}.hkl"));
        let rows = text.lines().skip(3).take_while(|row| !row.starts_with("End"));
        let list = rows.map(|row| {
            let words: Vec<&str> = row.split_whitespace().collect();
            ([0, 1, 2].map(|axis| words[axis].parse().unwrap()), words[3].parse().unwrap())
        });
        let group = SpaceGroup::from_point_group(symbol).unwrap();
        check(&observations(Quantity::Intensity, list), &group, &expected(&format!("crystfel_{name}")), 0.0);
    }
}

#[test]
fn an_unmerged_xds_list() {
    let text = golden("xds_unmerged.HKL");
    let rows = text.lines().filter(|row| !row.starts_with('!'));
    let all = rows.map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        Observation {
            hkl: [0, 1, 2].map(|axis| words[axis].parse().unwrap()),
            value: words[3].parse().unwrap(),
            sigma: Some(words[4].parse().unwrap()),
        }
    });
    let list: Vec<Observation> = all.filter(|observation| observation.sigma > Some(0.0)).collect();
    let mut observations =
        Observations { quantity: Quantity::Intensity, list, weighted: true, mates: Mates::AsListed };
    let group = SpaceGroup::from_number(19, None).unwrap();
    let apart = check(&observations, &group, &expected("xds_unmerged"), 1e-12);
    observations.mates = Mates::Merged;
    let merged = check(&observations, &group, &expected("xds_unmerged_friedel"), 1e-12);
    assert_eq!((apart.read, apart.absent), (merged.read, merged.absent));
    assert!(merged.merged > apart.merged && merged.unique < apart.unique);
}

#[test]
fn a_list_of_shelx_as_amplitudes() {
    let text = golden("hklf4.hkl");
    let number = |row: &str, from: usize, to: usize| row[from..to].trim().parse::<f64>().unwrap_or(0.0);
    let list = text.lines().map(|row| {
        ([0, 4, 8].map(|from| number(row, from, from + 4) as i32), number(row, 12, 20), number(row, 20, 28))
    });
    let list = list.take_while(|(hkl, ..)| *hkl != [0; 3]);
    let list = list.map(|(hkl, value, sigma)| Observation { hkl, value, sigma: Some(sigma) }).collect();
    let observations =
        Observations { quantity: Quantity::Amplitude, list, weighted: true, mates: Mates::AsListed };
    let group = SpaceGroup::from_name("P 1 21/c 1", None).unwrap();
    check(&observations, &group, &expected("hklf3"), 1e-12);
}

#[test]
fn text_in_p1_gets_its_mates() {
    let text = golden("text_header.hkl");
    let list = text.lines().skip(1).map(|row| {
        let words: Vec<&str> = row.split_whitespace().collect();
        ([0, 1, 2].map(|axis| words[axis].parse().unwrap()), words[3].parse().unwrap())
    });
    let group = SpaceGroup::from_name("P 1", None).unwrap();
    let counts = check(&observations(Quantity::Amplitude, list), &group, &expected("text_expanded"), 0.0);
    assert_eq!((counts.read, counts.expanded, counts.mates_filled_in), (297, 594, 297));
}

#[test]
fn scalepack_with_mates() {
    let text = golden("scalepack.sca");
    let mut list = Vec::new();
    for row in text.lines().skip(3) {
        let hkl: Hkl = [0, 4, 8].map(|from| row[from..from + 4].trim().parse().unwrap());
        let field = |from: usize| row.get(from..from + 8).and_then(|field| field.trim().parse::<f64>().ok());
        for (hkl, at) in [(hkl, 12), (hkl.map(|index| -index), 28)] {
            if let (Some(value), Some(sigma)) = (field(at), field(at + 8))
                && sigma >= 0.0
            {
                list.push((hkl, value));
            }
        }
    }
    let group = SpaceGroup::from_name("p212121", None).unwrap();
    check(&observations(Quantity::Intensity, list), &group, &expected("scalepack"), 0.0);
}

/// An observation of each class gives the list back that other programs made of it.
#[test]
fn lists_of_p1_come_back_from_their_unique_reflections() {
    let mut random = Lcg(2);
    for (file, name, mates_differ) in [
        ("p1_f", "P 1", false),
        ("ops_win", "P 1 1 21", false),
        ("p21_mad", "P 1 21 1", true),
        ("c2_dano", "C 1 2 1", true),
        ("sf_ops", "I 1 2 1", false),
        ("fcf_list6_calc", "P 1 21/c 1", false),
        ("scalepack", "P 21 21 21", true),
        ("xds_unmerged", "P 21 21 21", true),
        ("c2221_phenix", "C 2 2 21", false),
        ("p3221_pm", "P 32 2 1", true),
        ("p3221_pm_merged", "P 32 2 1", false),
        ("sf_old_anomalous", "P 32 2 1", true),
        ("r3h_i", "R 3:H", false),
        ("h32_ipm", "R 3 2:H", true),
        ("r32r_f", "R 3 2:R", false),
        ("i432_f", "I 4 3 2", false),
    ] {
        let group = SpaceGroup::from_name(name, None).unwrap();
        let p1 = expected(file);
        let mut seen = BTreeSet::new();
        let mut list = Vec::new();
        for (hkl, f) in &p1 {
            let mut images: Vec<Hkl> = group.images(*hkl).collect();
            if !mates_differ {
                images.extend(group.images(*hkl).map(|image| image.map(|index| -index)));
            }
            if images.iter().max().is_some_and(|largest| seen.insert(*largest)) {
                list.push((images[random.below(images.len())], *f));
            }
        }
        let counts = check(&observations(Quantity::Amplitude, list), &group, &p1, 0.0);
        assert_eq!(counts.mates_filled_in > 0, !mates_differ && !group.is_centrosymmetric(), "{file}");
        assert_eq!(counts.merged, 0, "{file}");
    }
}
