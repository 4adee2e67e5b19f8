//! The kernel's error messages, names of enumerations, and the accessors of a grid.

use core::fmt::{Debug, Display};
use core::str::FromStr;

use widebragg::Error;
use widebragg::detector::{Convention, CustomAxes, Pivot};
use widebragg::lattice::{CrystalShape, Precision};
use widebragg::rotation::PhiMode;
use widebragg::structure_factor::{HklGrid, Nodes};

#[test]
fn errors_are_single_lines_with_the_requirement() {
    let said = [
        (
            Error::BufferTooShort { buffer: "pixels", needed: 12, given: 7 },
            "pixels needs 12 elements, 7 given",
        ),
        (
            Error::OutOfRange { quantity: "fudge", value: -1.5, allowed: "0 or more" },
            "fudge is -1.5, must be 0 or more",
        ),
        (Error::ImpossibleCell, "no unit cell has these angles"),
        (Error::SingularMatrix, "the matrix is singular: its axes span no volume"),
        (Error::TooLarge { quantity: "grid" }, "grid is too large for this machine"),
        (Error::OutsideDetector { index: 9, limit: 8 }, "9 is outside the detector, which ends at 8"),
        (Error::CarryoverMissing, "a c-parity scene needs carryover slots"),
        (Error::UnknownLevel, "no such SIMD level: portable, avx2 or avx512"),
    ];
    for (error, line) in said {
        assert_eq!(error.to_string(), line);
    }
}

#[test]
fn conventions_have_the_reference_s_names() {
    let names = [
        (Convention::Adxv, "ADXV"),
        (Convention::Mosflm, "MOSFLM"),
        (Convention::Denzo, "DENZO"),
        (Convention::Xds, "XDS"),
        (Convention::Dials, "DIALS"),
        (Convention::Custom(CustomAxes::default()), "CUSTOM"),
    ];
    for (convention, name) in names {
        assert_eq!(convention.name(), name);
    }
}

#[test]
fn a_grid_returns_its_bounds_and_values() {
    let data = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    let grid = HklGrid::new([-1, 0, 4], [1, 2, 3], &data).expect("a grid");
    let nodes = Nodes::F64(&data[..6]);
    assert_eq!((grid.min(), grid.shape(), grid.nodes()), ([-1, 0, 4], [1, 2, 3], nodes));
    // Node indices have 32 bits. A larger grid is refused before its values are checked.
    for len in [[1 << 11, 1 << 11, 1 << 10], [usize::MAX, 1, 1], [1 << 20, 1 << 20, 1 << 30]] {
        assert!(matches!(HklGrid::new([0; 3], len, &data), Err(Error::TooLarge { .. })), "{len:?}");
    }
}

#[test]
fn enumerations_parse_their_own_names() {
    fn each<T: FromStr<Err = Error> + Copy + PartialEq + Debug + Display>(all: &[T], names: &[&str]) {
        assert_eq!(all.iter().map(T::to_string).collect::<Vec<_>>(), names);
        for value in all {
            assert_eq!(value.to_string().parse(), Ok(*value));
        }
        let refused = "no such name".parse::<T>().expect_err("a name that no value has");
        let line = refused.to_string().to_lowercase();
        assert!(names.iter().all(|name| line.contains(&name.to_lowercase())), "{line}");
    }
    each(CrystalShape::ALL, &["square", "round", "gauss", "tophat"]);
    each(Precision::ALL, &["f64", "mixed"]);
    each(PhiMode::ALL, &["spec", "c-parity"]);
    each(Pivot::ALL, &["beam", "sample"]);
    for convention in Convention::NAMED {
        assert_eq!(convention.name().to_lowercase().parse(), Ok(*convention));
        assert_eq!(convention.name().parse(), Ok(*convention));
    }
    assert!("custom".parse::<Convention>().is_err());
}
