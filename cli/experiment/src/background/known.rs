//! Matter that has a name, and attenuation.

use std::path::Path;
use std::sync::OnceLock;

use widebragg_coordinates::anomalous::EV_ANGSTROM;
use widebragg_coordinates::xray_tables::xray_tables;
use widebragg_formats::format_g::format_g;
use widebragg_formats::stol::{Abscissa, StolTable, parse_stol};
use xraydb::{CrossSectionKind, XrayDb};

use crate::failure::Failure;

/// Matter whose F, density and molecular weight are known.
///
/// **Sources.** F of water and air: the tables of bl831/nanoBragg (`data/LICENSE-nanoBragg`). F of ice: computed from its
/// structure, as `data/ice.stol` says; its rings are 0.002/Å wide in s. F is that of elastic scattering for ice; those
/// of water and air have more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownMatter {
    /// Water at room temperature, or amorphous ice.
    Water,
    /// Air; its F belongs to a molecule of nitrogen.
    Air,
    /// A powder of hexagonal ice.
    Ice,
}

impl KnownMatter {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Water, Self::Air, Self::Ice];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Water => "water",
            Self::Air => "air",
            Self::Ice => "ice",
        }
    }

    /// The matter of a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|matter| matter.name() == name)
    }

    /// Density, in g/cm^3, at 20 °C for water and air.
    #[must_use]
    pub fn density_g_per_cm3(self) -> f64 {
        match self {
            Self::Water => 1.0,
            Self::Air => 1.2e-3,
            Self::Ice => 0.92,
        }
    }

    /// Molecular weight, in g/mol.
    #[must_use]
    pub fn weight_g_per_mol(self) -> f64 {
        match self {
            Self::Water | Self::Ice => 18.015,
            Self::Air => 28.97,
        }
    }

    /// Its formula; for air its atoms in ten thousand molecules.
    #[must_use]
    pub fn formula(self) -> &'static str {
        match self {
            Self::Water | Self::Ice => "H2O",
            Self::Air => "N15617O4190Ar93",
        }
    }

    /// F of a molecule.
    ///
    /// # Panics
    /// The table in the program is damaged.
    #[must_use]
    pub fn table(self) -> &'static StolTable {
        static TABLES: [OnceLock<StolTable>; 3] = [const { OnceLock::new() }; 3];
        let (place, text) = match self {
            Self::Water => (0, include_str!("data/water.stol")),
            Self::Air => (1, include_str!("data/air.stol")),
            Self::Ice => (2, include_str!("data/ice.stol")),
        };
        TABLES[place].get_or_init(|| {
            let parsed = parse_stol(text.as_bytes(), Path::new(self.name()), Abscissa::S);
            parsed.unwrap_or_else(|failure| panic!("{failure}"))
        })
    }
}

/// Attenuation in 1/m of matter of a formula and a density, at a wavelength: that of the tables of
/// [`crate::sensor_material`].
///
/// # Errors
/// The formula names no elements, or the energy is beyond the tables.
pub fn attenuation_per_m(formula: &str, density_g_per_cm3: f64, lambda_m: f64) -> Result<f64, Failure> {
    let energy_ev = EV_ANGSTROM / (lambda_m * 1e10);
    let (first_ev, last_ev) = XrayDb::elam_energy_range();
    if !(first_ev..=last_ev).contains(&energy_ev) {
        return Err(Failure::input(format!(
            "attenuation of {formula} is known from {first_ev} to {last_ev} eV, not at {} eV",
            format_g(energy_ev)
        )));
    }
    let per_cm = xray_tables().and_then(|tables| {
        tables.material_mu_at(formula, density_g_per_cm3, energy_ev, CrossSectionKind::Total)
    });
    per_cm
        .map(|per_cm| per_cm * 100.0)
        .map_err(|_| Failure::input(format!("{formula:?} is no chemical formula")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tables_are_there() {
        for matter in KnownMatter::ALL {
            assert_eq!(KnownMatter::from_name(matter.name()), Some(matter));
            let table = matter.table();
            assert!(table.points.len() >= 100 && table.unsorted_line.is_none() && table.stick_line.is_none());
            assert!(table.points.iter().all(|point| point.f_electrons >= 0.0));
        }
        assert_eq!(KnownMatter::from_name("Water"), None);
        let last = KnownMatter::Water.table().points.last().map(|point| point.s_per_angstrom);
        assert_eq!(last, Some(0.5));
    }

    /// Total mass attenuation coefficients of NIST (NISTIR 5632) at 10 keV: water 5.329, dry air 5.120 cm^2/g.
    #[test]
    fn water_and_air_attenuate_as_those_of_nist() {
        for (matter, nist) in [(KnownMatter::Water, 5.329), (KnownMatter::Air, 5.120)] {
            let found = attenuation_per_m(matter.formula(), 1.0, 1.239_84e-10).unwrap() / 100.0;
            assert!((found / nist - 1.0).abs() < 0.03, "{matter:?}: {found}");
        }
    }

    #[test]
    fn what_has_no_attenuation_is_refused() {
        let refused = |formula, lambda_m| attenuation_per_m(formula, 1.0, lambda_m).unwrap_err().to_string();
        assert_eq!(refused("Xy2", 1e-10), "\"Xy2\" is no chemical formula");
        assert_eq!(refused("", 1e-10), "\"\" is no chemical formula");
        assert_eq!(
            refused("H2O", 1e-15),
            "attenuation of H2O is known from 100 to 800000 eV, not at 1.23984e+09 eV"
        );
    }
}
