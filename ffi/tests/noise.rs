//! Random deviates through the C interface: the bits of the reference, and failed calls.

#![allow(unsafe_code, reason = "the functions take raw pointers")]
#![allow(clippy::multiple_unsafe_ops_per_block, reason = "several calls under one contract")]

use core::ptr::{null, null_mut};

use widebragg::noise::Poisson;
use widebragg::random::{fill_mosaic, random_misset};
use widebragg_ffi::noise::*;
use widebragg_ffi::status::*;
use widebragg_tests::golden::table;

fn seeded(seed: i64) -> wb_noise {
    let mut noise = wb_noise { opaque: [0; 40] };
    // SAFETY: `noise` is a local.
    assert_eq!(unsafe { wb_noise_seed(&raw mut noise, seed) }, WB_OK);
    noise
}

#[test]
fn uniform_deviates_are_the_reference_s() {
    let mut noise = seeded(1);
    for row in table("ran1.csv").expect("ran1.csv") {
        if row[1] == 0.0 {
            noise = seeded(-row[0] as i64);
        }
        let mut deviate = f32::NAN;
        // SAFETY: the stream was seeded, and `deviate` is a local.
        assert_eq!(unsafe { wb_noise_uniform(&raw mut noise, &raw mut deviate, 1) }, WB_OK);
        assert_eq!(deviate, row[2] as f32);
    }
}

#[test]
fn gaussian_and_poisson_deviates_are_the_kernel_s_and_a_copy_goes_on_by_itself() {
    let means: Vec<f32> = (0..300).map(|i| 10f32.powf(i as f32 / 33.0 - 1.0)).collect();
    let (mut noise, mut kernel) = (seeded(77), Poisson::new(77));
    let mut found = vec![f32::NAN; means.len()];
    // SAFETY: the stream was seeded, and the arrays have the given lengths.
    let status = unsafe { wb_noise_gauss(&raw mut noise, found.as_mut_ptr(), 5) };
    assert_eq!((status, found[5].is_nan()), (WB_OK, true));
    assert!(found[..5].iter().all(|&x| x == kernel.gauss()));
    let mut copy = noise;
    for noise in [&raw mut noise, &raw mut copy] {
        let mut kernel = kernel.clone();
        // SAFETY: the stream was seeded, and the arrays have the given lengths.
        let status = unsafe { wb_noise_poisson(noise, means.as_ptr(), found.as_mut_ptr(), means.len()) };
        assert_eq!(status, WB_OK);
        assert!(means.iter().zip(&found).all(|(&mean, &count)| count == kernel.draw(mean)));
    }
}

#[test]
fn what_cannot_be_drawn_is_refused() {
    let mut never = wb_noise { opaque: [0; 40] };
    let mut noise = seeded(3);
    let mut out = [-7f32; 4];
    let means = [1.0, f32::NAN, 2.0, 3.0];
    // SAFETY: the calls fail before they write anything; what they read are locals of the given lengths.
    unsafe {
        assert_eq!(wb_noise_seed(null_mut(), 1), WB_NULL_POINTER);
        assert_eq!(wb_noise_uniform(&raw mut never, out.as_mut_ptr(), 4), WB_NOT_MADE);
        assert_eq!(wb_noise_gauss(null_mut(), out.as_mut_ptr(), 4), WB_NULL_POINTER);
        assert_eq!(wb_noise_gauss(&raw mut noise, null_mut(), 4), WB_NULL_POINTER);
        assert_eq!(wb_noise_gauss(&raw mut noise, (&raw mut noise).cast(), 4), WB_OVERLAP);
        assert_eq!(wb_noise_poisson(&raw mut noise, means.as_ptr(), out.as_mut_ptr(), 4), WB_OUT_OF_RANGE);
        assert_eq!(wb_noise_poisson(&raw mut noise, null(), out.as_mut_ptr(), 4), WB_NULL_POINTER);
        assert_eq!(wb_noise_poisson(&raw mut noise, out.as_ptr(), out.as_mut_ptr(), 4), WB_OVERLAP);
    }
    assert_eq!(out, [-7.0; 4]);
}

#[test]
fn mosaic_domains_and_missetting_angles_are_the_kernel_s() {
    let (mut expected, mut found) = ([[[0.0; 3]; 3]; 6], [f64::NAN; 55]);
    fill_mosaic(0.02, 12_345_678, &mut expected).expect("domains");
    let mut angles = [f64::NAN; 4];
    // SAFETY: the stream was seeded, and the arrays have the given lengths.
    unsafe {
        assert_eq!(wb_mosaic_domains(f64::NAN, 1, found.as_mut_ptr(), 6), WB_OUT_OF_RANGE);
        assert!(found.iter().all(|x| x.is_nan()));
        assert_eq!(wb_mosaic_domains(0.02, 12_345_678, found.as_mut_ptr(), 6), WB_OK);
        assert_eq!(wb_mosaic_domains(0.02, 1, null_mut(), 6), WB_NULL_POINTER);
        assert_eq!(wb_random_misset(9, angles.as_mut_ptr()), WB_OK);
        assert_eq!(wb_random_misset(9, null_mut()), WB_NULL_POINTER);
    }
    assert_eq!(&found[..54], expected.as_flattened().as_flattened());
    assert!(found[54].is_nan() && angles[3].is_nan());
    assert_eq!(angles[..3], random_misset(9));
}
