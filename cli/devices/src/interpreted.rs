//! The pixel loop of the texts over the interpreter: what any device must give, to the last bit.

use widebragg::formulas::{PixelRules, StepFormula};
use widebragg::structure_factor::Nodes;

use crate::interpreter::{Interpreter, NodeTable, Rounding};
use crate::recorded::{FRAME, LAYER, ORIENTATION, Recorded, SOURCE, record_all};
use crate::tables::{Band, PLACES, SceneTables};

/// The formulas of a pixel on the interpreter.
#[derive(Debug)]
pub struct Interpreted {
    formulas: Vec<Recorded>,
    interpreter: Interpreter,
}

/// A pixel, and how many of its steps fell back to the nearest node.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InterpretedPixel {
    /// In photons.
    pub photons: f64,
    /// Interpolations that fell back.
    pub fallbacks: u32,
}

impl Interpreted {
    /// The formulas of pixels whose steps have a formula.
    #[must_use]
    pub fn new(step: StepFormula, rounding: Rounding) -> Self {
        Self { formulas: record_all(step), interpreter: Interpreter::new(rounding) }
    }

    fn call<const N: usize>(&mut self, name: &str, arguments: &[&[f64]]) -> [f64; N] {
        self.call_with_nodes(name, arguments, NodeTable { nodes: &[], strides: [0; 2] })
    }

    fn call_with_nodes<const N: usize>(
        &mut self,
        name: &str,
        arguments: &[&[f64]],
        nodes: NodeTable<'_>,
    ) -> [f64; N] {
        let Some(formula) = self.formulas.iter().find(|formula| formula.name == name) else {
            unreachable!("{name} is recorded")
        };
        self.interpreter.evaluate(formula, arguments, nodes)
    }

    /// The pixel in a row and column of a band, counted from its first ones. Nodes are f64.
    pub fn pixel(
        &mut self,
        tables: &SceneTables,
        band: &Band,
        nodes: Nodes<'_>,
        [row, column]: [usize; 2],
    ) -> InterpretedPixel {
        let Nodes::F64(nodes) = nodes else { unreachable!("the interpreter reads f64") };
        let numbers = |place: &str| part(&tables.numbers, place);
        let rules = tables.scene.rules;
        let PixelRules { limited, polarized, polar, omega, terms, capture_of_steps, .. } = rules;
        let [_, _, _, layers, per_axis, ..] = band.counts.map(|count| count as usize);
        let of_grid = |grid: u32| {
            let len = tables.nodes_of_a_grid();
            let first = grid as usize * len;
            NodeTable { nodes: nodes.get(first..first + len).unwrap_or(&[]), strides: tables.strides() }
        };
        let fast = (band.columns.start + column) as f64;
        let one = |is: bool, x: f64| if is { x } else { 1.0 };
        let (mut sum, mut total, mut water) = (tables.scene.background, 0.0, 0.0);
        let mut factors = [if rules.captures_nothing { 0.0 } else { 1.0 }, 1.0, 1.0];
        let (mut begun, mut fallbacks) = (false, 0);
        for (layer, sub_slow, sub_fast) in samples(layers, per_axis) {
            let (is_first, begins) = (sub_slow == 0 && sub_fast == 0, layer + sub_slow + sub_fast == 0);
            let line = &band.lines[3 * ((row * layers + layer) * per_axis + sub_slow)..][..3];
            let pixel = [fast, sub_fast as f64];
            let columns = numbers("AT_COLUMNS");
            let here: [f64; 4] = if rules.bent {
                self.call("bent_direction", &[columns, numbers("AT_BEND"), line, &pixel])
            } else {
                self.call("direction", &[columns, line, &pixel])
            };
            if begins || omega {
                [factors[2]] = self.call("omega_sr", &[&here, numbers("AT_AREA")]);
            }
            if rules.captures && (capture_of_steps || layer + 1 == layers) && (is_first || rules.thick) {
                [factors[0]] =
                    self.call("captured", &[&here, entry(&tables.layers, LAYER.numbers.len(), layer)]);
            }
            if begins && polarized && !polar && !limited {
                [factors[1]] = self.call("polarization", &[&here, numbers("AT_FRAME")]);
            }
            if begins && rules.watered {
                let mut of_water = [1.0, 1.0, factors[2]];
                if rules.captures {
                    [of_water[0]] = self.call("captured_in_all", &[&here, numbers("AT_LAYER")]);
                }
                if polarized {
                    [of_water[1]] = self.call("polarization", &[&here, numbers("AT_FRAME")]);
                }
                [water] = self.call("water", &[numbers("AT_SCALE"), &of_water]);
            }
            for (index, &grid) in tables.grids.iter().enumerate() {
                let of_source = entry(&tables.sources, SOURCE.numbers.len() + FRAME.numbers.len(), index);
                let (source, frame) = of_source.split_at(SOURCE.numbers.len());
                let q: [f64; 3] = self.call("scattering", &[&here, source]);
                if limited {
                    let [resolved] = self.call("is_resolved", &[&q, numbers("AT_LIMIT")]);
                    if resolved == 0.0 {
                        continue;
                    }
                }
                if polarized && (polar || (limited && !begun)) {
                    [factors[1]] = self.call("polarization", &[&here, frame]);
                }
                begun = true;
                let of_steps =
                    [one(capture_of_steps, factors[0]), one(polar, factors[1]), one(omega, factors[2])];
                if terms {
                    sum = tables.scene.background;
                }
                for orientation in tables.orientations.chunks_exact(ORIENTATION.numbers.len()) {
                    let given =
                        [&q, orientation, numbers("AT_CRYSTAL"), numbers("AT_GRID"), numbers("AT_STEP_RULE")];
                    let [f_latt, amplitude, fallback] = self.call_with_nodes("step", &given, of_grid(grid));
                    if !rules.running_sum {
                        [sum] = self.call("add", &[&[sum, amplitude]]);
                    } else if f_latt != tables.scene.step.skipped {
                        [sum] = self.call("add_to_running_sum", &[&[sum, amplitude], &of_steps]);
                    }
                    fallbacks += fallback as u32;
                }
                if terms {
                    [total] = self.call("add_source", &[&[total, sum], source, &of_steps]);
                }
            }
        }
        if rules.dark_unresolved && !begun {
            factors[1] = 0.0;
        }
        let of_pixel = [one(!capture_of_steps, factors[0]), one(!polar, factors[1]), one(!omega, factors[2])];
        let sum = if terms { total } else { sum };
        let [photons] = self.call("pixel", &[numbers("AT_SCALE"), &[sum], &of_pixel, &[water]]);
        InterpretedPixel { photons, fallbacks }
    }
}

/// Layers and subpixels along slow and fast, in their order.
fn samples(layers: usize, per_axis: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..layers * per_axis * per_axis)
        .map(move |i| (i / (per_axis * per_axis), i / per_axis % per_axis, i % per_axis))
}

fn entry(table: &[f64], len: usize, index: usize) -> &[f64] {
    &table[index * len..][..len]
}

/// The numbers of a scene at a place of [`PLACES`].
fn part<'t>(numbers: &'t [f64], place: &str) -> &'t [f64] {
    let mut rest = numbers;
    for (name, group) in PLACES {
        let (here, after) = rest.split_at(group.numbers.len());
        if name == place {
            return here;
        }
        rest = after;
    }
    unreachable!("{place} is a place")
}
