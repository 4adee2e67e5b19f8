//! The choice of the SIMD level: detected once from CPUID and the register state that the operating system
//! enables, and capped by the caller.
#![allow(unsafe_code)] // entering code that is compiled for a detected feature, once per level

use core::fmt;
use core::mem::MaybeUninit;
use core::str::FromStr;

use super::BaseLevel;
use super::portable::Portable;
#[cfg(target_arch = "x86_64")]
use super::{avx2::Avx2, avx512::Avx512};

/// The name of a SIMD level, lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SimdLevel {
    /// The instructions that the build target guarantees (SSE2 on plain x86-64), through the `wide` crate.
    Portable,
    /// AVX2 and FMA.
    Avx2,
    /// AVX-512 F, DQ and VL.
    Avx512,
}

impl SimdLevel {
    /// All levels, lowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    /// Returns the name: `portable`, `avx2` or `avx512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for SimdLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SimdLevel {
    type Err = crate::Error;

    fn from_str(name: &str) -> Result<Self, crate::Error> {
        Self::ALL.into_iter().find(|level| level.name() == name).ok_or(crate::Error::UnknownLevel)
    }
}

/// A level that this CPU supports; the value is the proof.
///
/// ```
/// use widebragg::lanes::{Simd, SimdLevel};
/// let best = Simd::detect();
/// let capped = Simd::capped(SimdLevel::Portable);
/// assert!(capped.level() <= best.level());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Simd(Proof);

#[derive(Debug, Clone, Copy)]
enum Proof {
    Portable(Portable),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

#[cfg(target_arch = "x86_64")]
cpufeatures::new!(has_avx2, "avx2", "fma");
#[cfg(target_arch = "x86_64")]
cpufeatures::new!(has_avx512, "avx2", "fma", "avx512f", "avx512dq", "avx512vl");

/// A computation that is compiled once per level.
///
/// `run` must be `#[inline(always)]`, and so must every function to which it passes vectors.
pub trait WithSimd {
    /// The result of the computation.
    type Output;
    /// Runs the computation with the vectors of `level`.
    fn with_simd<L: BaseLevel>(self, level: L) -> Self::Output;
}

impl Simd {
    /// Returns the highest level of this CPU.
    #[must_use]
    pub fn detect() -> Self {
        Self::capped(SimdLevel::Avx512)
    }

    /// Returns the highest level of this CPU that is not above `cap`.
    #[must_use]
    pub fn capped(cap: SimdLevel) -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if cap >= SimdLevel::Avx512 && has_avx512::get() {
                // SAFETY: CPUID reports AVX2, FMA, AVX-512 F, DQ and VL, and XCR0 shows that the system enables them.
                return Self(Proof::Avx512(unsafe { Avx512::new() }));
            }
            if cap >= SimdLevel::Avx2 && has_avx2::get() {
                // SAFETY: CPUID reports AVX2 and FMA, and XCR0 shows that the system enables them.
                return Self(Proof::Avx2(unsafe { Avx2::new() }));
            }
        }
        let _ = cap;
        Self(Proof::Portable(Portable::new()))
    }

    /// Returns exactly `level`, or `None` if this CPU lacks it.
    #[must_use]
    pub fn exactly(level: SimdLevel) -> Option<Self> {
        Some(Self::capped(level)).filter(|simd| simd.level() == level)
    }

    /// Iterates over the levels that this CPU supports, lowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        SimdLevel::ALL.into_iter().filter_map(Self::exactly)
    }

    /// Returns the name of the level.
    #[must_use]
    pub fn level(self) -> SimdLevel {
        match self.0 {
            Proof::Portable(_) => SimdLevel::Portable,
            #[cfg(target_arch = "x86_64")]
            Proof::Avx2(_) => SimdLevel::Avx2,
            #[cfg(target_arch = "x86_64")]
            Proof::Avx512(_) => SimdLevel::Avx512,
        }
    }

    /// Runs `work` compiled for this level.
    #[inline]
    pub fn run<W: WithSimd>(self, work: W) -> W::Output {
        match self.0 {
            Proof::Portable(level) => work.with_simd(level),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `level` proves that the CPU supports AVX2 and FMA, which `run_avx2` enables.
            Proof::Avx2(level) => unsafe { run_avx2(level, work) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `level` proves that the CPU supports AVX-512 F, DQ and VL, and with them AVX2 and FMA.
            Proof::Avx512(level) => unsafe { run_avx512(level, work) },
        }
    }
}

impl From<Portable> for Simd {
    #[inline]
    fn from(level: Portable) -> Self {
        Self(Proof::Portable(level))
    }
}

#[cfg(target_arch = "x86_64")]
impl From<Avx2> for Simd {
    #[inline]
    fn from(level: Avx2) -> Self {
        Self(Proof::Avx2(level))
    }
}

#[cfg(target_arch = "x86_64")]
impl From<Avx512> for Simd {
    #[inline]
    fn from(level: Avx512) -> Self {
        Self(Proof::Avx512(level))
    }
}

/// A local variable of this type makes the compiler align the whole stack frame to 64 bytes.
///
/// Without it the compiler spills vectors to any multiple of 16 bytes, where they straddle cache lines and
/// cost twice as much.
#[cfg(target_arch = "x86_64")]
#[repr(align(64))]
struct AlignFrame(#[allow(dead_code, reason = "only its size and alignment matter")] [u8; 64]);

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<W: WithSimd>(level: Avx2, work: W) -> W::Output {
    core::hint::black_box(&mut MaybeUninit::<AlignFrame>::uninit());
    work.with_simd(level)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512dq,avx512vl")]
fn run_avx512<W: WithSimd>(level: Avx512, work: W) -> W::Output {
    core::hint::black_box(&mut MaybeUninit::<AlignFrame>::uninit());
    work.with_simd(level)
}
