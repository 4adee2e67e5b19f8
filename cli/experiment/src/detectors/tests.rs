//! The table against what was collected from its sources, and masks against the gaps that these name.

use std::collections::BTreeSet;

use super::*;
use crate::sensor_material::SensorMaterial::{CdTe, Si};

fn named(name: &str) -> &'static NamedDetector {
    NamedDetector::find(name).unwrap_or_else(|| panic!("no {name}"))
}

/// The ranges of columns and of rows that are gaps throughout.
fn gap_ranges(detector: &NamedDetector, material: Option<SensorMaterial>) -> [Vec<(usize, usize)>; 2] {
    let [fast, slow] = detector.pixels();
    let mask = detector.mask(material).unwrap();
    assert_eq!(mask.len(), fast * slow);
    let column = |fast_index: usize| (0..slow).all(|row| mask[row * fast + fast_index] == 0);
    let row = |slow_index: usize| mask[slow_index * fast..][..fast].iter().all(|&pixel| pixel == 0);
    [ranges((0..fast).filter(|&index| column(index))), ranges((0..slow).filter(|&index| row(index)))]
}

/// First and last of each run of neighbouring numbers.
fn ranges(numbers: impl Iterator<Item = usize>) -> Vec<(usize, usize)> {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    ranges
}

/// `count` ranges, each `step` pixels after the one before.
fn every(step: usize, (first, last): (usize, usize), count: usize) -> Vec<(usize, usize)> {
    (0..count).map(|index| (first + index * step, last + index * step)).collect()
}

#[test]
fn names_and_sizes_are_those_of_the_sources() {
    // Cells with commas, which are quoted, come after all that are read here.
    let lines = include_str!("detectors.csv").lines().filter(|line| !line.starts_with('#'));
    let rows: Vec<Vec<&str>> = lines.skip(1).map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), ALL.len()), (44, 44));
    for (row, detector) in rows.iter().zip(ALL) {
        let integer = |column: usize| row[column].parse::<usize>().unwrap();
        let pair = |column: usize| [integer(column), integer(column + 1)];
        let name = row[0];
        assert_eq!(detector.name, name);
        for alias in row[1].split(';') {
            assert_eq!(named(alias).name, name, "{alias}");
        }
        assert_eq!(detector.pixels(), pair(2), "{name}");
        let pixel_um: f64 = row[4].parse().unwrap();
        assert!((detector.pixel_mm * 1e3 - pixel_um).abs() < 1e-9, "{name}");
        // Gaps of neighbours that there are none of are not told.
        let (count, mut gap) = (pair(9), pair(7));
        (0..2).filter(|&axis| count[axis] == 1).for_each(|axis| gap[axis] = 0);
        assert_eq!(detector.modules, Modules { count, pixels: pair(5), gap }, "{name}");
        let materials = row[11];
        assert!(
            detector.variants().iter().all(|sensor| materials.contains(sensor.material.name())),
            "{name}"
        );
        assert_eq!(
            detector.usual_sensor().is_some(),
            materials.starts_with("Si") && materials != "Si or CdTe",
            "{name}"
        );
        if let Some(usual) = detector.usual_sensor() {
            let thickness = row[12].split(|c: char| !c.is_ascii_digit()).next().unwrap();
            assert_eq!(thickness.parse(), Ok(usual.thickness_um), "{name}");
        }
    }
}

#[test]
fn gaps_are_where_the_sources_have_them() {
    for (name, columns, rows) in [
        ("Pilatus 6M", every(494, (487, 493), 4), every(212, (195, 211), 11)),
        ("Pilatus3 2M", every(494, (487, 493), 2), every(212, (195, 211), 7)),
        ("Pilatus 300K", Vec::new(), every(212, (195, 211), 2)),
        ("Eiger 16M", every(1040, (1030, 1039), 3), every(551, (514, 550), 7)),
        ("Eiger2 16M", every(1040, (1028, 1039), 3), every(550, (512, 549), 7)),
        ("Eiger2 4M", every(1040, (1028, 1039), 1), every(550, (512, 549), 3)),
        ("Pilatus4 4M", every(520, (513, 519), 3), every(275, (255, 274), 7)),
    ] {
        let detector = named(name);
        assert_eq!(gap_ranges(detector, Some(Si)), [columns.clone(), rows.clone()], "{name}");
        // Nothing but whole columns and rows is a gap.
        let [fast, slow] = detector.pixels();
        let wide =
            |ranges: &[(usize, usize)]| ranges.iter().map(|(first, last)| last - first + 1).sum::<usize>();
        let sensitive = (fast - wide(&columns)) * (slow - wide(&rows));
        let found = detector.mask(None).unwrap().iter().filter(|&&pixel| pixel == 1).count();
        assert_eq!(found, sensitive, "{name}");
    }
    for name in ["Pilatus 100K", "Eiger 500K", "ADSC Q315", "Rayonix MX300"] {
        assert!(!named(name).has_gaps(None) && !named(name).mask(None).unwrap().contains(&0), "{name}");
    }
}

#[test]
fn seams_are_those_of_cadmium_telluride() {
    for (name, seams, gap) in [
        ("Pilatus3 1M", vec![(242, 244), (736, 738)], (487, 493)),
        ("Eiger2 1M", vec![(513, 514)], (0, 0)),
        ("Eiger2 4M", vec![(513, 514), (1553, 1554)], (1028, 1039)),
        ("Pilatus4 1M", vec![(256, 256), (776, 776)], (513, 519)),
    ] {
        let [mut columns, _] = gap_ranges(named(name), Some(CdTe));
        columns.retain(|&range| range != gap);
        assert_eq!(columns, seams, "{name}");
        assert!(!named(name).is_gap([seams[0].0, 0], Some(Si)) && !named(name).is_gap([seams[0].0, 0], None));
    }
    assert_eq!(named("Pilatus 6M").seam(Some(CdTe)), None);
}

/// pyFAI masks as many pixels of the frame of 3450 x 3450.
#[test]
fn image_plates_are_round() {
    let mask = named("MAR345").mask(None).unwrap();
    assert_eq!(mask.iter().filter(|&&pixel| pixel == 0).count(), 2_554_284);
    let plate = named("mar2300");
    assert!(plate.is_gap([0, 0], None) && plate.is_gap([2299, 2299], None));
    assert!(!plate.is_gap([0, 1150], None) && !plate.is_gap([1149, 2299], None));
    assert!(named("MAR165").has_gaps(None));
}

#[test]
fn names_are_forgiving_and_unique() {
    for (name, found) in [
        ("PILATUS 6M", "Pilatus 6M"),
        ("pilatus-6m", "Pilatus 6M"),
        ("pilatus_6m", "Pilatus 6M"),
        ("pilatus2_6m", "Pilatus 6M"),
        ("PILATUS3 X 6M", "Pilatus3 6M"),
        ("EIGER2 XE 16M", "Eiger2 16M"),
        ("eigerx16m", "Eiger 16M"),
        ("JF0.5M", "Jungfrau 0.5M"),
        ("jungfrau_500k", "Jungfrau 0.5M"),
        ("mx-300", "Rayonix MX300"),
        ("MX300HS", "Rayonix MX300-HS"),
        ("mar345", "MAR345 3450"),
        ("q315r 2X2", "ADSC Q315 2x2"),
        ("epix10ka2m", "ePix10k2M"),
    ] {
        assert_eq!(NamedDetector::find(name).map(|detector| detector.name), Some(found), "{name}");
    }
    for name in ["", "pilatus", "Pilatus5 6M", "6M", "eiger3 16m", "\u{e9}"] {
        assert_eq!(NamedDetector::find(name), None, "{name}");
    }
    let names: Vec<_> = ALL.iter().flat_map(NamedDetector::names).map(key).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
}

#[test]
fn sensors_are_the_usual_ones_where_a_name_tells() {
    let usual = |name: &str| named(name).usual_sensor().map(|sensor| (sensor.material, sensor.thickness_um));
    assert_eq!(usual("Pilatus 6M"), Some((Si, 320.0)));
    assert_eq!(usual("Eiger 16M"), Some((Si, 450.0)));
    assert_eq!(usual("Eiger2 16M"), None);
    assert_eq!(usual("Rayonix MX225"), None);
    let of = |name: &str, material| named(name).sensor_of(material).map(|sensor| sensor.thickness_um);
    assert_eq!(of("Eiger2 16M", CdTe), Some(750.0));
    assert_eq!(of("Pilatus3 2M", CdTe), Some(1000.0));
    assert_eq!(of("Pilatus 2M", CdTe), None);
    assert_eq!(named("Pilatus3 2M").saturation, Some(1_048_575));
    assert_eq!(named("ADSC Q210").saturation, Some(65_535));
    assert_eq!(named("Eiger 16M").saturation, None);
}

#[test]
fn what_a_name_does_not_place_needs_a_file() {
    let need: Vec<_> =
        ALL.iter().filter(|detector| detector.needs_file.is_some()).map(|detector| detector.name).collect();
    assert!(need.iter().all(|name| NamedDetector::needs_file(name).is_some()));
    assert_eq!(NamedDetector::needs_file("pilatus12m").map(|(name, _)| name), Some("Pilatus 12M-DLS"));
    assert_eq!(NamedDetector::needs_file("Pilatus 6M"), None);
    assert_eq!(need, ["Jungfrau 1M", "Jungfrau 16M", "CSPAD", "AGIPD 1M", "ePix10k2M"]);
}
