//! The stages of a detector's noise, each by itself, on images of the shape (panel, slow, fast).

use numpy::{
    IntoPyArray, PyArray3, PyArrayDyn, PyArrayMethods, PyReadonlyArray3, PyReadonlyArrayDyn,
    PyReadwriteArray3, PyUntypedArrayMethods,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use widebragg::Error;
use widebragg::lanes::Simd;
use widebragg::noise::detector::{
    CommonMode, Counts, DeadTime, Expected, GainMode, GainSwitching, Limits, PixelDifferences, Place, Signal,
    fill_bad_pixels, fill_gain_map, shot_factor,
};
use widebragg::noise::point_spread::Form;
use widebragg_experiment::point_spread::{PointSpread, PointSpreadRule};

use crate::failure::{raised, refused};
use crate::pools::pool;

/// What deviates depend on beside panel and pixel: the seed and the number of the frame.
type Drawn = (u64, u32);

/// The place of all pixels of each panel.
fn places((seed, frame): Drawn) -> impl Iterator<Item = Place> {
    let simd = Simd::detect();
    (0..).map(move |panel| Place { simd, seed, frame, panel, first: 0 })
}

/// The number of pixels of a panel, at least 1.
fn panel_pixels(shape: &[usize]) -> usize {
    shape.iter().skip(1).product::<usize>().max(1)
}

/// Applies a stage to the pixels of each panel.
fn staged(
    py: Python<'_>,
    mut image: PyReadwriteArray3<'_, f32>,
    drawn: Drawn,
    stage: impl Fn(Place, &mut [f32]) -> Result<(), Error> + Sync,
) -> PyResult<()> {
    let size = panel_pixels(image.shape());
    let mut panels = places(drawn).zip(image.as_slice_mut()?.chunks_mut(size));
    py.detach(|| panels.try_for_each(|(place, pixels)| stage(place, pixels))).map_err(refused)
}

/// Functions for Python of an image, of what deviates are drawn by and of numbers, from what a stage does with a panel.
macro_rules! stages {
    ($($(#[$doc:meta])* $name:ident($($number:ident: $type:ty),*) |$place:ident, $pixels:ident| $stage:block)*) => {$(
        $(#[$doc])*
        #[pyfunction]
        pub(crate) fn $name(
            py: Python<'_>,
            image: PyReadwriteArray3<'_, f32>,
            drawn: Drawn,
            $($number: $type),*
        ) -> PyResult<()> {
            staged(py, image, drawn, |$place, $pixels| {
                let _ = $stage;
                Ok(())
            })
        }
    )*};
}

stages! {
    /// Photons that are expected in this frame: by the factor of the frame and that of each pixel.
    noise_vary(flicker: f64, pixel_flicker: f64) |place, pixels| {
        let factor = shot_factor(place.simd, flicker, place.seed, place.frame);
        let expected = Expected::new(place, pixels).times(factor);
        if pixel_flicker > 0.0 { expected.flicker(pixel_flicker) } else { expected }
    }

    /// Photons that are counted of those that are expected.
    noise_count() |place, pixels| { Expected::new(place, pixels).count() }

    /// Counts that the dead time leaves.
    noise_lose(tau_s: f64, exposure_s: f64, is_paralyzable: bool) |place, pixels| {
        Counts::new(place, pixels).lose(&DeadTime { tau_s, exposure_s, is_paralyzable })
    }

    /// The static gains of pixels, of mean 1, which are those of all frames.
    noise_gain_map(calibration: f64) |place, gains| {
        let Place { simd, seed, panel, first, .. } = place;
        fill_gain_map(simd, calibration, seed, panel, first, gains)
    }

    /// ADU with what the pixels of each block (fast, slow) have in common; a row has `columns`.
    noise_add_common_mode(rms_adu: f64, columns: usize, block: [usize; 2]) |place, pixels| {
        Signal::new(place, pixels).add_common_mode(&CommonMode { rms_adu, columns, block })
    }

    /// ADU with the noise of the readout.
    noise_read_out(rms_adu: f64) |place, pixels| { Signal::new(place, pixels).read_out(rms_adu) }
}

/// The gains of the panel of `pixels` pixels at a place.
fn at<'g>(place: &Place, gains: Option<&'g [f32]>, pixels: usize) -> Option<&'g [f32]> {
    gains?.chunks(pixels).nth(place.panel as usize)
}

/// ADU of counts.
#[pyfunction]
pub(crate) fn noise_amplify(
    py: Python<'_>,
    image: PyReadwriteArray3<'_, f32>,
    gain: f64,
    gain_map: Option<PyReadonlyArray3<'_, f32>>,
) -> PyResult<()> {
    let gains = gain_map.as_ref().map(|map| map.as_slice()).transpose()?;
    staged(py, image, (0, 0), |place, pixels| {
        let gains = at(&place, gains, pixels.len());
        Counts::new(place, pixels).amplify(gain, gains).map(drop)
    })
}

/// Counts as a point spread distributes them over each panel.
#[pyfunction]
pub(crate) fn noise_spread(
    py: Python<'_>,
    mut image: PyReadwriteArray3<'_, f32>,
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
    let (slow, fast, size) = (image.shape()[1], image.shape()[2], panel_pixels(image.shape()));
    let panels = image.as_slice_mut()?.chunks_mut(size);
    let rule = PointSpreadRule { form, width_m, radius_px };
    let spread = || {
        let spread = PointSpread::new(rule, Simd::detect(), pixel_m, [fast, slow])?;
        panels.into_iter().try_for_each(|pixels| spread.spread(pixels))
    };
    let pool = pool(threads.unwrap_or(0))?;
    py.detach(|| pool.install(spread)).map_err(raised)
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

/// The raw words of a gain-switching detector for some counts, given (gain, pedestal, readout noise) of each mode.
#[pyfunction]
pub(crate) fn noise_switch_gain<'py>(
    py: Python<'py>,
    image: PyReadonlyArray3<'py, f32>,
    drawn: Drawn,
    photon_kev: f64,
    switch_kev: [f64; 2],
    modes: [(f64, f64, f64); 3],
    gain_map: Option<PyReadonlyArray3<'_, f32>>,
) -> PyResult<Bound<'py, PyArray3<i32>>> {
    let modes = modes.map(|(adu_per_kev, pedestal_adu, readout_adu)| GainMode {
        adu_per_kev,
        pedestal_adu,
        readout_adu,
    });
    let switching = GainSwitching { photon_kev, switch_kev, modes };
    let &[panels, slow, fast] = image.shape() else {
        return Err(PyValueError::new_err("three axes are needed"));
    };
    let (size, pixels) = (panel_pixels(image.shape()), image.as_slice()?);
    let gains = gain_map.as_ref().map(|map| map.as_slice()).transpose()?;
    let mut words = vec![0; pixels.len()];
    let stored = py.detach(|| {
        let panels = pixels.chunks(size).zip(words.chunks_mut(size));
        places(drawn).zip(panels).try_for_each(|(place, (pixels, words))| {
            let gains = at(&place, gains, size);
            let differences = PixelDifferences { gains, ..PixelDifferences::default() };
            switching.store(place, pixels, &differences, words).map(drop)
        })
    });
    stored.map_err(refused)?;
    words.into_pyarray(py).reshape([panels, slow, fast])
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
