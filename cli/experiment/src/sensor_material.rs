//! Attenuation of X-rays in the materials of detector sensors.
//!
//! mu = rho sum_i w_i (mu/rho)_i in 1/m, with the density rho, the mass fractions w_i of the elements and their total
//! cross sections (mu/rho)_i: photoelectric absorption, coherent and incoherent scattering. A photon on a path of
//! length x through the sensor is captured with the probability 1 - exp(-mu x).
//!
//! Source: the tables of Elam, Ravel and Sieber (Radiat. Phys. Chem. 63, 121, 2002) in the crate `xraydb`, which answers
//! for the nearest energy it has beyond them; here such energies are refused. Densities are those of the crystals. The
//! table of NIST (NISTIR 5632), which dxtbx uses, differs by at most 3 % from 5 to 60 keV, apart from the density of
//! CdTe: it takes 6.2 g/cm^3. Within some 30 eV of an edge, the tables are those of free atoms.

use widebragg_coordinates::anomalous::EV_ANGSTROM;
use widebragg_coordinates::xray_tables::xray_tables;
use widebragg_formats::format_g::format_g;
use xraydb::{CrossSectionKind, XrayDb};

use crate::failure::Failure;

/// The material of a sensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SensorMaterial {
    /// Silicon.
    Si,
    /// Cadmium telluride.
    CdTe,
    /// Gallium arsenide.
    GaAs,
}

impl SensorMaterial {
    /// All materials.
    pub const ALL: &'static [Self] = &[Self::Si, Self::CdTe, Self::GaAs];

    /// Its formula.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Si => "Si",
            Self::CdTe => "CdTe",
            Self::GaAs => "GaAs",
        }
    }

    /// The material of a formula, in capital or small letters.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|material| material.name().eq_ignore_ascii_case(name))
    }

    /// Its density in g/cm^3.
    #[must_use]
    pub const fn density_g_per_cm3(self) -> f64 {
        match self {
            Self::Si => 2.329,
            Self::CdTe => 5.85,
            Self::GaAs => 5.3176,
        }
    }

    /// mu at a wavelength.
    ///
    /// ```
    /// use widebragg_experiment::sensor_material::SensorMaterial;
    ///
    /// # fn main() -> Result<(), widebragg_experiment::failure::Failure> {
    /// // At 12 keV, 320 um of silicon capture 77 % of the photons.
    /// let captured = 1.0 - (-320e-6 * SensorMaterial::Si.attenuation_per_m(1.0332e-10)?).exp();
    /// assert!((captured - 0.77).abs() < 0.01);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The energy is beyond the table.
    pub fn attenuation_per_m(self, lambda_m: f64) -> Result<f64, Failure> {
        let energy_ev = EV_ANGSTROM / (lambda_m * 1e10);
        let (first_ev, last_ev) = XrayDb::elam_energy_range();
        let beyond = || {
            Failure::input(format!(
                "attenuation of {} is known from {first_ev} to {last_ev} eV, not at {} eV",
                self.name(),
                format_g(energy_ev)
            ))
        };
        if !(first_ev..=last_ev).contains(&energy_ev) {
            return Err(beyond());
        }
        let per_cm = xray_tables().and_then(|tables| {
            let density = self.density_g_per_cm3();
            tables.material_mu_at(self.name(), density, energy_ev, CrossSectionKind::Total)
        });
        per_cm.map(|per_cm| per_cm * 100.0).map_err(|_| beyond())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn per_m(material: SensorMaterial, energy_ev: f64) -> Result<f64, Failure> {
        material.attenuation_per_m(EV_ANGSTROM * 1e-10 / energy_ev)
    }

    /// Total mass attenuation coefficients of NIST (NISTIR 5632), in cm^2/g, at energies in keV.
    #[test]
    fn mass_attenuation_is_that_of_nist_within_three_percent() {
        // Mass fractions from the atomic masses 69.723 and 74.922.
        let gaas = |ga: f64, arsenic: f64| (69.723 * ga + 74.922 * arsenic) / (69.723 + 74.922);
        let nist = [
            (
                SensorMaterial::Si,
                vec![
                    (5.0, 245.0),
                    (8.0, 64.68),
                    (10.0, 33.89),
                    (15.0, 10.34),
                    (20.0, 4.464),
                    (30.0, 1.436),
                    (60.0, 0.3207),
                ],
            ),
            (
                SensorMaterial::CdTe,
                vec![
                    (6.0, 528.6),
                    (10.0, 138.1),
                    (15.0, 46.57),
                    (20.0, 21.44),
                    (30.0, 21.82),
                    (40.0, 19.30),
                    (60.0, 6.542),
                ],
            ),
            (
                SensorMaterial::GaAs,
                vec![
                    (8.0, gaas(63.02, 75.73)),
                    (10.0, gaas(34.21, 41.15)),
                    (15.0, gaas(85.37, 98.56)),
                    (20.0, gaas(39.28, 45.64)),
                    (30.0, gaas(12.81, 15.06)),
                    (60.0, gaas(1.868, 2.203)),
                ],
            ),
        ];
        for (material, rows) in nist {
            for (energy_kev, expected) in rows {
                let mu_per_m = per_m(material, energy_kev * 1e3).unwrap();
                let found = mu_per_m / 100.0 / material.density_g_per_cm3();
                let apart = found / expected - 1.0;
                assert!(
                    apart.abs() < 0.03,
                    "{material:?} {energy_kev} keV: {found}, not {expected} ({apart:.4})"
                );
            }
        }
    }

    /// The sensor of golden/geometry/rotation.expt, as dxtbx computed it from NIST's table and a density of 2.33 g/cm^3.
    #[test]
    fn silicon_at_12_kev_is_that_of_dxtbx_within_one_percent() {
        let found = SensorMaterial::Si.attenuation_per_m(1.0332e-10).unwrap();
        assert!((found / 4630.230706950523 - 1.0).abs() < 0.01, "{found}");
    }

    #[test]
    fn energies_beyond_the_table_are_refused() {
        for &material in SensorMaterial::ALL {
            for energy_ev in [99.0, 800_001.0, 0.0, -1.0, f64::NAN, f64::INFINITY] {
                let error = per_m(material, energy_ev).unwrap_err().to_string();
                assert!(error.contains("from 100 to 800000 eV"), "{error}");
            }
            assert!(per_m(material, 101.0).is_ok() && per_m(material, 799_000.0).is_ok());
        }
        let error = per_m(SensorMaterial::Si, 5e6).unwrap_err().to_string();
        assert_eq!(error, "attenuation of Si is known from 100 to 800000 eV, not at 5e+06 eV");
    }

    #[test]
    fn formulas_are_read_in_any_letters() {
        for &material in SensorMaterial::ALL {
            let name = material.name();
            for spelling in [name.to_owned(), name.to_lowercase(), name.to_uppercase()] {
                assert_eq!(SensorMaterial::from_name(&spelling), Some(material));
            }
        }
        assert_eq!(SensorMaterial::from_name("Ge"), None);
    }
}
