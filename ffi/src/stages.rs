//! What a detector makes of the photons that are expected, each stage by itself, with deviates that are functions of the pixel.

use core::ptr::null;

use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, GainMode, GainSwitching, Limits, PixelDifferences, Place, Signal,
    Stored, fill_bad_pixels, fill_gain_map, fill_pedestal_map, shot_factor,
};

use crate::level::simd;
use crate::memory::{Input, Output, Region, disjoint, fill_with, filled};
use crate::status::{Failure, status};

/// Which pixels an array holds, and what their deviates are drawn from.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_place {
    /// Seed of the deviates, of which 56 bits count.
    pub seed: u64,
    /// Frame or shot.
    pub frame: u32,
    /// Panel.
    pub panel: u32,
    /// Number of the first pixel in its panel: slow times the columns, plus fast.
    pub first: u32,
    /// A `WB_SIMD_` limit of the instruction set.
    pub simd: i32,
}

/// A gain of a detector that switches gains.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_gain_mode {
    /// ADU for each keV; below 0 where the signal falls with the charge.
    pub adu_per_kev: f64,
    /// ADU without charge.
    pub pedestal_adu: f64,
    /// Rms noise of the readout, in ADU.
    pub readout_adu: f64,
}

/// The gains of a detector that switches gains, and when they are chosen.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_gain_switching {
    /// Energy of a photon, in keV.
    pub photon_kev: f64,
    /// Charges from which the second and the third mode are chosen, in keV.
    pub switch_kev: [f64; 2],
    /// The modes.
    pub modes: [wb_gain_mode; 3],
}

/// What differs from pixel to pixel of a detector that switches gains: arrays of a number for each pixel, or NULL.
#[derive(Debug, Clone, Copy)]
#[repr(C)]
pub struct wb_pixel_differences {
    /// Factors on the gain of each mode.
    pub gains: *const f32,
    /// ADU that are added to the pedestal of each mode.
    pub pedestals_adu: [*const f32; 3],
    /// ADU that pixels have in common, whatever their mode.
    pub common_adu: *const f32,
}

impl wb_pixel_differences {
    /// Nothing differs.
    const NONE: Self = Self { gains: null(), pedestals_adu: [null(); 3], common_adu: null() };
}

impl wb_place {
    fn kernel(self) -> Result<Place, Failure> {
        let Self { seed, frame, panel, first, simd: cap } = self;
        Ok(Place { simd: simd(cap)?, seed, frame, panel, first })
    }
}

/// Rejects a number that is not finite.
fn finite(quantity: &'static str, value: f64) -> Result<(), Failure> {
    if value.is_finite() { Ok(()) } else { Err(Failure::range(quantity, value, "finite")) }
}

/// Rejects a number that is not finite or below 0.
fn not_negative(quantity: &'static str, value: f64) -> Result<(), Failure> {
    let is_allowed = value.is_finite() && value >= 0.0;
    if is_allowed { Ok(()) } else { Err(Failure::range(quantity, value, "0 or more")) }
}

/// Rejects a number that is not finite or not above 0.
fn positive(quantity: &'static str, value: f64) -> Result<(), Failure> {
    let is_allowed = value.is_finite() && value > 0.0;
    if is_allowed { Ok(()) } else { Err(Failure::range(quantity, value, "above 0 and finite")) }
}

/// The place at `place`, for a call that writes `written`.
///
/// # Safety
/// `place` is NULL or points to an initialised `wb_place`, which no other thread writes during the call.
unsafe fn read(place: *const wb_place, written: &[Region]) -> Result<Place, Failure> {
    let place = Input::one(place, "place")?;
    disjoint(written, &[place.region()])?;
    // SAFETY: `place` is not NULL, so the caller guarantees an initialised `wb_place` there, which no other thread writes.
    unsafe { place.read() }.kernel()
}

/// Changes `n` pixels at `place`.
///
/// # Safety
/// No other thread writes the place or accesses the pixels during the call.
/// * `place` is NULL or points to an initialised `wb_place`.
/// * `pixels` is NULL or points to `n` initialised `T`.
unsafe fn change<T>(
    place: *const wb_place,
    pixels: *mut T,
    n: usize,
    apply: impl FnOnce(Place, &mut [T]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let pixels = Output::array(pixels, n, "pixels")?;
    // SAFETY: the caller guarantees that `place` is NULL or points to an initialised `wb_place`, which no other thread writes.
    let place = unsafe { read(place, &[pixels.region()]) }?;
    // SAFETY: `pixels` is not NULL, so the caller guarantees `n` initialised numbers there, which no other thread accesses;
    // the place has been copied.
    apply(place, unsafe { pixels.initialised() })
}

/// An array of a number for each pixel, or none if its pointer is NULL.
fn map(numbers: *const f32, n: usize, name: &'static str) -> Result<Option<Input<f32>>, Failure> {
    if numbers.is_null() { Ok(None) } else { Input::array(numbers, n, name).map(Some) }
}

/// Sets `factor` to the factor of all pixels of a shot, max(0, 1 + `flicker` g): that of the place's seed and frame.
///
/// # Safety
/// * `place` is NULL or points to an initialised `wb_place`, which no other thread writes during the call.
/// * `factor` is NULL or points to room for an `f64`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_shot_factor(place: *const wb_place, flicker: f64, factor: *mut f64) -> i32 {
    let ask = || {
        let factor = Output::one(factor, "factor")?;
        // SAFETY: this function requires of `place` what `read` requires.
        let Place { simd, seed, frame, .. } = unsafe { read(place, &[factor.region()]) }?;
        not_negative("flicker", flicker)?;
        // SAFETY: `factor` is not NULL, so the caller guarantees room for an `f64` there, which no other thread accesses.
        unsafe { factor.write(shot_factor(simd, flicker, seed, frame)) };
        Ok(())
    };
    status(ask())
}

/// Fills the static gains of `n` pixels: max(0, 1 + `calibration` g), of the place's seed, panel and first pixel.
///
/// # Safety
/// * `place` is NULL or points to an initialised `wb_place`, which no other thread writes during the call.
/// * `gain_map` is NULL or points to room for `n` `f32`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_gain_map(
    place: *const wb_place,
    calibration: f64,
    gain_map: *mut f32,
    n: usize,
) -> i32 {
    let fill = || {
        let gains = Output::array(gain_map, n, "gain_map")?;
        // SAFETY: this function requires of `place` what `read` requires.
        let Place { simd, seed, panel, first, .. } = unsafe { read(place, &[gains.region()]) }?;
        not_negative("calibration", calibration)?;
        // SAFETY: `gain_map` is not NULL, so the caller guarantees room for `n` numbers there, which no other thread accesses.
        let gains = filled(unsafe { gains.uninit() }, 0.0);
        fill_gain_map(simd, calibration, seed, panel, first, gains);
        Ok(())
    };
    status(fill())
}

/// Fills by how much the pedestals of `n` pixels differ in a mode, 0 to 2: `rms_adu` g, of the place's seed, panel and first
/// pixel.
///
/// # Safety
/// * `place` is NULL or points to an initialised `wb_place`, which no other thread writes during the call.
/// * `pedestal_map` is NULL or points to room for `n` `f32`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_pedestal_map(
    place: *const wb_place,
    rms_adu: f64,
    mode: u32,
    pedestal_map: *mut f32,
    n: usize,
) -> i32 {
    let fill = || {
        let pedestals = Output::array(pedestal_map, n, "pedestal_map")?;
        // SAFETY: this function requires of `place` what `read` requires.
        let Place { simd, seed, panel, first, .. } = unsafe { read(place, &[pedestals.region()]) }?;
        not_negative("pedestal difference in ADU", rms_adu)?;
        if mode > 2 {
            return Err(Failure::range("mode", f64::from(mode), "0, 1 or 2"));
        }
        // SAFETY: `pedestal_map` is not NULL, so the caller guarantees room for `n` numbers there, which no other thread
        // accesses.
        let pedestals = filled(unsafe { pedestals.uninit() }, 0.0);
        fill_pedestal_map(simd, rms_adu, seed, panel, mode, first, pedestals);
        Ok(())
    };
    status(fill())
}

/// Fills the numbers of `n` bad pixels of a panel of `pixels` pixels, from the bad one of number `first` on: those of the
/// place's seed and panel.
///
/// # Safety
/// * `place` is NULL or points to an initialised `wb_place`, which no other thread writes during the call.
/// * `numbers` is NULL or points to room for `n` `u32`, which no other thread accesses during the call.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_bad_pixels(
    place: *const wb_place,
    pixels: u32,
    first: u32,
    numbers: *mut u32,
    n: usize,
) -> i32 {
    let fill = || {
        let numbers = Output::array(numbers, n, "numbers")?;
        // SAFETY: this function requires of `place` what `read` requires.
        let Place { simd, seed, panel, .. } = unsafe { read(place, &[numbers.region()]) }?;
        // SAFETY: `numbers` is not NULL, so the caller guarantees room for `n` numbers there, which no other thread accesses.
        let numbers = unsafe { numbers.uninit() };
        let available = pixels.saturating_sub(first);
        if u32::try_from(n).map_or(true, |n| n > available) {
            return Err(Failure::length("numbers", available as usize, n));
        }
        fill_with(numbers, 0, |numbers| fill_bad_pixels(simd, seed, panel, pixels, first, numbers))
    };
    status(fill())
}

/// Multiplies `n` pixels by a factor, such as that of a shot.
///
/// # Safety
/// No other thread writes the place or accesses the pixels during the call.
/// * `place` is NULL or points to an initialised `wb_place`.
/// * `pixels` is NULL or points to `n` initialised `f32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_scale(
    place: *const wb_place,
    factor: f64,
    pixels: *mut f32,
    n: usize,
) -> i32 {
    let scale = |place, pixels: &mut [f32]| {
        not_negative("factor", factor)?;
        let _ = Expected::new(place, pixels).times(factor);
        Ok(())
    };
    // SAFETY: this function requires of its pointers what `change` requires.
    status(unsafe { change(place, pixels, n, scale) })
}

/// Multiplies each of `n` pixels by a factor of its own: max(0, 1 + `flicker` g).
///
/// # Safety
/// As for [`wb_stage_scale`].
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_flicker(
    place: *const wb_place,
    flicker: f64,
    pixels: *mut f32,
    n: usize,
) -> i32 {
    let vary = |place, pixels: &mut [f32]| {
        not_negative("flicker", flicker)?;
        let _ = Expected::new(place, pixels).flicker(flicker);
        Ok(())
    };
    // SAFETY: this function requires of its pointers what `change` requires.
    status(unsafe { change(place, pixels, n, vary) })
}

/// Replaces the expected photons of `n` pixels by Poisson deviates.
///
/// # Safety
/// As for [`wb_stage_scale`].
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_count(place: *const wb_place, pixels: *mut f32, n: usize) -> i32 {
    let count = |place, pixels: &mut [f32]| {
        let _ = Expected::new(place, pixels).count();
        Ok(())
    };
    // SAFETY: this function requires of its pointers what `change` requires.
    status(unsafe { change(place, pixels, n, count) })
}

/// Leaves out what falls in the dead time of counts that are spread evenly over an exposure.
///
/// # Safety
/// As for [`wb_stage_scale`].
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_dead_time(
    place: *const wb_place,
    tau_s: f64,
    exposure_s: f64,
    paralyzable: i32,
    pixels: *mut f32,
    n: usize,
) -> i32 {
    let lose = |place, pixels: &mut [f32]| {
        not_negative("dead time in s", tau_s)?;
        positive("exposure in s", exposure_s)?;
        let dead_time = DeadTime { tau_s, exposure_s, is_paralyzable: paralyzable != 0 };
        let _ = Counts::new(place, pixels).lose(&dead_time);
        Ok(())
    };
    // SAFETY: this function requires of its pointers what `change` requires.
    status(unsafe { change(place, pixels, n, lose) })
}

/// Multiplies `n` pixels by the gain, and by gains of their own unless `gain_map` is NULL.
///
/// # Safety
/// No other thread writes the place or the gains, or accesses the pixels, during the call.
/// * `place` is NULL or points to an initialised `wb_place`.
/// * `gain_map` is NULL or points to `n` initialised `f32`.
/// * `pixels` is NULL or points to `n` initialised `f32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_amplify(
    place: *const wb_place,
    gain: f64,
    gain_map: *const f32,
    pixels: *mut f32,
    n: usize,
) -> i32 {
    let amplify = || {
        positive("gain", gain)?;
        let gains = map(gain_map, n, "gain_map")?;
        let region = gains.as_ref().map_or(Region::EMPTY, Input::region);
        disjoint(&[Region::new(pixels, n, "pixels")?], &[region])?;
        // SAFETY: `gain_map`, where it is given, is not NULL, so the caller guarantees `n` initialised numbers there, which no
        // other thread writes; the pixels do not overlap them.
        let gains = gains.map(|gains| unsafe { gains.slice() });
        let apply = |place, pixels: &mut [f32]| {
            let _ = Counts::new(place, pixels).amplify(gain, gains)?;
            Ok(())
        };
        // SAFETY: this function requires of `place` and `pixels` what `change` requires.
        unsafe { change(place, pixels, n, apply) }
    };
    status(amplify())
}

/// Adds what every pixel has without photons.
///
/// # Safety
/// As for [`wb_stage_scale`].
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_pedestal(
    place: *const wb_place,
    pedestal_adu: f64,
    pixels: *mut f32,
    n: usize,
) -> i32 {
    let add = |place, pixels: &mut [f32]| {
        finite("pedestal in ADU", pedestal_adu)?;
        let _ = Signal::new(place, pixels).add_pedestal(pedestal_adu);
        Ok(())
    };
    // SAFETY: this function requires of its pointers what `change` requires.
    status(unsafe { change(place, pixels, n, add) })
}

/// Adds what blocks of `block_fast` x `block_slow` pixels of a panel of `columns` columns have in common.
///
/// # Safety
/// As for [`wb_stage_scale`].
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_common_mode(
    place: *const wb_place,
    rms_adu: f64,
    columns: usize,
    block_fast: usize,
    block_slow: usize,
    pixels: *mut f32,
    n: usize,
) -> i32 {
    let add = |place, pixels: &mut [f32]| {
        not_negative("common mode in ADU", rms_adu)?;
        for (quantity, count) in
            [("columns", columns), ("block_fast", block_fast), ("block_slow", block_slow)]
        {
            positive(quantity, count as f64)?;
        }
        let common = CommonMode { rms_adu, columns, block: [block_fast, block_slow] };
        let _ = Signal::new(place, pixels).add_common_mode(&common);
        Ok(())
    };
    // SAFETY: this function requires of its pointers what `change` requires.
    status(unsafe { change(place, pixels, n, add) })
}

/// Adds the noise of the readout, of this rms.
///
/// # Safety
/// As for [`wb_stage_scale`].
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_read_out(
    place: *const wb_place,
    noise_adu: f64,
    pixels: *mut f32,
    n: usize,
) -> i32 {
    let add = |place, pixels: &mut [f32]| {
        not_negative("readout in ADU", noise_adu)?;
        let _ = Signal::new(place, pixels).read_out(noise_adu);
        Ok(())
    };
    // SAFETY: this function requires of its pointers what `change` requires.
    status(unsafe { change(place, pixels, n, add) })
}

/// The pixels that become integers, the integers, and where their number of saturated ones goes.
#[derive(Clone, Copy)]
struct Store {
    pixels: *const f32,
    n: usize,
    stored: *mut i32,
    saturated: *mut usize,
}

impl Store {
    /// Lets `store` fill the integers, and writes the number of saturated pixels that it returns, unless that is not wanted.
    /// `inputs` are further arrays that the call reads.
    ///
    /// # Safety
    /// No other thread writes the pixels or accesses the outputs during the call.
    /// * `pixels` is NULL or points to `n` initialised `f32`.
    /// * `stored` is NULL or points to room for `n` `i32`.
    /// * `saturated` is NULL or points to room for a `usize`.
    unsafe fn run(
        self,
        inputs: &[Region],
        store: impl FnOnce(&[f32], &mut [i32]) -> Result<usize, Failure>,
    ) -> Result<(), Failure> {
        let Self { pixels, n, stored, saturated } = self;
        let stored = Output::array(stored, n, "stored")?;
        let saturated = if saturated.is_null() { None } else { Some(Output::one(saturated, "saturated")?) };
        let written = [stored.region(), saturated.as_ref().map_or(Region::EMPTY, Output::region)];
        let pixels = Input::array(pixels, n, "pixels")?;
        disjoint(&written, &[pixels.region()])?;
        disjoint(&written, inputs)?;
        // SAFETY: `pixels` is not NULL, so the caller guarantees `n` initialised numbers there, which no other thread writes;
        // no output overlaps them.
        let pixels = unsafe { pixels.slice() };
        // SAFETY: `stored` is not NULL, so the caller guarantees room for `n` numbers there, which no other thread accesses;
        // neither an input nor the other output overlaps them.
        let count = store(pixels, filled(unsafe { stored.uninit() }, 0))?;
        if let Some(saturated) = saturated {
            // SAFETY: `saturated` is not NULL, so the caller guarantees room for a `usize` there, which no other thread
            // accesses; no array overlaps it.
            unsafe { saturated.write(count) };
        }
        Ok(())
    }
}

/// Stores the nearest integers from `least` to `largest`; `saturated`, unless NULL, receives how many pixels have the largest.
///
/// # Safety
/// No other thread writes the pixels or accesses the outputs during the call.
/// * `pixels` is NULL or points to `n` initialised `f32`.
/// * `stored` is NULL or points to room for `n` `i32`.
/// * `saturated` is NULL or points to room for a `usize`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_store(
    pixels: *const f32,
    n: usize,
    least: i32,
    largest: i32,
    stored: *mut i32,
    saturated: *mut usize,
) -> i32 {
    let run = || {
        if least > largest {
            return Err(Failure::range("least", f64::from(least), "at most the largest"));
        }
        let store = |pixels: &[f32], stored: &mut [i32]| Ok(Limits { least, largest }.store(pixels, stored)?);
        // SAFETY: this function requires of its pointers what `Store::run` requires.
        unsafe { Store { pixels, n, stored, saturated }.run(&[], store) }
    };
    status(run())
}

/// Stores the charges of `n` pixels of counts by a detector that switches its gain, as raw words of 14 bits and a mode;
/// `differences`, unless NULL, are those of the pixels. `saturated`, unless NULL, receives how many pixels no mode holds.
///
/// # Safety
/// No other thread writes the inputs or accesses the outputs during the call.
/// * `place` is NULL or points to an initialised `wb_place`.
/// * `switching` is NULL or points to an initialised `wb_gain_switching`.
/// * `differences` is NULL or points to an initialised `wb_pixel_differences`, whose pointers are NULL or point to `n`
///   initialised `f32` each.
/// * `counts` is NULL or points to `n` initialised `f32`.
/// * `words` is NULL or points to room for `n` `i32`.
/// * `saturated` is NULL or points to room for a `usize`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_switch_gain(
    place: *const wb_place,
    switching: *const wb_gain_switching,
    differences: *const wb_pixel_differences,
    counts: *const f32,
    n: usize,
    words: *mut i32,
    saturated: *mut usize,
) -> i32 {
    let run = || {
        let (place, switching) = (Input::one(place, "place")?, Input::one(switching, "switching")?);
        let (of_struct, given) = if differences.is_null() {
            (Region::EMPTY, wb_pixel_differences::NONE)
        } else {
            let differences = Input::one(differences, "differences")?;
            // SAFETY: `differences` is not NULL, so the caller guarantees an initialised `wb_pixel_differences` there, which no
            // other thread writes.
            (differences.region(), unsafe { differences.read() })
        };
        let [first, second, third] = given.pedestals_adu;
        let maps = [
            map(given.gains, n, "gains")?,
            map(first, n, "pedestals_adu")?,
            map(second, n, "pedestals_adu")?,
            map(third, n, "pedestals_adu")?,
            map(given.common_adu, n, "common_adu")?,
        ];
        let [gains, first, second, third, common] =
            maps.each_ref().map(|map| map.as_ref().map_or(Region::EMPTY, Input::region));
        let inputs = [place.region(), switching.region(), of_struct, gains, first, second, third, common];
        // SAFETY: `place` is not NULL, so the caller guarantees an initialised `wb_place` there, which no other thread writes.
        let place = unsafe { place.read() }.kernel()?;
        // SAFETY: `switching` is not NULL, so the caller guarantees an initialised `wb_gain_switching` there, which no other
        // thread writes.
        let switching = unsafe { switching.read() }.kernel()?;
        // SAFETY: an array that is given is not NULL, so the caller guarantees `n` initialised numbers there, which no other
        // thread writes; `Store::run` writes nothing before it has found that no output overlaps them.
        let slices = maps.map(|map| map.map(|map| unsafe { map.slice() }));
        let [gains, first, second, third, common_adu] = slices;
        let differences = PixelDifferences { gains, pedestals_adu: [first, second, third], common_adu };
        let store =
            |counts: &[f32], words: &mut [i32]| Ok(switching.store(place, counts, &differences, words)?);
        // SAFETY: this function requires of its pointers what `Store::run` requires.
        unsafe { Store { pixels: counts, n, stored: words, saturated }.run(&inputs, store) }
    };
    status(run())
}

impl wb_gain_switching {
    fn kernel(self) -> Result<GainSwitching, Failure> {
        let Self { photon_kev, switch_kev, modes } = self;
        positive("photon_kev", photon_kev)?;
        let [second, third] = switch_kev;
        not_negative("switch_kev", second)?;
        // The third mode may never be chosen.
        if third.is_nan() || third < second {
            return Err(Failure::range("switch_kev", third, "not below the one before it"));
        }
        for wb_gain_mode { adu_per_kev, pedestal_adu, readout_adu } in modes {
            if adu_per_kev == 0.0 || !adu_per_kev.is_finite() {
                return Err(Failure::range("adu_per_kev", adu_per_kev, "finite and not 0"));
            }
            finite("pedestal_adu", pedestal_adu)?;
            not_negative("readout_adu", readout_adu)?;
        }
        let modes = modes.map(|mode| GainMode {
            adu_per_kev: mode.adu_per_kev,
            pedestal_adu: mode.pedestal_adu,
            readout_adu: mode.readout_adu,
        });
        Ok(GainSwitching { photon_kev, switch_kev, modes })
    }
}

/// Sets those of `n` stored pixels that have one of `count` numbers in their panel to `value`, such as hot or dead ones.
///
/// # Safety
/// No other thread writes the inputs or accesses the pixels during the call.
/// * `place` is NULL or points to an initialised `wb_place`.
/// * `numbers` is NULL or points to `count` initialised `u32`.
/// * `stored` is NULL or points to `n` initialised `i32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_set(
    place: *const wb_place,
    numbers: *const u32,
    count: usize,
    value: i32,
    stored: *mut i32,
    n: usize,
) -> i32 {
    let set = || {
        let numbers = Input::array(numbers, count, "numbers")?;
        disjoint(&[Region::new(stored, n, "stored")?], &[numbers.region()])?;
        // SAFETY: `numbers` is not NULL, so the caller guarantees `count` initialised numbers there, which no other thread
        // writes; the pixels do not overlap them.
        let numbers = unsafe { numbers.slice() };
        let apply = |place, stored: &mut [i32]| {
            let _ = Stored::new(place, stored).set(numbers, value);
            Ok(())
        };
        // SAFETY: this function requires of `place` and `stored` what `change` requires.
        unsafe { change(place, stored, n, apply) }
    };
    status(set())
}

/// Sets those of `n` stored pixels whose `mask` is 0 to `value`, the last stage.
///
/// # Safety
/// No other thread writes the inputs or accesses the pixels during the call.
/// * `place` is NULL or points to an initialised `wb_place`.
/// * `mask` is NULL or points to `n` initialised `u16`.
/// * `stored` is NULL or points to `n` initialised `i32`.
// SAFETY: no other symbol of the program has this name; the prefix `wb_` is reserved for this library.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wb_stage_mask(
    place: *const wb_place,
    mask: *const u16,
    value: i32,
    stored: *mut i32,
    n: usize,
) -> i32 {
    let set = || {
        let mask = Input::array(mask, n, "mask")?;
        disjoint(&[Region::new(stored, n, "stored")?], &[mask.region()])?;
        // SAFETY: `mask` is not NULL, so the caller guarantees `n` initialised numbers there, which no other thread writes;
        // the pixels do not overlap them.
        let mask = unsafe { mask.slice() };
        let apply = |place, stored: &mut [i32]| Ok(Stored::new(place, stored).mask(mask, value)?);
        // SAFETY: this function requires of `place` and `stored` what `change` requires.
        unsafe { change(place, stored, n, apply) }
    };
    status(set())
}
