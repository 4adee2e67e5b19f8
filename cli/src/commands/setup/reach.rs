//! The part of reciprocal space whose structure factors an image asks for.
//!
//! With q the largest length of the scattering vectors of its pixels, or 1/d of `-dmin` where that is smaller, these are
//! the indices up to q times an axis of the cell, and three more. The nearest node is at most half an index away.
//! Interpolation takes two nodes on each side, and falls back where these leave the grid: with three, it does so only
//! where the list itself ends. So an image has the same bits as with all of a list.

use widebragg::crystal::Crystal;
use widebragg::vector::Vec3;
use widebragg_experiment::experiment::Experiment;
use widebragg_experiment::resolution::largest_scattering_length;
use widebragg_reflections::cell::Cell;
use widebragg_reflections::index_box::IndexBox;

/// Nodes beyond the largest index of a pixel.
const NODES_BEYOND: i32 = 3;

/// Far more than rounding changes an index, relative to it.
const ROUNDING: f64 = 1e-9;

/// The part of reciprocal space that an image needs.
#[derive(Debug)]
pub(super) struct Reach {
    /// Largest length of a scattering vector, in 1/Angstrom.
    q_per_angstrom: f64,
    /// Axes of each of the experiment's crystals, in Angstrom.
    axes_angstrom: Vec<[Vec3; 3]>,
    /// Largest distance of a node from a scattering vector for which it is needed, in 1/Angstrom.
    beyond_per_angstrom: f64,
    /// Nodes beyond the largest index of a scattering vector.
    nodes_beyond: i32,
    /// Largest h, k and l.
    limits: [i32; 3],
}

impl Reach {
    /// The reach of the images of an experiment.
    pub(super) fn of(experiment: &Experiment) -> Self {
        let most = largest_scattering_length(experiment);
        let limit = 1e-10 / experiment.d_min_m;
        let q_per_angstrom = if experiment.d_min_m > 0.0 { most.min(limit) } else { most };
        let others = experiment.other_lattices.iter().map(|lattice| &lattice.crystal);
        let crystals = core::iter::once(&experiment.crystal).chain(others);
        let of_crystal = |crystal: &Crystal| Self::of_crystal(crystal, q_per_angstrom);
        crystals.map(of_crystal).reduce(Self::and).unwrap_or_else(|| of_crystal(&experiment.crystal))
    }

    /// The reach of scattering vectors up to a length.
    fn of_crystal(crystal: &Crystal, q_per_angstrom: f64) -> Self {
        let axes = crystal.direct;
        let axes_angstrom = [axes.a_m, axes.b_m, axes.c_m].map(|axis| 1e10 * axis);
        let [a, b, c] = crystal.reciprocal_per_angstrom;
        let diagonals = [a + b + c, a + b - c, a - b + c, a - b - c].map(Vec3::length);
        let longest = diagonals.into_iter().fold(0.0, f64::max);
        // The casts saturate, far beyond the size of a grid.
        let largest = |axis: Vec3| ((1.0 + ROUNDING) * q_per_angstrom * axis.length()) as i32;
        Self {
            q_per_angstrom,
            axes_angstrom: vec![axes_angstrom],
            beyond_per_angstrom: f64::from(NODES_BEYOND) * longest,
            nodes_beyond: NODES_BEYOND,
            limits: axes_angstrom.map(|axis| largest(axis).saturating_add(NODES_BEYOND)),
        }
    }

    /// The reach of both.
    pub(super) fn and(self, other: Self) -> Self {
        let limits = core::array::from_fn(|i| self.limits[i].max(other.limits[i]));
        let beyond_per_angstrom = self.beyond_per_angstrom.max(other.beyond_per_angstrom);
        let axes_angstrom = [self.axes_angstrom, other.axes_angstrom].concat();
        let q_per_angstrom = self.q_per_angstrom.max(other.q_per_angstrom);
        Self { q_per_angstrom, axes_angstrom, beyond_per_angstrom, limits, ..self }
    }

    /// The part to a spacing, for a list of the crystal of `cell`.
    pub(super) fn to_spacing(cell: &Cell, d_min_angstrom: f64) -> Self {
        let [x, y, z] = cell.orthogonal();
        Self {
            q_per_angstrom: 1.0 / d_min_angstrom,
            axes_angstrom: vec![[0, 1, 2].map(|i| Vec3::new(x[i], y[i], z[i]))],
            beyond_per_angstrom: 0.0,
            nodes_beyond: 0,
            limits: cell.largest_indices(d_min_angstrom),
        }
    }

    /// Nodes beyond the largest index of a scattering vector.
    pub(super) fn nodes_beyond(&self) -> i32 {
        self.nodes_beyond
    }

    /// The indices that are needed.
    pub(super) fn indices(&self) -> IndexBox {
        IndexBox::symmetric(self.limits)
    }

    /// Number of nodes of these indices.
    pub(super) fn nodes(&self) -> f64 {
        self.limits.iter().map(|&limit| 2.0 * f64::from(limit) + 1.0).product()
    }

    /// Smallest spacing in the image.
    pub(super) fn resolution_angstrom(&self) -> f64 {
        1.0 / self.q_per_angstrom
    }

    /// Smallest spacing, by the cell of the model, of the nodes that are needed.
    ///
    /// The scattering vector of an index by that cell is N times the one by the experiment's cell, N = sum of a*_i a_i^T
    /// with a*_i of the model and a_i of the experiment. The norm of N is at most the square root of the largest sum of a
    /// row of N^T N; for the same cell it is 1.
    pub(super) fn d_min_angstrom(&self, model: &Cell) -> f64 {
        let fractional = model.fractional();
        let norm = |axes: &[Vec3; 3]| {
            let axes = axes.map(Vec3::to_array);
            let n: [[f64; 3]; 3] = core::array::from_fn(|row| {
                core::array::from_fn(|column| (0..3).map(|i| fractional[i][row] * axes[i][column]).sum())
            });
            let row_sum = |i: usize| -> f64 {
                (0..3).map(|j| (0..3).map(|k| n[k][i] * n[k][j]).sum::<f64>().abs()).sum()
            };
            (0..3).map(row_sum).fold(0.0, f64::max).sqrt()
        };
        let norm = self.axes_angstrom.iter().map(norm).fold(0.0, f64::max);
        1.0 / (norm * (self.q_per_angstrom + self.beyond_per_angstrom))
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write as _;
    use std::fs;
    use std::path::Path;

    use widebragg_experiment::frame::{Frame, render_frame};

    use super::*;
    use crate::commands::setup::inputs::Inputs;
    use crate::commands::setup::{of_fit, of_images};
    use crate::options::{self, Command, Options};

    /// A detector whose corners are at 3.9 Angstrom.
    const IMAGE: &str =
        "-lambda 1 -distance 100 -detpixels 24 -pixel 1.5 -misset 10 20 30 -N 3 -oversample 1";

    /// The options of a render with `list`.
    fn options(list: &Path, more: &str) -> Options {
        let line = format!("{IMAGE} {more} -hkl");
        let args: Vec<String> =
            line.split_whitespace().map(str::to_owned).chain([list.display().to_string()]).collect();
        match options::parse(&args) {
            Ok(Command::Render(options)) => *options,
            other => panic!("{more}: {other:?}"),
        }
    }

    /// Reflections of P 21 21 21 to a resolution, as a CIF.
    fn cif(d_min_angstrom: f64) -> String {
        let edges = [30.0, 41.0, 52.0];
        let mut text = String::from("data_a\n");
        for (axis, edge, angle) in
            [("a", edges[0], "alpha"), ("b", edges[1], "beta"), ("c", edges[2], "gamma")]
        {
            writeln!(text, "_cell.length_{axis} {edge}\n_cell.angle_{angle} 90").unwrap();
        }
        text += "_symmetry.Int_Tables_number 19\nloop_\n";
        text += "_refln.index_h\n_refln.index_k\n_refln.index_l\n_refln.F_meas_au\n";
        let [h_max, k_max, l_max] = edges.map(|edge| (edge / d_min_angstrom) as i32);
        for h in 0..=h_max {
            for k in 0..=k_max {
                for l in 0..=l_max {
                    let part = |(index, edge): (i32, f64)| (f64::from(index) / edge).powi(2);
                    let squared: f64 = [h, k, l].into_iter().zip(edges).map(part).sum();
                    if (1e-9..=d_min_angstrom.powi(-2)).contains(&squared) {
                        writeln!(text, "{h} {k} {l} {}", 100 + (7 * h + 13 * k + 29 * l) % 97).unwrap();
                    }
                }
            }
        }
        text
    }

    /// Rotations, crystals, beams and detectors.
    const CASES: [&str; 12] = [
        "",
        "-default_F 50",
        "-dmin 6",
        "-dmin 6 -default_F 50",
        "-phi 10 -osc 5 -phisteps 3 -mosaic 2 -mosaic_domains 3",
        "-phi 0 -osc 90 -phisteps 4 -default_F 50",
        "-hdivrange 80 -hdivsteps 3 -vdivrange 80 -vdivsteps 2",
        "-dispersion 30 -dispsteps 3 -default_F 50",
        "-twotheta 40 -detector_rotx 20 -detector_rotz 5",
        "-curved_det -twotheta 20",
        "-curved_det -detector_thick 20000 -detector_abs 30000 -detector_thicksteps 3 -detector_roty 30",
        "-cell 33 38 57 88 93 91 -oversample 2",
    ];

    #[test]
    fn an_image_is_that_of_the_whole_list() {
        let folder = tempfile::tempdir().unwrap();
        let (mut latched, mut fell_back) = (0, 0);
        // The second list ends within the images.
        for (name, d_min, is_longer) in [("fine.cif", 1.5, true), ("coarse.cif", 5.0, false)] {
            let list = folder.path().join(name);
            fs::write(&list, cif(d_min)).unwrap();
            for case in CASES {
                for mode in ["spec", "c-parity"] {
                    for lookup in ["-nointerpolate", "-interpolate"] {
                        let line = format!("{case} {lookup} --phi-carryover-mode {mode}");
                        let options = options(&list, &line);
                        let whole = of_fit(&options).unwrap().experiment;
                        let cut = of_images(&options, &Inputs::default(), None).unwrap().experiment;
                        let nodes = |experiment: &Experiment| {
                            experiment.structure_factors.as_ref().unwrap().nodes().count()
                        };
                        assert!(
                            !is_longer || 2 * nodes(&cut) < nodes(&whole),
                            "{line}: nothing was left out"
                        );
                        let latch = |frame: &Frame| frame.panels[0].latch;
                        let [whole, cut] = [whole, cut].map(|experiment| {
                            let mut orientations = experiment.orientation_buffer().unwrap();
                            let scenes = experiment.scenes(0, &mut orientations).unwrap();
                            render_frame(&experiment, &scenes, &|| ()).unwrap()
                        });
                        assert!(whole.pixels.iter().any(|&pixel| pixel > 0.0), "{line}: an image of nothing");
                        assert!(whole.pixels == cut.pixels, "{name} {line}");
                        assert_eq!((latch(&whole), whole.report), (latch(&cut), cut.report), "{name} {line}");
                        latched += usize::from(latch(&whole).is_some());
                        fell_back += usize::from(whole.report.fallbacks > 0);
                    }
                }
            }
        }
        assert!(latched > 5 && fell_back > 5, "{latched} {fell_back}");
    }
}
