//! The detectors.
//!
//! Sizes, pixels, modules, gaps and round masks: the tables and masks of pyFAI 2026.9, dxtbx 3.11, EXtra-geom 1.17, nexgen
//! and lcls2, CrystFEL's example geometries, and the list of detectors of XDS; materials and thicknesses: the same,
//! and the makers' manuals. Rows agree in all sources that have them, unless `doubt` says otherwise. `detectors.csv` has what
//! each row comes from, and values that are not used here: gains, offsets, read noise and dead time.

use super::{
    Converter::{self, Screen, Sensor},
    Modules, NamedDetector, SensorVariant,
};
use crate::sensor_material::SensorMaterial::{CdTe, Si};

/// All detectors, family by family.
pub static ALL: &[NamedDetector] = &[
    pilatus("Pilatus 100K", &["Pilatus2 100K"], [1, 1]),
    pilatus3("Pilatus3 100K", &["Pilatus3 X 100K", "Pilatus3 S 100K"], [1, 1]),
    pilatus("Pilatus 300K", &["Pilatus2 300K"], [1, 3]),
    pilatus3("Pilatus3 300K", &["Pilatus3 X 300K", "Pilatus3 S 300K"], [1, 3]),
    pilatus("Pilatus 1M", &["Pilatus2 1M"], [2, 5]),
    pilatus3("Pilatus3 1M", &["Pilatus3 X 1M", "Pilatus3 S 1M"], [2, 5]),
    pilatus("Pilatus 2M", &["Pilatus2 2M"], [3, 8]),
    pilatus3("Pilatus3 2M", &["Pilatus3 X 2M", "Pilatus3 S 2M"], [3, 8]),
    pilatus("Pilatus 6M", &["Pilatus2 6M"], [5, 12]),
    pilatus3("Pilatus3 6M", &["Pilatus3 X 6M", "Pilatus3 S 6M"], [5, 12]),
    pilatus4("Pilatus4 260K", [1, 2]),
    pilatus4("Pilatus4 1M", [2, 4]),
    pilatus4("Pilatus4 2M", [3, 6]),
    pilatus4("Pilatus4 4M", [4, 8]),
    eiger("Eiger 500K", &["Eiger X 500K"], [1, 1]),
    eiger("Eiger 1M", &["Eiger X 1M"], [1, 2]),
    eiger("Eiger 4M", &["Eiger X 4M"], [2, 4]),
    eiger("Eiger 9M", &["Eiger X 9M"], [3, 6]),
    eiger("Eiger 16M", &["Eiger X 16M"], [4, 8]),
    eiger2("Eiger2 500K", &["Eiger2 X 500K", "Eiger2 XE 500K"], [1, 1]),
    eiger2("Eiger2 1M", &["Eiger2 X 1M", "Eiger2 XE 1M"], [1, 2]),
    eiger2("Eiger2 4M", &["Eiger2 X 4M", "Eiger2 XE 4M"], [2, 4]),
    eiger2("Eiger2 9M", &["Eiger2 X 9M", "Eiger2 XE 9M"], [3, 6]),
    eiger2("Eiger2 16M", &["Eiger2 X 16M", "Eiger2 XE 16M"], [4, 8]),
    jungfrau("Jungfrau 0.5M", &["Jungfrau 500K", "JF0.5M"], [1, 1], [0, 0]),
    NamedDetector {
        needs_file: Some("the gap between its 2 modules is 36 pixels at one facility and 38 at another"),
        ..jungfrau("Jungfrau 1M", &[], [1, 2], [8, 36])
    },
    NamedDetector {
        doubt: Some(
            "its 2 x 4 modules lie as in pyFAI, the only source of this layout; LCLS and SwissFEL place them otherwise",
        ),
        ..jungfrau("Jungfrau 4M", &[], [2, 4], [8, 36])
    },
    NamedDetector {
        needs_file: Some("its 32 modules are stored as a stack, which does not tell where they are"),
        ..jungfrau("Jungfrau 16M", &["JF06T32V01"], [1, 32], [0, 0])
    },
    ccd("Rayonix MX225", &["MAR225", "MX225", "225HE"], 3072, 0.073242),
    ccd("Rayonix MX225-HS", &["MX225-HS"], 2880, 0.078125),
    ccd("Rayonix MX300", &["MAR300", "MX300", "300HE"], 4096, 0.073242),
    ccd("Rayonix MX300-HS", &["MX300-HS"], 3840, 0.078125),
    ccd("Rayonix MX325", &["MAR325", "MX325", "325HE"], 4096, 0.079346),
    ccd("Rayonix MX340-HS", &["MX340-HS", "MX340", "MX340-XFEL"], 3840, 0.088542),
    NamedDetector {
        is_round: true,
        doubt: Some("its pixel is 79.0 um in pyFAI, 79.348 um in dxtbx: a header decides"),
        ..ccd("MAR165", &["SX165", "Rayonix SX165", "marCCD 165"], 2048, 0.079)
    },
    mar345("MAR345 2300", &["MAR2300"], 2300, 0.15),
    mar345("MAR345 3450", &["MAR345", "MAR3450"], 3450, 0.1),
    ccd("ADSC Q210", &["Quantum 210", "Q210", "Q210r"], 4096, 0.0512),
    ccd("ADSC Q210 2x2", &["Quantum 210 2x2", "Q210 2x2", "Q210r 2x2"], 2048, 0.1024),
    ccd("ADSC Q315", &["Quantum 315", "Q315", "Q315r"], 6144, 0.0512),
    ccd("ADSC Q315 2x2", &["Quantum 315 2x2", "Q315 2x2", "Q315r 2x2"], 3072, 0.1024),
    stack(
        "CSPAD",
        &["CSPAD 2.3M", "CSPAD CXI"],
        Modules { count: [1, 32], pixels: [388, 185], gap: [0, 0] },
        (0.10992, &[SI_500]),
        "its 32 sensors are in 4 quadrants, which are turned and moved",
    ),
    stack(
        "AGIPD 1M",
        &[],
        Modules { count: [1, 16], pixels: [128, 512], gap: [0, 0] },
        (0.2, &[SI_500]),
        "its 16 modules are in 4 quadrants, whose positions differ by experiment",
    ),
    stack(
        "ePix10k2M",
        &["ePix10ka2M"],
        Modules { count: [1, 16], pixels: [384, 352], gap: [0, 0] },
        (0.1, &[SI_400]),
        "its 16 modules are in 4 quadrants, and are stored as a stack, which does not tell where they are",
    ),
];

/// Detectors that are not in [`ALL`], since their pixels lie in no plane: name, other names, and why.
pub(super) const IN_NO_PLANE: &[(&str, &[&str], &str)] =
    &[("Pilatus 12M-DLS", &["Pilatus 12M"], "its 24 banks are tilted, and lie on a barrel")];

/// The counter of a Pilatus pixel has 20 bits.
const PILATUS_COUNTER: u32 = (1 << 20) - 1;

/// The largest number of 16 bits.
const SIXTEEN_BITS: u32 = (1 << 16) - 1;

/// A detector whose pixels and gaps are as told, and that nothing is unusual about.
const fn flat(
    name: &'static str,
    aliases: &'static [&'static str],
    modules: Modules,
    pixel_mm: f64,
    converter: Converter,
) -> NamedDetector {
    NamedDetector {
        name,
        aliases,
        modules,
        pixel_mm,
        is_round: false,
        converter,
        saturation: None,
        doubt: None,
        needs_file: None,
    }
}

const SI_320: SensorVariant = SensorVariant { material: Si, thickness_um: 320.0 };
const SI_400: SensorVariant = SensorVariant { material: Si, thickness_um: 400.0 };
const SI_450: SensorVariant = SensorVariant { material: Si, thickness_um: 450.0 };
const SI_500: SensorVariant = SensorVariant { material: Si, thickness_um: 500.0 };
const SI_1000: SensorVariant = SensorVariant { material: Si, thickness_um: 1000.0 };
const CDTE_750: SensorVariant = SensorVariant { material: CdTe, thickness_um: 750.0 };
const CDTE_1000: SensorVariant = SensorVariant { material: CdTe, thickness_um: 1000.0 };

const fn pilatus(name: &'static str, aliases: &'static [&'static str], count: [usize; 2]) -> NamedDetector {
    let variants = &[SI_320, SI_450, SI_1000];
    let modules = Modules { count, pixels: [487, 195], gap: gaps(count, [7, 17]) };
    let converter = Sensor { variants, has_usual: true, seam: None };
    NamedDetector { saturation: Some(PILATUS_COUNTER), ..flat(name, aliases, modules, 0.172, converter) }
}

const fn pilatus3(name: &'static str, aliases: &'static [&'static str], count: [usize; 2]) -> NamedDetector {
    let variants = &[SI_320, SI_450, SI_1000, CDTE_1000];
    let converter = Sensor { variants, has_usual: true, seam: Some([242, 244]) };
    NamedDetector { converter, ..pilatus(name, aliases, count) }
}

const fn pilatus4(name: &'static str, count: [usize; 2]) -> NamedDetector {
    let modules = Modules { count, pixels: [513, 255], gap: gaps(count, [7, 20]) };
    let converter = Sensor { variants: &[SI_450, CDTE_1000], has_usual: false, seam: Some([256, 256]) };
    NamedDetector {
        doubt: Some("its modules and gaps are those of pyFAI, the only source that has them"),
        ..flat(name, &[], modules, 0.15, converter)
    }
}

const fn eiger(name: &'static str, aliases: &'static [&'static str], count: [usize; 2]) -> NamedDetector {
    let modules = Modules { count, pixels: [1030, 514], gap: gaps(count, [10, 37]) };
    let converter = Sensor { variants: &[SI_450, SI_320], has_usual: true, seam: None };
    flat(name, aliases, modules, 0.075, converter)
}

const fn eiger2(name: &'static str, aliases: &'static [&'static str], count: [usize; 2]) -> NamedDetector {
    let modules = Modules { count, pixels: [1028, 512], gap: gaps(count, [12, 38]) };
    let converter = Sensor { variants: &[SI_450, CDTE_750], has_usual: false, seam: Some([513, 514]) };
    flat(name, aliases, modules, 0.075, converter)
}

const fn jungfrau(
    name: &'static str,
    aliases: &'static [&'static str],
    count: [usize; 2],
    gap: [usize; 2],
) -> NamedDetector {
    let modules = Modules { count, pixels: [1030, 514], gap: gaps(count, gap) };
    let converter = Sensor { variants: &[SI_320, SI_450], has_usual: true, seam: None };
    flat(name, aliases, modules, 0.075, converter)
}

const fn ccd(
    name: &'static str,
    aliases: &'static [&'static str],
    edge: usize,
    pixel_mm: f64,
) -> NamedDetector {
    let converter = Screen("Gd2O2S phosphor, CCD");
    NamedDetector { saturation: Some(SIXTEEN_BITS), ..flat(name, aliases, square(edge), pixel_mm, converter) }
}

const fn mar345(
    name: &'static str,
    aliases: &'static [&'static str],
    edge: usize,
    pixel_mm: f64,
) -> NamedDetector {
    let converter = Screen("BaFBr:Eu image plate");
    NamedDetector { is_round: true, ..flat(name, aliases, square(edge), pixel_mm, converter) }
}

/// A detector of panels whose places the name does not tell; `modules` are those of the stack that files hold.
const fn stack(
    name: &'static str,
    aliases: &'static [&'static str],
    modules: Modules,
    (pixel_mm, variants): (f64, &'static [SensorVariant]),
    needs_file: &'static str,
) -> NamedDetector {
    let converter = Sensor { variants, has_usual: true, seam: None };
    NamedDetector { needs_file: Some(needs_file), ..flat(name, aliases, modules, pixel_mm, converter) }
}

/// One module of as many pixels along fast and slow.
const fn square(edge: usize) -> Modules {
    Modules { count: [1, 1], pixels: [edge, edge], gap: [0, 0] }
}

/// No gap along an axis with a single module.
const fn gaps(count: [usize; 2], gap: [usize; 2]) -> [usize; 2] {
    [if count[0] > 1 { gap[0] } else { 0 }, if count[1] > 1 { gap[1] } else { 0 }]
}
