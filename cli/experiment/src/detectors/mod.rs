//! Detectors that are known by name: pixels, modules and the gaps between them, sensors, and the counts at which they
//! saturate.
//!
//! **Gaps.** Modules of m pixels lie in a row with gaps of g pixels between them: module i covers the pixels
//! i (m + g) to i (m + g) + m - 1 along an axis, counted from 0, and what remains is gap. Round detectors have no pixels
//! beyond the circle in their square: those whose centre is further from the middle than half the edge.
//!
//! **Seams.** Sensors of cadmium telluride are made of two halves a module. The columns at their seam are gaps as well.
//!
//! **Larger pixels** beside the borders of chips are ordinary ones here: files hold a regular grid, with their counts
//! shared out.
//!
//! A header or a master file that states another value is right: these are defaults.

mod table;

use widebragg_formats::memory::filled;

use crate::sensor_material::SensorMaterial;

pub use table::ALL;

/// A detector with a name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NamedDetector {
    /// Its name.
    pub name: &'static str,
    /// Other names, beside those that differ in capitals, blanks, dashes and underscores only.
    pub aliases: &'static [&'static str],
    /// Its modules.
    pub modules: Modules,
    /// Edge of a pixel in mm.
    pub pixel_mm: f64,
    /// Whether only the circle in the square of pixels is sensitive.
    pub is_round: bool,
    /// What converts photons.
    pub converter: Converter,
    /// The largest count of a pixel; `None` where it is not known, or depends on the exposure.
    pub saturation: Option<u32>,
    /// What is uncertain about its geometry.
    pub doubt: Option<&'static str>,
    /// Why its geometry must come from a file; `None` where the name tells it.
    pub needs_file: Option<&'static str>,
}

/// A grid of equal modules; each pair is along fast and slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modules {
    /// Number of modules.
    pub count: [usize; 2],
    /// Pixels of a module.
    pub pixels: [usize; 2],
    /// Pixels between two modules.
    pub gap: [usize; 2],
}

impl Modules {
    /// Pixels of the whole grid, gaps included.
    #[must_use]
    pub fn extent(&self) -> [usize; 2] {
        let along = |axis: usize| self.count[axis] * (self.pixels[axis] + self.gap[axis]) - self.gap[axis];
        [along(0), along(1)]
    }

    /// Where in its module a pixel lies; `None` in a gap.
    fn within(&self, [fast, slow]: [usize; 2]) -> Option<[usize; 2]> {
        let along = |axis: usize, index: usize| {
            let within = index % (self.pixels[axis] + self.gap[axis]);
            (within < self.pixels[axis]).then_some(within)
        };
        Some([along(0, fast)?, along(1, slow)?])
    }
}

/// What converts photons into a signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Converter {
    /// A semiconductor.
    Sensor {
        /// The sensors that the detector is made with, the usual one first.
        variants: &'static [SensorVariant],
        /// Whether the name alone means the first.
        has_usual: bool,
        /// The columns of each module, first and last, at which two halves of cadmium telluride meet.
        seam: Option<[usize; 2]>,
    },
    /// A screen, in words; it is not simulated.
    Screen(&'static str),
}

/// A sensor that a detector is made with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensorVariant {
    /// Material.
    pub material: SensorMaterial,
    /// Thickness in um.
    pub thickness_um: f64,
}

impl SensorVariant {
    /// Thickness in m.
    #[must_use]
    pub fn thickness_m(&self) -> f64 {
        self.thickness_um * 1e-6
    }
}

impl NamedDetector {
    /// The detector of a name, whatever its capitals, blanks, dashes and underscores; `None` for a name that is not in
    /// [`ALL`].
    ///
    /// ```
    /// use widebragg_experiment::detectors::NamedDetector;
    ///
    /// let detector = NamedDetector::find("pilatus-6m").expect("a detector");
    /// assert_eq!((detector.name, detector.pixels()), ("Pilatus 6M", [2463, 2527]));
    /// assert!(detector.is_gap([487, 0], None) && !detector.is_gap([486, 194], None));
    /// ```
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        let key = key(name);
        ALL.iter().find(|detector| detector.names().any(|name| self::key(name) == key))
    }

    /// Name of a detector whose geometry must come from a file, and why, also of one that is not in [`ALL`].
    #[must_use]
    pub fn needs_file(name: &str) -> Option<(&'static str, &'static str)> {
        let key = key(name);
        let in_no_plane = table::IN_NO_PLANE.iter().find(|(name, others, _)| {
            core::iter::once(name).chain(others.iter()).any(|name| self::key(name) == key)
        });
        let known = || Self::find(name).and_then(|found| Some((found.name, found.needs_file?)));
        in_no_plane.map(|&(name, _, why)| (name, why)).or_else(known)
    }

    /// Its name and its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        core::iter::once(self.name).chain(self.aliases.iter().copied())
    }

    /// Pixels along fast and slow, gaps included.
    #[must_use]
    pub fn pixels(&self) -> [usize; 2] {
        self.modules.extent()
    }

    /// Edge of a pixel in m.
    #[must_use]
    pub fn pixel_m(&self) -> f64 {
        self.pixel_mm / 1000.0
    }

    /// The sensors that it is made with, the usual one first.
    #[must_use]
    pub fn variants(&self) -> &'static [SensorVariant] {
        match self.converter {
            Converter::Sensor { variants, .. } => variants,
            Converter::Screen(_) => &[],
        }
    }

    /// The sensor that the name alone means.
    #[must_use]
    pub fn usual_sensor(&self) -> Option<SensorVariant> {
        match self.converter {
            Converter::Sensor { variants, has_usual: true, .. } => variants.first().copied(),
            _ => None,
        }
    }

    /// The sensor of a material, the usual one where there are several.
    #[must_use]
    pub fn sensor_of(&self, material: SensorMaterial) -> Option<SensorVariant> {
        self.variants().iter().copied().find(|variant| variant.material == material)
    }

    /// The columns of each module, first and last, at which the two halves of its sensor meet.
    #[must_use]
    pub fn seam(&self, material: Option<SensorMaterial>) -> Option<[usize; 2]> {
        match (self.converter, material) {
            (Converter::Sensor { seam, .. }, Some(SensorMaterial::CdTe)) => seam,
            _ => None,
        }
    }

    /// Whether a pixel (fast, slow) is in a gap, in the seam of a sensor of this material, or outside the circle.
    #[must_use]
    pub fn is_gap(&self, [fast, slow]: [usize; 2], material: Option<SensorMaterial>) -> bool {
        let Some([in_module, _]) = self.modules.within([fast, slow]) else { return true };
        if self.seam(material).is_some_and(|[first, last]| (first..=last).contains(&in_module)) {
            return true;
        }
        // Twice the distance from the middle, in pixels, is a whole number.
        let edge = self.modules.pixels[0];
        let twice = |index: usize| (2 * index + 1).abs_diff(edge).pow(2);
        self.is_round && twice(fast) + twice(slow) > edge.pow(2)
    }

    /// Whether some of its pixels are gaps.
    #[must_use]
    pub fn has_gaps(&self, material: Option<SensorMaterial>) -> bool {
        self.modules.gap != [0, 0] || self.seam(material).is_some() || self.is_round
    }

    /// A mask with a value for each pixel, slow-major: 0 where [`NamedDetector::is_gap`], 1 elsewhere. `None` where
    /// there is too little memory.
    #[must_use]
    pub fn mask(&self, material: Option<SensorMaterial>) -> Option<Vec<u16>> {
        let [fast_pixels, _] = self.pixels();
        let mut mask = filled(self.pixels().iter().product(), 1)?;
        for (slow, row) in mask.chunks_mut(fast_pixels).enumerate() {
            for (fast, pixel) in row.iter_mut().enumerate() {
                *pixel = u16::from(!self.is_gap([fast, slow], material));
            }
        }
        Some(mask)
    }
}

/// Names of detectors whose geometry must come from a file, and why, also of those that are not in [`ALL`].
pub fn refused() -> impl Iterator<Item = (&'static str, &'static str)> {
    let known = ALL.iter().filter_map(|detector| Some((detector.name, detector.needs_file?)));
    known.chain(table::IN_NO_PLANE.iter().map(|&(name, _, why)| (name, why)))
}

/// A name in small letters, without blanks, dashes and underscores: what names are compared by.
#[must_use]
pub fn key(name: &str) -> String {
    let letters = name.chars().filter(|c| !c.is_whitespace() && !['-', '_'].contains(c));
    letters.flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
