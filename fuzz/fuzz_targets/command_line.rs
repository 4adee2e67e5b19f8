//! Command lines, one argument a line. Any arguments give either a command whose values keep their documented
//! limits, whose scene can be set up if it names no file, and which parses the same again from its displayed
//! form, or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg::carryover::{Carryover, Slot};
use widebragg::render::open_streams;
use widebragg_cli::commands::setup;
use widebragg_cli::options::{Command, Options, parse};
use widebragg_fuzz::assert_refusal;

/// Limits for the cost of a scene.
const MOST_DOMAINS: usize = 50;
const MOST_SOURCES: f64 = 1000.0;
const MOST_PHI_STEPS: usize = 1000;
const MOST_STEPS: f64 = 1000.0;

fuzz_target!(|text: &[u8]| {
    let text = String::from_utf8_lossy(text);
    let words: Vec<String> = text.split('\n').map(str::to_owned).collect();
    let options = match parse(&words) {
        Err(failure) => return assert_refusal(&failure, ""),
        Ok(Command::Render(options)) => options,
        Ok(Command::Trace(options)) => Box::new(options.render),
        Ok(_) => return,
    };
    check(&options);
    if !names_files(&options) && is_cheap(&options) {
        render(&options);
    }
});

/// Checks the documented limits of the fields of [`Options`].
fn check(options: &Options) {
    let o = options;
    for positive in [o.lambda_m, o.pixel_m, o.detsize_f_m, o.detsize_s_m] {
        assert!(positive.is_none_or(|value| value > 0.0 && value.is_finite()), "{o:?}");
    }
    for not_negative in [o.fudge, o.fluence_per_m2, o.flux_per_s, o.water_m, o.detector_thick_m] {
        assert!(not_negative.is_none_or(|value| value >= 0.0 && value.is_finite()), "{o:?}");
    }
    for not_zero in [o.distance_m, o.close_distance_m] {
        assert!(not_zero.is_none_or(|value| value != 0.0 && value.is_finite()), "{o:?}");
    }
    for finite in
        [o.default_f, o.polar_kahn, o.xbeam_m, o.orgy_px, o.twotheta_rad, o.phi_rad, o.dmin_m, o.adc]
    {
        assert!(finite.is_none_or(f64::is_finite), "{o:?}");
    }
    let counts = [o.mosaic_domains, o.detpixels_f, o.detpixels_s, o.frames, o.threads, o.oversample];
    assert!(counts.into_iter().chain(o.n_cells).all(|count| count != Some(0)), "{o:?}");
    if let Some([a, b, c, alpha, beta, gamma]) = o.cell_angstrom_deg {
        assert!([a, b, c].into_iter().all(|length| length > 0.0 && length.is_finite()), "{o:?}");
        assert!([alpha, beta, gamma].into_iter().all(|angle| angle > 0.0 && angle < 180.0), "{o:?}");
    }
    if let Some([fast_min, fast_max, slow_min, slow_max]) = o.roi_px {
        assert!(fast_min <= fast_max && slow_min <= slow_max, "{o:?}");
    }
    assert!(o.notes.iter().all(|note| !note.contains(char::is_control)), "{o:?}");
}

fn names_files(o: &Options) -> bool {
    [&o.mat, &o.hkl, &o.dump, &o.sourcefile, &o.img, &o.mask].into_iter().any(Option::is_some)
}

/// Whether tables and steps are small enough for thousands of scenes a second.
fn is_cheap(o: &Options) -> bool {
    let along = |count: Option<i64>, range: Option<f64>, step: Option<f64>| {
        let by_step = match (range, step) {
            (Some(range), Some(step)) if step > 0.0 => range / step,
            _ => 1.0,
        };
        by_step.max(count.unwrap_or(1) as f64).max(3.0)
    };
    let sources = along(o.hdiv_count, o.hdiv_range_rad, o.hdiv_step_rad)
        * along(o.vdiv_count, o.vdiv_range_rad, o.vdiv_step_rad)
        * along(o.dispersion_count, o.dispersion_range, None);
    sources <= MOST_SOURCES && o.mosaic_domains.unwrap_or(1) <= MOST_DOMAINS
}

/// Renders the first and the last pixel of a scene that is accepted.
fn render(options: &Options) {
    let experiment = match setup::with_structure_factors(options, None, |_| ()) {
        Ok(experiment) => experiment,
        Err(failure) => return assert_refusal(&failure, ""),
    };
    if experiment.phi.count > MOST_PHI_STEPS || experiment.steps_per_pixel() > MOST_STEPS {
        return;
    }
    let mut entries = experiment.orientation_buffer().expect("a small table");
    let scene = match experiment.scene(0, 0, &mut entries) {
        Ok(scene) => scene,
        Err(failure) => return assert_refusal(&failure, ""),
    };
    let mut slots = [Slot::default(); 2];
    open_streams(&scene, &mut slots).expect("two streams");
    let mut carry = Carryover::Streams(&mut slots);
    for (slow, fast) in [(0, 0), (experiment.rows() - 1, experiment.columns() - 1)] {
        scene.render_pixel(slow, fast, &mut carry).expect("a pixel of the detector");
    }
}
