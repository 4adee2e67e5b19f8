//! Properties of the program: a series has the same files if it is rendered in any parts, in any order, with
//! any number of threads, under any cap of the level.
//!
//! Fixed cases are in `cli_series.rs` and `cli_threads.rs`; the kernel's part is in `properties_images.rs`.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::OnceLock;
use widebragg::lanes::SimdLevel;
use widebragg_tests::program::Workplace;

const FRAMES: usize = 5;

/// Phi is 0 at the start of the third frame, where the carryover matters. The frames are large enough for
/// several threads.
const SERIES: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.3 -detpixels_x 61 -detpixels_y 67 -N 6 \
    -oversample 3 -phi -1 -osc 0.5 -phisteps 4 -seed 7 -floatfile f.bin -nopgm --header reference --frames 5";

const MODES: [&str; 2] = ["spec", "c-parity"];

type Files = BTreeMap<String, Vec<u8>>;

fn series(place: &Workplace, words: &str) -> Files {
    place.run_line(&format!("{SERIES} {words}")).well();
    place.files().into_iter().filter(|(name, _)| name.contains("_000")).collect()
}

/// The series rendered by one command with one thread, for each mode and cap.
fn whole(mode: usize, cap: usize) -> &'static Files {
    static WHOLE: OnceLock<Vec<Files>> = OnceLock::new();
    let all = WHOLE.get_or_init(|| {
        let runs = MODES.iter().flat_map(|mode| SimdLevel::ALL.map(move |cap| (mode, cap)));
        runs.map(|(mode, cap)| {
            let words = format!("--threads 1 --simd {cap} --phi-carryover-mode {mode}");
            series(&Workplace::with_inputs(), &words)
        })
        .collect()
    });
    &all[mode * SimdLevel::ALL.len() + cap]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parts_in_any_order_equal_the_series(
        mode in 0..MODES.len(),
        cap in 0..SimdLevel::ALL.len(),
        cuts in prop::collection::btree_set(1..FRAMES, 0..FRAMES),
        order in Just((0..FRAMES).collect::<Vec<_>>()).prop_shuffle(),
        threads in prop::array::uniform5(1..=6_usize),
    ) {
        let expected = whole(mode, cap);
        prop_assert_eq!(expected.len(), 3 * FRAMES, "{:?}", expected.keys());
        let mut starts: Vec<usize> = cuts.into_iter().collect();
        starts.insert(0, 0);
        let ends = starts.iter().skip(1).copied().chain([FRAMES]);
        let parts: Vec<(usize, usize)> = starts.iter().copied().zip(ends).collect();
        let place = Workplace::with_inputs();
        let mut found = Files::new();
        for part in order {
            let Some((start, end)) = parts.get(part) else { continue };
            found = series(
                &place,
                &format!(
                    "--frame-range {}:{end} --threads {} --simd {} --phi-carryover-mode {}",
                    start + 1, threads[part], SimdLevel::ALL[cap], MODES[mode],
                ),
            );
        }
        for (name, file) in expected {
            prop_assert!(found.get(name) == Some(file), "{} {} {}", MODES[mode], SimdLevel::ALL[cap], name);
        }
        prop_assert_eq!(found.len(), expected.len());
    }
}

/// The property above would be empty if frames were equal, or modes at phi = 0.
#[test]
fn frames_and_modes_differ() {
    for cap in 0..SimdLevel::ALL.len() {
        let [spec, parity] = [0, 1].map(|mode| whole(mode, cap));
        assert_ne!(spec["f_00001.bin"], spec["f_00002.bin"]);
        assert_eq!(spec["f_00001.bin"], parity["f_00001.bin"]);
        assert_ne!(spec["f_00003.bin"], parity["f_00003.bin"]);
    }
}
