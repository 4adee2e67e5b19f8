//! `widebragg stol`: the table of F whose background is that of an image.
//!
//! What is computed is in [`widebragg_experiment::background::radial_means`]. The geometry is that of the image's header,
//! or of `--geometry`, with the options of a render beside it; what the crystal is does not matter. Prints a line for each
//! ring: s, F, its pixels, and how many were left out. `--json` prints the same as `rings`.

use std::path::Path;

use serde_json::json;
use widebragg_experiment::background::{
    DENSITY_G_PER_CM3, MOST_SIGMAS, Matter, Place, RadialMean, WEIGHT_G_PER_MOL, photons, radial_means,
};
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::threads;
use widebragg_formats::atomic::write_atomically;
use widebragg_formats::format_g::format_g;
use widebragg_formats::registry::reader_of;
use widebragg_formats::stol::StolPoint;

use super::distinct::{Files, check_folder};
use super::setup;
use super::setup::background::area_m2;
use super::setup::structure_factors::named_inputs;
use crate::console;
use crate::error::Failure;
use crate::evidence;
use crate::images::read_one;
use crate::options::{Options, StolOptions};

/// Rings where no number is given.
pub(super) const BINS: usize = 200;

/// Most rings.
const MOST_BINS: usize = 1 << 20;

/// A cell in Angstrom and degrees, since experiments have crystals.
pub(super) const ANY_CELL: [f64; 6] = [100.0, 100.0, 100.0, 90.0, 90.0, 90.0];

/// Extracts a table; `args` is the command line that `options` were read from.
///
/// # Errors
/// The line to print on standard error.
pub fn run(options: &StolOptions, args: &[String]) -> Result<(), Failure> {
    evidence::recorded(options.render.evidence.as_deref(), args, |evidence| {
        let render = with_geometry(options)?;
        if let Some(path) = &options.out {
            check_folder("--out", path)?;
            let image = ("stol", options.image.as_path());
            Files::read(named_inputs(&render).chain([image])).write("--out", path, "is written twice")?;
        }
        let experiment = setup::of_fit(&render)?.experiment;
        let rings = rings(options, &render, &experiment)?;
        let text = text(&options.image, &rings);
        if let Some(path) = &options.out {
            write_atomically(path, |out| out.write_all(text.as_bytes()))?;
        }
        if let Some(evidence) = evidence {
            setup::structure_factors::inputs(&render).for_each(|path| evidence.add_input(path));
            evidence.add_input(&options.image);
            evidence.add_fact("simd", experiment.simd.level().name().into());
            evidence.add_text("background.stol", &text)?;
        }
        if render.json {
            console::print(&format!("{:#}\n", json(&rings)))
        } else if options.out.is_none() {
            console::print(&text)
        } else {
            Ok(())
        }
    })
}

/// The options of the image's experiment: those given, and the header of the image where it has a geometry.
fn with_geometry(options: &StolOptions) -> Result<Options, Failure> {
    let mut render = options.render.clone();
    if !render.background.matter.is_empty() {
        return Err(Failure::input(
            "--background: not with stol, which takes all of the image for background",
        ));
    }
    if render.geometry.is_none() && render.img.is_none() && reader_of(&options.image)?.has_header() {
        render.geometry = Some(options.image.clone());
    }
    render.cell_angstrom_deg = render.cell_angstrom_deg.or(Some(ANY_CELL));
    render.default_f = render.default_f.or(Some(1.0));
    Ok(render)
}

fn rings(
    options: &StolOptions,
    render: &Options,
    experiment: &Experiment,
) -> Result<Vec<RadialMean>, Failure> {
    let Some(thickness_m) = options.thickness_m else {
        return Err(Failure::input("stol: needs the thickness of the matter, --thickness mm"));
    };
    let bins = options.bins.unwrap_or(BINS);
    if bins > MOST_BINS {
        return Err(Failure::input(format!("--bins {bins}: must be at most {MOST_BINS}")));
    }
    let matter = Amount {
        place: Place::Slab { thickness_m },
        density_g_per_cm3: options.density_g_per_cm3.unwrap_or(DENSITY_G_PER_CM3),
        weight_g_per_mol: options.weight_g_per_mol.unwrap_or(WEIGHT_G_PER_MOL),
    };
    let image = image(options, experiment)?;
    let pool = threads::pool(threads::or_all_cores(render.threads))?;
    let rings = pool.install(|| matter.rings(render, experiment, &image, bins))?;
    if rings.is_empty() {
        return Err(Failure::input(format!("{}: no ring has enough pixels", options.image.display())));
    }
    Ok(rings)
}

/// How much amorphous matter there is, and where.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Amount {
    /// Where it is along the beam.
    pub place: Place,
    /// Density, in g/cm^3.
    pub density_g_per_cm3: f64,
    /// Molecular weight, in g/mol.
    pub weight_g_per_mol: f64,
}

impl Amount {
    /// The photons of each pixel of an experiment of these options, of matter with the structure factors `points`;
    /// computed on the threads of the current pool.
    ///
    /// # Errors
    /// The beam has no size, or what [`photons`] refuses.
    pub fn photons(
        self,
        options: &Options,
        experiment: &Experiment,
        points: Vec<StolPoint>,
    ) -> Result<Vec<f32>, Failure> {
        let Self { place, density_g_per_cm3, weight_g_per_mol } = self;
        let matter = Matter {
            name: String::new(),
            points: points.into(),
            place,
            density_g_per_cm3,
            weight_g_per_mol,
            attenuation_per_m: None,
        };
        Ok(photons(experiment, vec![matter], area_m2(options)?)?.photons)
    }

    /// The structure factors of the matter whose photons an image has: means over `bins` rings.
    ///
    /// # Errors
    /// As [`Amount::photons`] and [`radial_means`].
    pub fn rings(
        self,
        options: &Options,
        experiment: &Experiment,
        image: &[f32],
        bins: usize,
    ) -> Result<Vec<RadialMean>, Failure> {
        let electron = StolPoint { s_per_angstrom: 0.0, f_electrons: 1.0 };
        let units = self.photons(options, experiment, vec![electron])?;
        Ok(radial_means(experiment, image, &units, bins)?)
    }
}

/// The photons of the image; NaN where a pixel is saturated or masked.
fn image(options: &StolOptions, experiment: &Experiment) -> Result<Vec<f32>, Failure> {
    let image = read_one(&options.image, [experiment.columns(), experiment.rows()])?;
    let offset = options.offset_adu.or(image.counting.offset).unwrap_or(0.0);
    let per_photon = options.adu_per_photon.unwrap_or(1.0);
    let saturation = image.counting.saturation.unwrap_or(f64::INFINITY);
    let mut pixels = image.pixels;
    for pixel in &mut pixels {
        let value = f64::from(*pixel);
        *pixel = if value < saturation { ((value - offset) / per_photon) as f32 } else { f32::NAN };
    }
    Ok(pixels)
}

/// The table of rings of the image `path`, a line for each.
pub(super) fn text(path: &Path, rings: &[RadialMean]) -> String {
    let mut text = format!(
        "# background of {}: s in 1/A, F in electrons per molecule, pixels, pixels left out ({MOST_SIGMAS} sigma)\n",
        path.display().to_string().escape_debug()
    );
    for RadialMean { point, pixels, left_out } in rings {
        let [s, f] = [point.s_per_angstrom, point.f_electrons].map(format_g);
        text += &format!("{s} {f} {pixels} {left_out}\n");
    }
    text
}

fn json(rings: &[RadialMean]) -> serde_json::Value {
    let ring = |RadialMean { point, pixels, left_out }: &RadialMean| {
        json!({
            "s_per_angstrom": point.s_per_angstrom,
            "f_electrons": point.f_electrons,
            "pixels": pixels,
            "left_out": left_out,
        })
    };
    json!({ "rings": rings.iter().map(ring).collect::<Vec<_>>() })
}
