//! Stacks as other programs write them, and damaged files.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use rust_hdf5::{
    ByteOrder, DatatypeMessage, FilterPipeline, H5File, H5Type, Hyperslab, LibverBound, RegularHyperslab,
    Selection,
};

use super::*;
use crate::failure::Failure;
use crate::image::{ImageReader, ReadImage};
use crate::nxmx::read_nxmx_geometry;

fn read(file: &Path, rest: &str) -> Result<ReadImage, Failure> {
    let name = format!("{}{rest}", file.display());
    Hdf5.read(Path::new(&name), None)
}

/// Writes a stack of 3 frames of 5 x 4 pixels, index = value, in chunks of the given size.
fn stack<T: H5Type>(path: &Path, libver: LibverBound, chunk: Option<[usize; 3]>, value_of: impl Fn(u8) -> T) {
    let file = H5File::options().libver(libver).create(path).unwrap();
    let values: Vec<T> = (0..60).map(value_of).collect();
    let set = file.new_dataset::<T>().shape([3, 4, 5]);
    let set = match chunk {
        Some(chunk) => set.chunk(&chunk),
        None => set,
    };
    set.create("images").unwrap().write_raw(&values).unwrap();
    file.close().unwrap();
}

fn frame(number: u8) -> Vec<f32> {
    (20 * number..20 * (number + 1)).map(f32::from).collect()
}

#[test]
fn stacks_of_any_type_layout_and_version_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    for libver in [LibverBound::Earliest, LibverBound::V18, LibverBound::V110] {
        for chunk in [None, Some([1, 4, 5]), Some([2, 3, 2]), Some([3, 4, 5])] {
            let writers: [&dyn Fn(); 10] = [
                &|| stack::<u8>(&path, libver, chunk, u8::from),
                &|| stack::<i8>(&path, libver, chunk, |i| i as i8),
                &|| stack::<u16>(&path, libver, chunk, u16::from),
                &|| stack::<i16>(&path, libver, chunk, i16::from),
                &|| stack::<u32>(&path, libver, chunk, u32::from),
                &|| stack::<i32>(&path, libver, chunk, i32::from),
                &|| stack::<u64>(&path, libver, chunk, u64::from),
                &|| stack::<i64>(&path, libver, chunk, i64::from),
                &|| stack::<f32>(&path, libver, chunk, f32::from),
                &|| stack::<f64>(&path, libver, chunk, f64::from),
            ];
            for write in writers {
                write();
                for number in 0..3 {
                    let image = read(&path, &format!(":{number}")).unwrap();
                    assert_eq!((image.fast, image.slow), (5, 4));
                    assert_eq!(image.pixels, frame(number), "{libver:?} {chunk:?}");
                }
            }
        }
    }
}

#[test]
fn images_and_stacks_of_modules_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let file = H5File::create(&path).unwrap();
    let values: Vec<i32> = (0..60).collect();
    for (name, shape) in [("image", &[12, 5][..]), ("modules", &[3, 2, 2, 5]), ("line", &[60])] {
        let count = shape.iter().product::<usize>();
        file.new_dataset::<i32>().shape(shape).create(name).unwrap().write_raw(&values[..count]).unwrap();
    }
    file.new_dataset::<i32>().shape([0, 4, 5]).chunk(&[1, 4, 5]).create("empty").unwrap();
    let group = file.create_group("group").unwrap();
    numbers(&group, "image", &[2, 2], &[1_u16, 2, 3, 4], "").unwrap();
    file.close().unwrap();
    let image = read(&path, ":/image").unwrap();
    assert_eq!((image.fast, image.slow, image.pixels[59]), (5, 12, 59.0));
    let image = read(&path, ":/modules:1").unwrap();
    assert_eq!((image.fast, image.slow), (5, 4));
    assert_eq!(image.pixels, frame(1));
    assert_eq!(read(&path, ":/group/image").unwrap().pixels, [1.0, 2.0, 3.0, 4.0]);
    let error =
        |rest: &str| read(&path, rest).unwrap_err().to_string().replace(&path.display().to_string(), "FILE");
    assert_eq!(error(":/line"), "FILE: /line: not images, but of shape [60]");
    assert_eq!(error(":/empty"), "FILE: /empty: an array of shape [0, 4, 5] is not read as images");
    assert_eq!(error(":/image:1"), "FILE: /image: has 1 frame, number 0; there is no 1");
    assert_eq!(
        error(":0"),
        "FILE: does not say which of its arrays are images; name one: FILE:/path:frame, frames from 0"
    );
    assert_eq!(error(":/group"), "FILE: no array /group in it");
}

#[test]
fn frames_that_are_missing_or_compressed_otherwise_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let file = H5File::create(&path).unwrap();
    let set = |name: &str, pipeline: FilterPipeline| {
        file.new_dataset::<i32>()
            .shape([2, 4, 5])
            .chunk(&[1, 4, 5])
            .filter_pipeline(pipeline)
            .create(name)
            .unwrap()
    };
    let bytes = [7_u8; 80];
    let chunk = encoded(&[Filter::Deflate { level: 1 }], &bytes).unwrap().into_bytes().unwrap();
    set("images", FilterPipeline::deflate(1)).write_chunk_raw(1, &chunk, 0).unwrap();
    set("other", FilterPipeline::zstd(1)).write_chunk_raw(0, &chunk, 0).unwrap();
    set("short", FilterPipeline::shuffle(4)).write_chunk_raw(0, &bytes[..79], 0).unwrap();
    file.close().unwrap();
    assert_eq!(read(&path, ":1").unwrap().pixels, [0x0707_0707 as f32; 20]);
    let error =
        |rest: &str| read(&path, rest).unwrap_err().to_string().replace(&path.display().to_string(), "FILE");
    assert!(error(":0").contains("has not been written"), "{}", error(":0"));
    assert_eq!(error(":/other:0"), "FILE: /other: compressed by HDF5 filter 32015, which is not read here");
    assert_eq!(error(":/short:0"), "FILE: /short: damaged: a chunk has 79 bytes instead of 80");
}

#[test]
fn scalars_and_texts_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let file = H5File::create(&path).unwrap();
    let root = file.root_group();
    number(&root, "plain", 2.5_f64, "m").unwrap();
    text(&root, "text", "a text").unwrap();
    text(&root, "nothing", "").unwrap();
    let swapped = DatatypeMessage::FixedPoint {
        size: 4,
        byte_order: ByteOrder::BigEndian,
        signed: true,
        bit_offset: 0,
        bit_precision: 32,
    };
    for (name, shape) in [("swapped", &[][..]), ("more", &[2])] {
        let set = root.new_dataset::<i32>().datatype(swapped.clone());
        let set = if shape.is_empty() { set.scalar() } else { set.shape(shape) };
        let bytes = [-7_i32, 300].map(i32::to_be_bytes).concat();
        set.create(name).unwrap().write_raw_bytes(&bytes[..4 * shape.first().unwrap_or(&1)]).unwrap();
    }
    file.close().unwrap();
    let file = Hdf5File::open(&path).unwrap();
    assert_eq!(file.number("/plain"), Ok(Some(2.5)));
    assert_eq!(file.text_attribute("/plain", "units").as_deref(), Some("m"));
    assert_eq!(
        (file.numbers("swapped"), file.numbers("more")),
        (Ok(Some(vec![-7.0])), Ok(Some(vec![-7.0, 300.0])))
    );
    assert_eq!(
        (file.text("text"), file.text("nothing")),
        (Ok(Some("a text".to_owned())), Ok(Some(String::new())))
    );
    assert_eq!((file.number("none"), file.text("none")), (Ok(None), Ok(None)));
    assert!(file.number("text").is_err() && file.text("plain").is_err());
}

#[test]
fn files_that_end_early_are_told_from_damaged_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let error = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Hdf5File::open(&path).unwrap_err().to_string().replace(&path.display().to_string(), "FILE")
    };
    for libver in [LibverBound::Earliest, LibverBound::V110] {
        let bytes = small_file(libver);
        let all = bytes.len();
        for length in [all - 1, all / 2, 64] {
            let expected = format!("FILE: truncated: it has {length} of its {all} bytes");
            assert_eq!(error(&bytes[..length]), expected);
        }
        for length in [8, 20, 32] {
            assert_eq!(error(&bytes[..length]), "FILE: truncated: it ends in its header");
        }
        let mut damaged = bytes;
        damaged[SIGNATURE.len()] = 77;
        let message = error(&damaged);
        assert!(message.starts_with("FILE: damaged, or not a file that is read here ("), "{message}");
    }
    assert_eq!(error(b"text"), "FILE: not an HDF5 file");
}

#[test]
fn huge_shapes_take_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.h5");
    let file = H5File::options().libver(LibverBound::Earliest).create(&path).unwrap();
    let wide = |name: &str, shape: &[usize], chunk: &[usize]| {
        file.new_dataset::<f64>().shape(shape).chunk(chunk).create(name).unwrap();
    };
    wide("frames", &[1 << 20, 1 << 18, 1 << 18], &[1, 1 << 12, 1 << 12]);
    wide("chunks", &[4, 1 << 13, 1 << 13], &[4, 1 << 13, 1 << 13]);
    file.close().unwrap();
    assert!(read(&path, ":/frames:7").unwrap_err().to_string().contains("is not read as images"));
    let error = read(&path, ":/chunks:1").unwrap_err().to_string();
    assert!(error.contains("has not been written"), "{error}");
}

/// Two files of two frames each, and a virtual dataset of four in a third.
#[test]
fn frames_of_virtual_datasets_are_read_from_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let filters = [Filter::Shuffle { size: 4 }, Filter::Deflate { level: 1 }];
    for (name, part) in [("a.h5", 0), ("b.h5", 1)] {
        let file = H5File::create(folder.path().join(name)).unwrap();
        let set = file.new_dataset::<i32>().shape([2, 4, 5]).chunk(&[1, 4, 5]);
        let set = set.filter_pipeline(pipeline(&filters)).create("part").unwrap();
        for frame in 0..2 {
            let bytes = [2 * part + frame; 20].map(i32::to_le_bytes).concat();
            let chunk = encoded(&filters, &bytes).unwrap().into_bytes().unwrap();
            set.write_chunk_raw(frame as usize, &chunk, 0).unwrap();
        }
        file.close().unwrap();
    }
    let path = folder.path().join("all.h5");
    let file = H5File::create(&path).unwrap();
    let frames = |start: u64, count: u64| Selection::Hyperslab {
        rank: 3,
        form: Hyperslab::Regular(RegularHyperslab {
            start: vec![start, 0, 0],
            stride: vec![1; 3],
            count: vec![1; 3],
            block: vec![count, 4, 5],
        }),
    };
    let set = file.new_dataset::<i32>().shape([4, 4, 5]).fill_value(-1);
    let set = set.virtual_mapping(frames(0, 2), "a.h5", "part", Selection::All);
    set.virtual_mapping(frames(2, 1), "b.h5", "part", frames(1, 1)).create("images").unwrap();
    let set = file.new_dataset::<i32>().shape([2, 4, 5]);
    set.virtual_mapping(frames(0, 2), "all.h5", "circle", Selection::All).create("circle").unwrap();
    file.close().unwrap();
    let value = |rest: &str| read(&path, rest).map(|image| image.pixels);
    assert_eq!(value(":0"), Ok(vec![0.0; 20]));
    assert_eq!(value(":1"), Ok(vec![1.0; 20]));
    assert_eq!(value(":2"), Ok(vec![3.0; 20]));
    assert!(value(":3").unwrap_err().to_string().ends_with("/images: a frame that no file has"));
    let error = value(":/circle:0").unwrap_err().to_string();
    assert!(error.ends_with("its virtual datasets go round in a circle"), "{error}");
}

/// A small NXmx file of each version of the format.
fn small_file(libver: LibverBound) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    if libver == LibverBound::Earliest {
        crate::nxmx::write_example(&path);
    } else {
        stack::<u16>(&path, libver, Some([1, 4, 5]), u16::from);
    }
    fs::read(&path).unwrap()
}

/// Reads all that is read of a file.
fn read_all(path: &Path) {
    for rest in ["", ":0", ":1", ":/images:2", ":/entry/instrument/detector/data:0"] {
        if let Err(failure) = read(path, rest) {
            assert!(!failure.to_string().contains('\n'), "{failure}");
        }
    }
    if let Err(failure) = read_nxmx_geometry(path) {
        assert!(!failure.to_string().contains('\n'), "{failure}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_files_are_read_or_refused(
        version in 0..3_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        static FILES: std::sync::OnceLock<[Vec<u8>; 3]> = std::sync::OnceLock::new();
        let files = FILES.get_or_init(|| [LibverBound::Earliest, LibverBound::V18, LibverBound::V110].map(small_file));
        let mut bytes = files[version].clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(end) = end {
            bytes.truncate(end.index(bytes.len()));
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.nxs");
        fs::write(&path, bytes).unwrap();
        read_all(&path);
    }
}
