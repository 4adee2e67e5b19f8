//! Traces, as logs, JSON or the output of `-printout`: any bytes give either a trace that does not differ from itself,
//! or a one-line error.

#![no_main]

use libfuzzer_sys::fuzz_target;
use widebragg_cli::commands::trace_diff::alignment::align;
use widebragg_cli::commands::trace_diff::report::Report;
use widebragg_cli::options::TraceDiffOptions;
use widebragg_formats::trace::parse_trace;
use widebragg_fuzz::read;

fuzz_target!(|bytes: &[u8]| {
    let Some(trace) = read(bytes, |input, path| parse_trace(input, path)) else { return };
    // Traces with pixels that cannot be identified are refused.
    let Ok(alignment) = align(&trace, &trace, &[]) else { return };
    assert_eq!(alignment.pixels, trace.pixels.len());
    assert!(alignment.rows.iter().all(|row| row.difference().largest_relative == 0.0), "{alignment:?}");
    assert!(alignment.only_in_a.is_empty() && alignment.only_in_b.is_empty(), "{alignment:?}");
    let report = Report { options: &TraceDiffOptions::default(), alignment: &alignment, notes: &trace.notes };
    assert!(report.first_divergence().is_none());
    let (mut text, mut json) = (Vec::new(), Vec::new());
    report.write_text(&mut text).expect("room in a vector");
    report.write_json(&mut json).expect("room in a vector");
    assert!(!text.is_empty());
    let metrics: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    assert!(metrics.is_object());
});
