//! Which device is asked for.

use core::fmt;
use core::str::FromStr;

use widebragg::lanes::SimdLevel;

use crate::interpreter::Rounding;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// By OpenCL.
    OpenCl,
    /// By CUDA.
    Cuda,
    /// By Vulkan.
    Vulkan,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::OpenCl, Self::Cuda, Self::Vulkan];

    /// Its name in options.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenCl => "opencl",
            Self::Cuda => "cuda",
            Self::Vulkan => "vulkan",
        }
    }

    /// How its programs round: OpenCL and CUDA fuse where it is asked for, Vulkan may or may not, so it is never asked.
    #[must_use]
    pub const fn rounding(self) -> Rounding {
        match self {
            Self::OpenCl | Self::Cuda => Rounding::Fused,
            Self::Vulkan => Rounding::Separate,
        }
    }
}

/// What renders.
///
/// ```
/// use widebragg_devices::choice::{Choice, Kind};
/// assert_eq!("cpu".parse(), Ok(Choice::Cpu));
/// assert_eq!("opencl".parse(), Ok(Choice::Device(Kind::OpenCl, 0)));
/// assert_eq!("cuda:3".parse(), Ok(Choice::Device(Kind::Cuda, 3)));
/// assert!("gpu".parse::<Choice>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Choice {
    /// The processor.
    #[default]
    Cpu,
    /// The first GPU, by CUDA or OpenCL; without one the processor.
    Auto,
    /// The device of a kind with an index.
    Device(Kind, usize),
}

impl Choice {
    /// The SIMD level whose bits the choice gives; `None`: any.
    #[must_use]
    pub const fn level(self) -> Option<SimdLevel> {
        let rounding = match self {
            Self::Cpu => return None,
            // Vulkan is not among those that are tried.
            Self::Auto => Rounding::Fused,
            Self::Device(kind, _) => kind.rounding(),
        };
        Some(level_of(rounding))
    }
}

/// The SIMD level that rounds like this.
#[must_use]
pub const fn level_of(rounding: Rounding) -> SimdLevel {
    match rounding {
        Rounding::Fused => SimdLevel::Avx2,
        Rounding::Separate => SimdLevel::Portable,
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Auto => f.write_str("auto"),
            Self::Device(kind, index) => write!(f, "{}:{index}", kind.name()),
        }
    }
}

/// The choices, as messages list them.
pub const EXPECTED: &str = "cpu, auto, opencl[:N], cuda[:N] or vulkan[:N]";

impl FromStr for Choice {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cpu" => return Ok(Self::Cpu),
            "auto" => return Ok(Self::Auto),
            _ => {}
        }
        let (name, index) = text.split_once(':').unwrap_or((text, "0"));
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(EXPECTED)?;
        // "+1" parses, too.
        let is_number = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
        let index = index.parse().ok().filter(|_| is_number).ok_or(EXPECTED)?;
        Ok(Self::Device(kind, index))
    }
}
