//! Tables of numbers: comma-separated lines below one that names the columns.

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<f64>>,
}

impl Table {
    /// Reads a table.
    ///
    /// # Panics
    /// When it has no line of names, or a cell is no number.
    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let columns = lines.next().expect("a header").split(',').map(str::to_owned).collect();
        let number = |word: &str| word.parse().expect("a number");
        Self { columns, rows: lines.map(|line| line.split(',').map(number).collect()).collect() }
    }

    /// The value of a row in the column `name`.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn value(&self, row: &[f64], name: &str) -> f64 {
        row[self.columns.iter().position(|column| column == name).expect("a column")]
    }
}
