//! `--mean-images`: the mean wavelength and mean h, k, l of the photons of each pixel, as float images.

use std::fs;

use widebragg_formats::registry::reader_of;
use widebragg_tests::program::Workplace;

const LINE: &str = "-default_F 100 -pixel 0.2 -detpixels_x 60 -detpixels_y 50 -distance 90 -oversample 1 \
                    -fluence 1e27 -nonoise -nopgm --quiet";
const CELL: &str = "-cell 50 60 45 88 95 100 -misset 10 20 30";
const NAMES: [&str; 4] = ["lambda", "h", "k", "l"];

/// The photons and the four images of means.
fn images(place: &Workplace, line: &str) -> (Vec<f32>, [Vec<f32>; 4]) {
    place.run_line(&format!("{LINE} {line} -floatfile f.bin --mean-images m.bin")).well();
    (place.float("f.bin"), NAMES.map(|name| place.float(&format!("m_{name}.bin"))))
}

#[test]
fn pixels_with_photons_have_means_and_the_others_nan() {
    let place = Workplace::empty();
    let (photons, [lambda, h, k, l]) = images(&place, &format!("{CELL} -lambda 1.2 -N 9 -roi 5 50 3 40"));
    assert!(photons.iter().filter(|&&photons| photons > 0.0).count() > 1000);
    for (i, photons) in photons.iter().enumerate() {
        let inside = (5..=50).contains(&(i % 60)) && (3..=40).contains(&(i / 60));
        assert_eq!(lambda[i].is_nan(), !inside, "{i} {photons}");
        assert!([h[i], k[i], l[i]].iter().all(|index| index.is_nan() != inside), "{i}");
        assert!(!inside || lambda[i] == 1.2, "{}", lambda[i]);
    }
    // The brightest pixel is at a spot.
    let brightest = (0..photons.len()).max_by(|&a, &b| photons[a].total_cmp(&photons[b])).expect("pixels");
    for index in [h[brightest], k[brightest], l[brightest]] {
        assert!((index - index.round()).abs() < 0.1, "{index}");
    }
}

/// Spots with an edge leave pixels dark.
#[test]
fn dark_pixels_have_no_means() {
    let place = Workplace::empty();
    let (photons, means) = images(&place, &format!("{CELL} -lambda 1.2 -N 5 -tophat_spots"));
    let dark = photons.iter().filter(|&&photons| photons == 0.0).count();
    assert!((500..2900).contains(&dark), "{dark}");
    for mean in means {
        assert!(mean.iter().zip(&photons).all(|(mean, photons)| mean.is_nan() == (*photons == 0.0)));
    }
}

/// The images of one crystal at one wavelength, and their share of the photons.
struct Part {
    share: f64,
    photons: Vec<f32>,
    means: [Vec<f32>; 4],
}

impl Part {
    fn photons(&self, pixel: usize) -> f64 {
        self.share * f64::from(self.photons[pixel])
    }
}

/// Of two crystals and two wavelengths, the means are those of each alone, weighted by their photons.
#[test]
fn crystals_and_wavelengths_are_weighted_by_their_photons() {
    let place = Workplace::empty();
    let head = "weight,misset_x_deg,misset_y_deg,misset_z_deg,n_a,n_b,n_c";
    let [one, two] = ["1,10,20,30,9,8,7", "0.3,40,5,71,5,6,8"];
    place.write("both.csv", format!("{head}\n{one}\n{two}\n"));
    place.write("one.csv", format!("{head}\n{one}\n"));
    place.write("two.csv", format!("{head}\n{two}\n"));
    place.write("both.txt", "# wavelength_A weight\n1.19 3\n1.21 1\n");
    let cell = "-cell 50 60 45 88 95 100 -nopolar";
    let (photons, means) = images(&place, &format!("{cell} --spectrum both.txt --crystals both.csv"));
    let mut parts = Vec::new();
    for (lambda, share) in [(1.19, 0.75), (1.21, 0.25)] {
        for crystal in ["one.csv", "two.csv"] {
            let line = format!("{cell} -lambda {lambda} --crystals {crystal}");
            let (photons, means) = images(&place, &line);
            parts.push(Part { share, photons, means });
        }
    }
    for (i, photons) in photons.iter().enumerate() {
        let sum: f64 = parts.iter().map(|part| part.photons(i)).sum();
        assert!((sum / f64::from(*photons) - 1.0).abs() < 1e-6, "{i}: {sum} {photons}");
        for (mean, name) in NAMES.iter().enumerate() {
            let of_part = |part: &Part| part.photons(i) * f64::from(part.means[mean][i]);
            let expected = parts.iter().map(of_part).sum::<f64>() / sum;
            let found = f64::from(means[mean][i]);
            assert!(
                (found - expected).abs() < 1e-6 * expected.abs().max(10.0),
                "{name} {i}: {found} {expected}"
            );
        }
    }
}

#[test]
fn frames_have_means_of_their_own_whoever_renders_them() {
    let place = Workplace::empty();
    let line = format!(
        "{LINE} {CELL} -lambda 1.2 -N 9 -osc 1 -phisteps 3 -intfile i.img -floatfile f.bin --mean-images m.bin --frames 2"
    );
    let of_frame = |frame: usize| NAMES.map(|name| place.read(format!("m_{name}_0000{frame}.bin")));
    place.run_line(&format!("{line} --threads 1")).well();
    let (first, second) = (of_frame(1), of_frame(2));
    assert!(first[1] != second[1] && first[0] == second[0]);
    fs::remove_file(place.path().join("m_k_00002.bin")).expect("a file");
    let outcome = place.run_line(&format!("{line} --threads 3 --resume").replace(" --quiet", "")).well();
    assert!(outcome.stderr.contains("1 finished frames kept"), "{}", outcome.stderr);
    assert!(of_frame(2) == second);
    place
        .run_line(&format!("{LINE} {CELL} -lambda 1.2 -N 9 --mean-images none/m.bin"))
        .refused("a folder that does not exist");
}

/// The images of means of an NXmx file, of one frame.
fn means_in(place: &Workplace, file: &str, frame: usize) -> [Vec<f32>; 4] {
    ["wavelength", "h", "k", "l"].map(|mean| {
        let name = place.path().join(format!("{file}:/entry/widebragg/stages/mean_{mean}:{frame}"));
        reader_of(&name).and_then(|reader| reader.read(&name, None)).expect("an image").pixels
    })
}

fn assert_same_bits(found: &[Vec<f32>; 4], expected: &[Vec<f32>; 4], what: &str) {
    assert!(expected.iter().all(|mean| mean.iter().any(|mean| !mean.is_nan())), "{what}: no means");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
        assert!(found.iter().zip(expected).all(same), "{what}");
    }
}

/// In an NXmx file the means are those of the float images: of single images of several panels, of series that are resumed
/// and in several files, and of shots.
#[test]
fn nxmx_files_have_means_too() {
    let place = Workplace::empty();
    let floats = |frame: &str| NAMES.map(|name| place.float(&format!("m_{name}{frame}.bin")));
    let line = format!("{LINE} -roi 5 50 3 40 -lambda 1.2 -N 9 {CELL} --mean-images m.bin --nxmx-means");

    place.run_line(&format!("{line} --nxmx one.nxs")).well();
    assert_same_bits(&means_in(&place, "one.nxs", 0), &floats(""), "an image");

    let series = format!(
        "{line} -osc 1 -phisteps 3 -floatfile f.bin --frames 3 --nxmx a.nxs --nxmx-frames-per-file 2"
    );
    place.run_line(&format!("{series} --frame-range 2:3")).well();
    place.run_line(&format!("{series} --resume --threads 1")).well();
    for frame in 0..3 {
        assert_same_bits(
            &means_in(&place, "a.nxs", frame),
            &floats(&format!("_0000{}", frame + 1)),
            "a frame",
        );
    }
    assert_same_bits(&means_in(&place, "a_data_000002.nxs", 0), &floats("_00003"), "a part");

    let shots = line.replace("m.bin", "s.bin").replace("-roi 5 50 3 40", "");
    place.run_line(&format!("shots {shots} --shots 3 --crystals-per-shot 0:2 --nxmx s.nxs")).well();
    for shot in 0..3 {
        let expected = NAMES.map(|name| place.float(&format!("s_{name}_0000{}.bin", shot + 1)));
        let found = means_in(&place, "s.nxs", shot);
        if expected[0].iter().any(|mean| !mean.is_nan()) {
            assert_same_bits(&found, &expected, "a shot");
        } else {
            assert!(found.iter().flatten().all(|mean| mean.is_nan()), "a blank");
        }
    }

    let mut geom = "photon_energy = 10000\nclen = 0.09\nres = 5000\n".to_owned();
    for panel in 0..2 {
        geom += &format!(
            "p{panel}/min_fs = 0\np{panel}/max_fs = 59\np{panel}/min_ss = {}\np{panel}/max_ss = {}\n\
             p{panel}/corner_x = -30\np{panel}/corner_y = {}\np{panel}/fs = +x\np{panel}/ss = +y\n",
            25 * panel,
            25 * panel + 24,
            28 * panel - 27,
        );
    }
    place.write("d.geom", geom);
    let panels =
        format!("{CELL} -default_F 100 -N 9 -oversample 1 -fluence 1e27 -nonoise --geometry d.geom --quiet");
    place.run_line(&format!("{panels} --mean-images m.bin --nxmx p.nxs --nxmx-means")).well();
    assert_same_bits(&means_in(&place, "p.nxs", 0), &floats(""), "two panels");
    place.run_line(&format!("{panels} --nxmx without.nxs")).well();
    let name = place.path().join("without.nxs:/entry/widebragg/stages/mean_h:0");
    assert!(reader_of(&name).and_then(|reader| reader.read(&name, None)).is_err());
}
