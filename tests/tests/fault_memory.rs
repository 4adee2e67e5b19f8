//! Less memory than a run needs: one line, exit code 2, only complete files, and never an abort.
#![cfg(target_os = "linux")]

use widebragg_tests::fault::run_script;
use widebragg_tests::program::Workplace;

const LINE: &str = "-mat tri.mat -hkl dense.hkl -lambda 1.2 -pixel 0.1 -detpixels 600 -N 6 -oversample 1 -seed 5 \
    --quiet --header reference --png p.png --cbf c.cbf";

/// The exit codes of the dynamic loader when it has no memory for libraries, before the program runs.
const LOADER: [Option<i32>; 3] = [Some(127), Some(139), None];

#[test]
fn every_memory_limit_gives_a_message() {
    let good = Workplace::with_inputs();
    good.run_line(LINE).well();
    let good = good.files();
    let place = Workplace::with_inputs();
    let (mut rendered, mut refused) = (0, Vec::new());
    for kilobytes in (4_000..64_000).step_by(1_500).rev() {
        let outcome = run_script(&place, &format!("ulimit -v {kilobytes}; exec \"$WIDEBRAGG\" {LINE}"));
        let said = format!("{kilobytes} kB: {:?} {}", outcome.code, outcome.stderr);
        if LOADER.contains(&outcome.code) && !outcome.stderr.contains("memory allocation") {
            break;
        }
        for (name, content) in place.files() {
            // A CBF holds the time of its run.
            let is_good = good
                .get(&name)
                .is_some_and(|good| *good == content || name == "c.cbf" && good.len() == content.len());
            assert!(is_good, "{name}: {said}");
        }
        if outcome.code == Some(0) {
            rendered += 1;
            continue;
        }
        assert_eq!(outcome.code, Some(2), "{said}");
        let lines: Vec<&str> = outcome.stderr.lines().filter(|line| !line.contains("-oversample")).collect();
        assert_eq!(lines.len(), 1, "{said}");
        assert!(lines[0].starts_with("widebragg: "), "{said}");
        assert!(["memory", "--threads"].iter().any(|word| lines[0].contains(word)), "{said}");
        refused.push(lines[0].to_owned());
    }
    assert!(rendered > 0 && refused.len() > 3, "{rendered} rendered, {refused:?}");
    for at in ["-hkl", "an image of 600 x 600"] {
        assert!(refused.iter().any(|line| line.contains(at)), "{at}: {refused:?}");
    }
}

#[test]
fn the_option_that_needs_too_much_memory_is_named() {
    let place = Workplace::with_inputs();
    for (extra, expected) in [
        ("-detpixels 16000", "no memory for an image of 16000 x 16000 pixels"),
        ("-mosaic 1 -mosaic_domains 9000000", "-mosaic_domains"),
        ("-osc 1 -phisteps 9000000", "-phisteps"),
        ("-divergence 1 -divsteps 3000", "-divergence"),
    ] {
        let outcome = run_script(&place, &format!("ulimit -v 200000; exec \"$WIDEBRAGG\" {LINE} {extra}"));
        assert_eq!(outcome.code, Some(2), "{extra}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(expected), "{extra}: {}", outcome.stderr);
        assert!(!place.path().join("floatimage.bin").exists(), "{extra}");
    }
}
