//! Anomalous scattering: f' and f'' of an element at an energy.
//!
//! Sources, in the order in which they are asked: measured scans, between whose points f' and f'' are interpolated
//! linearly; the tables of Chantler (J. Phys. Chem. Ref. Data 24, 71, 1995) in the crate `xraydb`, with cubic splines
//! for f' and power laws for f''; or none, which is 0. Tables are those of free atoms: within 30 eV of an edge only a
//! scan serves. Energies beyond a scan or a table are refused; `xraydb` itself would take the nearest one it has.

use core::iter::once;

use crate::elements::Element;
use crate::error::Error;
use crate::xray_tables::xray_tables;

/// hc in eV Å: the energy in eV is this over the wavelength in Å (CODATA 2018, exact).
pub const EV_ANGSTROM: f64 = 12_398.419_843_320_026;

/// What an atom scatters in addition to f0: f' + i f''.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Anomalous {
    /// f' in electrons, negative below and near an edge.
    pub f_prime: f64,
    /// f'' in electrons.
    pub f_double_prime: f64,
}

/// One line of a scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScanPoint {
    /// Energy in eV.
    pub energy_ev: f64,
    /// f', f'' there.
    pub anomalous: Anomalous,
}

/// f', f'' of an element as they were measured near an edge.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    points: Vec<ScanPoint>,
}

impl Scan {
    /// A scan of at least two points, in order of their energies.
    ///
    /// # Errors
    /// [`Error::Scan`] for fewer points, numbers that are not finite, and energies that do not increase.
    pub fn new(points: Vec<ScanPoint>) -> Result<Self, Error> {
        if points.len() < 2 {
            return Err(Error::Scan(format!("{} points, at least 2 are needed", points.len())));
        }
        for point in &points {
            let Anomalous { f_prime, f_double_prime } = point.anomalous;
            if ![point.energy_ev, f_prime, f_double_prime].into_iter().all(f64::is_finite) {
                return Err(Error::Scan(format!("a number at {} eV is not finite", point.energy_ev)));
            }
        }
        if let Some(pair) = points.windows(2).find(|pair| pair[1].energy_ev <= pair[0].energy_ev) {
            let [before, after] = [pair[0].energy_ev, pair[1].energy_ev];
            return Err(Error::Scan(format!("energies must increase, but {after} follows {before} eV")));
        }
        Ok(Self { points })
    }

    /// Its points.
    #[must_use]
    pub fn points(&self) -> &[ScanPoint] {
        &self.points
    }

    /// First and last energy in eV.
    fn range_ev(&self) -> (f64, f64) {
        let ends = [self.points.first(), self.points.last()];
        let [first, last] = ends.map(|point| point.map_or(0.0, |point| point.energy_ev));
        (first, last)
    }

    /// The interpolated values; `None` beyond the scan.
    fn at(&self, energy_ev: f64) -> Option<Anomalous> {
        let after = self.points.partition_point(|point| point.energy_ev < energy_ev);
        let upper = self.points.get(after)?;
        if upper.energy_ev == energy_ev {
            return Some(upper.anomalous);
        }
        let lower = self.points.get(after.checked_sub(1)?)?;
        let share = (energy_ev - lower.energy_ev) / (upper.energy_ev - lower.energy_ev);
        let between = |a: f64, b: f64| a + share * (b - a);
        let (a, b) = (lower.anomalous, upper.anomalous);
        Some(Anomalous {
            f_prime: between(a.f_prime, b.f_prime),
            f_double_prime: between(a.f_double_prime, b.f_double_prime),
        })
    }
}

/// Where f' and f'' come from.
///
/// ```
/// use widebragg_coordinates::anomalous::{Anomalous, AnomalousSource, EV_ANGSTROM};
/// use widebragg_coordinates::elements::Element;
///
/// # fn main() -> Result<(), widebragg_coordinates::error::Error> {
/// let sulphur = Element::from_symbol("S").expect("an element");
/// let tables = AnomalousSource::tables().at(sulphur, EV_ANGSTROM / 0.9768)?;
/// assert!((tables.f_prime - 0.195).abs() < 1e-3 && (tables.f_double_prime - 0.230).abs() < 1e-3);
/// assert_eq!(AnomalousSource::none().at(sulphur, 12_000.0)?, Anomalous::default());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AnomalousSource {
    tables: bool,
    scans: Vec<(Element, Scan)>,
}

impl AnomalousSource {
    /// No anomalous scattering but that of scans added to it.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The tables of Chantler.
    #[must_use]
    pub fn tables() -> Self {
        Self { tables: true, scans: Vec::new() }
    }

    /// The same, with a scan that replaces what is known of an element.
    #[must_use]
    pub fn with_scan(mut self, element: Element, scan: Scan) -> Self {
        self.scans.retain(|(other, _)| *other != element);
        self.scans.push((element, scan));
        self
    }

    fn scan(&self, element: Element) -> Option<&Scan> {
        self.scans.iter().find(|(other, _)| *other == element).map(|(_, scan)| scan)
    }

    /// f', f'' of an element at an energy in eV.
    ///
    /// # Errors
    /// [`Error::Energy`] where the scan or the table of the element does not reach, or there is no table for it.
    pub fn at(&self, element: Element, energy_ev: f64) -> Result<Anomalous, Error> {
        let beyond = |known_ev| Error::Energy { element, energy_ev, known_ev };
        if let Some(scan) = self.scan(element) {
            return scan.at(energy_ev).ok_or_else(|| beyond(Some(scan.range_ev())));
        }
        if !self.tables {
            return Ok(Anomalous::default());
        }
        let tables = xray_tables().map_err(|_| beyond(None))?;
        let symbol = element.symbol();
        let (first, last) = tables.chantler_energy_range(symbol).map_err(|_| beyond(None))?;
        if !(first..=last).contains(&energy_ev) {
            return Err(beyond(Some((first, last))));
        }
        let f_prime = tables.f1_chantler_at(symbol, energy_ev).map_err(|_| beyond(None))?;
        let f_double_prime = tables.f2_chantler_at(symbol, energy_ev).map_err(|_| beyond(None))?;
        Ok(Anomalous { f_prime, f_double_prime })
    }

    /// Which of the elements have f' or f'' that differ by more than `tolerance_electrons` between some two energies
    /// of a range, among its ends and the points of the table or scan within it.
    ///
    /// # Errors
    /// As [`AnomalousSource::at`] at the ends of the range.
    pub fn varying(
        &self,
        elements: &[Element],
        (first_ev, last_ev): (f64, f64),
        tolerance_electrons: f64,
    ) -> Result<Vec<Element>, Error> {
        let mut varying = Vec::new();
        for &element in elements {
            let (mut least, mut most) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
            let within = self.known_energies(element, first_ev, last_ev);
            for energy_ev in once(first_ev).chain(within).chain(once(last_ev)) {
                let Anomalous { f_prime, f_double_prime } = self.at(element, energy_ev)?;
                for (i, value) in [f_prime, f_double_prime].into_iter().enumerate() {
                    least[i] = least[i].min(value);
                    most[i] = most[i].max(value);
                }
            }
            if (0..2).any(|i| most[i] - least[i] > tolerance_electrons) {
                varying.push(element);
            }
        }
        Ok(varying)
    }

    /// The energies in eV between two at which values are tabulated or were measured.
    fn known_energies(&self, element: Element, first_ev: f64, last_ev: f64) -> Vec<f64> {
        if let Some(scan) = self.scan(element) {
            let inside = scan.points.iter().map(|point| point.energy_ev);
            return inside.filter(|energy| (first_ev..=last_ev).contains(energy)).collect();
        }
        if !self.tables {
            return Vec::new();
        }
        let tables = xray_tables();
        let energies = tables
            .and_then(|tables| tables.chantler_energies(element.symbol(), Some(first_ev), Some(last_ev)));
        energies.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(symbol: &str) -> Element {
        Element::from_symbol(symbol).unwrap()
    }

    fn scan(points: &[[f64; 3]]) -> Result<Scan, Error> {
        let point = |&[energy_ev, f_prime, f_double_prime]: &[f64; 3]| ScanPoint {
            energy_ev,
            anomalous: Anomalous { f_prime, f_double_prime },
        };
        Scan::new(points.iter().map(point).collect())
    }

    #[test]
    fn the_tables_hold_the_figures_of_chantler() {
        let tables = AnomalousSource::tables();
        for (symbol, f_prime, f_double_prime) in
            [("S", 0.195, 0.230), ("Fe", 0.244, 1.485), ("Zn", -0.294, 2.457), ("Se", -5.41, 3.77)]
        {
            let found = tables.at(element(symbol), EV_ANGSTROM / 0.9768).unwrap();
            let bound = 0.005;
            assert!((found.f_prime - f_prime).abs() < bound, "{symbol} {found:?}");
            assert!((found.f_double_prime - f_double_prime).abs() < bound, "{symbol} {found:?}");
        }
    }

    #[test]
    fn energies_beyond_tables_and_scans_are_refused() {
        let tables = AnomalousSource::tables();
        for energy in [0.5, 1e6, f64::NAN, -5.0, f64::INFINITY] {
            assert!(matches!(tables.at(element("Fe"), energy), Err(Error::Energy { .. })), "{energy}");
        }
        assert!(matches!(tables.at(element("Cf"), 1e4), Err(Error::Energy { known_ev: None, .. })));

        let iron = scan(&[[7100.0, -6.0, 0.5], [7112.0, -8.0, 2.5], [7120.0, -7.0, 4.0]]).unwrap();
        let source = tables.with_scan(element("Fe"), iron);
        let at = |energy| source.at(element("Fe"), energy);
        assert_eq!(at(7106.0), Ok(Anomalous { f_prime: -7.0, f_double_prime: 1.5 }));
        assert_eq!(at(7100.0), Ok(Anomalous { f_prime: -6.0, f_double_prime: 0.5 }));
        assert_eq!(at(7120.0), Ok(Anomalous { f_prime: -7.0, f_double_prime: 4.0 }));
        for energy in [7099.9, 7120.1, f64::NAN] {
            let error = at(energy).unwrap_err().to_string();
            assert!(error.contains("Fe are known from 7100 to 7120 eV"), "{error}");
        }
    }

    #[test]
    fn a_scan_has_increasing_energies() {
        for (points, why) in [
            (&[[1.0, 0.0, 0.0]][..], "1 points"),
            (&[[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], "1 follows 1 eV"),
            (&[[1.0, 0.0, 0.0], [2.0, f64::NAN, 0.0]], "not finite"),
        ] {
            let error = scan(points).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn elements_with_an_edge_near_vary() {
        let tables = AnomalousSource::tables();
        let elements = ["C", "S", "Fe", "Se"].map(element);
        let varying = |range| tables.varying(&elements, range, 0.05).unwrap();
        // The K edge of Se is at 12,658 eV, that of Fe at 7,112 eV.
        assert_eq!(varying((12_600.0, 12_700.0)), [element("Se")]);
        assert_eq!(varying((7050.0, 7180.0)), [element("Fe")]);
        assert_eq!(varying((10_000.0, 10_001.0)), []);
    }
}
