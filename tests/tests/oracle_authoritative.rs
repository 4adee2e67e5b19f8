//! The oracle compared with chosen rows of the authoritative run, in which the phi carryover matters. Skipped
//! without its inputs.

use widebragg_tests::compare::compare;
use widebragg_tests::golden;
use widebragg_tests::oracle::Mode;

#[test]
fn rows_match_the_reference() {
    let Some((figures, simulation)) = golden::authoritative_run() else { return };
    let width = figures.fast_pixels;
    for mode in [Mode::CParity, Mode::Spec] {
        let expected = figures.image(mode).expect("rows");
        // The first row, those around the brightest pixel, those where a second thread would start, and the
        // last.
        for slow in [0, 684, 685, 1263, 1264, 2526] {
            let at = figures.rows.iter().position(|&row| row == slow).expect("a golden row");
            let pixels: Vec<(usize, usize)> = (0..width).map(|fast| (slow, fast)).collect();
            let traces = simulation.render_pixels(mode, 1, &pixels);
            let row: Vec<f32> = traces.iter().map(|trace| trace.floatimage).collect();
            let difference = compare(&row, &expected[at * width..(at + 1) * width]).expect("same size");
            println!("{mode:?} row {slow}: {difference}");
            assert!(difference.is_within_limits(), "{mode:?} row {slow}: {difference}");
        }
    }
}

#[test]
fn the_second_reference_thread_starts_with_the_unrotated_cell() {
    let Some((figures, simulation)) = golden::authoritative_run() else { return };
    let pixel = figures.two_thread_first_pixel;
    for (threads, expected) in [(1, pixel.one_thread), (2, pixel.two_threads)] {
        let traces = simulation.render_pixels(Mode::CParity, threads, &[(pixel.slow, pixel.fast)]);
        assert_eq!(traces[0].floatimage, expected as f32, "{threads} threads");
    }
}

#[test]
fn a_pixel_can_be_rendered_alone() {
    let Some((_, simulation)) = golden::authoritative_run() else { return };
    let traces = simulation.render_pixels(Mode::CParity, 1, &[(685, 1039)]);
    assert!((traces[0].F_latt / -2.38319665299058 - 1.0).abs() < 1e-9);
    assert!((traces[0].I_before_scaling / 943654.80923755 - 1.0).abs() < 1e-9);
}
