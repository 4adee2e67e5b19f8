//! The tables that a device reads: the numbers of a scene, one after the other, in the order that the texts know.

use core::ops::Range;

use widebragg::formulas::{BendNumbers, FrameNumbers, LookupFormula, SceneNumbers, StepFormula};
use widebragg::scene::Scene;
use widebragg::structure_factor::Nodes;

use crate::recorded::{
    AREA, BEND, COLUMNS, CRYSTAL, FRAME, GRID, Group, LAYER, LIMIT, ORIENTATION, SCALE, SOURCE, STEP_RULE,
};

/// The groups of numbers that a scene has once, by the names of their places.
pub(crate) const PLACES: [(&str, Group); 10] = [
    ("AT_COLUMNS", COLUMNS),
    ("AT_BEND", BEND),
    ("AT_AREA", AREA),
    ("AT_LAYER", LAYER),
    ("AT_FRAME", FRAME),
    ("AT_LIMIT", LIMIT),
    ("AT_CRYSTAL", CRYSTAL),
    ("AT_GRID", GRID),
    ("AT_STEP_RULE", STEP_RULE),
    ("AT_SCALE", SCALE),
];

/// The name of the place that follows them, of the number that the sum of a pixel starts from.
pub(crate) const BACKGROUND_PLACE: &str = "AT_BACKGROUND";

/// The numbers that a scene has once, with the background.
pub(crate) const NUMBERS_LENGTH: usize = {
    let (mut numbers, mut place) = (1, 0);
    while place < PLACES.len() {
        numbers += PLACES[place].1.numbers.len();
        place += 1;
    }
    numbers
};

/// The groups that tables have once for each layer, source or orientation, by the names of their lengths.
pub(crate) const ENTRIES: [(&str, Group); 4] = [
    ("LAYER_NUMBERS", LAYER),
    ("SOURCE_NUMBERS", SOURCE),
    ("FRAME_NUMBERS", FRAME),
    ("ORIENTATION_NUMBERS", ORIENTATION),
];

/// The names of the integers of a band, in their order.
pub(crate) const COUNTS: [&str; 11] = [
    "COLUMNS",
    "ROWS",
    "FIRST_COLUMN",
    "LAYERS",
    "PER_AXIS",
    "SOURCES",
    "ORIENTATIONS",
    "RULES",
    "NARROW_NODES",
    "NARROW_PIXELS",
    "COUNTS_FALLBACKS",
];

/// What all rows of a scene have in common.
#[derive(Debug, Clone)]
pub struct SceneTables {
    pub(crate) scene: SceneNumbers,
    /// The groups that a scene has once, one after the other, and what the sum of a pixel starts from.
    pub numbers: Vec<f64>,
    /// For each layer.
    pub layers: Vec<f64>,
    /// For each source, with its polarisation.
    pub sources: Vec<f64>,
    /// For each source the index of its grid.
    pub grids: Vec<u32>,
    /// For each orientation.
    pub orientations: Vec<f64>,
    /// How many there are of each.
    lengths: [u32; 3],
    per_axis: u32,
}

/// A number of entries that a device counts in 32 bits; `None` beyond.
fn count(entries: usize) -> Option<u32> {
    u32::try_from(entries).ok()
}

impl SceneTables {
    /// The tables of a scene; `None` where the formulas do not cover it, or where it has too many entries.
    #[must_use]
    pub fn new(scene: &Scene<'_>) -> Option<Self> {
        let numbers = scene.numbers()?;
        let sources = scene.source_numbers().map(|(source, frame, _)| {
            source.values().chain(frame.unwrap_or(NO_FRAME).values()).collect::<Vec<_>>()
        });
        let parts = scene.parts();
        let lengths = [parts.panel.sensor.layers, parts.sources.len(), parts.orientations.entries().len()];
        let [Some(layers), Some(of_sources), Some(of_orientations)] = lengths.map(count) else { return None };
        Some(Self {
            numbers: once(&numbers),
            layers: scene.layer_numbers().flat_map(|layer| layer.values()).collect(),
            sources: sources.flatten().collect(),
            grids: scene.source_numbers().map(|(_, _, grid)| count(grid)).collect::<Option<_>>()?,
            orientations: scene.orientation_numbers().flat_map(|orientation| orientation.values()).collect(),
            lengths: [layers, of_sources, of_orientations],
            per_axis: count(parts.oversample.per_axis)?,
            scene: numbers,
        })
    }
}

impl SceneTables {
    /// Nodes of one grid from one h to the next, and from one k to the next.
    pub(crate) fn strides(&self) -> [usize; 2] {
        [self.scene.grid.stride_h as usize, self.scene.grid.stride_k as usize]
    }

    /// Steps of each pixel.
    pub(crate) fn steps_per_pixel(&self) -> f64 {
        let [layers, sources, orientations] = self.lengths.map(f64::from);
        let per_axis = f64::from(self.per_axis);
        layers * per_axis * per_axis * sources * orientations
    }

    /// Nodes of one grid.
    pub(crate) fn nodes_of_a_grid(&self) -> usize {
        self.scene.grid.len.iter().product::<f64>() as usize
    }
}

const NO_FRAME: FrameNumbers = FrameNumbers { incident: [0.0; 3], b: [0.0; 3], e: [0.0; 3], kahn: 0.0 };

const NO_BEND: BendNumbers =
    BendNumbers { fast: [0.0; 3], slow: [0.0; 3], centre_m: [0.0; 3], per_radius: 0.0 };

/// The numbers that a scene has once, by [`PLACES`].
fn once(scene: &SceneNumbers) -> Vec<f64> {
    let SceneNumbers { columns, bend, area, layers, frame, limit, crystal, grid, step, scale, .. } = scene;
    let values = columns
        .values()
        .chain(bend.unwrap_or(NO_BEND).values())
        .chain(area.values())
        .chain(layers.values())
        .chain(frame.unwrap_or(NO_FRAME).values())
        .chain(limit.values())
        .chain(crystal.values())
        .chain(grid.values())
        .chain(step.values())
        .chain(scale.values());
    values.chain([scene.background]).collect()
}

/// Rows that a device renders at a time.
#[derive(Debug, Clone)]
pub struct Band {
    /// The formula of their steps.
    pub formula: StepFormula,
    /// The rows.
    pub rows: Range<usize>,
    /// The columns.
    pub columns: Range<usize>,
    /// A point of the line of each row, layer and subpixel along slow.
    pub lines: Vec<f64>,
    /// The integers that programs read, in their order.
    pub counts: [u32; COUNTS.len()],
    /// The type of its pixels.
    pub pixel_type: PixelType,
}

/// The type of the pixels that a device writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelType {
    /// f64.
    Wide,
    /// f32.
    Narrow,
}

impl PixelType {
    /// Bytes of a pixel.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            Self::Wide => size_of::<f64>(),
            Self::Narrow => size_of::<f32>(),
        }
    }
}

impl Band {
    /// Some rows of a scene with the columns of its region of interest.
    #[must_use]
    pub fn new(
        scene: &Scene<'_>,
        tables: &SceneTables,
        formula: StepFormula,
        rows: Range<usize>,
        pixels: PixelType,
    ) -> Self {
        let parts = scene.parts();
        let columns = parts.roi.fast_min..parts.roi.fast_max + 1;
        let [layers, sources, orientations] = tables.lengths;
        let per_row = |slow: usize| {
            let lines = (0..layers as usize).flat_map(move |layer| {
                (0..tables.per_axis as usize).map(move |sub_slow| scene.line_m(slow, layer, sub_slow))
            });
            lines.flatten()
        };
        let is_narrow = matches!(nodes_of(scene), Nodes::F32(_));
        // A panel has fewer rows and columns than an image file can name.
        Self {
            formula,
            lines: rows.clone().flat_map(per_row).collect(),
            counts: [
                columns.len() as u32,
                rows.len() as u32,
                columns.start as u32,
                layers,
                tables.per_axis,
                sources,
                orientations,
                tables.scene.rules.bits(),
                is_narrow.into(),
                (pixels == PixelType::Narrow).into(),
                (formula.lookup == LookupFormula::Tricubic).into(),
            ],
            rows,
            columns,
            pixel_type: pixels,
        }
    }

    /// The number of its pixels.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.rows.len() * self.columns.len()
    }

    /// Bytes of the fallbacks of its pixels; 0 where they are not counted.
    pub(crate) fn fallback_bytes(&self) -> usize {
        if self.counts_fallbacks() { self.pixels() * size_of::<u32>() } else { 0 }
    }

    /// Whether its fallbacks are counted.
    #[must_use]
    pub fn counts_fallbacks(&self) -> bool {
        self.formula.lookup == LookupFormula::Tricubic
    }
}

/// The nodes of a scene's grids.
#[must_use]
pub fn nodes_of<'a>(scene: &Scene<'a>) -> Nodes<'a> {
    scene.parts().structure_factors.grid.map_or(Nodes::F64(&[]), |grid| grid.nodes())
}
