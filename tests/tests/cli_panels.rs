//! Detectors of several panels: `--geometry` and `--panel`.

use core::fmt::Write as _;

use serde_json::{Value, json};
use widebragg_formats::geometry::read_geometry;
use widebragg_formats::image::Pixels;
use widebragg_formats::nxmx::{NxmxHeader, NxmxWriter};
use widebragg_tests::program::Workplace;

/// The crystal, where no file has it.
const CELL: &str = "-cell 70 80 90 85 95 100 -misset 10 20 30";

/// What all runs share: a crystal so small that it lights most pixels.
const COMMON: &str = "-N 5 -default_F 100 -oversample 1 -fluence 1e24 -nopgm --quiet";

/// A geometry of CrystFEL with panels of 30 x 20 pixels of 0.5 mm, whose first corners are given in pixels.
fn geom(corners: &[[f64; 2]], tilt: bool) -> String {
    let mut text = "photon_energy = 12398.419843320026 eV\nclen = 0.1\nres = 2000\n".to_owned();
    for (panel, [x, y]) in corners.iter().enumerate() {
        let rows = 20 * panel;
        let (fast, slow) = if tilt { ("+0.8x +0.6y", "-0.6x +0.8y") } else { ("+1.0x", "+1.0y") };
        let _ = write!(
            text,
            "p{panel}/min_fs = 0\np{panel}/max_fs = 29\np{panel}/min_ss = {rows}\np{panel}/max_ss = {}\n\
             p{panel}/corner_x = {x}\np{panel}/corner_y = {y}\np{panel}/fs = {fast}\np{panel}/ss = {slow}\n",
            rows + 19
        );
    }
    text
}

/// Four panels that tile 60 x 40 pixels.
const TILES: [[f64; 2]; 4] = [[-30.0, -20.0], [0.0, -20.0], [-30.0, 0.0], [0.0, 0.0]];

/// The largest difference over pixels above 1e-6 of the maximum, relative to the pixel.
fn difference(found: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let most = expected.iter().fold(0.0_f32, |most, &pixel| most.max(pixel));
    assert!(most > 0.0, "the image is dark");
    let strong = found.iter().zip(expected).filter(|(_, expected)| **expected > 1e-6 * most);
    strong.map(|(found, expected)| f64::from((found - expected).abs() / expected)).fold(0.0, f64::max)
}

fn exists(place: &Workplace, name: &str) -> bool {
    place.path().join(name).exists()
}

fn run(place: &Workplace, line: &str) {
    place.run_line(&format!("{COMMON} {line}")).well();
}

fn refused(place: &Workplace, line: &str, why: &str) {
    let outcome = place.run_line(&format!("{COMMON} {CELL} {line}")).refused(line);
    assert!(outcome.stderr.contains(why), "{line}: {}", outcome.stderr);
}

fn summary(place: &Workplace, line: &str) -> Value {
    place.run_line(&format!("{} --json {line}", COMMON.replace("--quiet", ""))).well().json()
}

#[test]
fn panels_that_tile_a_rectangle_give_its_image() {
    let place = Workplace::empty();
    place.write("tiles.geom", geom(&TILES, false));
    run(&place, &format!("{CELL} --geometry tiles.geom -floatfile tiles.bin"));
    // The same rectangle by options, in the frame of McStas.
    run(
        &place,
        &format!(
            "{CELL} -fdet_vector 1 0 0 -sdet_vector 0 1 0 -odet_vector 0 0 1 -beam_vector 0 0 1 -polar_vector 1 0 0 -spindle_axis 1 0 0 \
         -detpixels_x 60 -detpixels_y 40 -pixel 0.5 -close_distance 100 -Xclose 15 -Yclose 10 -lambda 1 -nonoise -floatfile whole.bin \
         -intfile whole.img"
        ),
    );
    let (tiles, whole) = (place.float("tiles.bin"), place.float("whole.bin"));
    let mut stacked = Vec::new();
    for [x, y] in [[0, 0], [30, 0], [0, 20], [30, 20]] {
        for row in y..y + 20 {
            stacked.extend_from_slice(&whole[60 * row + x..60 * row + x + 30]);
        }
    }
    let worst = difference(&tiles, &stacked);
    assert!(worst < 2e-6, "{worst}");
    // Formats without panels are written only where they are named.
    assert!(!exists(&place, "intimage.img") && !exists(&place, "noiseimage.img"));
}

#[test]
fn a_panel_alone_is_its_part_of_the_stack() {
    let place = Workplace::empty();
    place.write("tiles.geom", geom(&TILES, true));
    for mode in ["spec", "c-parity"] {
        let common =
            format!("{CELL} --geometry tiles.geom --phi-carryover-mode {mode} -osc 1 -phisteps 3 -seed 7");
        run(&place, &format!("{common} -floatfile all.bin -noisefile all.img -adc 0"));
        let (all, all_noise) = (place.float("all.bin"), place.read("all.img"));
        for panel in 0..4 {
            run(&place, &format!("{common} --panel {panel} -floatfile one.bin -noisefile one.img -adc 0"));
            assert!(place.float("one.bin") == all[600 * panel..][..600], "{mode}: panel {panel}");
            // Its noise is that of the stack: the stream of panel p has the seed + p.
            let one_noise = place.read("one.img");
            let noise = |file: &[u8], panel: usize| {
                file[file.len() - all_or_one(file)..][1200 * panel..][..1200].to_vec()
            };
            assert!(noise(&one_noise, 0) == noise(&all_noise, panel), "{mode}: noise of panel {panel}");
            run(
                &place,
                &format!(
                    "{} --panel p0 -floatfile one.bin -noisefile seed.img -adc 0",
                    common.replace("-seed 7", &format!("-seed {}", 7 + panel))
                ),
            );
            if panel == 0 {
                assert!(noise(&place.read("seed.img"), 0) == noise(&all_noise, 0));
            }
        }
    }
}

/// Bytes of the pixels of an image of one panel or four.
fn all_or_one(file: &[u8]) -> usize {
    if file.len() > 4800 { 4800 } else { 1200 }
}

#[test]
fn regions_and_masks_belong_to_panels() {
    let place = Workplace::empty();
    let bad = "badp/panel = p2\nbadp/min_fs = 3\nbadp/max_fs = 5\nbadp/min_ss = 47\nbadp/max_ss = 48\n";
    place.write("tiles.geom", geom(&TILES, true) + bad);
    run(&place, &format!("{CELL} --geometry tiles.geom -floatfile all.bin"));
    let all = place.float("all.bin");
    let dark: Vec<usize> = (0..all.len()).filter(|&index| all[index] == 0.0).collect();
    let expected: Vec<usize> =
        [47, 48].into_iter().flat_map(|row| (3..6).map(move |fast| 30 * row + fast)).collect();
    assert_eq!(dark, expected);
    run(&place, &format!("{CELL} --geometry tiles.geom --panel p1 -roi 4 9 2 3 -floatfile region.bin"));
    let region = place.float("region.bin");
    for (index, &pixel) in region.iter().enumerate() {
        let inside = (4..=9).contains(&(index % 30)) && (2..=3).contains(&(index / 30));
        assert_eq!(pixel > 0.0, inside, "{index}");
    }
    refused(&place, "--geometry tiles.geom -roi 4 9 2 3", "choose it with --panel");
}

#[test]
fn lists_and_nxmx_files_of_a_run_are_read_back() {
    let place = Workplace::empty();
    let tilted = "-detpixels 60 -pixel 0.5 -distance 80 -detector_rotx 3 -detector_roty -4 -detector_rotz 5 -twotheta 6 -lambda 1.1 \
                  -phi 12 -osc 0.5 -phisteps 2 -polar 0.7 -nonoise";
    let ours = summary(
        &place,
        &format!("{CELL} {tilted} --expt a.expt --nxmx a.nxs -floatfile a.bin -intfile a_1.img"),
    );
    let expected = place.float("a.bin");
    for (file, matrix) in [("a.expt", "expt"), ("a.nxs", "nxs")] {
        // The crystal in the frame of the file: NXmx holds it, and the list where it was asked for.
        let back =
            summary(&place, &format!("--geometry {file} -nonoise -phisteps 2 -floatfile {matrix}.bin"));
        let worst = difference(&place.float(&format!("{matrix}.bin")), &expected);
        assert!(worst < 2e-6, "{file}: {worst}");
        for key in ["close_distance_m", "lambda_m", "phi_deg", "osc_deg", "Fclose_m", "Sclose_m"] {
            let [one, other] = [&ours, &back].map(|summary| summary[key].as_f64().unwrap());
            assert!((one - other).abs() <= 1e-12 * one.abs().max(1.0), "{file} {key}: {one} {other}");
        }
        assert_eq!(back["geometry"]["frame"], if matrix == "expt" { "DIALS" } else { "McStas" });
    }
}

#[test]
fn panels_are_read_back_where_they_were() {
    let place = Workplace::empty();
    place.write("tiles.geom", geom(&TILES, true));
    let ours =
        summary(&place, &format!("{CELL} --geometry tiles.geom --expt b.expt --nxmx b.nxs -floatfile b.bin"));
    let expected = place.float("b.bin");
    // The list names the images that have panels.
    let list: Value = serde_json::from_slice(&place.read("b.expt")).unwrap();
    assert_eq!(
        (&list["imageset"][0]["images"][0], &list["imageset"][0]["single_file_indices"][0]),
        (&"b.nxs".into(), &0.into())
    );
    for file in ["b.expt", "b.nxs"] {
        let back = summary(&place, &format!("--geometry {file} -floatfile back.bin"));
        let [one, other] = [&ours, &back].map(|summary| summary["panels"].as_array().unwrap());
        assert_eq!((one.len(), other.len()), (4, 4), "{file}");
        let worst = difference(&place.float("back.bin"), &expected);
        assert!(worst < 2e-6, "{file}: {worst}");
    }
    // The frame of the list is another one; that of NXmx is McStas' again.
    let back = summary(&place, "--geometry b.nxs");
    for (one, other) in ours["panels"].as_array().unwrap().iter().zip(back["panels"].as_array().unwrap()) {
        for key in ["pix0_m", "fast_axis", "slow_axis"] {
            for axis in 0..3 {
                let [one, other] = [one, other].map(|panel| panel[key][axis].as_f64().unwrap());
                assert!((one - other).abs() < 1e-12, "{key}: {one} {other}");
            }
        }
    }
}

#[test]
fn a_list_that_is_read_is_written_as_it_was() {
    let place = Workplace::empty();
    place.write("tiles.geom", geom(&TILES, true));
    run(&place, &format!("{CELL} --geometry tiles.geom -phi 20 -osc 1 --expt first.expt"));
    run(&place, "--geometry first.expt --expt second.expt");
    let [first, second] = ["first.expt", "second.expt"]
        .map(|name| -> Value { serde_json::from_slice(&place.read(name)).unwrap() });
    let largest_difference = |keys: &[&str], of: &dyn Fn(&Value) -> Vec<Value>| {
        let numbers = |list: &Value| -> Vec<f64> {
            let models = of(list);
            let values =
                models.iter().flat_map(|model| keys.iter().map(|key| model[*key].as_array().unwrap()));
            values.flatten().map(|number| number.as_f64().unwrap()).collect()
        };
        let (one, other) = (numbers(&first), numbers(&second));
        assert!(one.len() == other.len() && !one.is_empty());
        one.iter().zip(&other).fold(0.0_f64, |most, (one, other)| most.max((one - other).abs()))
    };
    let panels = |list: &Value| list["detector"][0]["panels"].as_array().unwrap().clone();
    assert!(largest_difference(&["origin", "fast_axis", "slow_axis"], &panels) < 1e-9, "1e-9 mm");
    let crystal = |list: &Value| list["crystal"].as_array().unwrap().clone();
    let axes = ["real_space_a", "real_space_b", "real_space_c"];
    assert!(largest_difference(&axes, &crystal) < 1e-14 * 90.0);
}

#[test]
fn a_scan_is_rendered_whole() {
    let place = Workplace::empty();
    let options =
        "-cell 70 80 90 85 95 100 -misset 10 20 30 -detpixels 30 -pixel 1 -lambda 1 -phi 5 -osc 0.5 -nonoise";
    run(&place, &format!("{options} --frames 3 --nxmx series.nxs"));
    run(&place, "--geometry series.nxs --frames scan -nonoise -floatfile again.bin -intfile again.img");
    for frame in 1..=3 {
        let [one, other] = [format!("floatimage_{frame:05}.bin"), format!("again_{frame:05}.bin")];
        let worst = difference(&place.float(&other), &place.float(&one));
        assert!(worst < 2e-6, "frame {frame}: {worst}");
    }
    assert!(!exists(&place, "again_00004.bin"));
    place.write("still.geom", geom(&TILES, false));
    refused(&place, "--geometry still.geom --frames scan", "no scan");
}

#[test]
fn what_is_at_odds_is_refused() {
    let place = Workplace::empty();
    place.write("tiles.geom", geom(&TILES, false));
    place.write("one.geom", geom(&TILES[..1], false));
    for (line, what) in [
        ("--panel 0", "--panel: needs --geometry"),
        ("--experiment 1", "--experiment: needs --geometry"),
        ("--geometry tiles.geom --panel 4", "its panels are 0 to 3"),
        ("--geometry tiles.geom --experiment 1", "experiment"),
        ("--geometry tiles.geom -distance 90", "-distance is for detectors of one panel"),
        ("--geometry tiles.geom -xds", "a convention"),
        ("--geometry tiles.geom -mosflm", "a convention"),
        ("--geometry tiles.geom --detector Pilatus300K", "--detector"),
        ("--geometry missing.geom", "missing.geom"),
    ] {
        refused(&place, line, what);
    }
    // One panel can be moved: 10 mm further away is the same as a file that says so.
    run(&place, &format!("{CELL} --geometry one.geom -close_distance 110 -floatfile moved.bin -nonoise"));
    place.write("far.geom", geom(&TILES[..1], false).replace("clen = 0.1", "clen = 0.11"));
    run(&place, &format!("{CELL} --geometry far.geom -floatfile far.bin -nonoise"));
    assert!(difference(&place.float("moved.bin"), &place.float("far.bin")) < 2e-6);
}

/// Panels make an image only where their pixels are square and they are equally wide, whatever file they come from.
#[test]
fn panels_that_make_no_image_are_refused_by_name() {
    let place = Workplace::empty();
    let tiles = geom(&TILES, false);
    place.write("tiles.geom", &tiles);
    run(&place, &format!("{CELL} --geometry tiles.geom --expt tiles.expt -nonoise"));
    let list: Value = serde_json::from_slice(&place.read("tiles.expt")).unwrap();
    let geometry = read_geometry(&place.path().join("tiles.geom"), 0).unwrap().geometry;

    place.write("narrow.geom", tiles.replace("p2/max_fs = 29", "p2/max_fs = 27"));
    for (name, [fast_px, fast_mm]) in [("narrow", [28.0, 0.5]), ("oblong", [30.0, 0.4])] {
        let mut list = list.clone();
        let panel = &mut list["detector"][0]["panels"][2];
        (panel["image_size"][0], panel["pixel_size"][0]) = (json!(fast_px as u64), json!(fast_mm));
        place.write(format!("{name}.expt"), list.to_string());
        let mut geometry = geometry.clone();
        let panel = &mut geometry.panels[2];
        (panel.pixels[0], panel.pixel_m[0]) = (fast_px as usize, 1e-3 * fast_mm);
        let path = place.path().join(format!("{name}.nxs"));
        let mut writer = NxmxWriter::create(&path, &NxmxHeader::new(geometry, 1)).unwrap();
        writer.write(&[Pixels::I32(&[0; 30 * 80])]).unwrap();
        writer.close().unwrap();
    }

    let narrow = "is 28 pixels wide, and panel";
    let oblong = "are 0.4 x 0.5 mm; only square ones can be rendered";
    for (file, panel, why) in [
        ("narrow.geom", "p2", narrow),
        ("narrow.expt", "p2", narrow),
        ("narrow.nxs", "module_02", narrow),
        ("oblong.expt", "p2", oblong),
        ("oblong.nxs", "module_02", oblong),
    ] {
        for more in ["", "--panel 0"] {
            refused(&place, &format!("--geometry {file} {more}"), &format!("--geometry: {file}: "));
            refused(&place, &format!("--geometry {file} {more}"), &format!("panel {panel} {why}"));
        }
    }
}
