//! The oracle compared with every golden image, in both modes, and with the files that the reference wrote.

use widebragg_tests::compare::compare;
use widebragg_tests::golden::{self, Case};
use widebragg_tests::oracle::output::{figures, int_image, noise_image, pgm_image, smv_header};
use widebragg_tests::oracle::{Mode, Rendered, Simulation};

/// Number of pixels over all images and both modes whose last bit may differ between two math libraries.
const MOST_DIFFERENT: usize = 5;

fn cases() -> Vec<(Case, Simulation)> {
    let names = golden::cases().expect("golden images");
    assert_eq!(names.len(), 67, "golden images");
    names
        .iter()
        .map(|name| {
            let case = Case::load(name).expect("case.json");
            let simulation = Simulation::from_args(&case.args, &golden::inputs());
            (case, simulation.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect()
}

#[test]
fn float_images_match_the_reference() {
    let mut different = 0;
    for (case, simulation) in cases() {
        for mode in case.modes() {
            let image = simulation.render(mode, 1).float;
            let difference = compare(&image, &case.image(mode).expect("float image")).expect("same size");
            if difference.different > 0 {
                println!("{} {mode:?}: {difference}", case.name);
            }
            assert!(difference.is_within_limits(), "{} {mode:?}: {difference}", case.name);
            different += difference.different;
        }
    }
    println!("{different} pixels differ in all");
    assert!(different <= MOST_DIFFERENT, "{different} pixels differ");
}

#[test]
fn headers_and_figures_match_the_reference() {
    for (case, simulation) in cases() {
        assert_eq!(smv_header(&simulation), case.smv_header, "{}", case.name);
        let rendered = simulation.render(Mode::CParity, 1);
        for (name, value) in figures(&simulation, &rendered) {
            if case.figures.is_empty() {
                break;
            }
            assert_eq!(Some(&value), case.figures.get(name), "{} {name}", case.name);
        }
    }
}

/// The pixels of an SMV file whose header has 512 bytes, as declared.
fn smv_pixels(file: &[u8]) -> Vec<u16> {
    file[512..].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect()
}

#[test]
fn written_images_match_the_reference() {
    let mut compared = 0;
    for (case, simulation) in cases() {
        // The files are made from the reference's float image, so that a difference in its last bit does not
        // matter here.
        let float = case.image(Mode::CParity).expect("float image");
        if let Some(file) = case.file("i.img") {
            assert!(int_image(&simulation, &float) == smv_pixels(&file), "{} i.img", case.name);
            compared += 1;
        }
        if let Some(file) = case.file("n.img") {
            let noise = noise_image(&simulation, &float);
            assert!(noise.pixels == smv_pixels(&file), "{} n.img", case.name);
            if let Some(photons) = case.figures.get("noise_photons").filter(|photons| *photons != "0") {
                assert_eq!(format!("{:.0}", noise.photons), *photons, "{}", case.name);
            }
            compared += 1;
        }
        if let Some(file) = case.file("p.pgm") {
            assert!(pgm_image(&simulation, &float) == file, "{} p.pgm", case.name);
            compared += 1;
        }
    }
    assert_eq!(compared, 8, "files compared");
}

#[test]
fn single_pixels_equal_those_of_the_image() {
    for (case, simulation) in cases() {
        let [fast_pixels, slow_pixels] = simulation.npixels();
        let band = slow_pixels.div_ceil(3);
        let pixels: Vec<(usize, usize)> = [0, 1, 15, band - 1, band, band + 1, slow_pixels - 1]
            .into_iter()
            .flat_map(|slow| [0, 1, 10, 33, fast_pixels - 1].map(|fast| (slow, fast)))
            .collect();
        for mode in [Mode::CParity, Mode::Spec] {
            let Rendered { value, .. } = simulation.render(mode, 3);
            for trace in simulation.render_pixels(mode, 3, &pixels) {
                let expected = value[trace.slow * fast_pixels + trace.fast];
                let at = (trace.slow, trace.fast);
                assert_eq!(
                    trace.I_pixel_final.to_bits(),
                    expected.to_bits(),
                    "{} {mode:?} {at:?}",
                    case.name
                );
            }
        }
    }
}
