//! Loads from tables over lanes, at every level of this CPU.

use widebragg::lanes::{BaseLevel, Doubled, Lanes, Level, Simd, WithSimd};

/// The elements of the rows that each index asks for.
struct LoadRows<'a> {
    table: &'a [[f64; 4]],
    indices: &'a [f64],
}

impl LoadRows<'_> {
    #[inline(always)]
    fn all<L: Level>(&self, level: L) -> Vec<[f64; 4]> {
        let mut rows = Vec::new();
        for indices in self.indices.chunks(L::F::LEN) {
            let elements = level.load(indices, 0.0).load_rows(self.table);
            let elements = elements.map(|element| element.to_array());
            rows.extend((0..indices.len()).map(|lane| elements.each_ref().map(|e| e.as_ref()[lane])));
        }
        rows
    }
}

impl WithSimd for LoadRows<'_> {
    type Output = [Vec<[f64; 4]>; 2];

    #[inline(always)]
    fn with_simd<L: BaseLevel>(self, level: L) -> Self::Output {
        [self.all(level), self.all(Doubled(level))]
    }
}

#[test]
fn rows_are_those_of_the_table_and_0_outside_it() {
    let table: Vec<[f64; 4]> =
        (0..37).map(|row| [0.0, 0.25, 0.5, 0.75].map(|part| f64::from(row) + part)).collect();
    let outside = [-1.0, 37.0, -1e300, 1e9, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
    let indices: Vec<f64> =
        (0..100).map(|i| f64::from(i * 29 % 37)).chain(outside).chain([36.0, 0.0]).collect();
    let row = |&index: &f64| match (0.0..37.0).contains(&index) {
        true => table[index as usize],
        false => [0.0; 4],
    };
    let expected: Vec<[f64; 4]> = indices.iter().map(row).collect();
    for simd in Simd::available() {
        let found = simd.run(LoadRows { table: &table, indices: &indices });
        assert_eq!(found, [expected.clone(), expected.clone()], "{}", simd.level());
        let of_none = simd.run(LoadRows { table: &[], indices: &indices });
        assert!(of_none.iter().flatten().all(|row| *row == [0.0; 4]), "{}", simd.level());
    }
}
