//! What a file of reflections holds, once its columns are chosen: a value for each listed index.

/// Miller indices h, k, l.
pub type Hkl = [i32; 3];

/// What the values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// |F|.
    Amplitude,
    /// I, proportional to |F|^2; may be negative.
    Intensity,
}

/// One measurement. Of a pair of Friedel mates, hkl and -h-k-l are two observations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Its indices, in the setting of the file.
    pub hkl: Hkl,
    /// F or I, by [`Observations::quantity`].
    pub value: f64,
    /// Standard uncertainty of the value; `None` where the file has none.
    pub sigma: Option<f64>,
}

/// What a file says of Friedel mates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mates {
    /// Nothing: the list decides.
    #[default]
    AsListed,
    /// They are the same reflection (FRIEDEL'S_LAW=TRUE, ANOMalous=FALSE, `--friedel merge`).
    Merged,
}

/// All measurements of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// What the values are.
    pub quantity: Quantity,
    /// The measurements with a value, in the order of the file.
    pub list: Vec<Observation>,
    /// Whether equivalents are averaged with weights 1/sigma^2 (unmerged files) or equally.
    pub weighted: bool,
    /// What is known of Friedel mates.
    pub mates: Mates,
}
