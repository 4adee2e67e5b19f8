//! All settings of space groups against gemmi's, and what groups have in common.

use crate::common::{golden, small_indices};
use std::collections::HashSet;
use widebragg_reflections::symmetry::{Operator, SpaceGroup};

/// A line of `settings_gemmi.csv`: what gemmi 0.7.5 makes of a setting's name.
struct Expected {
    hall: String,
    operators: usize,
    centring: usize,
    /// Absent and centric indices among those with |h|, |k|, |l| up to 6.
    absent: usize,
    centric: usize,
    /// FNV-1a (64 bits) of the sorted operators, as [`text`] writes them.
    hash: u64,
}

fn expected() -> Vec<Expected> {
    let rows = golden("settings_gemmi.csv");
    rows.lines()
        .skip(1)
        .map(|row| {
            // The Hall symbol may hold quotes and commas, so the other fields are counted from the end.
            let fields: Vec<&str> = row.rsplitn(6, ',').collect();
            let hall = fields[5];
            let hall = hall.strip_prefix('"').and_then(|hall| hall.strip_suffix('"')).unwrap_or(hall);
            Expected {
                hall: hall.replace("\"\"", "\""),
                operators: fields[4].parse().unwrap(),
                centring: fields[3].parse().unwrap(),
                absent: fields[2].parse().unwrap(),
                centric: fields[1].parse().unwrap(),
                hash: u64::from_str_radix(fields[0], 16).unwrap(),
            }
        })
        .collect()
}

/// Operators as nine entries of R and three 24ths of t, with commas; semicolons between operators.
fn text(operators: &[Operator]) -> String {
    let numbers = |operator: &Operator| {
        let numbers = operator.rotation().iter().flatten().copied().chain(operator.shift_24ths());
        numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(",")
    };
    operators.iter().map(numbers).collect::<Vec<_>>().join(";")
}

fn fnv1a(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// The names of all settings, in the order of the table.
pub fn names() -> Vec<String> {
    let table = include_str!("../../src/symmetry/data/settings.csv");
    table
        .lines()
        .skip(2)
        .map(|row| {
            let fields: Vec<&str> = row.split(';').collect();
            format!("{}:{}", fields[3], fields[1])
        })
        .collect()
}

#[test]
fn every_setting_is_gemmis() {
    let expected = expected();
    let names = names();
    assert_eq!((expected.len(), names.len()), (530, 530));
    for (expected, name) in expected.iter().zip(&names) {
        let group = SpaceGroup::from_name(name, None).unwrap();
        assert_eq!(fnv1a(&text(group.operators())), expected.hash, "{name}");
        assert_eq!(group.operators().len(), expected.operators, "{name}");
        assert_eq!(group.operators().len() / group.rotations().len(), expected.centring, "{name}");
        let count = |test: &dyn Fn([i32; 3]) -> bool| small_indices(6).filter(|hkl| test(*hkl)).count();
        assert_eq!(count(&|hkl| group.is_absent(hkl)), expected.absent, "{name}");
        assert_eq!(count(&|hkl| group.is_centric(hkl)), expected.centric, "{name}");
        assert_eq!(SpaceGroup::from_hall(&expected.hall).unwrap().operators(), group.operators(), "{name}");
    }
}

#[test]
fn every_setting_is_a_group_and_known_by_its_operators() {
    for name in names() {
        let group = SpaceGroup::from_name(&name, None).unwrap();
        let operators = group.operators();
        assert_eq!(48 % group.rotations().len(), 0, "{name}");
        assert!([1, 2, 3, 4].map(|centring| centring * group.rotations().len()).contains(&operators.len()));
        let members: HashSet<Operator> = operators.iter().copied().collect();
        assert_eq!(members.len(), operators.len(), "{name}");
        assert!(members.contains(&Operator::IDENTITY), "{name}");
        for operator in operators {
            assert!(members.contains(&operator.inverse().unwrap()), "{name}");
            assert_eq!(operator.after(&operator.inverse().unwrap()).unwrap(), Operator::IDENTITY, "{name}");
            assert_eq!(operator.to_string().parse::<Operator>().unwrap(), *operator, "{name}");
        }
        for (a, b) in operators.iter().flat_map(|a| operators.iter().map(move |b| (a, b))) {
            assert!(members.contains(&a.after(b).unwrap()), "{name}");
        }
        let by_operators = SpaceGroup::from_operators(operators).unwrap();
        assert_eq!(by_operators.operators(), operators, "{name}");
        assert_eq!(by_operators.number(), group.number(), "{name}");
        let again = SpaceGroup::from_name(by_operators.name(), None).unwrap();
        assert_eq!(again, by_operators, "{name}");
    }
}

#[test]
fn classes_of_indices_have_one_representative() {
    for name in ["P 1", "P -1", "C 1 2 1", "P 32 2 1", "R 3 2:R", "P 4/m m m", "P 61", "F d -3 m:2", "P 21 3"]
    {
        let group = SpaceGroup::from_name(name, None).unwrap();
        let mut classes = HashSet::new();
        for hkl in small_indices(4) {
            let laue = || group.images(hkl).flat_map(|image| [image, image.map(|index| -index)]);
            classes.insert(laue().max().unwrap());
            assert_eq!(group.is_representative(hkl), laue().max() == Some(hkl), "{name} {hkl:?}");
            assert!(laue().all(|image| group.is_absent(image) == group.is_absent(hkl)), "{name} {hkl:?}");
            assert!(laue().all(|image| group.epsilon(image) == group.epsilon(hkl)), "{name} {hkl:?}");
            let distinct: HashSet<[i32; 3]> = laue().collect();
            let order = group.laue_order() * group.operators().len() / group.rotations().len();
            let centric_twice = if group.is_centric(hkl) && !group.is_centrosymmetric() { 2 } else { 1 };
            assert_eq!(distinct.len() * group.epsilon(hkl) * centric_twice, order, "{name} {hkl:?}");
        }
        assert!(classes.iter().all(|hkl| group.is_representative(*hkl)), "{name}");
    }
}

/// Orders, and an index with one of its equivalents, from the axes and planes that the symbol names.
#[test]
fn point_groups_of_crystfel() {
    for (symbol, order, hkl, image) in [
        ("1", 1, [1, 2, 3], [1, 2, 3]),
        ("-1", 2, [1, 2, 3], [-1, -2, -3]),
        ("2", 2, [1, 2, 3], [-1, -2, 3]),
        ("2_uab", 2, [1, 2, 3], [-1, 2, -3]),
        ("2_uaa", 2, [1, 2, 3], [1, -2, -3]),
        ("2_uac", 2, [1, 2, 3], [-1, -2, 3]),
        ("m", 2, [1, 2, 3], [1, 2, -3]),
        ("2/m", 4, [1, 2, 3], [1, 2, -3]),
        ("2/m_uab", 4, [1, 2, 3], [1, -2, 3]),
        ("222", 4, [1, 2, 3], [1, -2, -3]),
        ("mm2", 4, [1, 2, 3], [-1, 2, 3]),
        ("mmm", 8, [1, 2, 3], [-1, 2, 3]),
        ("4", 4, [1, 2, 3], [-2, 1, 3]),
        ("4_uab", 4, [1, 2, 3], [3, 2, -1]),
        ("-4", 4, [1, 2, 3], [2, -1, -3]),
        ("4/m", 8, [1, 2, 3], [-2, 1, -3]),
        ("422", 8, [1, 2, 3], [2, 1, -3]),
        ("4mm", 8, [1, 2, 3], [2, 1, 3]),
        ("-42m", 8, [1, 2, 3], [2, 1, 3]),
        ("-4m2", 8, [1, 2, 3], [2, 1, -3]),
        ("4/mmm", 16, [1, 2, 3], [2, 1, 3]),
        ("3_R", 3, [1, 2, 3], [3, 1, 2]),
        ("-3_R", 6, [1, 2, 3], [-3, -1, -2]),
        ("32_R", 6, [1, 2, 3], [-2, -1, -3]),
        ("3m_R", 6, [1, 2, 3], [2, 1, 3]),
        ("-3m_R", 12, [1, 2, 3], [2, 1, 3]),
        ("3_H", 3, [1, 2, 4], [-3, 1, 4]),
        ("-3_H", 6, [1, 2, 4], [3, -1, -4]),
        ("321_H", 6, [1, 2, 4], [2, 1, -4]),
        ("312_H", 6, [1, 2, 4], [-2, -1, -4]),
        ("3m1_H", 6, [1, 2, 4], [-2, -1, 4]),
        ("31m_H", 6, [1, 2, 4], [2, 1, 4]),
        ("-3m1_H", 12, [1, 2, 4], [2, 1, -4]),
        ("-31m_H", 12, [1, 2, 4], [2, 1, 4]),
        ("6", 6, [1, 2, 4], [-1, -2, 4]),
        ("-6", 6, [1, 2, 4], [1, 2, -4]),
        ("6/m", 12, [1, 2, 4], [-1, -2, -4]),
        ("622", 12, [1, 2, 4], [2, 1, -4]),
        ("6mm", 12, [1, 2, 4], [2, 1, 4]),
        ("-62m", 12, [1, 2, 4], [2, 1, -4]),
        ("-6m2", 12, [1, 2, 4], [-2, -1, -4]),
        ("6/mmm", 24, [1, 2, 4], [2, 1, 4]),
        ("23", 12, [1, 2, 3], [3, 1, 2]),
        ("m-3", 24, [1, 2, 3], [-1, 2, 3]),
        ("432", 24, [1, 2, 3], [2, 1, -3]),
        ("-43m", 24, [1, 2, 3], [2, 1, 3]),
        ("m-3m", 48, [1, 2, 3], [2, 1, 3]),
    ] {
        let group = SpaceGroup::from_point_group(symbol).unwrap();
        assert_eq!((group.name(), group.number(), group.rotations().len()), (symbol, None, order));
        assert!(group.images(hkl).any(|other| other == image), "{symbol}");
        assert_eq!(group.images(hkl).collect::<HashSet<_>>().len(), order, "{symbol}");
        assert!(!group.has_absences() && !small_indices(3).any(|hkl| group.is_absent(hkl)), "{symbol}");
    }
    for symbol in ["unknown", "", "3", "4/MMM", "2_uad", "_uab"] {
        let error = SpaceGroup::from_point_group(symbol).unwrap_err().to_string();
        assert_eq!(error, format!("the point group \"{symbol}\" is unknown: give --space-group"));
    }
}

#[test]
fn hall_symbols_in_other_spellings() {
    let same = |a: &str, b: &str| {
        let [a, b] = [a, b].map(|symbol| SpaceGroup::from_hall(symbol).unwrap());
        assert_eq!(a, b);
    };
    same("P_2ac_2ab", "P 2ac 2ab");
    same(" -p 2YBC", "-P 2ybc".to_lowercase().as_str());
    same("P 3 2=", "P 3 2\"");
    same("P 3 2^", "P 3 2'");
    same("P 3z 2'", "P 3 2");
    same("P 4 2 3", "P 4z 2x 3*");
    same("P 31 2 (0 0 4)", "P 31 2 (x,y,z+1/3)");
    same("P 2y (z,x,y)", "P 2z (x , y , z) (".trim_end_matches(" ("));
    let screw = SpaceGroup::from_hall("P 2yb (-y,x,z)").unwrap();
    assert_eq!((screw.name(), screw.number()), ("P 21 1 1", Some(4)));
    assert_eq!(SpaceGroup::from_hall("S 1").unwrap().operators().len(), 3);
    assert_eq!(SpaceGroup::from_hall("T 1").unwrap().operators().len(), 3);
    // The H lattice is the triple cell of P 3, not the R lattice.
    let h = SpaceGroup::from_hall("H 3").unwrap();
    assert!(h.is_absent([1, 0, 0]) && !h.is_absent([1, 1, 0]));
}

#[test]
fn broken_hall_symbols_are_refused() {
    for (symbol, why) in [
        ("", "it begins with none of the lattices P A B C I F R H S T"),
        ("-", "it begins with none of the lattices P A B C I F R H S T"),
        ("X 2", "it begins with none of the lattices P A B C I F R H S T"),
        ("P 5", "its rotation \"5\" is unknown"),
        ("P 0", "its rotation \"0\" is unknown"),
        ("P 7", "its rotation \"7\" is unknown"),
        ("P x", "its rotation \"x\" is unknown"),
        ("P é", "its rotation \"é\" is unknown"),
        ("P 2é", "its rotation \"2é\" is unknown"),
        ("P 2q", "its rotation \"2q\" is unknown"),
        ("P 22", "its rotation \"22\" is unknown"),
        ("P 4 4", "its rotation \"4\" is unknown"),
        ("P 4'", "its rotation \"4'\" is unknown"),
        ("P 3*1", "its rotation \"3*1\" is unknown"),
        ("P 1 1 1 1 1", "it has more than four rotations"),
        ("P 2 (0 0", "its bracket is open"),
        ("P 2 (0 0)", "its change of basis is unknown"),
        ("P 2 (0 0 99)", "its change of basis is unknown"),
        ("P 2 (x-y,x+y,z)", "its change of basis is unknown"),
    ] {
        let error = SpaceGroup::from_hall(symbol).unwrap_err().to_string();
        assert_eq!(error, format!("the Hall symbol \"{symbol}\": {why}"));
    }
    // Three-fold about z and two-fold about x + y of cubic axes make no finite group.
    assert!(SpaceGroup::from_hall("P 3 2x 4y").unwrap_err().to_string().contains("more than 192"));
}
