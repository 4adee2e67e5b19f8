//! The formulas of a pixel, recorded: each as a function of groups of numbers.

use widebragg::formulas::{
    self, AreaNumbers, BendNumbers, ColumnNumbers, CrystalNumbers, Factors, FrameNumbers, GridNumbers,
    LayerNumbers, LimitNumbers, OrientationNumbers, PixelDirection, ScaleNumbers, SourceNumbers, StepFormula,
    StepNumbers,
};

use crate::symbol::{Symbol, SymbolMask, argument};
use crate::tape::{self, Binary, Op, Tape, Type, Value};

/// A group of numbers that texts have as a structure.
#[derive(Debug, Clone, Copy)]
pub struct Group {
    /// Its name as a type.
    pub name: &'static str,
    /// The names of its numbers.
    pub numbers: &'static [&'static str],
}

macro_rules! groups {
    ($($constant:ident $name:literal $numbers:expr;)*) => {
        $(
            #[doc = concat!("The group `", $name, "`.")]
            pub const $constant: Group = Group { name: $name, numbers: $numbers };
        )*
        /// All groups.
        pub const GROUPS: &[Group] = &[$($constant),*];
    };
}

groups! {
    VECTOR "Vector" &["x", "y", "z"];
    DIRECTION "Direction" &["x", "y", "z", "per_distance_m"];
    FACTORS "Factors" &["capture", "polarization", "omega_sr"];
    COLUMNS "Columns" ColumnNumbers::NAMES;
    BEND "Bend" BendNumbers::NAMES;
    AREA "Area" AreaNumbers::NAMES;
    LAYER "Layer" LayerNumbers::NAMES;
    SOURCE "Source" SourceNumbers::NAMES;
    FRAME "Frame" FrameNumbers::NAMES;
    LIMIT "Limit" LimitNumbers::NAMES;
    ORIENTATION "Orientation" OrientationNumbers::NAMES;
    CRYSTAL "Crystal" CrystalNumbers::NAMES;
    GRID "Grid" GridNumbers::NAMES;
    STEP_RULE "StepRule" StepNumbers::NAMES;
    SCALE "Scale" ScaleNumbers::NAMES;
}

/// What a formula is given.
#[derive(Debug, Clone, Copy)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its group; `None` for a single number.
    pub group: Option<Group>,
}

/// What a formula returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returns {
    /// One number.
    Number,
    /// A truth value.
    Truth,
    /// A group of numbers.
    Group(&'static str),
    /// F_latt, the amplitude, and whether interpolation fell back.
    Step,
}

/// A recorded formula.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its name as a function.
    pub name: &'static str,
    /// What it is given.
    pub parameters: Vec<Parameter>,
    /// What it returns.
    pub returns: Returns,
    /// Its operations.
    pub tape: Tape,
    /// Their results.
    pub results: Vec<Value>,
}

impl Recorded {
    /// The names of the arguments, in their order, as texts address them.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let of = |parameter: &Parameter| match parameter.group {
            None => vec![parameter.name.to_owned()],
            Some(group) => {
                group.numbers.iter().map(|number| format!("{}.{number}", parameter.name)).collect()
            }
        };
        self.parameters.iter().flat_map(of).collect()
    }

    /// Whether the formula reads the table of nodes.
    #[must_use]
    pub fn reads_nodes(&self) -> bool {
        self.tape.ops().iter().any(|(op, _)| op.reads_nodes())
    }
}

/// Collects the parameters of a formula while it is recorded.
#[derive(Default)]
struct Given {
    parameters: Vec<Parameter>,
    count: u32,
}

impl Given {
    fn next(&mut self) -> Symbol {
        self.count += 1;
        argument(self.count - 1)
    }

    fn number(&mut self, name: &'static str) -> Symbol {
        self.parameters.push(Parameter { name, group: None });
        self.next()
    }

    /// A group, which `of` makes of its numbers in their order.
    fn group<T>(
        &mut self,
        name: &'static str,
        group: Group,
        of: impl FnOnce(&mut dyn FnMut() -> Symbol) -> T,
    ) -> T {
        self.parameters.push(Parameter { name, group: Some(group) });
        let (before, made) = (self.count, of(&mut || self.next()));
        debug_assert_eq!((self.count - before) as usize, group.numbers.len(), "numbers of {}", group.name);
        made
    }

    fn vector(&mut self, name: &'static str) -> [Symbol; 3] {
        self.group(name, VECTOR, |next| [next(), next(), next()])
    }

    fn direction(&mut self) -> PixelDirection<Symbol> {
        self.group("direction", DIRECTION, |next| PixelDirection {
            diffracted: [next(), next(), next()],
            per_distance_m: next(),
        })
    }

    fn factors(&mut self) -> Factors<Symbol> {
        self.group("factors", FACTORS, |next| Factors {
            capture: next(),
            polarization: next(),
            omega_sr: next(),
        })
    }
}

/// The results of a formula.
trait Results {
    const RETURNS: Returns;
    fn values(self) -> Vec<Value>;
}

impl Results for Symbol {
    const RETURNS: Returns = Returns::Number;
    fn values(self) -> Vec<Value> {
        vec![self.0]
    }
}

impl Results for SymbolMask {
    const RETURNS: Returns = Returns::Truth;
    fn values(self) -> Vec<Value> {
        vec![self.0]
    }
}

impl Results for [Symbol; 3] {
    const RETURNS: Returns = Returns::Group(VECTOR.name);
    fn values(self) -> Vec<Value> {
        self.map(|symbol| symbol.0).to_vec()
    }
}

impl Results for PixelDirection<Symbol> {
    const RETURNS: Returns = Returns::Group(DIRECTION.name);
    fn values(self) -> Vec<Value> {
        let [x, y, z] = self.diffracted;
        [x, y, z, self.per_distance_m].map(|symbol| symbol.0).to_vec()
    }
}

/// The value of a step, and the mask of the lanes that were counted.
struct CountedStep(formulas::StepValue<Symbol>, Value);

impl Results for CountedStep {
    const RETURNS: Returns = Returns::Step;
    fn values(self) -> Vec<Value> {
        vec![self.0.f_latt.0, self.0.amplitude.0, self.1]
    }
}

fn record<R: Results>(name: &'static str, formula: impl FnOnce(&mut Given) -> R) -> Recorded {
    let mut given = Given::default();
    let (tape, results) = Tape::record(|| formula(&mut given));
    let results = results.values();
    Recorded { name, parameters: given.parameters, returns: R::RETURNS, tape, results }
}

macro_rules! group {
    ($given:ident, $name:literal, $group:ident, $numbers:ident) => {
        $given.group($name, $group, |next| $numbers::named(|_| next()))
    };
}

/// All formulas of a pixel whose steps have a formula.
#[must_use]
pub fn record_all(step: StepFormula) -> Vec<Recorded> {
    vec![
        record("direction", |given| {
            let columns = group!(given, "columns", COLUMNS, ColumnNumbers);
            let line = given.vector("line_m");
            formulas::direction(&columns, line, given.number("fast"), given.number("sub_fast"))
        }),
        record("bent_direction", |given| {
            let columns = group!(given, "columns", COLUMNS, ColumnNumbers);
            let sphere = group!(given, "sphere", BEND, BendNumbers);
            let line = given.vector("line_m");
            formulas::bent_direction(&columns, &sphere, line, given.number("fast"), given.number("sub_fast"))
        }),
        record("omega_sr", |given| {
            let direction = given.direction();
            formulas::omega_sr(direction, &group!(given, "area", AREA, AreaNumbers))
        }),
        record("captured", |given| {
            let direction = given.direction();
            formulas::captured(direction, &group!(given, "layer", LAYER, LayerNumbers))
        }),
        record("captured_in_all", |given| {
            let direction = given.direction();
            formulas::captured_in_all(direction, &group!(given, "layers", LAYER, LayerNumbers))
        }),
        record("polarization", |given| {
            let direction = given.direction();
            formulas::polarization(direction, &group!(given, "frame", FRAME, FrameNumbers))
        }),
        record("scattering", |given| {
            let direction = given.direction();
            formulas::scattering(direction, &group!(given, "source", SOURCE, SourceNumbers))
        }),
        record("is_resolved", |given| {
            let q = given.vector("q_per_m");
            formulas::is_resolved(q, &group!(given, "limit", LIMIT, LimitNumbers))
        }),
        record("step", |given| {
            let q = given.vector("q_per_m");
            let orientation = group!(given, "orientation", ORIENTATION, OrientationNumbers);
            let crystal = group!(given, "crystal", CRYSTAL, CrystalNumbers);
            let grid = group!(given, "grid", GRID, GridNumbers);
            let rule = group!(given, "rule", STEP_RULE, StepNumbers);
            counted(formulas::step(step, q, &orientation, &crystal, &grid, &rule))
        }),
        record("add", |given| formulas::add(given.number("sum"), given.number("amplitude"))),
        record("add_to_running_sum", |given| {
            let (sum, amplitude) = (given.number("sum"), given.number("amplitude"));
            formulas::add_to_running_sum(sum, amplitude, given.factors())
        }),
        record("add_source", |given| {
            let (total, of_source) = (given.number("total"), given.number("of_source"));
            let source = group!(given, "source", SOURCE, SourceNumbers);
            formulas::add_source(total, of_source, &source, given.factors())
        }),
        record("water", |given| {
            let scale = group!(given, "scale", SCALE, ScaleNumbers);
            formulas::water(&scale, given.factors())
        }),
        record("pixel", |given| {
            let scale = group!(given, "scale", SCALE, ScaleNumbers);
            let sum = given.number("sum");
            let factors = given.factors();
            formulas::pixel(&scale, sum, factors, given.number("water"))
        }),
    ]
}

/// Adds the mask of the counted lanes to a step that has just been recorded.
fn counted(step: formulas::StepValue<Symbol>) -> CountedStep {
    let masks = tape::counted();
    let none = || tape::push(Op::Truth(false), Type::Truth);
    let either = |a, b| tape::push(Op::Binary(Binary::Or, a, b), Type::Truth);
    CountedStep(step, masks.into_iter().reduce(either).unwrap_or_else(none))
}
