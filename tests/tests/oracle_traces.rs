//! The oracle compared with the intermediate values of `golden/traces`, to 1e-9.

use widebragg_tests::compare::relative;
use widebragg_tests::golden::{self, Tap, TracedPixel};
use widebragg_tests::oracle::{Mode, PixelTrace, R_E_SQR, Simulation};
use widebragg_tests::skipped::skipped;

const LIMIT: f64 = 1e-9;

fn tap(simulation: &Simulation, trace: &PixelTrace, name: &str) -> Option<Tap> {
    let flag = |on: bool| Tap::Scalar(f64::from(u8::from(on)));
    let angstroms = |axis: [f64; 3]| Tap::Vector(axis.map(|x| x * 1e10));
    Some(match name {
        "pix0_vector_meters" => Tap::Vector(simulation.detector.pix0),
        "fdet_vec" => Tap::Vector(simulation.detector.f),
        "sdet_vec" => Tap::Vector(simulation.detector.s),
        "close_distance_meters" => Tap::Scalar(simulation.detector.close_distance),
        "pixel_pos_meters" => Tap::Vector(trace.pixel_pos),
        "R_distance_meters" => Tap::Scalar(trace.R_distance),
        "omega_pixel_sr" | "omega_pixel" => Tap::Scalar(trace.omega_pixel),
        "obliquity_factor" => Tap::Scalar(trace.obliquity_factor),
        "diffracted_vec" => Tap::Vector(trace.diffracted_vec),
        "incident_vec" => Tap::Vector(trace.incident_vec),
        "lambda_meters" => Tap::Scalar(trace.lambda),
        "lambda_angstroms" => Tap::Scalar(trace.lambda * 1e10),
        "scattering_vec_per_m" => Tap::Vector(trace.scattering_vec),
        "cos_2theta" => Tap::Scalar(trace.cos_2theta),
        "rot_a_angstroms" => angstroms(trace.rot_a),
        "rot_b_angstroms" => angstroms(trace.rot_b),
        "rot_c_angstroms" => angstroms(trace.rot_c),
        "hkl_frac" => Tap::Vector(trace.hkl_frac),
        "hkl_rounded" => Tap::Vector(trace.hkl_rounded),
        "F_latt_a" => Tap::Scalar(trace.F_latt_a),
        "F_latt_b" => Tap::Scalar(trace.F_latt_b),
        "F_latt_c" => Tap::Scalar(trace.F_latt_c),
        "F_latt" => Tap::Scalar(trace.F_latt),
        "F_cell" => Tap::Scalar(trace.F_cell),
        "I_before_scaling" => Tap::Scalar(trace.I_before_scaling),
        "r_e_sqr" => Tap::Scalar(R_E_SQR),
        "r_e_meters" => Tap::Scalar(R_E_SQR.sqrt()),
        "fluence_photons_per_m2" => Tap::Scalar(simulation.fluence),
        "steps" => Tap::Scalar(simulation.steps),
        "oversample_thick" => flag(simulation.oversample_thick),
        "oversample_polar" => flag(simulation.oversample_polar),
        "oversample_omega" => flag(simulation.oversample_omega),
        "capture_fraction" => Tap::Scalar(trace.capture_fraction),
        "polar" => Tap::Scalar(trace.polar),
        "I_pixel_final" => Tap::Scalar(trace.I_pixel_final),
        "floatimage_accumulated" => Tap::Scalar(f64::from(trace.floatimage)),
        _ => return None,
    })
}

fn close(name: &str, ours: Tap, expected: Tap) {
    match (ours, expected) {
        (Tap::Scalar(x), Tap::Scalar(y)) => {
            assert!(relative(x, y, 0.0) <= LIMIT, "{name}: {x}, expected {y}")
        }
        (Tap::Vector(x), Tap::Vector(y)) => {
            // Where components cancel, the error is relative to the vector.
            let length = y.iter().fold(0.0_f64, |max, c| max.max(c.abs()));
            for (x, y) in x.iter().zip(y) {
                assert!(relative(*x, y, length) <= LIMIT, "{name}: {x}, expected {y}");
            }
        }
        _ => panic!("{name}: one is a number and the other a vector"),
    }
}

fn check(case: &str, simulation: &Simulation, expected: &TracedPixel) {
    let address = (expected.pixel.slow, expected.pixel.fast);
    let traces = simulation.render_pixels(Mode::CParity, 1, &[address]);
    let [trace] = &traces[..] else { panic!("{case} {address:?}: not on the detector") };
    for (name, &value) in &expected.taps {
        let ours = tap(simulation, trace, name).unwrap_or_else(|| panic!("{case}: unknown tap {name}"));
        close(&format!("{case} {address:?} {name}"), ours, value);
    }
    for (step, ours) in expected.per_phi.iter().zip(&trace.per_phi) {
        for (name, &value) in step {
            let ours = match name.as_str() {
                "phi_tic" => ours.phi_tic as f64,
                "phi_deg" => ours.phi.to_degrees(),
                "k_frac" => ours.hkl_frac[1],
                "F_latt_b" => ours.F_latt_b,
                "F_latt" => ours.F_latt,
                _ => panic!("{case}: unknown value {name}"),
            };
            close(&format!("{case} {address:?} {name}"), Tap::Scalar(ours), Tap::Scalar(value));
        }
    }
}

#[test]
fn traces_match_the_reference() {
    let traces = golden::traces().expect("golden traces");
    assert_eq!(traces.len(), 7, "golden traces");
    for trace in traces {
        let Some(folder) = golden::inputs_of(&trace.case) else {
            skipped(format!("trace {} (its inputs are missing)", trace.case));
            continue;
        };
        let simulation = Simulation::from_args(&trace.args, &folder).expect("command line");
        for pixel in &trace.traces {
            check(&trace.case, &simulation, pixel);
        }
    }
}
