//! The result of a comparison as JSON (`summary.json`, `--json`) and as text.

use core::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::figures::{BRIGHT, Differing, Figures, ulp_bin};
use super::peaks::Matching;
use super::runs::Run;
use crate::evidence::quoted;
use crate::images::{Image, Region};
use crate::options::CompareOptions;
use widebragg_formats::format_g::format_g;
use widebragg_formats::image::VALUES;

/// Number of unmatched spots of each image in the summary.
const UNMATCHED_SHOWN: usize = 10;

/// The result of a comparison.
#[derive(Debug)]
pub struct Comparison<'a> {
    /// The options of the command.
    pub options: &'a CompareOptions,
    /// A and B, cropped to the region.
    pub images: &'a [Image; 2],
    /// Size of the whole images.
    pub size: [usize; 2],
    /// The region that is compared.
    pub region: Region,
    /// Statistics.
    pub figures: Figures,
    /// Spots.
    pub matching: Matching,
    /// The programs that made the images.
    pub runs: &'a [Run],
    /// Remarks for the user.
    pub notes: Vec<String>,
}

impl Comparison<'_> {
    /// Number of pixels that are not finite in A or in B.
    #[must_use]
    pub fn excluded(&self) -> usize {
        self.figures.pixels - self.figures.compared
    }

    /// What pixels of an image that are NaN are called: formats with a header mark pixels that were not measured.
    #[must_use]
    pub fn nan_name(&self, image: usize) -> &'static str {
        if self.images[image].format.has_header() { "masked" } else { "NaN" }
    }

    /// What the excluded pixels are.
    #[must_use]
    pub fn unusable(&self) -> Vec<&'static str> {
        let nan = |image: usize| (self.figures.images[image].nan, self.nan_name(image));
        let infinite = self.figures.images.iter().map(|image| image.infinite).sum();
        let mut names = Vec::new();
        for (count, name) in [nan(0), nan(1), (infinite, "infinite")] {
            if count > 0 && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Whether the correlation reaches the threshold; `None` without one. Identical images without variance
    /// pass.
    #[must_use]
    pub fn passes(&self) -> Option<bool> {
        let threshold = self.options.threshold?;
        Some(self.figures.correlation.map_or(self.figures.is_identical(), |found| found >= threshold))
    }

    /// The unit of the pixels, where both images have the same.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        let [a, b] = self.images;
        if a.unit == b.unit { a.unit } else { VALUES }
    }

    fn differing_json(&self, differing: &Differing) -> Value {
        let [fast, slow] = self.region.position(differing.index);
        json!({
            "fast": fast,
            "slow": slow,
            "a": differing.a,
            "b": differing.b,
            "absolute": differing.absolute(),
            "relative": differing.relative(),
        })
    }

    /// Spots of one image without a partner in the other, the brightest first.
    fn unmatched(&self, image: usize) -> Vec<Value> {
        let spots = self.matching.lonely[image].iter().take(UNMATCHED_SHOWN);
        let described = spots.map(|&index| {
            let [fast, slow] = self.region.position(index);
            json!({ "fast": fast, "slow": slow, "value": self.images[image].pixels[index] })
        });
        described.collect()
    }

    /// The distances in ulp, bin by bin up to the last one that is not empty.
    fn ulp_histogram(&self) -> Vec<Value> {
        let ulp = &self.figures.ulp;
        let bins = ulp.iter().rposition(|pixels| *pixels > 0).map_or(0, |last| last + 1);
        let described = ulp.iter().enumerate().take(bins).map(|(bin, pixels)| {
            let [from, to] = ulp_bin(bin);
            json!({ "from": from, "to": to, "pixels": pixels })
        });
        described.collect()
    }

    fn image_json(&self, image: usize) -> Value {
        let (file, one) = (&self.images[image], &self.figures.images[image]);
        json!({
            "path": file.path.display().to_string(),
            "format": file.format.name(),
            "sum": one.sum,
            "min": one.min,
            "max": one.max,
            "masked_pixels": if file.format.has_header() { one.nan } else { 0 },
            "nan_pixels": if file.format.has_header() { 0 } else { one.nan },
            "infinite_pixels": one.infinite,
        })
    }

    fn peaks_json(&self) -> Value {
        let m = &self.matching;
        let spread = |which: usize| {
            m.spread(which).map(
                |[mean, smallest, largest]| json!({ "mean": mean, "smallest": smallest, "largest": largest }),
            )
        };
        json!({
            "a": m.counts[0],
            "b": m.counts[1],
            "matched": m.pairs.len(),
            "matched_share": m.share(),
            "distance_px": spread(0),
            "intensity_ratio": spread(1),
            "brightest_unmatched_a": self.unmatched(0),
            "brightest_unmatched_b": self.unmatched(1),
        })
    }

    fn runs_json(&self) -> Vec<Value> {
        let runs = self.runs.iter().map(|run| {
            json!({
                "command": run.words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" "),
                "folder": run.folder.display().to_string(),
                "begun": run.begun,
                "seconds": run.seconds,
                "exit_code": run.code,
            })
        });
        runs.collect()
    }

    /// The whole summary.
    #[must_use]
    pub fn json(&self) -> Value {
        let f = &self.figures;
        let at = |differing: &Option<Differing>| {
            differing.as_ref().map(|differing| self.differing_json(differing))
        };
        let Region { fast_min, slow_min, fast, slow } = self.region;
        let absolute = |d: &Option<Differing>| d.map_or(0.0, |d| d.absolute());
        let relative = |d: &Option<Differing>| d.map_or(0.0, |d| d.relative());
        let mut summary = Map::new();
        let mut put = |key: &str, value: Value| summary.insert(key.to_owned(), value);
        put("program", json!("widebragg"));
        put("version", json!(env!("CARGO_PKG_VERSION")));
        put("a", self.image_json(0));
        put("b", self.image_json(1));
        put("unit", json!(self.unit()));
        put("fast_pixels", json!(self.size[0]));
        put("slow_pixels", json!(self.size[1]));
        put("roi", json!([fast_min, fast_min + fast - 1, slow_min, slow_min + slow - 1]));
        put("pixels", json!(f.pixels));
        put("compared_pixels", json!(f.compared));
        put("excluded_pixels", json!(self.excluded()));
        put("correlation", json!(f.correlation));
        put("sum_ratio", json!(f.sum_ratio()));
        put("mse", json!(f.mse));
        put("rmse", json!(f.mse.map(f64::sqrt)));
        put("largest_absolute_difference", json!(absolute(&f.largest_absolute)));
        put("largest_absolute_at", json!(at(&f.largest_absolute)));
        put("largest_relative_difference", json!(relative(&f.largest_relative)));
        put("largest_relative_at", json!(at(&f.largest_relative)));
        put("largest_relative_difference_bright", json!(relative(&f.largest_relative_bright)));
        put("largest_relative_bright_at", json!(at(&f.largest_relative_bright)));
        put("bright_above_fraction_of_maximum", json!(BRIGHT));
        put("bit_identical_pixels", json!(f.identical));
        put("bit_identical_fraction", json!(f.identical_share()));
        put("ulp_histogram", json!(self.ulp_histogram()));
        put("worst", json!(f.worst.iter().map(|worst| self.differing_json(worst)).collect::<Vec<_>>()));
        put("peaks", self.peaks_json());
        put("threshold", json!(self.options.threshold));
        put("passes", json!(self.passes()));
        put("runs", json!(self.runs_json()));
        put("notes", json!(self.notes));
        Value::Object(summary)
    }

    /// The summary as lines of text: name and value.
    #[must_use]
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let mut lines = self.image_lines();
        lines.extend(self.difference_lines());
        lines.extend(self.spot_lines());
        for (name, run) in ["run A", "run B"].into_iter().zip(self.runs) {
            lines.push((name, format!("{:.3} s: {}", run.seconds, run.given)));
        }
        if let (Some(threshold), Some(passes)) = (self.options.threshold, self.passes()) {
            let reached = if passes { "reached" } else { "not reached" };
            lines.push(("threshold", format!("{threshold}: {reached}")));
        }
        lines
    }

    /// The files, and how many of their pixels are compared.
    fn image_lines(&self) -> Vec<(&'static str, String)> {
        let [a, b] = self.images;
        let Region { fast_min, slow_min, fast, slow } = self.region;
        let size = if [fast, slow] == self.size {
            format!("{fast} x {slow}")
        } else {
            format!("fast {fast_min} to {}, slow {slow_min} to {}", fast_min + fast - 1, slow_min + slow - 1)
        };
        let mut lines = vec![
            ("A", format!("{} ({})", a.path.display(), a.format.name())),
            ("B", format!("{} ({})", b.path.display(), b.format.name())),
            ("pixels", format!("{size}: {} compared", self.figures.compared)),
        ];
        if self.excluded() > 0 {
            let [one, other] = self.figures.images;
            let counts = [
                (one.nan, self.nan_name(0), "A"),
                (other.nan, self.nan_name(1), "B"),
                (one.infinite, "infinite", "A"),
                (other.infinite, "infinite", "B"),
            ];
            let there = counts.iter().filter(|(count, ..)| *count > 0);
            let parts: Vec<_> =
                there.map(|(count, name, image)| format!("{count} {name} in {image}")).collect();
            lines.push(("excluded", format!("{}: {}", self.excluded(), parts.join(", "))));
        }
        lines
    }

    /// Correlation, sums and differences of the pixels.
    fn difference_lines(&self) -> Vec<(&'static str, String)> {
        let f = &self.figures;
        let number = |value: Option<f64>| value.map_or_else(|| "none".to_owned(), format_g);
        let at = |differing: &Option<Differing>, what: fn(&Differing) -> f64| match differing {
            None => "none".to_owned(),
            Some(d) => {
                let [fast, slow] = self.region.position(d.index);
                let (size, a, b) = (format_g(what(d)), exact(d.a), exact(d.b));
                format!("{size} at fast {fast} slow {slow}: A {a}, B {b}")
            }
        };
        let correlation = match f.correlation {
            Some(found) => format!("{found:.9}"),
            None if f.compared == 0 => "none: no pixel is finite in both images".to_owned(),
            None => "none: an image has no variance".to_owned(),
        };
        let [one, other] = f.images.map(|image| image.sum);
        let ratio = f.sum_ratio().map_or_else(|| "none".to_owned(), |ratio| format!("{ratio:.9}"));
        let mut lines = vec![
            ("correlation", correlation),
            ("sum B/A", format!("{ratio} ({}, {})", format_g(one), format_g(other))),
            ("MSE", number(f.mse)),
            ("RMSE", number(f.mse.map(f64::sqrt))),
            ("largest |B-A|", at(&f.largest_absolute, Differing::absolute)),
            ("largest rel.", at(&f.largest_relative, Differing::relative)),
            ("  if bright", at(&f.largest_relative_bright, Differing::relative)),
        ];
        if let Some(share) = f.identical_share() {
            // Rounded down, so that 100 % means all.
            let percent = (share * 1e7).floor() / 1e5;
            let differ = f.compared - f.identical;
            lines.push(("bit-identical", format!("{percent:.5} % ({differ} pixels differ)")));
        }
        lines
    }

    /// The spots of both images.
    fn spot_lines(&self) -> Vec<(&'static str, String)> {
        let m = &self.matching;
        let mut spots = format!("{} in A, {} in B, {} matched", m.counts[0], m.counts[1], m.pairs.len());
        if let Some(share) = m.share() {
            let _ = write!(spots, " ({:.2} %)", share * 100.0);
        }
        let mut lines = vec![("spots", spots)];
        if let (Some([distance, _, farthest]), Some([ratio, low, high])) = (m.spread(0), m.spread(1)) {
            let (low, high) = (format_g(low), format_g(high));
            lines.push(("  distance", format!("mean {distance:.4} px, largest {farthest:.4} px")));
            lines.push(("  intensity B/A", format!("mean {ratio:.6}, from {low} to {high}")));
        }
        for (name, image) in [("  only in A", 0), ("  only in B", 1)] {
            if let Some(&index) = m.lonely[image].first() {
                let [fast, slow] = self.region.position(index);
                let value = exact(self.images[image].pixels[index]);
                let count = m.lonely[image].len();
                lines.push((name, format!("{count}, brightest {value} at fast {fast} slow {slow}")));
            }
        }
        lines
    }

    /// The summary as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.lines() {
            let _ = writeln!(text, "{name:<16}{value}");
        }
        let bins = self.figures.ulp.iter().enumerate().filter(|(_, pixels)| **pixels > 0);
        let bins: Vec<String> = bins.map(|(bin, pixels)| format!("{}: {pixels}", bin_name(bin))).collect();
        let _ = writeln!(text, "{:<16}{}", "ulp: pixels", bins.join("  "));
        let out = &self.options.out;
        let _ = writeln!(text, "{:<16}{} and its pictures", "written", out.join("report.html").display());
        text
    }
}

/// A pixel with all its digits.
pub(super) fn exact(pixel: f32) -> String {
    if pixel == 0.0 || (1e-4..1e8).contains(&pixel.abs()) { pixel.to_string() } else { format!("{pixel:e}") }
}

/// The name of a bin: `0`, `1`, `2-3`, ..., then powers of two.
pub(super) fn bin_name(bin: usize) -> String {
    match ulp_bin(bin) {
        [from, to] if from == to => from.to_string(),
        [from, to] if bin <= 10 => format!("{from}-{to}"),
        _ => format!("2^{}-2^{bin}", bin - 1),
    }
}
