//! What the pictures show beside pixels: resolution rings, and panels as they stand in space.

use std::path::Path;

use widebragg_experiment::layout::{PanelResolution, View};
use widebragg_experiment::resolution::Resolution;
use widebragg_formats::geometry::{Geometry, GeometryFile, Panel};
use widebragg_formats::image::{FlatDetector, Layout};
use widebragg_formats::registry::geometry_of_file;

use super::runs::Run;
use crate::error::Failure;
use crate::images::{Image, read_geometry};
use crate::options::CompareOptions;

/// What pictures show beside pixels.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// Resolution of the points of a picture, where rings are drawn.
    pub(super) rings: Option<Box<dyn Resolution>>,
    /// Where panels stand, which are not one flat grid.
    pub(super) layout: Option<Layout>,
}

impl Shown {
    /// By `--geometry`, or else by the headers of the images.
    ///
    /// # Errors
    /// `--geometry` names a file that does not describe where the pixels of the images are, or there is too little memory.
    pub(super) fn of(
        options: &CompareOptions,
        runs: &[Run],
        size: [usize; 2],
        images: &[Image; 2],
        notes: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        if let Some(path) = &options.geometry {
            return Self::of_file(path, options, size, notes)
                .map_err(|failure| failure.context("--geometry"));
        }
        let flat = images.iter().find_map(|image| image.geometry);
        let panels = || {
            // A detector that a header describes is flat, or has panels.
            let headers = images.iter().filter(|image| image.format.has_header());
            let geometries = headers.filter_map(|image| geometry_of_file(&image.path, 0).ok());
            let mut of_panels =
                geometries.filter_map(|file| Self::of_panels(&file.geometry, options, size).transpose());
            of_panels.next().transpose()
        };
        let found = match flat {
            Some(flat) => Some(Self::of_flat(flat)),
            None => panels()?,
        };
        let mut shown = found.unwrap_or_default();
        if !options.rings {
            return Ok(Self { rings: None, ..shown });
        }
        if shown.rings.is_none() {
            let of_run = runs.iter().find_map(|run| read_geometry(&run.int).ok());
            shown.rings = of_run.and_then(|flat| Self::of_flat(flat).rings);
        }
        if shown.rings.is_none() {
            let note = "--rings: neither image has a header with the geometry, no rings are drawn: name a file of it with --geometry";
            notes.push(note.to_owned());
        }
        Ok(shown)
    }

    fn of_flat(flat: FlatDetector) -> Self {
        Self { rings: Some(Box::new(flat)), layout: None }
    }

    /// By a file of geometry.
    fn of_file(
        path: &Path,
        options: &CompareOptions,
        size: [usize; 2],
        notes: &mut Vec<String>,
    ) -> Result<Self, Failure> {
        let GeometryFile { geometry, warnings, .. } = geometry_of_file(path, 0)?;
        let path = path.display();
        notes.extend(warnings.iter().map(|warning| format!("--geometry: {path}: {warning}")));
        let described = geometry.block_size();
        let other_size = (described != size).then(|| {
            let by = |[fast, slow]: [usize; 2]| format!("{fast} x {slow}");
            format!("describes {} pixels, the images have {}", by(described), by(size))
        });
        let why = match geometry.flat_detector() {
            Ok(flat) => {
                notes.extend(other_size.map(|other| format!("--geometry: {path} {other}")));
                return Ok(Self::of_flat(flat));
            }
            Err(why) => why,
        };
        let Some(shown) = Self::of_panels(&geometry, options, size)? else {
            let other_size = other_size.map(|other| format!("; it {other}")).unwrap_or_default();
            return Err(Failure::input(format!("{path}: no rings can be drawn: {why}{other_size}")));
        };
        if shown.rings.is_none() {
            notes.push(format!("--geometry: {path}: no rings are drawn: {why}"));
        }
        Ok(shown)
    }

    /// Panels that are not one flat grid, as they stand in space. `None` where there are none, where images of `size` do not
    /// hold them, or where a part of the images is compared.
    fn of_panels(
        geometry: &Geometry,
        options: &CompareOptions,
        size: [usize; 2],
    ) -> Result<Option<Self>, Failure> {
        if geometry.panels.len() < 2 || geometry.flat_detector().is_ok() || options.roi_px.is_some() {
            return Ok(None);
        }
        let mut panels = geometry.panels.clone();
        if geometry.block_size() != size && !stack(&mut panels, size) {
            return Ok(None);
        }
        let view = View::of(panels);
        let layout = view.layout(size[0], |_, _| true)?;
        let rings = PanelResolution::of(&view, geometry);
        let rings = rings.map(|rings| -> Box<dyn Resolution> { Box::new(rings) });
        Ok(Some(Self { rings, layout: Some(layout) }))
    }
}

/// Stacks panels along slow, as widebragg writes them, if they fill images of `size` so.
fn stack(panels: &mut [Panel], size: [usize; 2]) -> bool {
    let mut rows = 0;
    for panel in panels.iter_mut() {
        panel.data_origin = [0, rows];
        rows += panel.pixels[1];
    }
    panels.iter().all(|panel| panel.pixels[0] == size[0]) && rows == size[1]
}
