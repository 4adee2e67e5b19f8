//! Small random scenes, one for each number, cheap enough for a million of them.
//!
//! Command lines over shapes, lookups, sources, sweeps, sensors, conventions and flags, a synthetic grid of
//! structure factors, and a mask. Values are short decimals, so that a failing scene can be read and typed. A
//! number gives the same scene on every machine.

#[path = "random.rs"]
mod random;

pub use random::Random;
use widebragg_tests::golden;
use widebragg_tests::oracle::Simulation;
use widebragg_tests::oracle::beam::NO_SOURCES;
use widebragg_tests::oracle::input::Grid;

/// Largest number of innermost steps of a scene.
const MOST_STEPS: f64 = 2000.0;

/// A scene and the command line that made it.
#[derive(Debug)]
pub struct Small {
    /// The command line, without grid and mask.
    pub line: String,
    /// The oracle's simulation, with precise interference functions.
    pub simulation: Simulation,
    /// The number of the reference's threads.
    pub threads: usize,
}

/// The scene with a number.
pub fn small(number: u64) -> Small {
    let mut random = Random(number);
    loop {
        let line = line(&mut random);
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match Simulation::from_args(&args, &golden::inputs()) {
            Ok(mut simulation) if simulation.cost() <= MOST_STEPS => {
                simulation.precise = true;
                if random.chance(0.8) {
                    simulation.grid = Some(grid(&mut random));
                    simulation.interpolate = random.chance(0.4);
                }
                if random.chance(0.1) {
                    let pixels = simulation.npixels().iter().product();
                    simulation.mask = Some((0..pixels).map(|_| u16::from(random.chance(0.8))).collect());
                }
                return Small { line, simulation, threads: random.whole(1, 3) };
            }
            // The scene is too expensive, or no point of a coarse divergence grid is inside the round
            // aperture.
            Ok(_) => {}
            Err(error) => assert_eq!(error, NO_SOURCES, "{line}"),
        }
    }
}

/// A grid around the origin, where small images scatter; some evaluations fall outside it.
fn grid(random: &mut Random) -> Grid {
    let min = [0; 3].map(|_| -(random.whole(0, 9) as i64));
    let range = [0; 3].map(|_| random.whole(1, 14) as i64);
    let nodes = range.iter().product::<i64>();
    let F = (0..nodes).map(|_| (random.within(0.0, 1000.0) * 10.0).round() / 10.0).collect();
    Grid { min, range, F }
}

fn line(random: &mut Random) -> String {
    let mut line = String::new();
    let mut say = |words: String| {
        line.push_str(&words);
        line.push(' ');
    };
    let (fast, slow) = (random.whole(1, 19), random.whole(1, 3));
    let pixel_mm = random.pick(&[0.1, 0.3, 0.9, 2.0]);
    say(format!("-pixel {pixel_mm} -detpixels_x {fast} -detpixels_y {slow}"));
    say(format!("-distance {:.1}", random.within(20.0, 150.0)));
    // The direct beam is on the image or beside it.
    let centre = |pixels: usize, random: &mut Random| {
        random.within(-10.0, pixels as f64 + 10.0) * pixel_mm + random.within(0.001, 0.01)
    };
    say(format!("-Xbeam {:.3} -Ybeam {:.3}", centre(fast, random), centre(slow, random)));
    say(random
        .pick(&["-mosflm", "-xds", "-adxv", "-denzo", "-dials", "-beam_vector 1 0.02 -0.03"])
        .to_owned());
    for axis in ["-detector_rotx", "-detector_roty", "-detector_rotz", "-twotheta"] {
        if random.chance(0.25) {
            say(format!("{axis} {:.1}", random.within(-15.0, 15.0)));
        }
    }
    // Never both: a wide curved detector is seen edge-on and from behind, where the capture fraction
    // overflows.
    let bend = random.unit();
    if bend < 0.1 {
        say("-curved_det".to_owned());
    } else if bend < 0.3 {
        say(format!("-detector_abs {:.0}", random.within(100.0, 600.0)));
        say(format!("-detector_thick {:.0} -thicksteps {}", random.within(50.0, 500.0), random.whole(1, 3)));
    }
    let [a, b, c] = [0; 3].map(|_| random.within(20.0, 70.0));
    let [al, be, ga] = [0; 3].map(|_| random.within(75.0, 105.0));
    say(format!("-cell {a:.1} {b:.1} {c:.1} {al:.1} {be:.1} {ga:.1}"));
    let [x, y, z] = [0; 3].map(|_| random.within(-180.0, 180.0));
    say(format!("-misset {x:.2} {y:.2} {z:.2}"));
    let shape = random.pick(&["-square_xtal", "-round_xtal", "-gauss_xtal", "-tophat_spots"]);
    // Tophat spots are as narrow as reflections of Na Nb Nc cells. With more cells, hardly any pixel would
    // show one.
    let most = if shape == "-tophat_spots" { 3 } else { 12 };
    let [na, nb, nc] = [0; 3].map(|_| random.whole(1, most));
    say(format!("-Na {na} -Nb {nb} -Nc {nc} {shape}"));
    if random.chance(0.2) {
        say(format!("-fudge {:.2}", random.within(0.3, 2.5)));
    }
    if random.chance(0.3) {
        say(format!("-mosaic {:.2} -mosaic_domains {}", random.within(0.05, 1.0), random.whole(2, 4)));
        say(format!("-mosaic_seed {}", random.whole(1, 99_999)));
    }
    say(format!("-default_F {:.1}", random.within(1.0, 90.0)));
    say(format!("-lambda {:.4}", random.within(0.7, 2.0)));
    if random.chance(0.2) {
        say(format!("-dispersion {:.2} -dispsteps {}", random.within(0.1, 3.0), random.whole(2, 3)));
    }
    if random.chance(0.2) {
        say(format!("-hdivrange {:.2} -hdivsteps {}", random.within(0.5, 4.0), random.whole(1, 3)));
        say(format!("-vdivrange {:.2} -vdivsteps {}", random.within(0.5, 4.0), random.whole(1, 3)));
    }
    match random.whole(0, 3) {
        0 => say("-nopolar".to_owned()),
        1 => say(format!("-polar {:.2}", random.within(-1.0, 1.0))),
        _ => {}
    }
    say("-fluence 1e24".to_owned());
    if random.chance(0.2) {
        say(format!("-water {:.1}", random.within(1.0, 30.0)));
    }
    if random.chance(0.7) {
        let start = random.within(-180.0, 180.0);
        let start = random.pick(&[0.0, 0.0, -0.25, -0.5, start]);
        say(format!("-phi {start:.2} -osc {} -phisteps {}", random.pick(&[0.5, 1.0]), random.whole(1, 4)));
    }
    say(format!("-oversample {}", random.pick(&[1, 1, 1, 2])));
    for flag in ["-oversample_thick", "-oversample_polar"] {
        if random.chance(0.15) {
            say(flag.to_owned());
        }
    }
    // Never both: a solid angle above 1 that multiplies the sum at every step overflows f64.
    match random.whole(0, 5) {
        0 => say("-point_pixel".to_owned()),
        1 => say("-oversample_omega".to_owned()),
        _ => {}
    }
    if random.chance(0.15) {
        say(format!("-dmin {:.2}", random.within(1.0, 15.0)));
    }
    line
}
