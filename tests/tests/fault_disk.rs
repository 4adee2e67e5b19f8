//! A full disk, a limit on file sizes, a read-only folder: the program ends with exit code 2 and one line
//! that names option and file. Older files stay unchanged, and a file with its final name is complete.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;

use widebragg_tests::fault::{complaints, run_script, run_with_mounts};
use widebragg_tests::program::{Outcome, Workplace};

/// Four images of 40000 pixels: 160000, 80512, 80512 and 40000 bytes.
const LINE: &str = "-mat tri.mat -hkl sparse.hkl -lambda 1.2 -pixel 0.1 -detpixels 200 -N 5 -oversample 1 -seed 3 --quiet \
    --header reference";

const IMAGES: [&str; 4] = ["floatimage.bin", "intimage.img", "noiseimage.img", "image.pgm"];

/// The files of a successful run.
fn good(line: &str) -> BTreeMap<String, Vec<u8>> {
    let place = Workplace::with_inputs();
    place.run_line(line).well();
    place.files()
}

/// The single complaint of a failed run.
fn failure(outcome: &Outcome) -> String {
    assert_eq!(outcome.code, Some(2), "{}{}", outcome.stdout, outcome.stderr);
    let lines = complaints(outcome);
    assert_eq!(lines.len(), 1, "{}", outcome.stderr);
    assert!(lines[0].starts_with("widebragg: -"), "{}", outcome.stderr);
    lines[0].to_owned()
}

/// Checks that every file of `found` is that of a successful run, except temporary files.
fn assert_complete(found: &BTreeMap<String, Vec<u8>>, good: &BTreeMap<String, Vec<u8>>) {
    for (name, content) in found.iter().filter(|(name, _)| !name.ends_with(".series.json")) {
        assert!(good.get(name).is_some_and(|good| good == content), "{name}: {} bytes", content.len());
    }
}

#[test]
fn a_full_disk_leaves_only_complete_files() {
    let good = good(LINE);
    // Space for none, one or some of the images, and for all files but the dump of structure factors, which
    // only saves time.
    let mut written = Vec::new();
    for kilobytes in [40, 100, 180, 260, 340] {
        let place = Workplace::with_inputs();
        let script = format!(
            "mkdir disk && mount -t tmpfs -o size={kilobytes}k tmpfs disk && cd disk
            sed -n 1,9999p ../tri.mat > old.bin
            for file in tri.mat sparse.hkl; do ln -s ../$file; done
            \"$WIDEBRAGG\" {LINE} -floatfile old.bin; code=$?
            rm tri.mat sparse.hkl; mkdir ../left; cp -a . ../left; exit $code"
        );
        let Some(outcome) = run_with_mounts(&place, &script) else { return };
        let message = failure(&outcome);
        assert!(message.contains("cannot write: No space left on device"), "{message}");
        let left: BTreeMap<String, Vec<u8>> = std::fs::read_dir(place.path().join("left"))
            .expect("what is left")
            .map(|entry| entry.expect("an entry"))
            .map(|entry| (entry.file_name().to_string_lossy().into_owned(), place.read(entry.path())))
            .collect();
        for (name, content) in &left {
            let complete = if name == "old.bin" { &good["floatimage.bin"] } else { &good[name] };
            let is_old = name == "old.bin" && *content == good["tri.mat"];
            assert!(content == complete || is_old, "{kilobytes}k: {name}: {} bytes", content.len());
        }
        assert!(left.contains_key("old.bin"), "the older file is lost");
        written.push(left.len());
    }
    // Images are written in parallel, so that chance decides which of them fit. More of them must fit on a
    // larger disk.
    assert!(written[0] < written[4], "{written:?}");
}

#[test]
fn a_series_resumes_when_the_disk_has_space_again() {
    let line = format!("{LINE} -osc 0.2 -phisteps 2 --frames 4 -nonoise -nopgm");
    let good = good(&line);
    let place = Workplace::with_inputs();
    // A frame takes 241 kB, so that two of them fit.
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size=640k tmpfs disk && cp tri.mat sparse.hkl disk && cd disk
        \"$WIDEBRAGG\" {line}; code=$?
        mkdir ../first && cp -a . ../first
        mount -o remount,size=20m ../disk && \"$WIDEBRAGG\" {line} --resume; echo $?
        cp -a . ..; exit $code"
    );
    let Some(outcome) = run_with_mounts(&place, &script) else { return };
    let message = failure(&outcome);
    assert!(message.contains("_0000") && message.contains("No space left on device"), "{message}");
    assert_eq!(outcome.stdout.trim(), "0", "the resumed run");
    let first: Vec<String> = std::fs::read_dir(place.path().join("first"))
        .expect("what the first run left")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    for frame in [1, 2] {
        assert!(first.contains(&format!("floatimage_0000{frame}.bin")), "{first:?}");
        assert!(first.contains(&format!("intimage_0000{frame}.img")), "{first:?}");
    }
    assert!(!first.iter().any(|name| name.ends_with(".tmp")), "{first:?}");
    assert_complete(&place.files(), &good);
    assert_eq!(place.files().len(), good.len());
}

#[test]
fn a_file_size_limit_is_reported() {
    let good = good(LINE);
    let place = Workplace::with_inputs();
    // The limit is 100 blocks of 512 bytes, which only the image of 40000 bytes keeps.
    let outcome = run_script(&place, &format!("ulimit -f 100; exec \"$WIDEBRAGG\" {LINE}"));
    let message = failure(&outcome);
    assert!(message.contains("cannot write: File too large"), "{message}");
    assert_complete(&place.files(), &good);
    assert!(IMAGES[..3].iter().all(|name| !place.files().contains_key(*name)));
}

#[test]
fn a_read_only_folder_is_reported_before_rendering() {
    let place = Workplace::with_inputs();
    // The image takes a minute to render; the error must come at once.
    let script = format!(
        "mkdir disk && mount -t tmpfs tmpfs disk && cp tri.mat sparse.hkl disk && cd disk && mount -o remount,ro ../disk
        exec \"$WIDEBRAGG\" {LINE} -detpixels 1000 -oversample 20"
    );
    let started = std::time::Instant::now();
    let Some(outcome) = run_with_mounts(&place, &script) else { return };
    assert!(started.elapsed().as_secs() < 20, "the image was rendered before the refusal");
    let message = failure(&outcome);
    assert_eq!(
        message,
        "widebragg: -floatfile: floatimage.bin: cannot write: Read-only file system (os error 30)"
    );
}

/// A dump only saves time, so that failing to write it does not fail the run.
#[test]
fn a_dump_that_cannot_be_written_is_a_warning() {
    let place = Workplace::with_inputs();
    let outcome = place.run_line(&format!("{LINE} -dump /dev/full")).well();
    assert!(outcome.stderr.contains("structure factor dump not written: /dev/full"), "{}", outcome.stderr);
    assert!(IMAGES.iter().all(|name| place.files().contains_key(*name)));
}

#[test]
fn evidence_on_a_full_disk_is_complete_or_absent() {
    let place = Workplace::with_inputs();
    let script = format!(
        "mkdir disk && mount -t tmpfs -o size=200k tmpfs disk
        \"$WIDEBRAGG\" {LINE} --evidence disk/e; code=$?
        cp -a disk/e left; exit $code"
    );
    let Some(outcome) = run_with_mounts(&place, &script) else { return };
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("No space left on device"), "{}", outcome.stderr);
    let good = good(LINE);
    for entry in std::fs::read_dir(place.path().join("left")).expect("evidence") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if IMAGES.contains(&name.as_str()) {
            assert!(place.read(&path) == good[&name], "{name}");
        } else {
            assert!(
                ["commands.txt", "env.json", "summary.json", "sha256.txt"].contains(&name.as_str()),
                "{name}"
            );
        }
    }
    assert!(IMAGES.iter().all(|name| place.read(name) == good[*name]), "an image is incomplete");
}
