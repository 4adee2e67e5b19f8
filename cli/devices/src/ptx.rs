//! The CUDA texts, compiled in advance to PTX, since NVIDIA's driver compiles PTX but no C.
//!
//! The PTX is kept in the package's folder `ptx`, whose README says how it is made.

use widebragg::formulas::{LatticeFormula, LookupFormula, StepFormula};

use crate::cache::hash;
use crate::text::{Dialect, program};

macro_rules! programs {
    ($($lattice:ident, $lookup:ident: $file:literal;)*) => {
        /// The formulas that scenes use, and their PTX.
        const PROGRAMS: &[(StepFormula, &str)] = &[$((
            StepFormula { lattice: LatticeFormula::$lattice, lookup: LookupFormula::$lookup },
            include_str!(concat!("../ptx/", $file, ".ptx")),
        )),*];
    };
}

// Interpolation has no mixed precision.
programs! {
    Square, Nearest: "square_nearest";
    Square, Tricubic: "square_tricubic";
    SquareThin, Nearest: "square_thin_nearest";
    SquareThin, Tricubic: "square_thin_tricubic";
    SquareFractional, Nearest: "square_fractional_nearest";
    SquareFractional, Tricubic: "square_fractional_tricubic";
    SquareMixed, Nearest: "square_mixed_nearest";
    Round, Nearest: "round_nearest";
    Round, Tricubic: "round_tricubic";
    Gauss, Nearest: "gauss_nearest";
    Gauss, Tricubic: "gauss_tricubic";
    Tophat, Nearest: "tophat_nearest";
    Tophat, Tricubic: "tophat_tricubic";
}

/// The PTX of a formula; `None` if no scene uses the formula.
pub(crate) fn program_of(step: StepFormula) -> Option<&'static str> {
    PROGRAMS.iter().find(|(of, _)| *of == step).map(|&(_, ptx)| ptx)
}

/// A CUDA text that PTX is made of.
#[derive(Debug, Clone)]
pub struct Source {
    /// The name of the file, without extension.
    pub name: String,
    /// The text.
    pub text: String,
    /// Its hash, which the first line of the PTX repeats.
    pub hash: String,
}

/// The texts of all formulas that scenes use.
pub fn sources() -> impl Iterator<Item = Source> {
    PROGRAMS.iter().map(|&(step, _)| {
        let text = program(Dialect::Cuda, step);
        let hash = format!("{:016x}", hash(&[&text]));
        Source { name: format!("{}_{}", step.lattice, step.lookup), text, hash }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{COUNTS, NUMBERS_LENGTH};

    /// The PTX of all sources.
    fn kept() -> impl Iterator<Item = (Source, &'static str)> {
        sources().zip(PROGRAMS.iter().map(|&(_, ptx)| ptx))
    }

    #[test]
    fn ptx_is_that_of_the_recorded_texts() {
        for (source, ptx) in kept() {
            let made_of = format!("// {} of text {}", source.name, source.hash);
            assert_eq!(ptx.lines().next(), Some(&*made_of), "cli/devices/ptx/make makes the PTX anew");
        }
    }

    #[test]
    fn ptx_is_for_the_least_device_and_driver() {
        for (Source { name, .. }, ptx) in kept() {
            assert_eq!(ptx.lines().filter(|&line| line == ".version 8.0").count(), 1, "{name}");
            assert_eq!(ptx.lines().filter(|&line| line == ".target sm_80").count(), 1, "{name}");
            assert_eq!(ptx.matches(".visible .entry render(").count(), 1, "{name}");
        }
    }

    /// The driver gives the tables in this order, the first two by value.
    #[test]
    fn ptx_takes_the_arguments_that_the_driver_gives() {
        for (Source { name, .. }, ptx) in kept() {
            let parameters: Vec<&str> = ptx.lines().filter(|line| line.starts_with(".param ")).collect();
            let counts = format!("[{}]", COUNTS.len() * size_of::<u32>());
            let numbers = format!("[{}]", NUMBERS_LENGTH * size_of::<f64>());
            assert_eq!(parameters.len(), 12, "{name}: {parameters:?}");
            assert!(
                parameters[0].contains(&counts) && parameters[1].contains(&numbers),
                "{name}: {parameters:?}"
            );
            assert!(
                parameters[2..].iter().all(|line| line.starts_with(".param .u64 ")),
                "{name}: {parameters:?}"
            );
        }
    }

    /// A product and a sum without a rounding of their own may be contracted by the driver.
    #[test]
    fn all_operations_of_ptx_round_by_themselves() {
        let rounds = |operation: &str| {
            let mut parts = operation.split('.');
            let is_rounded = ["add", "sub", "mul", "fma", "div", "sqrt", "rcp", "mad"]
                .contains(&parts.next().unwrap_or(""));
            let parts: Vec<&str> = parts.collect();
            let is_real = parts.last().is_some_and(|&of| of == "f64" || of == "f32");
            !(is_rounded && is_real)
                || parts.contains(&"rn") && !parts.contains(&"approx") && !parts.contains(&"ftz")
        };
        assert!(
            rounds("fma.rn.f64") && rounds("mul.wide.u32") && !rounds("mul.f64") && !rounds("div.approx.f32")
        );
        for (Source { name, .. }, ptx) in kept() {
            let loose: Vec<&str> = ptx.split_whitespace().filter(|word| !rounds(word)).collect();
            assert_eq!(loose, [""; 0], "{name}");
            assert!(ptx.contains("fma.rn.f64"), "{name}");
        }
    }
}
