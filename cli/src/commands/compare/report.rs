//! The report: one self-contained HTML page, with pictures as data URIs and without scripts.

use core::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::summary::{Comparison, bin_name, exact};
use crate::evidence::quoted;
use crate::picture::scale::short;

/// The pictures of a report, as PNG files.
#[derive(Debug)]
pub struct Pictures {
    /// Image A.
    pub a: Vec<u8>,
    /// Image B.
    pub b: Vec<u8>,
    /// B - A.
    pub difference: Vec<u8>,
    /// Surroundings of each of the worst pixels.
    pub worst: Vec<Vec<u8>>,
}

const STYLE: &str = "
:root { color-scheme: light; --ink: #262a30; --soft: #6e747c; --line: #dfe3e8; --accent: #2166ac; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1760px; color: var(--ink); background: #fff;
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.1rem; margin: 2.4rem 0 .8rem; padding-top: .8rem; border-top: 1px solid var(--line); }
code, td, .path { font-family: ui-monospace, 'Cascadia Mono', 'Noto Sans Mono', Menlo, monospace; font-size: .86rem; }
.path { color: var(--soft); overflow-wrap: anywhere; }
.verdict { display: inline-block; padding: .1rem .6rem; border-radius: 1rem; font-weight: 600; }
.good { background: #d9f0dd; color: #14532d; } .bad { background: #fde0dd; color: #7f1d1d; }
.same { background: #e6eef8; color: #1e3a5f; }
.cards { display: flex; flex-wrap: wrap; gap: .8rem; margin: 1.2rem 0; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .9rem; min-width: 9.5rem; }
.card b { display: block; font-size: 1.2rem; font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: .82rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 500; color: var(--soft); padding: .15rem 1.4rem .15rem 0; }
td { padding: .15rem 1.4rem .15rem 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
th { white-space: nowrap; } th.part { padding-left: 1rem; }
th, td { vertical-align: top; border-bottom: 1px solid #f0f2f5; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 1rem; }
figure { margin: 0; } img { max-width: 100%; height: auto; display: block; }
.worst { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 1.6rem 1rem; }
.worst img { image-rendering: pixelated; }
figcaption { color: var(--soft); font-size: .86rem; margin-bottom: .3rem; }
.columns { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 560px), 1fr)); gap: 0 3rem; }
.bar { display: inline-block; height: .7rem; background: var(--accent); border-radius: 2px; vertical-align: middle; }
.histogram td:last-child { width: 16rem; padding-right: 0; } .number { text-align: right; }
.note { background: #fff8e1; border-left: 3px solid #f0b429; padding: .35rem .8rem; margin: .4rem 0; }
@media print { h2 { break-after: avoid; } figure { break-inside: avoid; } }
";

/// The page.
#[must_use]
pub fn html(comparison: &Comparison<'_>, pictures: &Pictures) -> String {
    let f = &comparison.figures;
    let [a, b] = comparison.images;
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>widebragg compare</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>Two images compared {}</h1>\n\
         <div class=\"path\">A&ensp;{}</div>\n<div class=\"path\">B&ensp;{}</div>\n",
        verdict(comparison),
        escaped(&a.path.display().to_string()),
        escaped(&b.path.display().to_string()),
    );
    cards(&mut page, comparison);
    for note in &comparison.notes {
        let _ = writeln!(page, "<div class=\"note\">{}</div>", escaped(note));
    }
    page.push_str("<h2>Images</h2>\n<div class=\"pair\">\n");
    figure(&mut page, "Image A", &pictures.a);
    figure(&mut page, "Image B, on the same scale", &pictures.b);
    page.push_str("</div>\n<h2>Difference</h2>\n<div class=\"pair\">\n");
    figure(&mut page, "B - A: red where B is larger, blue where A is", &pictures.difference);
    page.push_str("<div>\n");
    numbers(&mut page, comparison);
    page.push_str("</div>\n</div>\n");
    if !pictures.worst.is_empty() {
        page.push_str(
            "<h2>Worst pixels, enlarged</h2>\n<p class=\"path\">A, B (one scale for both) and B - A, each 17 x 17 pixels \
             around a pixel of the largest differences.</p>\n<div class=\"worst\">\n",
        );
        for (worst, png) in f.worst.iter().zip(&pictures.worst) {
            let [fast, slow] = comparison.region.position(worst.index);
            let caption = format!(
                "fast {fast} slow {slow}: A {}, B {}, |B - A| {} ({:.3} %)",
                exact(worst.a),
                exact(worst.b),
                short(worst.absolute()),
                100.0 * worst.relative()
            );
            figure(&mut page, &caption, png);
        }
        page.push_str("</div>\n");
    }
    page.push_str("<div class=\"columns\">\n");
    histogram(&mut page, comparison);
    runs(&mut page, comparison);
    page.push_str("</div>\n");
    let _ = writeln!(
        page,
        "<p class=\"path\">widebragg {} compare. Correlation: Pearson's, over the pixels that are finite in both images. \
         Relative differences: |B - A| / max(|A|, |B|); bright: above a millionth of the maximum. Spots: local maxima above the \
         99.5th percentile, the brightest within 3 pixels, matched within 1 pixel.</p>\n</body>\n</html>",
        env!("CARGO_PKG_VERSION")
    );
    page
}

fn verdict(comparison: &Comparison<'_>) -> String {
    let (class, words) = match comparison.passes() {
        Some(true) => ("good", "threshold reached"),
        Some(false) => ("bad", "below the threshold"),
        None if comparison.figures.is_identical() => ("same", "bit for bit the same"),
        None => return String::new(),
    };
    format!("<span class=\"verdict {class}\">{words}</span>")
}

fn cards(page: &mut String, comparison: &Comparison<'_>) {
    let f = &comparison.figures;
    let none = || "none".to_owned();
    let percent = |share: f64| format!("{:.3} %", (share * 1e5).floor() / 1e3);
    let excluded = match comparison.unusable()[..] {
        [] => "pixels excluded".to_owned(),
        ref names => format!("pixels excluded ({})", names.join(", ")),
    };
    let all = [
        ("correlation", f.correlation.map_or_else(none, |found| format!("{found:.6}"))),
        ("sum B / sum A", f.sum_ratio().map_or_else(none, |ratio| format!("{ratio:.6}"))),
        ("root mean square difference", f.mse.map_or_else(none, |mse| short(mse.sqrt()))),
        ("pixels bit-identical", f.identical_share().map_or_else(none, percent)),
        ("spots matched", comparison.matching.share().map_or_else(none, percent)),
        (excluded.as_str(), comparison.excluded().to_string()),
    ];
    page.push_str("<div class=\"cards\">\n");
    for (name, value) in all {
        let _ = writeln!(page, "<div class=\"card\"><b>{value}</b><span>{name}</span></div>");
    }
    page.push_str("</div>\n");
}

fn numbers(page: &mut String, comparison: &Comparison<'_>) {
    page.push_str("<table>\n");
    for (name, value) in comparison.lines() {
        // Names of parts are indented in the text.
        let class = if name.starts_with(' ') { " class=\"part\"" } else { "" };
        let _ =
            writeln!(page, "<tr><th{class}>{}</th><td>{}</td></tr>", escaped(name.trim()), escaped(&value));
    }
    let _ = writeln!(page, "<tr><th>unit</th><td>{}</td></tr>\n</table>", comparison.unit());
}

fn histogram(page: &mut String, comparison: &Comparison<'_>) {
    let bins = &comparison.figures.ulp;
    let most = bins.iter().copied().max().unwrap_or(0).max(1) as f64;
    let last = bins.iter().rposition(|pixels| *pixels > 0).unwrap_or(0);
    page.push_str(
        "<section>\n<h2>Distance in f32 ulp</h2>\n<table class=\"histogram\">\n\
         <tr><th>ulp</th><th>pixels</th><th>logarithmic</th></tr>\n",
    );
    for (bin, pixels) in bins.iter().enumerate().take(last + 1) {
        let width = 15.0 * (*pixels as f64 + 1.0).ln() / (most + 1.0).ln();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td class=\"number\">{pixels}</td><td><span class=\"bar\" style=\"width:{width:.2}rem\"></span></td></tr>",
            bin_name(bin)
        );
    }
    page.push_str("</table>\n</section>\n");
}

fn runs(page: &mut String, comparison: &Comparison<'_>) {
    if comparison.runs.is_empty() {
        return;
    }
    page.push_str("<section>\n<h2>Runs</h2>\n<table>\n");
    for (name, run) in ["A", "B"].into_iter().zip(comparison.runs) {
        let words: Vec<String> = run.words.iter().map(|word| quoted(word)).collect();
        let _ = writeln!(
            page,
            "<tr><th>{name}</th><td>{:.3} s, begun {}, in {}<br>{}</td></tr>",
            run.seconds,
            run.begun,
            escaped(&run.folder.display().to_string()),
            escaped(&words.join(" "))
        );
    }
    page.push_str("</table>\n</section>\n");
}

fn figure(page: &mut String, caption: &str, png: &[u8]) {
    let caption = escaped(caption);
    let data = STANDARD.encode(png);
    let _ = writeln!(
        page,
        "<figure><figcaption>{caption}</figcaption><img alt=\"{caption}\" src=\"data:image/png;base64,{data}\"></figure>"
    );
}

/// Text with the special characters of HTML escaped.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_name_is_markup() {
        assert_eq!(escaped("<a href='x'>&\"</a>"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot;&lt;/a&gt;");
    }
}
