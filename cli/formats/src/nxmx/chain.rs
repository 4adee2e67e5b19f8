//! Chains of transformations: each names the next by its attribute `depends_on`, the last one ".".

use crate::failure::Failure;
use crate::geometry::vectors::{IDENTITY, Matrix, Vector, apply, plus, product, rotation, unit};
use crate::hdf5::Hdf5File;

/// The longest chain. A longer one goes round in a circle.
const MAX_AXES: usize = 64;

/// A transformation: x -> turn x + shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform {
    /// A rotation.
    pub(super) turn: Matrix,
    /// In m.
    pub(super) shift_m: Vector,
}

impl Transform {
    const NONE: Self = Self { turn: IDENTITY, shift_m: [0.0; 3] };

    /// This transformation, then `next`.
    fn then(self, next: Self) -> Self {
        let shift_m = plus(apply(next.turn, self.shift_m), 1.0, next.shift_m);
        Self { turn: product(next.turn, self.turn), shift_m }
    }

    /// Where a point goes.
    pub(super) fn point(&self, at_m: Vector) -> Vector {
        plus(apply(self.turn, at_m), 1.0, self.shift_m)
    }
}

/// One transformation of a file.
#[derive(Debug, Clone)]
pub(super) struct Axis {
    /// Its path.
    pub(super) path: String,
    /// Its values, one a frame where it is scanned: angles in degrees, or lengths in m.
    pub(super) values: Vec<f64>,
    /// Whether it is a rotation.
    pub(super) is_rotation: bool,
    /// Its unit vector.
    pub(super) vector: Vector,
    /// What is added.
    pub(super) offset_m: Vector,
    /// The path of the next one; `None`: the last.
    pub(super) next: Option<String>,
}

impl Axis {
    /// The transformation at `path`.
    ///
    /// # Errors
    /// There is none, or it is not complete.
    pub(super) fn read(file: &Hdf5File, path: &str) -> Result<Self, Failure> {
        let fail = |what: &str| file.failure(path, what);
        let values = file.numbers(path)?.ok_or_else(|| fail("a transformation that is not there"))?;
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return Err(fail("a transformation without a value"));
        }
        let text = |name: &str| file.text_attribute(path, name);
        let vector = vector(file, path, "vector")
            .and_then(unit)
            .ok_or_else(|| fail("a transformation without a vector"))?;
        let is_rotation = text("transformation_type").is_some_and(|kind| kind.trim() == "rotation");
        let units = text("units").unwrap_or_default();
        let unit = if is_rotation { degrees(&units) } else { metres(&units) };
        let unit = unit.ok_or_else(|| fail("a transformation without units that are known"))?;
        let offset = self::vector(file, path, "offset").unwrap_or_default();
        let offset_unit =
            if offset == [0.0; 3] { Some(1.0) } else { metres(&text("offset_units").unwrap_or_default()) };
        let offset_unit = offset_unit.ok_or_else(|| fail("an offset without units that are known"))?;
        let group = path.rsplit_once('/').map_or("", |(group, _)| group);
        let next = text("depends_on").and_then(|next| target(group, &next));
        Ok(Self {
            path: path.to_owned(),
            values: values.into_iter().map(|value| value * unit).collect(),
            is_rotation,
            vector,
            offset_m: offset.map(|component| component * offset_unit),
            next,
        })
    }

    /// The transformation at its first value.
    fn transform(&self) -> Transform {
        let value = self.values.first().copied().unwrap_or(0.0);
        if self.is_rotation {
            Transform { turn: rotation(self.vector, value), shift_m: self.offset_m }
        } else {
            Transform { turn: IDENTITY, shift_m: plus(self.offset_m, value, self.vector) }
        }
    }
}

/// The path that a `depends_on` of an object in `group` names; `None` for the end of a chain.
pub(super) fn target(group: &str, depends_on: &str) -> Option<String> {
    match depends_on.trim() {
        "" | "." => None,
        path if path.starts_with('/') => Some(path.to_owned()),
        path => Some(format!("{group}/{}", path.trim_start_matches("./"))),
    }
}

/// The transformations from `first` to the end of its chain, in this order.
///
/// # Errors
/// One is missing or not complete, or the chain goes round in a circle.
pub(super) fn chain(file: &Hdf5File, first: Option<String>) -> Result<Vec<Axis>, Failure> {
    let mut axes: Vec<Axis> = Vec::new();
    let mut next = first;
    while let Some(path) = next {
        if axes.len() == MAX_AXES || axes.iter().any(|axis| axis.path == path) {
            return Err(file.failure(&path, "its chain of transformations goes round in a circle"));
        }
        let axis = Axis::read(file, &path)?;
        next = axis.next.clone();
        axes.push(axis);
    }
    Ok(axes)
}

/// All transformations of a chain, one after the other.
pub(super) fn combined(axes: &[Axis]) -> Transform {
    axes.iter().fold(Transform::NONE, |all, axis| all.then(axis.transform()))
}

/// An attribute of three numbers.
pub(super) fn vector(file: &Hdf5File, path: &str, name: &str) -> Option<Vector> {
    let numbers = file.number_attribute(path, name)?;
    let vector: Vector = numbers.try_into().ok()?;
    vector.iter().all(|component| component.is_finite()).then_some(vector)
}

/// A unit of length in m.
pub(super) fn metres(unit: &str) -> Option<f64> {
    Some(match unit.trim() {
        "m" | "metre" | "meter" | "metres" | "meters" => 1.0,
        "cm" => 1e-2,
        "mm" | "millimetre" | "millimeter" => 1e-3,
        "um" | "micron" | "microns" | "micrometer" | "micrometre" | "\u{b5}m" | "\u{3bc}m" => 1e-6,
        "nm" => 1e-9,
        "angstrom" | "angstroms" | "Angstrom" | "A" | "\u{c5}" => 1e-10,
        "pm" => 1e-12,
        _ => return None,
    })
}

/// A unit of angle in degrees.
fn degrees(unit: &str) -> Option<f64> {
    Some(match unit.trim() {
        "deg" | "degree" | "degrees" => 1.0,
        "rad" | "radian" | "radians" => 1_f64.to_degrees(),
        _ => return None,
    })
}
