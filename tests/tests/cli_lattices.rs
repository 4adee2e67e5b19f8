//! Several crystals in one image: the sum of their images by weight, from tables, streams and twin laws, with
//! predictions, an experiment list and noise of the sum.

use widebragg_tests::program::Workplace;

/// A still on 48 x 48 pixels, in a laboratory of a file of geometry or of the reference.
const STILL: &str = "-default_F 100 -lambda 1 -distance 60 -pixel 0.5 -detpixels 48 -oversample 1 -fluence 1e24 -nopgm \
                     -floatfile f.bin -noisefile n.img -seed 5";

fn image(place: &Workplace, line: &str) -> Vec<f32> {
    place.run_line(&format!("{STILL} {line}")).well();
    place.float("f.bin")
}

/// The sum of images, each times its weight, as the program adds them.
fn sum(images: &[(f32, Vec<f32>)]) -> Vec<f32> {
    let pixels = images[0].1.len();
    (0..pixels).map(|at| images.iter().fold(0.0, |sum, (weight, image)| sum + weight * image[at])).collect()
}

/// Checks that two images are the same to a few roundings, relative to each pixel.
fn assert_same(found: &[f32], expected: &[f32], what: &str) {
    assert!(expected.iter().any(|&pixel| pixel > 0.0), "{what}: the image is dark");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let off = (f64::from(*found) - f64::from(*expected)).abs();
        assert!(off <= 3e-7 * f64::from(*expected), "{what}: pixel {at}: {found}, not {expected}");
    }
}

#[test]
fn an_image_is_the_sum_of_its_crystals() {
    let place = Workplace::empty();
    place.write(
        "c.csv",
        "weight,misset_x_deg,misset_y_deg,misset_z_deg,n_a,n_b,n_c,mosaic_deg\n1,10,20,30,5,6,7,\n0.5,40,2,71,4,4,4,1\n\
         0,1,2,3,9,9,9,\n0.25,,,,3,3,3,\n",
    );
    for more in
        ["", "-gauss_xtal -fudge 3", "-phi 2 -osc 1 -phisteps 4", "-water 3", "-gauss_xtal --light list"]
    {
        let line = format!("-cell 40 50 60 90 95 90 -misset 5 6 7 -mosaic_domains 6 {more}");
        let dry = line.replace("-water 3", "");
        let expected = sum(&[
            (1.0, image(&place, &format!("{line} -misset 10 20 30 -Na 5 -Nb 6 -Nc 7"))),
            (0.5, image(&place, &format!("{dry} -misset 40 2 71 -N 4 -mosaic 1"))),
            (0.25, image(&place, &format!("{dry} -N 3"))),
        ]);
        assert_same(&image(&place, &format!("{line} --crystals c.csv")), &expected, more);
    }
}

/// Crystals, wavelengths and sources of weight 0 add no steps, and leave all bits as they are.
#[test]
fn a_weight_of_0_costs_nothing() {
    let place = Workplace::empty();
    let lines = |head: &str, lines: &[&str]| format!("{head}\n{}\n", lines.join("\n"));
    let head = "weight,misset_x_deg,misset_y_deg,misset_z_deg,n_a,n_b,n_c";
    place.write("c.csv", lines(head, &["1,10,20,30,5,6,7", "0.5,40,2,71,4,4,4"]));
    place.write(
        "c0.csv",
        lines(head, &["0,1,2,3,9,9,9", "1,10,20,30,5,6,7", "0,5,5,5,8,8,8", "0.5,40,2,71,4,4,4"]),
    );
    let head = "# wavelength_A weight";
    place.write("s.txt", lines(head, &["0.98 1", "1.01 2"]));
    place.write("s0.txt", lines(head, &["0.97 0", "0.98 1", "1.0 0", "1.01 2", "1.03 0"]));
    place.write("list.txt", "-10 0 0 1 0.98e-10\n-10 0.1 0 2 1.01e-10\n");
    place.write(
        "list0.txt",
        "-10 0 0 1 0.98e-10\n-10 0.2 0 0 1e-10\n-10 0.1 0 2 1.01e-10\n-10 0 0.1 0 1e-10\n",
    );
    let line = "-cell 40 50 60 90 95 90 -mosaic 0.5 -mosaic_domains 3 -N 5";
    let of = |more: &str| {
        let summary = place.run_line(&format!("{STILL} {line} {more} --json")).well().json();
        (summary["steps_per_pixel"].as_f64().expect("a number"), place.float("f.bin"))
    };
    for (with, without, steps) in [
        ("--crystals c0.csv", "--crystals c.csv", 2.0 * 3.0),
        ("--spectrum s0.txt -lambda 1", "--spectrum s.txt -lambda 1", 2.0 * 3.0),
        ("-sourcefile list0.txt", "-sourcefile list.txt", 2.0 * 3.0),
    ] {
        let (expected, found) = (of(without), of(with));
        assert_eq!((expected.0, found.0), (steps, steps), "{with}");
        assert!(expected.1 == found.1 && expected.1.iter().any(|&pixel| pixel > 0.0), "{with}");
    }
}

#[test]
fn a_single_crystal_has_the_bits_of_its_options() {
    let place = Workplace::empty();
    place.write("c.csv", "weight,misset_x_deg,misset_y_deg,misset_z_deg\n0,1,1,1\n1,10,20,30\n");
    let line = "-cell 40 50 60 90 95 90 -N 5 -mosaic 1";
    let expected = image(&place, &format!("{line} -misset 10 20 30"));
    let noise = place.read("n.img");
    assert_eq!(image(&place, &format!("{line} --crystals c.csv")), expected);
    let pixels = |image: &[u8]| image[512..].to_vec();
    assert_eq!(pixels(&place.read("n.img")), pixels(&noise), "the noise is that of the sum");
}

#[test]
fn matrices_and_streams_are_crystals() {
    let place = Workplace::empty();
    // In the axes of CrystFEL, z along the beam: A of a cell that is turned about z.
    place.write(
        "d.geom",
        "photon_energy = 12398.42\nclen = 0.06\nres = 2000\nrigid_group_q = p\nrigid_group_collection_a = q\np/min_fs = 0\np/max_fs = 47\n\
         p/min_ss = 0\np/max_ss = 47\np/corner_x = -24\np/corner_y = -24\np/fs = +x\np/ss = +y\n",
    );
    let matrix = "0.02,0.015,0,-0.015,0.02,0.001,0,0,0.03";
    let names = ["a", "b", "c"]
        .iter()
        .flat_map(|star| ["x", "y", "z"].map(|axis| format!("{star}_star_{axis}_per_angstrom")))
        .collect::<Vec<_>>()
        .join(",");
    place.write("c.csv", format!("{names},weight\n{matrix},1\n0.03,0,0,0,0.02,0,0,0.01,0.025,1\n"));
    place.write(
        "c.stream",
        "CrystFEL stream format 2.3\n----- Begin chunk -----\nImage filename: a.h5\nphoton_energy_eV = 12398.4\n--- Begin crystal\n\
         astar = 0.2 0.15 0 nm^-1\nbstar = -0.15 0.2 0.01 nm^-1\ncstar = 0 0 0.3 nm^-1\n--- End crystal\n--- Begin crystal\n\
         astar = 0.3 0 0 nm^-1\nbstar = 0 0.2 0 nm^-1\ncstar = 0 0.1 0.25 nm^-1\n--- End crystal\n----- End chunk -----\n",
    );
    let line = "-default_F 100 -lambda 1 --geometry d.geom -oversample 1 -fluence 1e24 -nonoise -nopgm -floatfile f.bin -N 5";
    let of = |table: &str| {
        let json = place.run_line(&format!("{line} --crystals {table} --json")).well().json();
        assert_eq!(json["crystals"].as_array().map(Vec::len), Some(2));
        place.float("f.bin")
    };
    let of_table = of("c.csv");
    assert_same(&of("c.stream"), &of_table, "stream");
    place.run_line("-default_F 100 -lambda 1 -cell 40 50 60 90 90 90 --crystals c.stream").refused("--crystals: c.stream: a stream has the axes of CrystFEL: give its detector with --geometry FILE.geom");
}

#[test]
fn twins_are_the_crystal_under_other_indices() {
    let place = Workplace::empty();
    let mut list = String::new();
    let mut twinned = String::new();
    for (h, k, l) in (0..7 * 7 * 7).map(|n| (n / 49 - 3, n / 7 % 7 - 3, n % 7 - 3)) {
        let f = 20 + (h * 7 + k * 3 + l * 5_i32).rem_euclid(23);
        list += &format!("{h} {k} {l} {f}\n");
        // What is h, k, l on the crystal is k, h, -l on the twin.
        twinned += &format!("{k} {h} {} {f}\n", -l);
    }
    place.write("a.hkl", list);
    place.write("b.hkl", twinned);
    let line = "-cell 30 30 40 90 90 120 -misset 10 20 30 -N 4 -nointerpolate -dump d.bin -default_F 0";
    let of = |more: &str| {
        let image = image(&place, &format!("{line} {more}"));
        std::fs::remove_file(place.path().join("d.bin")).expect("a dump");
        image
    };
    let expected = sum(&[(0.7, of("-hkl a.hkl")), (0.3, of("-hkl b.hkl"))]);
    let found = of("-hkl a.hkl --twin k,h,-l,0.3");
    let most = expected.iter().copied().fold(0.0, f32::max);
    assert!(most > 0.0);
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-5 * most, "{found} {expected}");
    }
    // The same law times -1, which Friedel's law makes the same rotation.
    assert_eq!(of("-hkl a.hkl --twin=-k,-h,l,0.3"), found);
}

#[test]
fn predictions_and_lists_have_all_crystals() {
    let place = Workplace::empty();
    place.write("c.csv", "misset_x_deg,misset_y_deg,misset_z_deg\n10,20,30\n50,1,2\n");
    let line = "-default_F 100 -lambda 1 -distance 60 -pixel 0.5 -detpixels 48 -fluence 1e24 -nopgm -cell 40 50 60 90 95 90 -N 5 \
                -oversample 1 -noisefile n_1.img -phi 1 -osc 1 --predictions p.csv --expt a.expt";
    let rows = |more: &str| {
        place.run_line(&format!("{line} {more}")).well();
        let text = String::from_utf8(place.read("p.csv")).expect("text");
        text.lines().skip(1).map(str::to_owned).collect::<Vec<String>>()
    };
    let (one, other) = (rows("-misset 10 20 30"), rows("-misset 50 1 2"));
    let both = rows("--crystals c.csv");
    let expected = |crystal: usize, rows: &[String]| -> Vec<String> {
        rows.iter().map(|row| format!("{crystal},{row}")).collect()
    };
    assert!(!one.is_empty() && !other.is_empty());
    assert_eq!(both, [expected(1, &one), expected(2, &other)].concat());
    let list: serde_json::Value =
        serde_json::from_str(&String::from_utf8(place.read("a.expt")).expect("text")).expect("JSON");
    assert_eq!(list["crystal"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&list["experiment"][0]["crystal"], &list["experiment"][1]["crystal"]),
        (&0.into(), &1.into())
    );
}

#[test]
fn what_cannot_be_is_refused_in_one_line() {
    let place = Workplace::empty();
    place.write("two.csv", "weight\n1\n2\n");
    place.write("dark.csv", "weight\n0\n0\n");
    place.write("spread.csv", "mosaic_deg\n1\n");
    place.write("u.txt", "1 0 0 0 1 0 0 0 1\n");
    let line = "-default_F 100 -lambda 1 -detpixels 8 -cell 40 50 60 90 90 90";
    for (more, error) in [
        (
            "--crystals two.csv --phi-carryover-mode c-parity",
            "nanoBragg has one crystal: several are for the mode spec",
        ),
        ("--crystals dark.csv", "--crystals: all weights are 0"),
        (
            "--crystals two.csv -samplesize 0.1",
            "--crystals: with cells by -N or --cells, not with -samplesize",
        ),
        ("--crystals two.csv --twin k,h,-l,0.3", "--twin: not with --crystals, which lists all crystals"),
        (
            "--crystals spread.csv --mosaic-matrices u.txt",
            "--crystals: column mosaic_deg: not with --mosaic-matrices",
        ),
        ("--twin k,h,-l,0.3", "--twin: impossible crystal: the law is none of this crystal"),
        ("--twin k,h,-l,1.3", "--twin: its fraction must be above 0 and below 1"),
        ("--twin k,h,h,0.3", "its law is no operator on h, k, l"),
        ("--crystals two.csv -printout", "--crystals: not with traces, which are of one crystal"),
    ] {
        place.run_line(&format!("{line} {more}")).refused(error);
    }
    place
        .run_line(&format!("trace {line} --crystals two.csv --pixel 1 1"))
        .refused("--crystals: not with traces, which are of one crystal");
}
