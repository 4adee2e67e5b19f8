//! Standard output or error is closed, full, or has no reader: images are written nevertheless.
#![cfg(target_os = "linux")]

use widebragg_tests::fault::run_script;
use widebragg_tests::program::Workplace;

const LINE: &str = "-mat tri.mat -hkl sparse.hkl -detpixels 40 -N 3 -oversample 1 -seed 1 --header reference";

#[test]
fn images_are_written_without_a_usable_standard_output() {
    let good = Workplace::with_inputs();
    good.run_line(LINE).well();
    for (redirected, expected) in [
        (">&-", 0),
        ("2>&-", 0),
        (">&- 2>&- <&-", 0),
        ("> /dev/full", 2),
        ("2> /dev/full", 0),
        ("--json > /dev/full 2> /dev/full", 2),
    ] {
        let place = Workplace::with_inputs();
        let outcome = run_script(&place, &format!("exec \"$WIDEBRAGG\" {LINE} {redirected}"));
        assert_eq!(outcome.code, Some(expected), "{redirected}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        assert!(place.files() == good.files(), "{redirected}: {:?}", place.files().keys());
    }
    let place = Workplace::with_inputs();
    // The exit code must be the program's, not that of `head`, which reads nothing.
    let script = format!("{{ \"$WIDEBRAGG\" {LINE} --frames 3; echo $? > code; }} | head -n 0");
    run_script(&place, &script);
    assert_eq!(place.read("code"), b"0\n");
    assert!(place.path().join("floatimage_00003.bin").exists());
}
