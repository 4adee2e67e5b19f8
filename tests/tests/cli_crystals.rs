//! Crystals that nanoBragg does not have: their options, what they say, and what they refuse.

use widebragg_tests::program::{Outcome, Workplace};

/// A triclinic crystal on a small detector, without a size.
const CRYSTAL: &str = "-cell 50 60 45 88 95 100 -misset 12 34 56 -default_F 100 -lambda 1 -distance 100 -detpixels 48 \
    -pixel 1 -oversample 1 -fluence 1e28 -nonoise -nopgm";

/// The float image of [`CRYSTAL`] with more options, and what the run printed.
fn image(place: &Workplace, more: &str) -> (Vec<u8>, Outcome) {
    let outcome = place.run_line(&format!("{CRYSTAL} {more}")).well();
    (place.read("floatimage.bin"), outcome)
}

#[test]
fn whole_cells_are_those_of_nanobraggs_options() {
    let place = Workplace::empty();
    for shape in ["-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots"] {
        let (ours, said) = image(&place, &format!("{shape} --cells 5 6 7"));
        assert!(ours == image(&place, &format!("{shape} -Na 5 -Nb 6 -Nc 7")).0, "{shape}");
        assert!(said.stdout.contains("5 x 6 x 7 cells, F_cell"), "{}", said.stdout);
        let (fractions, said) = image(&place, &format!("{shape} --cells 5 6.25 7"));
        assert!(ours != fractions, "{shape}");
        assert!(said.stdout.contains("5 x 6.25 x 7 cells"), "{}", said.stdout);
    }
}

#[test]
fn elements_of_an_n_matrix_have_places_and_names() {
    let place = Workplace::empty();
    let gauss = |more: &str| image(&place, &format!("-gauss_xtal {more}"));
    let (tilted, said) = gauss("--n-matrix 5 6 7 1.5 -0.5 0.75");
    assert!(said.stdout.contains("Naa=5 Nbb=6 Ncc=7 Nab=1.5 Nac=-0.5 Nbc=0.75"), "{}", said.stdout);
    assert!(said.stdout.contains("spots of index metric"), "{}", said.stdout);
    assert!(tilted == gauss("--n-matrix Nbc=0.75 Nab=1.5 Nac=-0.5 Naa=5 Nbb=6 Ncc=7").0);
    assert!(tilted != gauss("--n-matrix 5 6 7 1.5 0.75 -0.5").0);
    let (diagonal, said) = gauss("--n-matrix 5 6 7 0 0 0");
    assert!(!said.stdout.contains("N matrix"), "{}", said.stdout);
    assert!(diagonal == gauss("--cells 5 6 7 --spot-metric index").0);
    assert!(diagonal == gauss("-Na 5 -Nb 6 -Nc 7 --spot-metric index").0);
    assert!(diagonal != tilted && diagonal != gauss("--cells 5 6 7").0);
}

#[test]
fn a_cutoff_takes_the_tails_of_gaussian_spots() {
    let place = Workplace::empty();
    let spots =
        |more: &str| image(&place, &format!("-gauss_xtal --cells 5 6 7 --spot-metric index {more}")).0;
    let (all, far, near) = (spots(""), spots("--gauss-cutoff 800"), spots("--gauss-cutoff 2"));
    assert!(all == far && all != near);
    let dark = |image: &[u8]| image.chunks_exact(4).filter(|pixel| **pixel == [0; 4]).count();
    assert!(dark(&all) == 0 && dark(&near) > 1000, "{} {}", dark(&all), dark(&near));
}

#[test]
fn options_without_effect_say_so() {
    let place = Workplace::empty();
    for (more, same, note) in [
        ("-N 5 --spot-metric index", "-N 5", "--spot-metric index: has no effect on square crystals"),
        (
            "-round_xtal -N 5 --spot-metric index",
            "-round_xtal -N 5",
            "--spot-metric index: has no effect on round crystals",
        ),
        (
            "-tophat_spots -N 5 --gauss-cutoff 35",
            "-tophat_spots -N 5",
            "--gauss-cutoff 35: has no effect on tophat crystals",
        ),
    ] {
        let (ours, said) = image(&place, more);
        assert!(said.stderr.contains(note), "{more}: {}", said.stderr);
        assert!(ours == image(&place, same).0, "{more}");
    }
}

#[test]
fn impossible_crystals_are_refused_in_one_line() {
    let place = Workplace::empty();
    for (more, words) in [
        ("--cells 5 0.5 5", &["--cells 5 0.5 5", "must be 1 or more"][..]),
        ("--cells 5 5", &["--cells", "3 values"]),
        ("--cells 5 5 5 -xtalsize 0.00001", &["-samplesize and --cells", "give one"]),
        ("--cells 5 5 5 -gauss_xtal --n-matrix 5 5 5 0 0 0", &["--cells and --n-matrix"]),
        ("--n-matrix 5 5 5 0 0 0", &["--n-matrix", "the crystal is square"]),
        (
            "-gauss_xtal --n-matrix 5 5 5 0 0 0 --spot-metric reciprocal",
            &["--n-matrix", "--spot-metric index"],
        ),
        ("-gauss_xtal --n-matrix 5 5 5 0 0", &["--n-matrix", "6 values"]),
        ("-gauss_xtal --n-matrix 5 5 0.5 0 0 0", &["--n-matrix 5 5 0.5", "must be 1 or more"]),
        ("-gauss_xtal --n-matrix 5 5 5 6 0 0", &["N matrix", "positive definite"]),
        ("-gauss_xtal --n-matrix 5 5 5 3 -3 3", &["N matrix", "positive definite"]),
        (
            "-gauss_xtal --n-matrix Naa=5 Nbb=5 Ncc=5 Nab=0 Nac=0 0",
            &["no Nbc=", "Naa, Nbb, Ncc, Nab, Nac, Nbc"],
        ),
        ("-gauss_xtal --n-matrix Naa=5 Nbb=5 Ncc=5 Nab=0 Nac=0 Nab=0", &["Nab= is there twice"]),
        ("-gauss_xtal --n-matrix Naa=5 Nbb=5 Ncc=5 Nab=0 Nac=0 Nbc=x", &["'x' is not a number"]),
    ] {
        let refusal = place.run_line(&format!("{CRYSTAL} -oversample 20 {more}")).refused(more).stderr;
        assert!(words.iter().all(|word| refusal.contains(word)), "{more}: {refusal}");
    }
}

#[test]
fn mosaic_domains_are_made_as_options_say() {
    let place = Workplace::empty();
    let domains = |more: &str| image(&place, &format!("-N 20 {more}")).0;
    let random = domains("-mosaic 0.3 -mosaic_domains 8");
    assert!(random == domains("--mosaic-anisotropic 0.3 0.3 0.3 -mosaic_domains 8"));
    assert!(random == domains("-mosaic 0.3 -mosaic_domains 8 --mosaic-axes random -mosaic_seed 12345678"));
    assert!(random != domains("--mosaic-anisotropic 0.3 0.3 0.301 -mosaic_domains 8"));
    let spiral = domains("-mosaic 0.3 -mosaic_domains 8 --mosaic-axes spiral");
    assert!(spiral == domains("-mosaic 0.3 -mosaic_domains 8 --mosaic-axes spiral -mosaic_seed 8675309"));
    assert!(
        spiral != random
            && spiral != domains("-mosaic 0.3 -mosaic_domains 8 --mosaic-axes spiral -mosaic_seed 1")
    );
    assert!(spiral != domains("--mosaic-anisotropic 0.3 0.3 0.6 -mosaic_domains 8 --mosaic-axes spiral"));
    let pairs =
        place.run_line(&format!("{CRYSTAL} -N 20 -mosaic 0.3 -mosaic_domains 8 --mosaic-pairs --json"));
    let summary = pairs.well().json();
    assert_eq!(summary["mosaic_domains"], 16);
}

#[test]
fn given_domains_are_used_as_they_are() {
    let place = Workplace::empty();
    let (sin, cos) = 0.004f64.sin_cos();
    let identity = "1 0 0  0 1 0  0 0 1";
    let turned = |sin: f64| format!("{cos:?} {:?} 0  {sin:?} {cos:?} 0  0 0 1", -sin);
    let domains = |name: &str, lines: &[&str], more: &str| {
        place.write(name, lines.join("\n"));
        image(&place, &format!("-N 20 --mosaic-matrices {name} {more}")).0
    };
    let alone = domains("one.txt", &[identity], "");
    assert!(alone == image(&place, "-N 20").0);
    let (forth, back) = (turned(sin), turned(-sin));
    let listed = domains("all.txt", &["# pairs", identity, identity, &forth, &back], "");
    assert!(listed == domains("half.txt", &[identity, &forth], "--mosaic-pairs"));
    assert!(listed != alone);
    // A rotation about z by a matrix is the misset about z by the same angle.
    let degrees = 0.004f64.to_degrees();
    let turned_crystal = format!("-cell 50 60 45 88 95 100 -misset 0 0 {degrees:?} -N 20");
    let with_matrix = domains("turn.txt", &[&forth], "-misset 0 0 0");
    let (with_misset, _) = image(&place, &turned_crystal);
    let floats = |image: &[u8]| -> Vec<f32> {
        image.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().expect("four"))).collect()
    };
    let (ours, expected) = (floats(&with_matrix), floats(&with_misset));
    let largest = expected.iter().copied().fold(0.0, f32::max);
    let apart = ours.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(apart < 1e-6 * largest, "{apart:e} {largest:e}");
}

#[test]
fn impossible_domains_are_refused_in_one_line() {
    let place = Workplace::empty();
    place.write("u.txt", "1 0 0 0 1 0 0 0 1\n");
    place.write("bad.txt", "1 0 0 0 1 0 0 0 1\n1 0 0 0 1 0 0 0 2\n");
    for (more, words) in [
        ("--mosaic-anisotropic 0.1 0 0.1", &["--mosaic-anisotropic 0.1 0 0.1", "larger than zero"][..]),
        ("--mosaic-anisotropic 0.1 0.2 0.1 -mosaic 0.1", &["-mosaic and --mosaic-anisotropic", "give one"]),
        ("--mosaic-matrices u.txt -mosaic 0.1", &["-mosaic: not with --mosaic-matrices"]),
        ("--mosaic-matrices u.txt -mosaic_domains 3", &["-mosaic_domains: not with --mosaic-matrices"]),
        ("--mosaic-matrices bad.txt", &["--mosaic-matrices", "bad.txt:2", "not a rotation"]),
        ("--mosaic-matrices none.txt", &["--mosaic-matrices", "none.txt", "cannot read"]),
        ("-mosaic 0.1 -mosaic_domains 5 --mosaic-axes spiral", &["-mosaic_domains 5", "even"]),
        (
            "-mosaic 0.1 -mosaic_domains 4 --mosaic-axes spiral --mosaic-pairs",
            &["--mosaic-pairs", "pairs already"],
        ),
        ("--mosaic-axes grid", &["--mosaic-axes grid", "random or spiral"]),
    ] {
        let refusal = place.run_line(&format!("{CRYSTAL} -oversample 20 -N 3 {more}")).refused(more).stderr;
        assert!(words.iter().all(|word| refusal.contains(word)), "{more}: {refusal}");
    }
    for (more, note) in [
        ("--mosaic-pairs", "--mosaic-pairs: has no effect without a mosaic spread"),
        ("--mosaic-axes spiral", "--mosaic-axes spiral: has no effect without a mosaic spread"),
    ] {
        let (ours, said) = image(&place, &format!("-N 5 {more}"));
        assert!(said.stderr.contains(note), "{}", said.stderr);
        assert!(ours == image(&place, "-N 5").0);
    }
}

/// Lists of spots have the bits of the loop in index metric too.
#[test]
fn lists_of_spots_are_for_index_metric_too() {
    let place = Workplace::empty();
    let large =
        "-detpixels 200 -pixel 0.2 -gauss_xtal --n-matrix 80 70 90 5 -8 4 -mosaic 0.3 -mosaic_domains 5";
    for more in ["", "--gauss-cutoff 35"] {
        let (list, said) = image(&place, &format!("{large} {more} --light list"));
        assert!(said.stdout.contains("spots"), "{}", said.stdout);
        assert!(list == image(&place, &format!("{large} {more} --light loop")).0, "{more}");
    }
}
