//! The stages of a detector's noise, each by itself, on the pixels of panels.

use numpy::{
    IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyReadwriteArray2, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use widebragg::lanes::Simd;
use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, GainMode, GainSwitching, Limits, PixelDifferences, Place, Signal,
    fill_bad_pixels, fill_gain_map, shot_factor,
};
use widebragg::noise::point_spread::Form;
use widebragg_experiment::point_spread::{PointSpread, PointSpreadRule};

use crate::failure::{raised, refused};
use crate::pools::pool;

/// What deviates are drawn by: the seed, the number of the frame and that of the panel.
type Drawn = (u64, u32, u32);

/// The place of all pixels of a panel.
fn place((seed, frame, panel): Drawn) -> Place {
    Place { simd: Simd::detect(), seed, frame, panel, first: 0 }
}

/// Applies a stage to the pixels of a panel, (slow, fast).
fn apply(
    py: Python<'_>,
    mut pixels: PyReadwriteArray2<'_, f32>,
    stage: impl FnOnce(&mut [f32]) + Send,
) -> PyResult<()> {
    let pixels = pixels.as_slice_mut()?;
    py.detach(|| stage(pixels));
    Ok(())
}

/// Photons that are expected in this frame: by the factor of the frame and that of each pixel.
#[pyfunction]
pub(crate) fn noise_vary(
    py: Python<'_>,
    pixels: PyReadwriteArray2<'_, f32>,
    flicker: f64,
    pixel_flicker: f64,
    drawn: Drawn,
) -> PyResult<()> {
    let place = place(drawn);
    apply(py, pixels, |pixels| {
        let factor = shot_factor(place.simd, flicker, place.seed, place.frame);
        let expected = Expected::new(place, pixels).times(factor);
        if pixel_flicker > 0.0 {
            let _ = expected.flicker(pixel_flicker);
        }
    })
}

/// Photons that are counted of those that are expected.
#[pyfunction]
pub(crate) fn noise_count(py: Python<'_>, pixels: PyReadwriteArray2<'_, f32>, drawn: Drawn) -> PyResult<()> {
    apply(py, pixels, |pixels| {
        let _ = Expected::new(place(drawn), pixels).count();
    })
}

/// Counts that the dead time leaves.
#[pyfunction]
pub(crate) fn noise_lose(
    py: Python<'_>,
    pixels: PyReadwriteArray2<'_, f32>,
    tau_s: f64,
    exposure_s: f64,
    is_paralyzable: bool,
) -> PyResult<()> {
    let dead_time = DeadTime { tau_s, exposure_s, is_paralyzable };
    apply(py, pixels, |pixels| {
        let _ = Counts::new(place((0, 0, 0)), pixels).lose(&dead_time);
    })
}

/// Counts as a point spread distributes them.
#[pyfunction]
pub(crate) fn noise_spread(
    py: Python<'_>,
    mut pixels: PyReadwriteArray2<'_, f32>,
    form: &str,
    width_m: f64,
    pixel_m: f64,
    radius_px: Option<usize>,
    threads: Option<usize>,
) -> PyResult<()> {
    let known = Form::ALL.iter().copied().find(|known| known.name() == form);
    let form = known.ok_or_else(|| {
        let names: Vec<&str> = Form::ALL.iter().map(|form| form.name()).collect();
        PyValueError::new_err(format!("form: {form:?} is none of {}", names.join(", ")))
    })?;
    let (slow, fast) = (pixels.dims()[0], pixels.dims()[1]);
    let pixels = pixels.as_slice_mut()?;
    let rule = PointSpreadRule { form, width_m, radius_px };
    let spread = || PointSpread::new(rule, Simd::detect(), pixel_m, [fast, slow])?.spread(pixels);
    let pool = pool(threads.unwrap_or(0))?;
    py.detach(|| pool.install(spread)).map_err(raised)
}

/// The static gains of the pixels of a panel, of mean 1.
#[pyfunction]
pub(crate) fn noise_gain_map(
    py: Python<'_>,
    mut gains: PyReadwriteArray2<'_, f32>,
    calibration: f64,
    seed: u64,
    panel: u32,
) -> PyResult<()> {
    let gains = gains.as_slice_mut()?;
    py.detach(|| fill_gain_map(Simd::detect(), calibration, seed, panel, 0, gains));
    Ok(())
}

/// ADU of counts.
#[pyfunction]
pub(crate) fn noise_amplify(
    py: Python<'_>,
    mut pixels: PyReadwriteArray2<'_, f32>,
    gain: f64,
    gain_map: Option<PyReadonlyArrayDyn<'_, f32>>,
) -> PyResult<()> {
    let gain_map = gain_map.as_ref().map(|gains| gains.as_slice()).transpose()?;
    let pixels = pixels.as_slice_mut()?;
    let amplified = py.detach(|| Counts::new(place((0, 0, 0)), pixels).amplify(gain, gain_map).map(drop));
    amplified.map_err(refused)
}

/// ADU with what the pixels of each row, or of each block (fast, slow), have in common.
#[pyfunction]
pub(crate) fn noise_add_common_mode(
    py: Python<'_>,
    pixels: PyReadwriteArray2<'_, f32>,
    rms_adu: f64,
    block: Option<[usize; 2]>,
    drawn: Drawn,
) -> PyResult<()> {
    let columns = pixels.dims()[1];
    let common = CommonMode { rms_adu, columns, block: block.unwrap_or([columns, 1]) };
    apply(py, pixels, |pixels| {
        let _ = Signal::new(place(drawn), pixels).add_common_mode(&common);
    })
}

/// ADU with the noise of the readout.
#[pyfunction]
pub(crate) fn noise_read_out(
    py: Python<'_>,
    pixels: PyReadwriteArray2<'_, f32>,
    rms_adu: f64,
    drawn: Drawn,
) -> PyResult<()> {
    apply(py, pixels, |pixels| {
        let _ = Signal::new(place(drawn), pixels).read_out(rms_adu);
    })
}

/// The whole numbers that are stored of ADU, of the same shape.
#[pyfunction]
pub(crate) fn noise_store<'py>(
    py: Python<'py>,
    pixels: PyReadonlyArrayDyn<'py, f32>,
    least: i32,
    largest: i32,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    let shape = pixels.shape().to_vec();
    let pixels = pixels.as_slice()?;
    let mut stored = vec![0; pixels.len()];
    py.detach(|| Limits { least, largest }.store(pixels, &mut stored)).map_err(refused)?;
    stored.into_pyarray(py).reshape(shape)
}

/// The words of a panel whose pixels choose their gain: of counts, with (gain, pedestal, readout) of each mode.
#[pyfunction]
pub(crate) fn noise_switch_gain<'py>(
    py: Python<'py>,
    pixels: PyReadonlyArrayDyn<'py, f32>,
    photon_kev: f64,
    switch_kev: [f64; 2],
    modes: [(f64, f64, f64); 3],
    gain_map: Option<PyReadonlyArrayDyn<'py, f32>>,
    drawn: Drawn,
) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
    let modes = modes.map(|(adu_per_kev, pedestal_adu, readout_adu)| GainMode {
        adu_per_kev,
        pedestal_adu,
        readout_adu,
    });
    let switching = GainSwitching { photon_kev, switch_kev, modes };
    let gains = gain_map.as_ref().map(|gains| gains.as_slice()).transpose()?;
    let differences = PixelDifferences { gains, ..PixelDifferences::default() };
    let shape = pixels.shape().to_vec();
    let pixels = pixels.as_slice()?;
    let mut words = vec![0; pixels.len()];
    py.detach(|| switching.store(place(drawn), pixels, &differences, &mut words)).map_err(refused)?;
    words.into_pyarray(py).reshape(shape)
}

/// The numbers of `count` bad pixels of a panel with `pixels` pixels.
#[pyfunction]
pub(crate) fn noise_bad_pixels<'py>(
    py: Python<'py>,
    pixels: u32,
    count: u32,
    seed: u64,
    panel: u32,
) -> PyResult<Bound<'py, PyArrayDyn<u32>>> {
    if count > pixels {
        return Err(PyValueError::new_err(format!("{count} bad pixels of a panel that has {pixels}")));
    }
    let mut numbers = vec![0; count as usize];
    fill_bad_pixels(Simd::detect(), seed, panel, pixels, 0, &mut numbers).map_err(refused)?;
    numbers.into_pyarray(py).reshape(vec![count as usize])
}
