//! Per-pixel truth of an image: the mean wavelength and the mean h, k, l of what contributed to each pixel.

use rayon::prelude::*;
use widebragg::carryover::Slot;
use widebragg::render::Contributions;
use widebragg::scene::Scene;
use widebragg_formats::memory::{filled, reserved};

use crate::carryover::{carryover, find_latch, latched, open_slots, slot_of_row};
use crate::experiment::Experiment;
use crate::failure::{Failure, Part, refused};
use crate::lattices::FrameScenes;
use crate::panels::parts_mut;

/// A quantity whose mean is an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mean {
    /// Wavelength, in angstrom.
    Wavelength,
    /// h.
    H,
    /// k.
    K,
    /// l.
    L,
}

impl Mean {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wavelength, Self::H, Self::K, Self::L];

    /// Its name in those of files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wavelength => "lambda",
            Self::H => "h",
            Self::K => "k",
            Self::L => "l",
        }
    }
}

/// The means of the pixels of the stack of panels, slow-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Means(Vec<[f32; 4]>);

impl Means {
    /// The means of the frame of `scenes`, weighted by the photons of each step of each crystal, on the threads of the
    /// current pool. They are NaN in pixels without photons: masked ones, those outside the region of interest, and dark ones.
    /// All steps are rendered once more, by the general loop.
    ///
    /// # Errors
    /// There is not enough memory, or the kernel rejects a scene.
    pub fn new(experiment: &Experiment, scenes: &FrameScenes<'_>) -> Result<Self, Failure> {
        let no_memory = || Failure::no_memory(Part::Scene, "the images of means".to_owned());
        let mut pixels = filled(experiment.pixels(), [f32::NAN; 4]).ok_or_else(no_memory)?;
        let columns = experiment.columns();
        for (index, part) in parts_mut(scenes.panels(), &mut pixels).enumerate() {
            let lattices = scenes.on_panel(index).map(|scene| LatticeOnPanel::new(experiment, scene));
            let lattices: Vec<_> = lattices.collect::<Result<_, _>>()?;
            part.pixels.par_chunks_mut(columns).enumerate().try_for_each(|(row, out)| {
                let mut sums = vec![Contributions::default(); columns];
                let mut terms = sums.clone();
                for lattice in &lattices {
                    lattice.sum_row(row, &mut terms)?;
                    sums.iter_mut().zip(&terms).for_each(|(sum, term)| *sum += *term);
                }
                out.iter_mut().zip(&sums).for_each(|(pixel, sums)| *pixel = of_pixel(sums));
                Ok(())
            })?;
        }
        Ok(Self(pixels))
    }

    /// One of the images; `None` if there is no memory for it.
    #[must_use]
    pub fn image(&self, mean: Mean) -> Option<Vec<f32>> {
        let mut image = reserved(self.0.len())?;
        image.extend(self.0.iter().map(|&[lambda, h, k, l]| match mean {
            Mean::Wavelength => lambda,
            Mean::H => h,
            Mean::K => k,
            Mean::L => l,
        }));
        Some(image)
    }
}

/// The means of a pixel, in the order of [`Mean::ALL`].
fn of_pixel(sums: &Contributions) -> [f32; 4] {
    let [h, k, l] = sums.mean_hkl();
    [sums.mean_lambda_m() * 1e10, h, k, l].map(|mean| mean as f32)
}

/// The scene of a panel with one crystal, and the carryover of its rows.
struct LatticeOnPanel<'s> {
    scene: Scene<'s>,
    slots: Vec<Slot>,
}

impl<'s> LatticeOnPanel<'s> {
    fn new(experiment: &Experiment, scene: &Scene<'s>) -> Result<Self, Failure> {
        let slots = open_slots(experiment, scene)?;
        let scene = latched(scene, find_latch(scene, &slots)?);
        Ok(Self { scene, slots })
    }

    fn sum_row(&self, row: usize, sums: &mut [Contributions]) -> Result<(), Failure> {
        let mut own = slot_of_row(&self.slots, row);
        let carry = carryover(own.as_mut_slice());
        self.scene.sum_contributions(row..row + 1, sums, &carry).map_err(refused(Part::Scene))
    }
}
