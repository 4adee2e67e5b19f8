//! Means over the pixels of radial bins.

/// Number, mean and deviation of the values in a bin.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct BinStatistics {
    /// Number of values.
    pub count: usize,
    /// Their mean; 0 of none.
    pub mean: f32,
    /// Their rms deviation from the mean; 0 of none.
    pub deviation: f32,
}

/// Fills the statistics of bins; `bins` has the bin of each of `values`, which is left out where there is no such bin.
///
/// Sums are f32 in the order of the values, as those of `nonBragg.c`.
///
/// ```
/// use widebragg::background::{BinStatistics, fill_statistics};
///
/// let mut statistics = [BinStatistics::default(); 2];
/// fill_statistics(&[1, 0, 1], &[3.0, 7.0, 5.0], &mut statistics);
/// assert_eq!(statistics[1], BinStatistics { count: 2, mean: 4.0, deviation: 1.0 });
/// ```
pub fn fill_statistics(bins: &[u32], values: &[f32], statistics: &mut [BinStatistics]) {
    statistics.fill(BinStatistics::default());
    let pairs = || bins.iter().map(|&bin| bin as usize).zip(values.iter().copied());
    for (bin, value) in pairs() {
        if let Some(bin) = statistics.get_mut(bin) {
            bin.count += 1;
            bin.mean += value;
        }
    }
    statistics.iter_mut().filter(|bin| bin.count > 0).for_each(|bin| bin.mean /= bin.count as f32);
    for (bin, value) in pairs() {
        if let Some(bin) = statistics.get_mut(bin) {
            let deviation = (value - bin.mean).abs();
            bin.deviation += deviation * deviation;
        }
    }
    for bin in statistics.iter_mut().filter(|bin| bin.count > 0) {
        bin.deviation = libm::sqrt(f64::from(bin.deviation / bin.count as f32)) as f32;
    }
}
