//! The expansion against a plain reimplementation of its six rules.

use crate::common::{Lcg, observations, small_indices};
use crate::settings::names;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use widebragg_reflections::cell::Cell;
use widebragg_reflections::expansion::{Counts, Expansion};
use widebragg_reflections::index_box::IndexBox;
use widebragg_reflections::observations::{Hkl, Mates, Observation, Observations, Quantity};
use widebragg_reflections::symmetry::SpaceGroup;

fn group(name: &str) -> SpaceGroup {
    SpaceGroup::from_name(name, None).unwrap()
}

fn minus(hkl: Hkl) -> Hkl {
    hkl.map(|index| -index)
}

/// The list of P1 and the counts, by sets and maps of indices.
fn plain(observations: &Observations, group: &SpaceGroup) -> (BTreeMap<Hkl, f64>, Counts) {
    let images = |hkl: Hkl| group.images(hkl).collect::<BTreeSet<Hkl>>();
    let mut counts = Counts { read: observations.list.len(), ..Counts::default() };
    let (absent, list): (Vec<&Observation>, Vec<&Observation>) =
        observations.list.iter().partition(|o| group.is_absent(o.hkl));
    counts.absent = absent.len();
    let listed: BTreeSet<Hkl> = list.iter().flat_map(|observation| images(observation.hkl)).collect();
    let differ = observations.mates == Mates::AsListed
        && listed.iter().any(|hkl| listed.contains(&minus(*hkl)) && !images(*hkl).contains(&minus(*hkl)));
    let class = |hkl: Hkl| {
        let mut class = images(hkl);
        if !differ {
            class.extend(images(minus(hkl)));
        }
        class
    };
    let mut classes: BTreeMap<Vec<Hkl>, Vec<&Observation>> = BTreeMap::new();
    for observation in list {
        classes.entry(class(observation.hkl).into_iter().collect()).or_default().push(observation);
    }
    let mut p1 = BTreeMap::new();
    for (class, members) in &mut classes {
        // Those that are equivalent to the largest index come before the mates, each in the order of the file.
        members.sort_by_key(|observation| !images(observation.hkl).contains(class.iter().max().unwrap()));
        let weight =
            |o: &Observation| if observations.weighted { 1.0 / o.sigma.unwrap().powi(2) } else { 1.0 };
        let mut mean = members[0].value;
        if members.len() > 1 {
            let sum: f64 = members.iter().map(|o| weight(o) * o.value).sum();
            mean = sum / members.iter().map(|o| weight(o)).sum::<f64>();
        }
        counts.unique += 1;
        counts.merged += members.len() - 1;
        counts.below_zero += usize::from(mean < 0.0);
        let positive = if mean < 0.0 { 0.0 } else { mean };
        let f = if observations.quantity == Quantity::Intensity { positive.sqrt() } else { positive };
        p1.extend(class.iter().map(|hkl| (*hkl, f)));
    }
    let mates: Vec<(Hkl, f64)> = p1.iter().map(|(hkl, f)| (minus(*hkl), *f)).collect();
    for (hkl, f) in mates {
        p1.entry(hkl).or_insert(f);
    }
    counts.expanded = p1.len();
    counts.mates_filled_in = p1.keys().filter(|hkl| !listed.contains(*hkl)).count();
    (p1, counts)
}

/// The nodes of a grid whose default no observation has.
fn filled(expansion: &Expansion, bounds: &IndexBox, default_f: f64) -> Vec<f64> {
    let mut nodes = vec![f64::NAN; bounds.nodes().unwrap()];
    expansion.fill(bounds, default_f, &mut nodes).unwrap();
    nodes
}

fn check(observations: &Observations, group: &SpaceGroup) {
    const DEFAULT_F: f64 = 12345.0;
    let (p1, counts) = plain(observations, group);
    let expansion = Expansion::new(observations, group).unwrap();
    assert_eq!(*expansion.counts(), counts, "{group}");

    let mean = p1.values().sum::<f64>() / p1.len() as f64;
    let above = p1.values().filter(|f| **f > mean).count();
    assert_eq!(expansion.count(|f| f > mean), above, "{group}");

    let bounds = expansion.bounds();
    let largest = |axis: usize| p1.keys().map(|hkl| hkl[axis].abs()).max().unwrap_or(0);
    assert_eq!(bounds, IndexBox::symmetric([largest(0), largest(1), largest(2)]), "{group}");
    let crop = IndexBox { h: (-1, 3), k: (-2, 2), l: (0, 2) };
    for bounds in [bounds, IndexBox::symmetric([6; 3]), crop] {
        let nodes = filled(&expansion, &bounds, DEFAULT_F);
        let mut place = 0;
        for h in bounds.h.0..=bounds.h.1 {
            for k in bounds.k.0..=bounds.k.1 {
                for l in bounds.l.0..=bounds.l.1 {
                    let hkl = [h, k, l];
                    let default_f = if group.is_absent(hkl) { 0.0 } else { DEFAULT_F };
                    let expected = p1.get(&hkl).copied().unwrap_or(default_f);
                    assert_eq!(nodes[place].to_bits(), expected.to_bits(), "{group} {hkl:?}");
                    assert_eq!(bounds.position(hkl), Some(place));
                    place += 1;
                }
            }
        }
    }
    let mut single = vec![0.0_f32; bounds.nodes().unwrap()];
    expansion.fill(&bounds, DEFAULT_F, &mut single).unwrap();
    let double = filled(&expansion, &bounds, DEFAULT_F);
    assert!(single.iter().zip(&double).all(|(single, double)| *single == *double as f32), "{group}");
}

prop_compose! {
    fn random_observations()(
        list in prop::collection::vec(((-4..5, -4..5, -4..5), -50.0..1000.0, 0.1..9.0), 0..60),
        intensities in any::<bool>(),
        weighted in any::<bool>(),
        merged in any::<bool>(),
    ) -> Observations {
        let list = list
            .into_iter()
            .map(|((h, k, l), value, sigma)| Observation { hkl: [h, k, l], value, sigma: Some(sigma) })
            .collect();
        let quantity = if intensities { Quantity::Intensity } else { Quantity::Amplitude };
        Observations { quantity, list, weighted, mates: if merged { Mates::Merged } else { Mates::AsListed } }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_lists_in_random_groups(observations in random_observations(), setting in 0_usize..530) {
        check(&observations, &group(&names()[setting]));
    }

    #[test]
    fn random_lists_in_point_groups(observations in random_observations(), symbol in 0_usize..6) {
        let symbol = ["1", "2_uab", "321_H", "-3m_R", "4mm", "m-3m"][symbol];
        check(&observations, &SpaceGroup::from_point_group(symbol).unwrap());
    }
}

#[test]
fn absent_nodes_of_every_setting_are_zero() {
    for name in names() {
        check(&observations(Quantity::Amplitude, []), &group(&name));
    }
}

/// One observation of each class gives the whole list back, to the bit.
#[test]
fn a_part_of_the_list_gives_the_whole() {
    let mut random = Lcg(1);
    for name in names() {
        let group = group(&name);
        let mut p1 = BTreeMap::new();
        for hkl in small_indices(4).filter(|hkl| !group.is_absent(*hkl)) {
            let f = 1000.0 * random.uniform();
            if !p1.contains_key(&hkl) {
                p1.extend(group.images(hkl).map(|image| (image, f)));
            }
        }
        let mut seen = BTreeSet::new();
        let list: Vec<(Hkl, f64)> = p1
            .iter()
            .filter(|(hkl, _)| seen.insert(group.images(**hkl).max()))
            .map(|(hkl, f)| {
                let images: Vec<Hkl> = group.images(*hkl).collect();
                (images[random.below(images.len())], *f)
            })
            .collect();
        let expansion = Expansion::new(&observations(Quantity::Amplitude, list), &group).unwrap();
        assert_eq!(expansion.counts().expanded, p1.len(), "{name}");
        assert_eq!(expansion.counts().mates_filled_in, 0, "{name}");
        let some_differ = p1.keys().any(|hkl| !group.is_centric(*hkl));
        assert_eq!(expansion.mates_differ(), some_differ, "{name}");
        let nodes = filled(&expansion, &expansion.bounds(), 0.0);
        for (hkl, f) in &p1 {
            let node = expansion.bounds().position(*hkl).map(|position| nodes[position]);
            assert_eq!(node, Some(*f), "{name} {hkl:?}");
        }
    }
}

#[test]
fn means_are_taken_of_intensities() {
    let list = [([1, 2, 3], 100.0), ([-1, -2, 3], 4.0), ([-2, 1, 3], -10.0)];
    let mut observations = observations(Quantity::Intensity, list);
    let f_of =
        |observations: &Observations| Expansion::new(observations, &group("P 4")).unwrap().unique()[0].f;
    assert_eq!(f_of(&observations), (94.0_f64 / 3.0).sqrt());
    for (observation, sigma) in observations.list.iter_mut().zip([1.0, 2.0, 4.0]) {
        observation.sigma = Some(sigma);
    }
    observations.weighted = true;
    assert_eq!(f_of(&observations), ((100.0 + 1.0 - 10.0 / 16.0) / (1.0 + 0.25 + 0.0625_f64)).sqrt());
    // Where one weight is unknown, none is used.
    for sigma in [None, Some(0.0), Some(-1.0), Some(f64::NAN), Some(1e-200), Some(f64::INFINITY)] {
        observations.list[1].sigma = sigma;
        assert_eq!(f_of(&observations), (94.0_f64 / 3.0).sqrt(), "{sigma:?}");
    }
}

#[test]
fn one_observation_keeps_its_bits() {
    // 0.1 / 3 * 3 is not 0.1 in floating point.
    let mut observations = observations(Quantity::Amplitude, [([1, 2, 3], 0.1)]);
    observations.list[0].sigma = Some(3.0_f64.sqrt());
    observations.weighted = true;
    let expansion = Expansion::new(&observations, &group("P 4")).unwrap();
    assert_eq!(expansion.unique()[0].f.to_bits(), 0.1_f64.to_bits());
}

#[test]
fn mates_differ_where_the_list_says_so() {
    let differ = |name: &str, list: &[Hkl], mates| {
        let list = list.iter().enumerate().map(|(i, hkl)| (*hkl, i as f64 + 1.0));
        let observations = Observations { mates, ..observations(Quantity::Amplitude, list) };
        Expansion::new(&observations, &group(name)).unwrap().mates_differ()
    };
    let listed = Mates::AsListed;
    assert!(!differ("P 1 21 1", &[[1, 2, 3], [-1, 2, 4]], listed));
    assert!(differ("P 1 21 1", &[[1, 2, 3], [-1, -2, -3]], listed));
    // The mate of an equivalent.
    assert!(differ("P 1 21 1", &[[1, 2, 3], [1, -2, 3]], listed));
    assert!(!differ("P 1 21 1", &[[1, 2, 3], [1, -2, 3]], Mates::Merged));
    // Centric, or absent: no evidence.
    assert!(!differ("P 1 21 1", &[[1, 0, 3], [-1, 0, -3]], listed));
    assert!(!differ("P 1 21 1", &[[0, 3, 0], [0, -3, 0]], listed));
    assert!(!differ("P -1", &[[1, 2, 3], [-1, -2, -3]], listed));
}

#[test]
fn a_mate_alone_serves_for_both() {
    let list = [([1, 2, 3], 5.0), ([-1, -2, -3], 6.0), ([2, 1, 4], 7.0), ([-3, -1, -1], 8.0)];
    let expansion = Expansion::new(&observations(Quantity::Amplitude, list), &group("P 1")).unwrap();
    let bounds = expansion.bounds();
    let nodes = filled(&expansion, &bounds, 0.0);
    let f = |hkl| nodes[bounds.position(hkl).unwrap()];
    assert_eq!([f([1, 2, 3]), f([-1, -2, -3])], [5.0, 6.0]);
    assert_eq!([f([2, 1, 4]), f([-2, -1, -4])], [7.0, 7.0]);
    assert_eq!([f([3, 1, 1]), f([-3, -1, -1])], [8.0, 8.0]);
    assert_eq!((expansion.counts().expanded, expansion.counts().mates_filled_in), (6, 2));
}

#[test]
fn broken_observations_are_refused_in_words() {
    let refusal = |name: &str, hkl, value| {
        let observations = observations(Quantity::Amplitude, [(hkl, value)]);
        Expansion::new(&observations, &group(name)).unwrap_err().to_string()
    };
    assert_eq!(refusal("P 1", [1, -2, 3], f64::NAN), "the value of the reflection 1 -2 3 is NaN");
    assert_eq!(refusal("P 1", [1, -2, 3], f64::INFINITY), "the value of the reflection 1 -2 3 is inf");
    let beyond = "the reflection 0 1048576 0 has an index beyond 1048575";
    assert_eq!(refusal("P 1", [0, 1_048_576, 0], 1.0), beyond);
    let beyond = "the reflection -2147483648 0 0 has an index beyond 1048575";
    assert_eq!(refusal("P 1", [i32::MIN, 0, 0], 1.0), beyond);
    // An equivalent would be beyond: h + k.
    assert_eq!(refusal("P 3", [524_288, 0, 0], 1.0), "the reflection 524288 0 0 has an index beyond 524287");
    let grid = Expansion::new(&observations(Quantity::Amplitude, [([1, 0, 0], 1.0)]), &group("P 1")).unwrap();
    let error = grid.fill(&grid.bounds(), 0.0, &mut [0.0; 2]).unwrap_err();
    assert_eq!(error.to_string(), "a grid of 2 nodes does not fit its box of indices");
}

#[test]
fn the_largest_indices_are_expanded() {
    let list = [([1_048_575, -1_048_575, 1_048_575], 3.0), ([-1_048_575, 1_048_575, 1_048_574], 4.0)];
    let expansion = Expansion::new(&observations(Quantity::Amplitude, list), &group("P 1")).unwrap();
    let indices: Vec<Hkl> = expansion.unique().iter().map(|unique| unique.hkl).collect();
    assert_eq!(indices, [[1_048_575, -1_048_575, -1_048_574], [1_048_575, -1_048_575, 1_048_575]]);
    let bounds =
        IndexBox { h: (-1_048_575, -1_048_575), k: (1_048_575, 1_048_575), l: (-1_048_575, -1_048_574) };
    assert_eq!(filled(&expansion, &bounds, 0.0), [3.0, 0.0]);
}

#[test]
fn an_empty_box_is_filled() {
    let expansion =
        Expansion::new(&observations(Quantity::Amplitude, [([1, 0, 0], 1.0)]), &group("P 4")).unwrap();
    let bounds = expansion.bounds().intersection(&IndexBox { h: (0, 1), k: (0, 1), l: (2, 3) });
    assert_eq!(bounds.nodes(), Some(0));
    assert!(filled(&expansion, &bounds, 7.0).is_empty());
}

/// The largest case that is asked for in practice. Depends on the speed of the machine, so it runs by name only:
/// `cargo test --release -p widebragg-reflections -- --ignored --nocapture`.
#[test]
#[ignore = "measures time, and needs 1 GiB of memory"]
fn a_million_unique_reflections_of_p432() {
    let cell = Cell { lengths_angstrom: [225.0; 3], angles_deg: [90.0; 3] };
    let group = group("P 4 3 2");
    let metric = cell.reciprocal_metric();
    let list = small_indices(225)
        .filter(|[h, k, l]| *h >= *k && *k >= *l && *l >= 0 && metric.d_angstrom([*h, *k, *l]) >= 1.0)
        .map(|hkl| (hkl, f64::from(hkl[0])));
    let observations = observations(Quantity::Amplitude, list);
    let start = std::time::Instant::now();
    let expansion = Expansion::new(&observations, &group).unwrap();
    let averaged = start.elapsed();
    let bounds = expansion.bounds();
    let mut nodes: Vec<f64> = vec![0.0; bounds.nodes().unwrap()];
    expansion.fill(&bounds, 0.0, &mut nodes).unwrap();
    let double = start.elapsed();
    let mut single: Vec<f32> = vec![0.0; bounds.nodes().unwrap()];
    let start = std::time::Instant::now();
    expansion.fill(&bounds, 7.0, &mut single).unwrap();
    let single = start.elapsed();
    let crop = IndexBox::symmetric([200; 3]);
    let mut part: Vec<f64> = vec![0.0; crop.nodes().unwrap()];
    let start = std::time::Instant::now();
    expansion.fill(&crop, 0.0, &mut part).unwrap();
    let cropped = start.elapsed();
    let Counts { read, expanded, .. } = *expansion.counts();
    println!("{read} unique, {expanded} in P1: averaged {averaged:?}, in a grid of f64 {double:?}");
    println!("a grid of f32 with default_F alone {single:?}, a smaller one of f64 {cropped:?}");
    assert!(read > 1_000_000 && double.as_secs_f64() < 1.5, "{double:?}");
}
