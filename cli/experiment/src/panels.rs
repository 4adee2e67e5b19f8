//! The panels of a detector, and the stack of their pixels.
//!
//! **The stack.** The image of several panels is one array, slow-major, in which the rows of each panel follow those of
//! the panel before: row `slow` of panel p is row `first_row(p) + slow` of the stack. All panels have the same number
//! of columns. The image of a single panel is its own stack.

use std::sync::Arc;

use widebragg::detector::{Detector, DetectorParameters};
use widebragg::panel::Panel;
use widebragg::scene::{DetectorInput, Roi, Scene, Sensor};

use crate::experiment::Experiment;
use crate::failure::{Failure, Part};

/// A panel, and the part of it that is rendered.
#[derive(Debug, Clone, PartialEq)]
pub struct DetectorPanel {
    /// Its name.
    pub name: String,
    /// Its number among all panels of the detector, from 0.
    pub number: usize,
    /// The panel as it is placed.
    pub detector: Detector,
    /// What it was placed from.
    pub detector_input: DetectorInput,
    /// Its sensitive layer.
    pub sensor: Sensor,
    /// The part that is rendered.
    pub roi: Roi,
    /// A value for each pixel, slow-major; pixels with the value 0 are skipped.
    pub mask: Option<Arc<Vec<u16>>>,
}

impl DetectorPanel {
    /// All of a detector that has this panel alone, with the name 0.
    #[must_use]
    pub fn placed(detector: Detector, sensor: Sensor) -> Self {
        Self {
            name: "0".to_owned(),
            number: 0,
            detector,
            detector_input: DetectorInput::Placed(detector),
            sensor,
            roi: Roi::whole(&Panel::new(&detector, sensor)),
            mask: None,
        }
    }

    /// The panel of the kernel.
    #[must_use]
    pub fn panel(&self) -> Panel {
        Panel::new(&self.detector, self.sensor)
    }

    /// The mask.
    #[must_use]
    pub fn mask(&self) -> Option<&[u16]> {
        self.mask.as_deref().map(Vec::as_slice)
    }

    /// What the panel was placed from; `None` where it was given as it is.
    #[must_use]
    pub fn detector_parameters(&self) -> Option<&DetectorParameters> {
        match &self.detector_input {
            DetectorInput::Parameters(parameters) => Some(parameters),
            DetectorInput::Placed(_) => None,
        }
    }

    /// Whether a pixel is inside the region of interest and not masked.
    #[must_use]
    pub fn is_selected(&self, slow: usize, fast: usize) -> bool {
        let roi = self.roi;
        let inside =
            (roi.slow_min..=roi.slow_max).contains(&slow) && (roi.fast_min..=roi.fast_max).contains(&fast);
        let index = slow * self.detector.fast_pixels + fast;
        inside && self.mask().is_none_or(|mask| mask.get(index).is_some_and(|&value| value != 0))
    }
}

impl Experiment {
    /// The first panel: the detector, where it has no other.
    #[must_use]
    pub fn first_panel(&self) -> &DetectorPanel {
        &self.panels[0]
    }

    /// The only panel of the detector.
    ///
    /// # Errors
    /// It has several.
    pub fn only_panel(&self) -> Result<&DetectorPanel, Failure> {
        match &self.panels[..] {
            [panel] => Ok(panel),
            panels => Err(Failure::impossible(
                Part::Detector,
                format!("it has {} panels, and this is for one: choose it with --panel", panels.len()),
            )),
        }
    }

    /// Columns of the stack.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.first_panel().detector.fast_pixels
    }

    /// Rows of the stack.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.panels.iter().map(|panel| panel.detector.slow_pixels).sum()
    }

    /// Pixels of the stack.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows() * self.columns()
    }

    /// The first row of a panel in the stack.
    #[must_use]
    pub fn first_row(&self, panel: usize) -> usize {
        self.panels.iter().take(panel).map(|panel| panel.detector.slow_pixels).sum()
    }

    /// The panel of a row of the stack, and the row on it; `None` past the last.
    #[must_use]
    pub fn panel_of_row(&self, row: usize) -> Option<(usize, usize)> {
        let mut slow = row;
        for (index, panel) in self.panels.iter().enumerate() {
            match slow.checked_sub(panel.detector.slow_pixels) {
                Some(rest) => slow = rest,
                None => return Some((index, slow)),
            }
        }
        None
    }

    /// Whether pixel `index` of the stack is inside the region of interest of its panel and not masked.
    #[must_use]
    pub fn is_selected(&self, index: usize) -> bool {
        let (row, fast) = (index / self.columns(), index % self.columns());
        self.panel_of_row(row).is_some_and(|(panel, slow)| self.panels[panel].is_selected(slow, fast))
    }

    /// Whether all pixels are rendered.
    #[must_use]
    pub fn renders_all_pixels(&self) -> bool {
        self.panels.iter().all(|panel| panel.mask.is_none() && panel.roi == Roi::whole(&panel.panel()))
    }

    /// The same experiment on one of its panels alone. The subpixels stay those of the whole detector.
    ///
    /// # Panics
    /// There is no such panel.
    #[must_use]
    pub fn on_panel(&self, panel: usize) -> Self {
        let background =
            self.background.as_ref().map(|background| Arc::new(background.on_panel(self, panel)));
        Self { panels: vec![self.panels[panel].clone()], background, ..self.clone() }
    }
}

/// A part of a stack: the pixels of one panel.
#[derive(Debug, Clone, Copy)]
pub struct StackPart<'s, P> {
    /// The scene of the panel.
    pub scene: &'s Scene<'s>,
    /// Its first row in the stack.
    pub first_row: usize,
    /// Its pixels.
    pub pixels: P,
}

/// The parts of a stack of pixels, which `scenes`, one for each panel, are rendered into.
pub fn parts<'s, T>(
    scenes: &'s [Scene<'s>],
    pixels: &'s [T],
) -> impl Iterator<Item = StackPart<'s, &'s [T]>> + Clone {
    let mut first_row = 0;
    let mut rest = pixels;
    scenes.iter().map(move |scene| {
        let (these, others) = rest.split_at(scene.panel().pixels().min(rest.len()));
        let part = StackPart { scene, first_row, pixels: these };
        rest = others;
        first_row += scene.panel().slow_pixels;
        part
    })
}

/// As [`parts`], of pixels that are written.
pub fn parts_mut<'s, T>(
    scenes: &'s [Scene<'s>],
    pixels: &'s mut [T],
) -> impl Iterator<Item = StackPart<'s, &'s mut [T]>> {
    let mut first_row = 0;
    let mut rest = pixels;
    scenes.iter().map(move |scene| {
        let all = core::mem::take(&mut rest);
        let (these, others) = all.split_at_mut(scene.panel().pixels().min(all.len()));
        let part = StackPart { scene, first_row, pixels: these };
        rest = others;
        first_row += scene.panel().slow_pixels;
        part
    })
}
