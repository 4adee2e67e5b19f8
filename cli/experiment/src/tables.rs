//! The tables of a scene, owned: as long as the kernel asks for, and filled by it.

use widebragg::beam::Source;
use widebragg::rotation::{IDENTITY, Mat3, Orientation};
use widebragg::scene::{SceneParameters, SceneTables};
use widebragg_formats::memory::filled;

use crate::failure::{Failure, Part, refused};
use crate::panels::DetectorPanel;

/// Sources, their weights, and mosaic domains of a scene.
pub(crate) struct Tables {
    pub(crate) sources: Vec<Source>,
    /// `None` where all sources are alike.
    pub(crate) source_weights: Option<Vec<f64>>,
    pub(crate) domains: Vec<Mat3>,
}

impl Tables {
    /// Checks a scene of `parameters`, also on the `other` panels, and fills its tables. If the kernel rejects the scene,
    /// `part` names the part to blame for its error.
    pub(crate) fn new(
        parameters: &SceneParameters<'_>,
        other: &[DetectorPanel],
        part: impl Fn(&widebragg::Error) -> Part,
    ) -> Result<Self, Failure> {
        let len = parameters.tables_len().map_err(too_large)?;
        let no_sources = || Failure::no_memory(Part::Divergence, format!("{} sources", len.sources));
        let no_domains = || Failure::no_memory(Part::Mosaic, format!("{} domains", len.domains));
        let mut sources = filled(len.sources, Source::default()).ok_or_else(no_sources)?;
        let mut source_weights = filled(len.source_weights, 0.0).ok_or_else(no_sources)?;
        let mut domains = filled(len.domains, IDENTITY).ok_or_else(no_domains)?;
        let mut orientations = orientation_buffer(len.orientations)?;
        let tables = SceneTables {
            sources: &mut sources,
            source_weights: &mut source_weights,
            source_grids: &mut [],
            domains: &mut domains,
            orientations: &mut orientations,
        };
        let scene = parameters.fill(tables).map_err(|error| refused(part(&error))(error))?;
        for panel in other {
            scene.on_panel(panel.panel(), panel.roi, panel.mask()).map_err(refused(Part::Scene))?;
        }
        let used = scene.parts().sources.len();
        sources.truncate(used);
        let source_weights = Some(source_weights).filter(|weights| !weights.is_empty());
        Ok(Self { sources, source_weights, domains })
    }
}

/// Creates a buffer for `len` orientations.
pub(crate) fn orientation_buffer(len: usize) -> Result<Vec<Orientation>, Failure> {
    filled(len, Orientation::default()).ok_or_else(too_many_orientations)
}

pub(crate) fn too_many_orientations() -> Failure {
    Failure::impossible(Part::Orientations, "more orientations than memory")
}

fn too_large(error: widebragg::Error) -> Failure {
    match error {
        widebragg::Error::TooLarge { quantity: "number of sources" } => refused(Part::Divergence)(error),
        _ => too_many_orientations(),
    }
}
