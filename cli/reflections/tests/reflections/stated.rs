//! What is stated of a symmetry, and what is believed.

use proptest::prelude::*;
use widebragg_reflections::cell::Cell;
use widebragg_reflections::symmetry::{SpaceGroup, StatedSymmetry, resolve};

const HEXAGONAL: Cell = Cell { lengths_angstrom: [60.0, 60.0, 72.0], angles_deg: [90.0, 90.0, 120.0] };
const RHOMBOHEDRAL: Cell = Cell { lengths_angstrom: [42.1; 3], angles_deg: [78.3; 3] };

fn texts(operators: &[&str]) -> Vec<String> {
    operators.iter().map(|operator| (*operator).to_string()).collect()
}

fn operators(name: &str) -> Vec<String> {
    SpaceGroup::from_name(name, None).unwrap().operators().iter().map(ToString::to_string).collect()
}

/// Everything there is to state.
fn all(operators: Vec<String>, hall: &str, name: &str, number: u32) -> StatedSymmetry {
    StatedSymmetry {
        operators,
        hall: Some(hall.to_string()),
        name: Some(name.to_string()),
        number: Some(number),
        point_group: Some("4".to_string()),
    }
}

/// The believed group, with the number of warnings.
fn believed(stated: &StatedSymmetry, cell: Option<&Cell>) -> (String, usize) {
    let resolved = resolve(stated, cell).unwrap();
    (resolved.group.name().to_string(), resolved.warnings.len())
}

#[test]
fn the_order_of_belief() {
    // Five statements that all disagree.
    let mut stated = all(operators("P 1 1 21"), "P 2x", "P 1 2 1", 19);
    assert_eq!(believed(&stated, None), ("P 1 1 21".to_string(), 3));
    stated.operators.clear();
    assert_eq!(believed(&stated, None), ("P 2 1 1".to_string(), 2));
    stated.hall = None;
    assert_eq!(believed(&stated, None), ("P 1 2 1".to_string(), 1));
    stated.name = None;
    assert_eq!(believed(&stated, None), ("P 21 21 21".to_string(), 0));
    stated.number = None;
    assert_eq!(believed(&stated, None), ("4".to_string(), 0));
    stated.point_group = None;
    assert_eq!(resolve(&stated, None).unwrap_err().to_string(), "no symmetry is stated: give --space-group");
}

#[test]
fn statements_that_agree_give_no_warning() {
    let quiet = |stated: &StatedSymmetry, cell: Option<&Cell>| {
        assert_eq!(resolve(stated, cell).unwrap().warnings, [""; 0]);
    };
    quiet(&all(operators("P 21 21 21"), "P 2ac 2ab", "P2(1)2(1)2(1)", 19), None);
    quiet(&all(operators("P 1 21/n 1"), "-P 2yn", "P 21/n", 14), None);
    // Axes and origins that the name leaves open.
    quiet(&all(operators("R 3 2:R"), "P 3* 2", "R 3 2", 155), Some(&RHOMBOHEDRAL));
    quiet(&all(operators("R 3 2:R"), "P 3* 2", "R 3 2", 1155), Some(&RHOMBOHEDRAL));
    // A cell of zeros is unknown.
    quiet(
        &all(operators("P 4"), "P 4", "P 4", 75),
        Some(&Cell { lengths_angstrom: [0.0; 3], angles_deg: [0.0; 3] }),
    );
    quiet(&all(operators("R 3 2:H"), "R 3 2\"", "H 3 2", 155), Some(&HEXAGONAL));
    quiet(&all(operators("F d -3 m:2"), "-F 4vw 2vw 3", "F d -3 m", 227), None);
    // An origin that no table has.
    quiet(&all(texts(&["x,y,z", "1/2-x,y,z+1/2"]), "P -2xc (3 0 3)", "P c 1 1", 7), None);
}

#[test]
fn warnings_say_what_is_used() {
    let warnings = |stated: &StatedSymmetry, cell| resolve(stated, cell).unwrap().warnings;
    let stated = all(operators("R 3 2:R"), "P 31", "R 3 2:H", 150);
    assert_eq!(
        warnings(&stated, Some(&HEXAGONAL)),
        [
            "the symmetry operators are those of R 3 2:R, but the Hall symbol \"P 31\" is that of P 31: \
             the operators are used",
            "the symmetry operators are those of R 3 2:R, but the space group name is \"R 3 2:H\": \
             the operators are used",
            "the symmetry operators are those of R 3 2:R, but the space group number is 150: the operators are used",
            "the cell 60 60 72 90 90 120 does not have the symmetry of R 3 2:R: are they of one setting?",
        ]
    );
    let stated = all(operators("P 43"), "P 99", "I 21 (funny)", 76);
    assert_eq!(
        warnings(&stated, None),
        [
            "the symmetry operators are those of P 43, but the Hall symbol \"P 99\" is unknown: the operators are used",
            "the symmetry operators are those of P 43, but the space group name \"I 21 (funny)\" is unknown: \
             the operators are used",
            "the symmetry operators are those of P 43, but the space group number is 76: the operators are used",
        ]
    );
}

#[test]
fn operators_may_be_generators() {
    let stated = StatedSymmetry { operators: texts(&["-x,y+1/2,-z", "x+1/2,y+1/2,z"]), ..Default::default() };
    let group = resolve(&stated, None).unwrap().group;
    assert_eq!((group.name(), group.number(), group.operators().len()), ("C 1 21 1", Some(5), 4));
    // A setting that no table has: a primitive cell of C 2.
    let stated = StatedSymmetry { operators: texts(&["y,x,-z"]), ..Default::default() };
    let group = resolve(&stated, None).unwrap().group;
    assert_eq!((group.name(), group.number()), ("a group of 2 operators", None));
}

#[test]
fn operators_that_are_no_group_are_refused() {
    let refusal = |operators: &[&str]| {
        let stated = StatedSymmetry { operators: texts(operators), number: Some(1), ..Default::default() };
        resolve(&stated, None).unwrap_err().to_string()
    };
    let no_group = "the symmetry operators are no space group: they make more than 192 operators";
    assert_eq!(refusal(&["x,x+y,z"]), no_group);
    assert_eq!(refusal(&["-y,x-y,z", "-y,x,z"]), no_group);
    assert_eq!(refusal(&["y,-x,z", "-y,x-y,z", "z,x,y"]), no_group);
    assert_eq!(refusal(&["x,y"]), "the symmetry operator \"x,y\": it has 2 parts, not three");
    let long = format!("x,y,\n{}", "z".repeat(999));
    let expected = format!("the symmetry operator \"x,y, {}...\": ", "z".repeat(55));
    assert!(refusal(&[&long]).starts_with(&expected), "{}", refusal(&[&long]));
    let many: Vec<String> = (0..9999).map(|i| format!("x,y+{}/24,z+{}/24", i % 24, i / 24)).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(refusal(&many), no_group);
}

#[test]
fn the_option_takes_four_kinds() {
    let group = |value: &str, cell: Option<&Cell>| {
        let stated = StatedSymmetry::from_option(value).unwrap();
        resolve(&stated, cell).unwrap().group.name().to_string()
    };
    assert_eq!(group(" P212121 ", None), "P 21 21 21");
    assert_eq!(group("96", None), "P 43 21 2");
    assert_eq!(group("hall:P 4nw 2abw", None), "P 43 21 2");
    assert_eq!(group("Hall: P 31 2 (0 0 4)", None), "P 31 1 2");
    assert_eq!(group("x,y,z; -x,-y,z+1/2", None), "P 1 1 21");
    assert_eq!(group("-x,-y,z+1/2;", None), "P 1 1 21");
    assert_eq!(group("R 3 :R", None), "R 3:R");
    assert_eq!(group("R 3", Some(&RHOMBOHEDRAL)), "R 3:R");
    assert_eq!(group("146", Some(&RHOMBOHEDRAL)), "R 3:R");
    assert_eq!(group("R 3", Some(&HEXAGONAL)), "R 3:H");
    assert_eq!(group("R 3", None), "R 3:H");
    for (value, why) in [
        (
            "",
            "the space group \"\" is unknown: give --space-group, by another name, by hall:SYMBOL, or by its operators",
        ),
        (
            "P 99",
            "the space group \"P 99\" is unknown: give --space-group, by another name, by hall:SYMBOL, or by its operators",
        ),
        ("0", "there is no space group 0: they are numbered from 1 to 230"),
        ("1004", "there is no space group 1004: they are numbered from 1 to 230"),
        ("231", "there is no space group 231: they are numbered from 1 to 230"),
        ("99999999999", "there is no space group 4294967295: they are numbered from 1 to 230"),
        ("hall:P 9", "the Hall symbol \"P 9\": its rotation \"9\" is unknown"),
        ("x,y;z", "the symmetry operator \"x,y\": it has 2 parts, not three"),
        (";", "no symmetry is stated: give --space-group"),
    ] {
        assert_eq!(StatedSymmetry::from_option(value).unwrap_err().to_string(), why);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is stated, a group is believed or refused in one line.
    #[test]
    fn no_text_is_too_strange(
        any in any::<String>(),
        name in "(-)?[PABCIFRHpr][-_ 0-9/mncabde()':HR]{0,12}",
        hall in "hall:[- ]?[PABCIFRHST][-_ 1-6xyz'\"*abcnuvwd]{0,12}( \\([-0-9xyz+/, ]{0,9}\\)?)?",
        triplets in "([-+xyz0-9/. ]{0,6}[,;]){0,6}",
    ) {
        for text in [any, name, hall, triplets] {
            match StatedSymmetry::from_option(&text) {
                Ok(stated) => {
                    let operators = resolve(&stated, None).unwrap().group.operators().len();
                    prop_assert!((1..=192).contains(&operators), "{text}");
                }
                Err(error) => {
                    let line = error.to_string();
                    prop_assert!(line.chars().count() < 300 && !line.contains(char::is_control), "{line}");
                }
            }
        }
    }
}
