//! Files that are written and read back.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::writer::{Checked, Membership};
use super::*;
use crate::geometry::vectors::{Matrix, Vector, apply, dot, plus, product, rotation};
use crate::geometry::{Beam, Crystal, Frame, Panel, Polarization, Scan, Sensor};
use crate::image::{Pixels, ReadImage};
use crate::registry::{geometry_of_file, reader_of};

const COMPRESSIONS: [Compression; 3] = [Compression::Gzip, Compression::BitshuffleLz4, Compression::None];

/// `count` panels of 7 x 5 pixels, stacked along slow, each tilted in its own way, in the frame of the reference's
/// MOSFLM convention.
fn panels(count: usize) -> Vec<Panel> {
    let panel = |i: usize| {
        let tilt = rotation([0.6, 0.0, 0.8], 3.0 * i as f64 - 2.0);
        Panel {
            name: format!("module_{i:02}"),
            pixels: [7, 5],
            data_origin: [0, 5 * i],
            pixel_m: [172e-6, 150e-6],
            origin_m: [0.1 + 0.003 * i as f64, -6e-4, 1e-3 - 9e-4 * i as f64],
            fast: apply(tilt, [0.0, 1.0, 0.0]),
            slow: apply(tilt, [0.0, 0.0, -1.0]),
            sensor: Some(Sensor {
                material: Some("CdTe".to_owned()),
                thickness_m: 750e-6,
                attenuation_per_m: None,
            }),
            valid: [Some(0.0), Some(1_048_500.0)],
        }
    };
    (0..count).map(panel).collect()
}

fn stills(count: usize) -> Geometry {
    let polarization = Some(Polarization { electric_vector: [0.0, 0.6, 0.8], kahn_factor: 0.9 });
    Geometry {
        frame: Frame::Mosflm,
        beam: Beam { direction: [1.0, 0.0, 0.0], lambda_m: Some(0.9768e-10), polarization },
        panels: panels(count),
        spindle: None,
        scan: None,
        crystal: None,
    }
}

fn rotation_series(count: usize, frames: usize, width_deg: f64) -> Geometry {
    let a_matrix = [[0.01, 0.002, -0.001], [-0.003, 0.012, 0.0], [0.001, -0.0005, 0.02]];
    Geometry {
        spindle: Some([0.0, 0.0, 1.0]),
        scan: Some(Scan { first: 1, frames, start_deg: 12.5, width_deg, exposure_s: Some(0.1) }),
        crystal: Some(Crystal {
            a_matrix,
            a_at_frames: vec![a_matrix; frames + 1],
            space_group: Some("P 43 21 2".to_owned()),
        }),
        ..stills(count)
    }
}

/// Writes a small file with one of everything.
pub(crate) fn write_example(path: &Path) {
    let header = NxmxHeader { mask: vec![0; 70], ..NxmxHeader::new(rotation_series(2, 2, 0.1), 2) };
    let mut writer = NxmxWriter::create(path, &header).unwrap();
    writer.write(&[Pixels::I32(&counts(0, 70)), Pixels::I32(&counts(1, 70))]).unwrap();
    writer.close().unwrap();
}

fn counts(frame: usize, pixels: usize) -> Vec<i32> {
    (0..pixels).map(|i| ((i * i * 31 + 7 * frame) % 257) as i32 * ((i + frame) % 9) as i32 - 1).collect()
}

fn photons(frame: usize, pixels: usize) -> Vec<f32> {
    (0..pixels).map(|i| ((i + frame) as f32 * 0.37).exp2().sqrt() - 3.0).collect()
}

fn frame_of(path: &Path, frame: usize) -> ReadImage {
    let name = format!("{}:{frame}", path.display());
    reader_of(Path::new(&name)).unwrap().read(Path::new(&name), None).unwrap()
}

/// Frames as bits, with NaN where counts are -1.
fn expected(counts: &[i32]) -> Vec<u32> {
    let pixel = |&count: &i32| if count == -1 { f32::NAN } else { count as f32 };
    counts.iter().map(pixel).map(bits).collect()
}

/// The bits of a pixel; those of any NaN are the same.
fn bits(pixel: f32) -> u32 {
    if pixel.is_nan() { u32::MAX } else { pixel.to_bits() }
}

#[test]
fn frames_of_any_kind_come_back_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let frames = 5;
    for (compression, count) in COMPRESSIONS.into_iter().flat_map(|how| [(how, 1), (how, 4)]) {
        for geometry in [stills(count), rotation_series(count, frames, 0.5)] {
            let mut header = NxmxHeader { compression, ..NxmxHeader::new(geometry, frames) };
            assert_eq!(header.size(), [7, 5 * count]);
            let pixels = 35 * count;

            let written: Vec<Vec<i32>> = (0..frames).map(|frame| counts(frame, pixels)).collect();
            let mut writer = NxmxWriter::create(&path, &header).unwrap();
            let all: Vec<Pixels<'_>> = written.iter().map(|frame| Pixels::I32(frame)).collect();
            writer.write(&all[..2]).unwrap();
            writer.write(&all[2..]).unwrap();
            assert!(writer.write(&all[..1]).unwrap_err().to_string().ends_with("more frames than 5"));
            writer.close().unwrap();
            for (frame, written) in written.iter().enumerate() {
                let read = frame_of(&path, frame);
                assert_eq!((read.fast, read.slow, read.rounded), (7, 5 * count, 0));
                assert_eq!(read.pixels.into_iter().map(bits).collect::<Vec<_>>(), expected(written));
                assert_eq!(read.counting.saturation, Some(1_048_501.0));
            }

            header.pixel_type = PixelType::F32;
            let written: Vec<Vec<f32>> = (0..frames).map(|frame| photons(frame, pixels)).collect();
            let mut writer = NxmxWriter::create(&path, &header).unwrap();
            writer.write(&written.iter().map(|frame| Pixels::F32(frame)).collect::<Vec<_>>()).unwrap();
            writer.close().unwrap();
            for (frame, written) in written.iter().enumerate() {
                let read = frame_of(&path, frame);
                assert_eq!(
                    read.pixels.iter().map(|pixel| pixel.to_bits()).collect::<Vec<_>>(),
                    written.iter().map(|pixel| pixel.to_bits()).collect::<Vec<_>>()
                );
                assert_eq!(read.counting.saturation, None);
            }
        }
    }
}

/// Writes frames of 0 and reads the geometry of the file.
fn read_back(header: &NxmxHeader) -> Geometry {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let [fast, slow] = header.size();
    let zeros = vec![0; fast * slow];
    let mut writer = NxmxWriter::create(&path, header).unwrap();
    writer.write(&vec![Pixels::I32(&zeros); header.frames]).unwrap();
    writer.close().unwrap();
    read_nxmx_geometry(&path).unwrap()
}

fn distance(u: Vector, v: Vector) -> f64 {
    let difference = plus(u, -1.0, v);
    dot(difference, difference).sqrt()
}

/// The turn from MOSFLM's laboratory to the frame of the file.
const N: Matrix = [[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]];

#[test]
fn a_geometry_comes_back_in_the_frame_of_mcstas() {
    for count in [1, 4, 12] {
        let given = rotation_series(count, 10, 0.25);
        let read = read_back(&NxmxHeader::new(given.clone(), 10));
        assert_eq!(read.frame, Frame::McStas);
        assert_eq!(read.panels.len(), count);
        for (read, given) in read.panels.iter().zip(&given.panels) {
            assert_eq!(
                (read.pixels, read.data_origin, read.pixel_m),
                (given.pixels, given.data_origin, given.pixel_m)
            );
            assert_eq!((&read.sensor, read.valid), (&given.sensor, given.valid));
            assert!(count == 1 || read.name == given.name);
            assert!(distance(read.origin_m, apply(N, given.origin_m)) < 1e-12);
            assert!(distance(read.fast, apply(N, given.fast)) < 1e-15);
            assert!(distance(read.slow, apply(N, given.slow)) < 1e-15);
        }
        let (beam, scan) = (read.beam, read.scan.unwrap());
        assert_eq!(beam.direction, [0.0, 0.0, 1.0]);
        assert!((beam.lambda_m.unwrap() / 0.9768e-10 - 1.0).abs() < 1e-15);
        let polarization = beam.polarization.unwrap();
        assert!((polarization.kahn_factor - 0.9).abs() < 1e-15);
        assert!(
            distance(polarization.electric_vector, apply(N, [0.0, 0.6, 0.8]))
                .min(distance(polarization.electric_vector, apply(N, [0.0, -0.6, -0.8])))
                < 1e-15
        );
        assert_eq!((scan.first, scan.frames, scan.start_deg, scan.exposure_s), (1, 10, 12.5, Some(0.1)));
        assert!((scan.width_deg - 0.25).abs() < 1e-15);
        assert_eq!(read.spindle, Some([-1.0, 0.0, 0.0]));
        let (crystal, own) = (read.crystal.unwrap(), given.crystal.unwrap());
        assert_eq!(crystal.a_matrix, product(N, own.a_matrix));
        assert_eq!(crystal.a_at_frames, vec![crystal.a_matrix; 11]);
        assert_eq!(crystal.space_group, own.space_group);
    }
}

#[test]
fn a_sensor_without_thickness_comes_back_as_none() {
    let panels = panels(2).into_iter().map(|panel| Panel { sensor: None, ..panel }).collect();
    let read = read_back(&NxmxHeader::new(Geometry { panels, ..stills(1) }, 1));
    assert!(read.panels.iter().all(|panel| panel.sensor.is_none()));
}

#[test]
fn steps_back_become_steps_about_the_opposite_axis() {
    for frames in [1, 3] {
        let read = read_back(&NxmxHeader::new(rotation_series(1, frames, -0.5), frames));
        let scan = read.scan.unwrap();
        assert_eq!((scan.frames, scan.start_deg, scan.width_deg), (frames, -12.5, 0.5));
        assert_eq!(read.spindle, Some([1.0, 0.0, 0.0]));
    }
}

#[test]
fn stills_have_their_own_wavelengths_and_what_they_were_made_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stills.nxs");
    let a = [[0.01, 0.0, 0.0], [0.0, 0.02, 0.0], [0.0, 0.001, 0.03]];
    let shot = |fluence_per_m2, spectrum| TrueShot { fluence_per_m2, shift_m: [1e-4, -2e-4], spectrum };
    let crystal = |frame, weight| TrueCrystal { frame, a_matrix: a, weight, cells: [9.0, 8.0, 7.5] };
    let header = NxmxHeader {
        lambda_m: vec![1.2e-10, 1.3e-10],
        exposure_s: Some(0.5),
        unix_time_s: 1_795_340_487,
        truth: Truth {
            orientations: vec![a, a],
            cell: Some([50.0, 60.0, 70.0, 90.0, 95.0, 90.0]),
            spectra: vec![vec![(1.2e-10, 0.25), (1.21e-10, 0.75)], vec![(1.3e-10, 1.0)]],
            shots: vec![shot(1e24, 1), shot(2e24, 2)],
            crystals: vec![crystal(1, 0.5), crystal(1, 0.25)],
            gain_modes: Some(TrueGainModes {
                codes: [0, 1, 3],
                adu_per_kev: [40.0, -1.0, -0.1],
                pedestals_adu: [2500.0, 15_000.0, 14_000.0],
                readouts_adu: [60.0, 8.0, 7.5],
                switch_kev: [320.0, 12_000.0],
            }),
            command_line: "widebragg -cell 50 60 70 90 95 90 -title \u{3b1}".to_owned(),
        },
        ..NxmxHeader::new(stills(1), 2)
    };
    let mut writer = NxmxWriter::create(&path, &header).unwrap();
    writer.write(&[Pixels::I32(&[4; 35]), Pixels::I32(&[5; 35])]).unwrap();
    writer.close().unwrap();

    let geometry = read_nxmx_geometry(&path).unwrap();
    assert_eq!((geometry.spindle, geometry.scan, geometry.crystal), (None, None, None));
    assert!((geometry.beam.lambda_m.unwrap() - 1.2e-10).abs() < 1e-25);
    let file = Hdf5File::open(&path).unwrap();
    let numbers = |name: &str| file.numbers(name).unwrap().unwrap();
    let text = |name: &str| file.text(name).unwrap().unwrap();
    assert_eq!(numbers("/entry/instrument/beam/incident_wavelength"), [1.2e-10 * 1e10, 1.3e-10 * 1e10]);
    assert_eq!(numbers("/entry/widebragg/unit_cell"), header.truth.cell.unwrap());
    assert_eq!(numbers("/entry/widebragg/spectrum_weight"), [0.25, 0.75, 1.0]);
    assert_eq!(numbers("/entry/widebragg/spectrum_number"), [1.0, 1.0, 2.0]);
    assert_eq!(numbers("/entry/widebragg/shot_fluence"), [1e24, 2e24]);
    assert_eq!(numbers("/entry/widebragg/shot_spectrum"), [1.0, 2.0]);
    assert_eq!(numbers("/entry/widebragg/shot_detector_shift"), [1e-4, -2e-4, 1e-4, -2e-4]);
    assert_eq!(numbers("/entry/widebragg/crystal_frame"), [1.0, 1.0]);
    assert_eq!(numbers("/entry/widebragg/crystal_weight"), [0.5, 0.25]);
    assert_eq!(numbers("/entry/widebragg/crystal_cells"), [9.0, 8.0, 7.5, 9.0, 8.0, 7.5]);
    assert_eq!(numbers("/entry/widebragg/gain_mode_code"), [0.0, 1.0, 3.0]);
    assert_eq!(numbers("/entry/widebragg/gain_mode_adu_per_kev"), [40.0, -1.0, -0.1]);
    assert_eq!(numbers("/entry/widebragg/gain_mode_pedestal"), [2500.0, 15_000.0, 14_000.0]);
    assert_eq!(numbers("/entry/widebragg/gain_mode_readout"), [60.0, 8.0, 7.5]);
    assert_eq!(numbers("/entry/widebragg/gain_mode_switch"), [320.0, 12_000.0]);
    assert_eq!(numbers("/entry/widebragg/laboratory_to_mcstas"), N.as_flattened());
    let turned = product(N, a);
    assert_eq!(numbers("/entry/widebragg/crystal_a_matrix"), [turned, turned].as_flattened().as_flattened());
    assert_eq!(numbers("/entry/widebragg/orientation"), [turned, turned].as_flattened().as_flattened());
    assert_eq!(text("/entry/widebragg/command_line"), "widebragg -cell 50 60 70 90 95 90 -title ?");
    assert_eq!(text("/entry/widebragg/version"), env!("CARGO_PKG_VERSION"));
    assert_eq!(text("/entry/start_time"), "2026-11-22T09:41:27.000Z");
    assert_eq!(text("/entry/end_time_estimated"), "2026-11-22T09:41:28.000Z");
    assert_eq!(text("/entry/sample/depends_on"), ".");
    assert_eq!(numbers("/entry/instrument/detector/count_time"), [0.5]);
}

#[test]
fn the_mask_belongs_to_the_panels() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let mut mask = vec![0; 105];
    // The first pixel of panel 0, and the last two of panel 2.
    (mask[0], mask[103], mask[104]) = (1, 8, 1 << 31);
    let header = NxmxHeader { mask, ..NxmxHeader::new(stills(3), 1) };
    let mut writer = NxmxWriter::create(&path, &header).unwrap();
    writer.write(&[Pixels::I32(&[1; 105])]).unwrap();
    writer.close().unwrap();
    let read = geometry_of_file(&path, 0).unwrap();
    let bad = |panel: usize| -> Vec<usize> {
        let pixels = read.bad_pixels(panel).unwrap().expect("a mask");
        (0..pixels.len()).filter(|&pixel| pixels[pixel]).collect()
    };
    assert_eq!((bad(0), bad(1), bad(2)), (vec![0], vec![], vec![33, 34]));
    assert_eq!(read.warnings, [""; 0]);
}

#[test]
fn masked_pixels_and_counts_below_the_range_are_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let mut mask = vec![0; 35];
    (mask[3], mask[34]) = (1, 1 << 31);
    let header = NxmxHeader { mask, ..NxmxHeader::new(stills(1), 1) };
    let mut pixels: Vec<i32> = (0..35).collect();
    pixels[7] = -5;
    let mut writer = NxmxWriter::create(&path, &header).unwrap();
    writer.write(&[Pixels::I32(&pixels)]).unwrap();
    writer.close().unwrap();
    // The only frame need not be named.
    let read = reader_of(&path).unwrap().read(&path, None).unwrap();
    let gaps: Vec<usize> = (0..35).filter(|&i| read.pixels[i].is_nan()).collect();
    assert_eq!(gaps, [3, 7, 34]);
    assert_eq!(read.pixels[33], 33.0);
    // A tilted panel has its foot elsewhere than the beam, at the same distance along the beam.
    let detector = read.detector;
    assert_eq!(detector, None, "its pixels are not square");
    let square = Geometry { panels: vec![Panel { pixel_m: [1e-4; 2], ..panels(1).remove(0) }], ..stills(1) };
    let mut writer = NxmxWriter::create(&path, &NxmxHeader::new(square, 1)).unwrap();
    writer.write(&[Pixels::I32(&pixels)]).unwrap();
    writer.close().unwrap();
    let detector = reader_of(&path).unwrap().read(&path, None).unwrap().detector.unwrap();
    let along_beam_m = detector.distance_m / (2_f64.to_radians().cos() * 1.0);
    let shift_px = (0..2).map(|i| (detector.beam_px[i] - detector.foot_px[i]).powi(2)).sum::<f64>().sqrt();
    let tilt = (shift_px * detector.pixel_m / detector.distance_m).atan();
    assert!(tilt.to_degrees() < 2.0 && tilt.to_degrees() > 1.0, "{tilt}");
    assert!((along_beam_m - 0.1).abs() < 1e-4, "{along_beam_m}");
}

/// Readout noise makes counts negative.
#[test]
fn negative_counts_are_data_down_to_the_lowest() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let mut mask = vec![0; 35];
    mask[3] = 1;
    let mut pixels: Vec<i32> = (-20..15).collect();
    pixels[7] = -1_000_000;
    for (lowest_count, gaps) in
        [(LOWEST_COUNT, vec![3]), (-1, (0..19).collect()), (-20, vec![3, 7]), (2, (0..22).collect())]
    {
        let header = NxmxHeader { mask: mask.clone(), lowest_count, ..NxmxHeader::new(stills(1), 1) };
        let mut writer = NxmxWriter::create(&path, &header).unwrap();
        writer.write(&[Pixels::I32(&pixels)]).unwrap();
        writer.close().unwrap();
        let read = frame_of(&path, 0);
        let found: Vec<usize> = (0..35).filter(|&i| read.pixels[i].is_nan()).collect();
        assert_eq!(found, gaps, "{lowest_count}");
        assert!((0..35).all(|i| read.pixels[i].is_nan() || read.pixels[i] == pixels[i] as f32));
        assert_eq!(read_nxmx_geometry(&path).unwrap().panels[0].valid[0], Some(lowest_count.into()));
    }
    let header = NxmxHeader { lowest_count: i32::MIN, ..NxmxHeader::new(stills(1), 1) };
    let error = NxmxWriter::create(&path, &header).unwrap_err().to_string();
    assert_eq!(error, format!("{}: cannot write: a lowest count of -2147483648", path.display()));
}

#[test]
fn an_older_file_stays_until_the_new_one_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    fs::write(&path, b"old").unwrap();
    let header = NxmxHeader::new(stills(1), 2);
    let begin = || {
        let mut writer = NxmxWriter::create(&path, &header).unwrap();
        writer.write(&[Pixels::I32(&[1; 35])]).unwrap();
        writer
    };
    let error = begin().close().unwrap_err();
    assert_eq!(error.to_string(), format!("{}: cannot write: 1 of 2 frames were made", path.display()));
    drop(begin());
    let names =
        || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names(), ["a.nxs"]);
    // A process that is killed runs nothing more.
    core::mem::forget(begin());
    assert_eq!(fs::read(&path).unwrap(), b"old");
}

#[test]
fn contradictions_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let whole = NxmxHeader::new(rotation_series(2, 3, 0.1), 3);
    let refused = |change: &dyn Fn(&mut NxmxHeader)| {
        let mut header = whole.clone();
        change(&mut header);
        NxmxWriter::create(&path, &header).unwrap_err().to_string()
    };
    type Change<'a> = (&'static str, &'a dyn Fn(&mut NxmxHeader));
    let changes: [Change<'_>; 13] = [
        ("0 x 0 pixels are not a frame", &|h| h.geometry.panels.clear()),
        ("0 frames", &|h| h.frames = 0),
        ("U8 pixels", &|h| h.pixel_type = PixelType::U8),
        ("2 orientations instead of 3", &|h| h.truth.orientations = vec![N; 2]),
        ("1 wavelengths instead of 3", &|h| h.lambda_m = vec![1e-10]),
        ("5 pixels of the mask instead of 70", &|h| h.mask = vec![0; 5]),
        ("no wavelength", &|h| h.geometry.beam.lambda_m = None),
        ("a wavelength of 0 m", &|h| h.geometry.beam.lambda_m = Some(0.0)),
        ("a scan of 3 frames instead of 4", &|h| h.frames = 4),
        ("a scan without a spindle", &|h| h.geometry.spindle = None),
        ("its beam has no direction", &|h| h.geometry.beam.direction = [0.0; 3]),
        ("a panel without a place", &|h| h.geometry.panels[1].origin_m[0] = f64::NAN),
        ("panels with different sensors", &|h| h.geometry.panels[1].sensor = None),
    ];
    for (what, change) in changes {
        let expected = format!("{}: cannot write: {what}", path.display());
        assert_eq!(refused(change), expected);
    }
    let mut writer = NxmxWriter::create(&path, &whole).unwrap();
    assert!(
        writer
            .write(&[Pixels::F32(&[0.0; 70])])
            .unwrap_err()
            .to_string()
            .contains("F32 pixels instead of I32")
    );
    assert!(
        writer
            .write(&[Pixels::I32(&[0; 35])])
            .unwrap_err()
            .to_string()
            .contains("35 pixels instead of 7 x 10")
    );
    drop(writer);
    assert!(!path.exists());
    assert!(
        NxmxWriter::create(Path::new("/dev/null"), &whole).unwrap_err().to_string().contains("ordinary file")
    );
}

#[test]
fn a_series_is_made_in_any_order_and_joined_once_it_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.nxs");
    fs::write(&path, b"old").unwrap();
    for compression in COMPRESSIONS {
        let header = NxmxHeader { compression, ..NxmxHeader::new(rotation_series(4, 6, 0.1), 6) };
        let identity = format!("{compression:?}");
        let series = || NxmxSeries::new(&path, header.clone(), &identity).unwrap();
        let old = fs::read(&path).unwrap();
        for frame in [5, 0, 3] {
            series().add(frame, Pixels::I32(&counts(frame, 140))).unwrap();
        }
        let earlier = series().earlier(0..6).unwrap();
        assert_eq!([0, 1, 3, 5].map(|frame| earlier.has(frame)), [true, false, true, true]);
        assert_eq!(series().finish(), Ok(Joined::Waiting));
        assert_eq!(fs::read(&path).unwrap(), old);
        for frame in [2, 4, 1] {
            series().add(frame, Pixels::I32(&counts(frame, 140))).unwrap();
        }
        // Jobs that find all frames at the same time.
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(series().finish(), Ok(Joined::Complete { frames: 6 })));
            }
        });
        assert!(!series().folder().exists());
        let earlier = series().earlier(0..6).unwrap();
        assert!((0..6).all(|frame| earlier.has(frame)) && earlier.warnings.is_empty());
        assert_holds(&path, 6);
        let straight = folder.path().join("straight.nxs");
        let member = Membership { series: &identity, first_frame: 0 };
        let mut writer = NxmxWriter::of_series(&straight, &header, member).unwrap();
        for frame in 0..6 {
            writer.write(&[Pixels::I32(&counts(frame, 140))]).unwrap();
        }
        writer.close().unwrap();
        assert!(fs::read(&straight).unwrap() == fs::read(&path).unwrap(), "the same bytes either way");
        assert!(series().add(6, Pixels::I32(&[0; 140])).is_err());
    }
}

const TWO_STAGES: [StageArray; 2] =
    [StageArray { name: "photons", unit: "photons" }, StageArray { name: "read_out", unit: "ADU" }];

/// A series with two images beside the data.
fn series_with_stages(path: &Path, compression: Compression) -> NxmxSeries {
    let stages = TWO_STAGES.to_vec();
    let header = NxmxHeader { compression, stages, ..NxmxHeader::new(rotation_series(4, 6, 0.1), 6) };
    NxmxSeries::new(path, header, "s").unwrap()
}

/// Adds a frame with images of its own.
fn add_with_stages(series: &NxmxSeries, frame: usize) {
    let stages = [frame + 10, frame + 20].map(|frame| series.stage_image(&photons(frame, 140)).unwrap());
    series.add_with_stages(frame, Pixels::I32(&counts(frame, 140)), &stages).unwrap();
}

/// Whether the frames and their images are those of [`add_with_stages`].
fn assert_holds_stages(path: &Path, frames: usize) {
    assert_holds(path, frames);
    for (stage, shift) in TWO_STAGES.into_iter().zip([10, 20]) {
        for frame in 0..frames {
            let name = format!("{}:/entry/widebragg/stages/{}:{frame}", path.display(), stage.name);
            let read = reader_of(Path::new(&name)).unwrap().read(Path::new(&name), None).unwrap().pixels;
            let expected = photons(frame + shift, 140).into_iter().map(bits).collect::<Vec<_>>();
            assert_eq!(read.into_iter().map(bits).collect::<Vec<_>>(), expected, "{} {frame}", stage.name);
        }
    }
}

#[test]
fn images_of_stages_are_kept_with_their_frames() {
    for compression in COMPRESSIONS {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stages.nxs");
        let series = series_with_stages(&path, compression);
        let data = Pixels::I32(&[1; 140]);
        let error = series.add(0, data).unwrap_err().to_string();
        assert!(error.ends_with("a frame of 1 images instead of 3"), "{error}");
        let error = series.stage_image(&[1.0; 7]).unwrap_err().to_string();
        assert!(error.ends_with("a frame of 7 pixels instead of 7 x 20"), "{error}");
        for frame in [4, 2] {
            add_with_stages(&series, frame);
        }
        // A part that ends early, or in another place than it says, is damaged.
        let part = series.folder().join("000005.part");
        let whole = fs::read(&part).unwrap();
        fs::write(&part, &whole[..whole.len() - 1]).unwrap();
        let earlier = series.earlier(0..6).unwrap();
        assert_eq!([2, 4].map(|frame| earlier.has(frame)), [true, false]);
        (0..6).filter(|&frame| !earlier.has(frame)).for_each(|frame| add_with_stages(&series, frame));
        assert_eq!(series.finish(), SIX);
        assert_holds_stages(&path, 6);
        let file = Hdf5File::open(&path).unwrap();
        assert_eq!(file.array("/entry/widebragg/stages/photons").unwrap().unwrap().shape, [6, 20, 7]);

        // A frame that is made again in a finished file, by another compression.
        let other = series_with_stages(&path, Compression::Gzip);
        add_with_stages(&other, 3);
        assert_eq!(other.finish(), SIX);
        assert_holds_stages(&path, 6);

        // Several files and their master.
        let path = folder.path().join("master.nxs");
        let series = series_with_stages(&path, compression).in_files_of(4);
        (0..6).for_each(|frame| add_with_stages(&series, frame));
        assert_eq!(series.finish(), SIX);
        assert_holds_stages(&path, 6);
    }
}

#[test]
fn images_of_stages_have_names_of_their_own() {
    let path = Path::new("never_written.nxs");
    let stage = |name| StageArray { name, unit: "" };
    for stages in [vec![stage("")], vec![stage("a/b")], vec![stage("a"), stage("a")]] {
        let header = NxmxHeader { stages, ..NxmxHeader::new(stills(1), 1) };
        let error = NxmxSeries::new(path, header, "").unwrap_err().to_string();
        assert!(error.contains("an image named"), "{error}");
    }
    // Without a series there are no images beside the data.
    let folder = tempfile::tempdir().unwrap();
    let header = NxmxHeader { stages: vec![stage("a")], ..NxmxHeader::new(stills(1), 1) };
    let mut writer = NxmxWriter::create(&folder.path().join("a.nxs"), &header).unwrap();
    let error = writer.write(&[Pixels::I32(&[0; 35])]).unwrap_err().to_string();
    assert!(error.ends_with("a frame of 1 images instead of 2"), "{error}");
}

/// Whether the frames of a file are the `frames` of [`counts`].
fn assert_holds(path: &Path, frames: usize) {
    for frame in 0..frames {
        let read = frame_of(path, frame).pixels;
        assert_eq!(read.into_iter().map(bits).collect::<Vec<_>>(), expected(&counts(frame, 140)), "{frame}");
    }
}

/// A series of `frames` frames of 140 pixels.
fn series_of(path: &Path, frames: usize) -> NxmxSeries {
    let header = NxmxHeader::new(rotation_series(4, frames, 0.1), frames);
    NxmxSeries::new(path, header, "a").unwrap()
}

/// Makes the frames of a series that are not there, and returns their numbers.
fn resumed(series: &NxmxSeries, frames: usize) -> Vec<usize> {
    let earlier = series.earlier(0..frames).unwrap();
    let wanted: Vec<usize> = (0..frames).filter(|&frame| !earlier.has(frame)).collect();
    for &frame in &wanted {
        series.add(frame, Pixels::I32(&counts(frame, 140))).unwrap();
    }
    wanted
}

const SIX: Result<Joined, crate::failure::Failure> = Ok(Joined::Complete { frames: 6 });

#[test]
fn parts_that_are_damaged_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.nxs");
    let series = series_of(&path, 6);
    assert_eq!(resumed(&series, 6).len(), 6);
    let part = |number: usize| series.folder().join(format!("{number:06}.part"));
    let whole = fs::read(part(2)).unwrap();
    for (number, bytes) in [(2, &whole[..whole.len() / 2]), (3, &whole[..10]), (4, b"")] {
        fs::write(part(number), bytes).unwrap();
    }
    let mut flipped = fs::read(part(6)).unwrap();
    flipped[40] ^= 1;
    fs::write(part(6), flipped).unwrap();
    let warnings = series.earlier(0..6).unwrap().warnings;
    let expected = format!("{}: damaged, to be made again: frames 2 to 4, 6", series.folder().display());
    assert_eq!(warnings, [expected]);
    // A job that does not make these frames leaves them to the next.
    assert_eq!(series.finish(), Ok(Joined::Damaged(1)));
    assert!(!part(2).exists() && part(3).exists());
    assert_eq!(resumed(&series, 6), [1, 2, 3, 5]);
    assert_eq!(series.finish(), SIX);
    assert_holds(&path, 6);
}

#[test]
fn a_finished_file_is_repaired_and_never_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.nxs");
    let six = series_of(&path, 6);
    resumed(&six, 6);
    assert_eq!(six.finish(), SIX);
    let bytes = fs::read(&path).unwrap();

    // A shorter series finds its frames, and leaves the file alone.
    let three = series_of(&path, 3);
    assert_eq!((resumed(&three, 3), three.finish()), (vec![], SIX));
    assert!(fs::read(&path).unwrap() == bytes);
    let anew = three.check_anew().unwrap_err().to_string();
    assert!(
        anew.ends_with("has 6 frames of this series, and would be shortened to 3; resume it, or remove it"),
        "{anew}"
    );
    assert_eq!(six.check_anew(), Ok(()));

    // A longer one adds to them.
    let eight = series_of(&path, 8);
    assert_eq!((resumed(&eight, 8), eight.finish()), (vec![6, 7], Ok(Joined::Complete { frames: 8 })));
    assert_holds(&path, 8);

    // One frame that cannot be unpacked.
    fs::write(&path, &bytes).unwrap();
    let member = Membership { series: "a", first_frame: 0 };
    let header = NxmxHeader::new(rotation_series(4, 6, 0.1), 6);
    let checked = Checked::new(&header).unwrap();
    let mut writer = NxmxWriter::of_series(&path, &header, member).unwrap();
    for frame in 0..6 {
        let chunk = checked.chunk(&Pixels::I32(&counts(frame, 140))).unwrap().into_bytes().unwrap();
        let damaged = &chunk[..chunk.len() / 2];
        writer.write_chunks(&[if frame == 4 { damaged } else { &chunk }]).unwrap();
    }
    writer.close().unwrap();
    let refused = series_of(&path, 5).earlier(0..5).unwrap_err().to_string();
    assert!(
        refused.ends_with("damaged: frame 5 of its 6; only a run of the whole series can make it anew"),
        "{refused}"
    );
    let warnings = six.earlier(0..6).unwrap().warnings;
    assert_eq!(warnings, [format!("{}: damaged, to be made again: frame 5", path.display())]);
    assert_eq!((resumed(&six, 6), six.finish()), (vec![4], SIX));
    assert!(fs::read(&path).unwrap() == bytes);

    // Files that are cut off, of another shape or of another series are made anew.
    let other = NxmxSeries::new(&path, NxmxHeader::new(stills(1), 6), "a").unwrap();
    let foreign = NxmxSeries::new(&path, header, "b").unwrap();
    for series in [None, Some((other, 35)), Some((foreign, 140))] {
        match series {
            None => fs::write(&path, &bytes[..bytes.len() / 2]).unwrap(),
            Some((series, pixels)) => {
                let pixels = vec![1; pixels];
                (0..6).for_each(|frame| series.add(frame, Pixels::I32(&pixels)).unwrap());
                assert_eq!(series.finish(), SIX);
            }
        }
        let warning = &six.earlier(0..6).unwrap().warnings[0];
        assert!(warning.contains("series.nxs: not a readable file of this series"), "{warning}");
        assert_eq!((resumed(&six, 6).len(), six.finish()), (6, SIX));
        assert!(fs::read(&path).unwrap() == bytes);
    }
}

#[test]
fn compression_may_change_while_a_series_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.nxs");
    for (i, compression) in COMPRESSIONS.into_iter().enumerate() {
        let header = NxmxHeader { compression, ..NxmxHeader::new(rotation_series(4, 6, 0.1), 6) };
        let series = NxmxSeries::new(&path, header, "a").unwrap();
        resumed(&series, 2 * i + 2);
        let is_last = i == 2;
        assert_eq!(series.finish(), if is_last { SIX } else { Ok(Joined::Waiting) });
    }
    assert_holds(&path, 6);
    let kept = series_of(&path, 6).earlier(0..6).unwrap();
    assert_eq!(kept.warnings, [format!("{}: complete, and keeps its compression", path.display())]);
}

#[test]
fn a_series_in_several_files_has_a_master() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("50%b.nxs");
    let series = || series_of(&path, 6).in_files_of(4);
    let data = |number: usize| folder.path().join(format!("50%b_data_{number:06}.nxs"));
    for frame in [5, 4, 3] {
        series().add(frame, Pixels::I32(&counts(frame, 140))).unwrap();
    }
    assert_eq!(series().finish(), Ok(Joined::Waiting));
    assert!(data(2).exists() && !data(1).exists() && !path.exists());
    assert_eq!((resumed(&series(), 6), series().finish()), (vec![0, 1, 2], SIX));
    assert!(!series().folder().exists());
    assert_holds(&path, 6);
    assert_holds(&data(1), 4);
    let scan = read_nxmx_geometry(&data(2)).unwrap().scan.unwrap();
    assert!((scan.start_deg - 12.9).abs() < 1e-12 && scan.frames == 2, "{scan:?}");
    assert_eq!(read_nxmx_geometry(&path).unwrap().scan.unwrap().frames, 6);
    assert_eq!((resumed(&series(), 6), series().finish()), (vec![], SIX));

    // A file that is lost or damaged is made again, and the master stays.
    let master = fs::read(&path).unwrap();
    fs::remove_file(data(2)).unwrap();
    let frame = format!("{}:5", path.display());
    let error = reader_of(Path::new(&frame)).unwrap().read(Path::new(&frame), None).unwrap_err().to_string();
    let expected = "50%b.nxs: /entry/data/data: its frame is in another file: ";
    assert!(error.contains(expected) && error.contains("50%b_data_000002.nxs: cannot read: "), "{error}");
    fs::write(data(1), b"\x89HDF\r\n\x1a\n").unwrap();
    assert_eq!((resumed(&series(), 6).len(), series().finish()), (6, SIX));
    assert!(fs::read(&path).unwrap() == master);
    assert_holds(&path, 6);

    // A file that is not of a series may be raw data.
    let own = fs::read(data(2)).unwrap();
    let foreign = || {
        write_example(&data(2));
        fs::read(data(2)).unwrap()
    };
    for other in [foreign(), b"text".to_vec()] {
        fs::write(data(2), other).unwrap();
        for outcome in [series().check_anew(), series().earlier(0..6).map(drop)] {
            let error = outcome.unwrap_err().to_string();
            let expected =
                "000002.nxs: is in the place of a file of the series, and is not replaced; move it";
            assert!(error.ends_with(expected), "{error}");
        }
    }
    fs::write(data(2), own).unwrap();

    // Longer, and with another number of frames.
    let longer = series_of(&path, 9).in_files_of(4);
    assert_eq!((resumed(&longer, 9), longer.finish()), (vec![6, 7, 8], Ok(Joined::Complete { frames: 9 })));
    assert_holds(&path, 9);
    let other = series_of(&path, 9).in_files_of(3).earlier(0..9).unwrap_err().to_string();
    let expected = "50%b_data_000002.nxs: begins with frame 5 of the series, not with frame 4: its files were begun \
                    with another number of frames";
    assert!(other.ends_with(expected), "{other}");
}

#[test]
fn parts_of_another_series_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("series.nxs");
    let series = NxmxSeries::new(&path, NxmxHeader::new(stills(1), 1), "a").unwrap();
    series.add(0, Pixels::I32(&[3; 35])).unwrap();
    let float = NxmxHeader { pixel_type: PixelType::F32, ..NxmxHeader::new(stills(1), 1) };
    for (header, identity) in [(float, "a"), (NxmxHeader::new(stills(1), 1), "b")] {
        let other = NxmxSeries::new(&path, header, identity).unwrap();
        for outcome in [other.check_anew(), other.earlier(0..1).map(drop), other.finish().map(drop)] {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("000001.part: a frame of another series; remove "), "{error}");
        }
    }
    assert_eq!(series.finish(), Ok(Joined::Complete { frames: 1 }));
    fs::write(series.folder(), b"a file").unwrap();
    let error = series.check_anew().unwrap_err().to_string();
    assert!(
        error.ends_with("series.nxs.parts: not a folder; frames are kept in one of this name"),
        "{error}"
    );
}

#[test]
fn readers_take_the_name_of_a_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let mut writer = NxmxWriter::create(&path, &NxmxHeader::new(stills(1), 2)).unwrap();
    writer.write(&[Pixels::I32(&[1; 35]), Pixels::I32(&[2; 35])]).unwrap();
    writer.close().unwrap();
    let read = |rest: &str| {
        let name = format!("{}{rest}", path.display());
        let name = Path::new(&name);
        reader_of(name)?.read(name, None).map(|image| image.pixels[0])
    };
    assert_eq!(read(":1"), Ok(2.0));
    assert_eq!(read(":/entry/data/data:0"), Ok(1.0));
    assert_eq!(read(":/entry/instrument/detector/data:1"), Ok(2.0));
    let error = |rest: &str| read(rest).unwrap_err().to_string().replace(&path.display().to_string(), "FILE");
    assert_eq!(error(""), "FILE: /entry/data/data: has 2 frames; name one of 0 to 1: FILE:0");
    assert_eq!(error(":2"), "FILE: /entry/data/data: has 2 frames, from 0 to 1; there is no 2");
    assert_eq!(error(":/entry/none:0"), "FILE: no array /entry/none in it");
    assert_eq!(error(":/entry/definition"), "FILE: /entry/definition: not numbers but texts");
    assert_eq!(
        error(":/entry/data/data:second"),
        "FILE: no array /entry/data/data:second in it, and \"second\" is not the number of a frame"
    );
    fs::write(&path, b"{\nHEADER_BYTES=512;\n}").unwrap();
    assert_eq!(error(":2"), "FILE: not an HDF5 file; FILE:2 would be a frame of one");
}

/// An NXmx file as another program would write it: lengths in mm, texts of variable length, a detector that swings and
/// a crystal on a goniometer of three axes.
struct Foreign {
    file: rust_hdf5::H5File,
}

impl Foreign {
    fn create(path: &Path) -> Self {
        let file = rust_hdf5::H5File::create(path).unwrap();
        let group = |name: &str, class: &str| {
            file.create_group(name).unwrap().set_attr_string("NX_class", class).unwrap();
        };
        for (name, class) in [
            ("run", "NXentry"),
            ("run/instrument", "NXinstrument"),
            ("run/instrument/beam", "NXbeam"),
            ("run/instrument/eiger", "NXdetector"),
            ("run/instrument/eiger/axes", "NXtransformations"),
            ("run/instrument/eiger/panel", "NXdetector_module"),
            ("run/sample", "NXsample"),
            ("run/sample/axes", "NXtransformations"),
        ] {
            group(name, class);
        }
        let foreign = Self { file };
        foreign.axis("run/instrument/eiger/axes/two_theta", &[90.0], "rotation", [0.0, 2.0, 0.0], ".", "deg");
        foreign.axis(
            "run/instrument/eiger/axes/det_z",
            &[150.0],
            "translation",
            [0.0, 0.0, 3.0],
            "two_theta",
            "mm",
        );
        let chain = "/run/instrument/eiger/axes/det_z";
        foreign.axis(
            "run/instrument/eiger/panel/module_offset",
            &[0.0],
            "translation",
            [1.0, 0.0, 0.0],
            chain,
            "mm",
        );
        let (fast, slow) = (
            "run/instrument/eiger/panel/fast_pixel_direction",
            "run/instrument/eiger/panel/slow_pixel_direction",
        );
        foreign.axis(fast, &[0.075], "translation", [-1.0, 0.0, 0.0], "module_offset", "mm");
        foreign.axis(slow, &[0.05], "translation", [0.0, -1.0, 0.0], "module_offset", "mm");
        foreign.integers("run/instrument/eiger/panel/data_size", &[4, 5]);
        foreign.integers("run/instrument/eiger/panel/data_origin", &[1, 2]);
        foreign.axis("run/sample/axes/phi", &[0.0], "rotation", [-1.0, 0.0, 0.0], "chi", "deg");
        foreign.axis("run/sample/axes/chi", &[45.0], "rotation", [0.0, 0.0, 1.0], "omega", "deg");
        foreign.axis("run/sample/axes/omega", &[5.0, 5.5, 6.0], "rotation", [-1.0, 0.0, 0.0], ".", "deg");
        let depends_on = foreign.file.root_group().group("run/sample").unwrap();
        depends_on.write_vlen_strings("depends_on", &["axes/phi"]).unwrap();
        foreign
    }

    fn wavelength(&self, value: f64, units: &str) {
        let set = self
            .file
            .new_dataset::<f64>()
            .shape([1])
            .create("run/instrument/beam/incident_wavelength")
            .unwrap();
        set.write_raw(&[value]).unwrap();
        set.new_attr::<rust_hdf5::VarLenUnicode>()
            .shape(())
            .create("units")
            .unwrap()
            .write_string(units)
            .unwrap();
    }

    fn integers(&self, name: &str, values: &[u16]) {
        self.file.new_dataset::<u16>().shape([values.len()]).create(name).unwrap().write_raw(values).unwrap();
    }

    fn axis(&self, name: &str, values: &[f64], kind: &str, vector: Vector, depends_on: &str, units: &str) {
        let set = self.file.new_dataset::<f64>().shape([values.len()]).create(name).unwrap();
        set.write_raw(values).unwrap();
        for (name, text) in [("transformation_type", kind), ("depends_on", depends_on), ("units", units)] {
            set.new_attr::<rust_hdf5::VarLenUnicode>()
                .shape(())
                .create(name)
                .unwrap()
                .write_string(text)
                .unwrap();
        }
        set.new_attr::<f64>().shape([3]).create("vector").unwrap().write_array(&vector).unwrap();
        if name.ends_with("module_offset") {
            set.new_attr::<f64>()
                .shape([3])
                .create("offset")
                .unwrap()
                .write_array(&[200.0, 0.0, 0.0])
                .unwrap();
            let units = set.new_attr::<rust_hdf5::VarLenUnicode>().shape(()).create("offset_units").unwrap();
            units.write_string("um").unwrap();
        }
    }
}

#[test]
fn chains_of_other_programs_are_followed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let foreign = Foreign::create(&path);
    foreign.wavelength(110.0, "pm");
    foreign.file.close().unwrap();
    let geometry = read_nxmx_geometry(&path).unwrap();
    let [panel] = &geometry.panels[..] else { panic!("{:?}", geometry.panels) };
    assert_eq!((panel.name.as_str(), panel.pixels, panel.data_origin), ("panel", [5, 4], [2, 1]));
    assert!((panel.pixel_m[0] - 75e-6).abs() < 1e-18 && (panel.pixel_m[1] - 50e-6).abs() < 1e-18);
    // Two theta of 90 degrees about y takes z to x and x to -z.
    assert!(distance(panel.origin_m, [0.15, 0.0, -2e-4]) < 1e-16);
    assert!(distance(panel.fast, [0.0, 0.0, 1.0]) < 1e-15);
    assert!(distance(panel.slow, [0.0, -1.0, 0.0]) < 1e-15);
    assert_eq!((&panel.sensor, panel.valid), (&None, [None, None]));
    assert!((geometry.beam.lambda_m.unwrap() - 1.1e-10).abs() < 1e-24);
    assert_eq!(geometry.spindle, Some([-1.0, 0.0, 0.0]));
    let scan = geometry.scan.unwrap();
    assert_eq!((scan.frames, scan.start_deg, scan.width_deg, scan.exposure_s), (3, 5.0, 0.5, None));
}

#[test]
fn broken_chains_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.nxs");
    let error = |change: &dyn Fn(&Foreign)| {
        let foreign = Foreign::create(&path);
        change(&foreign);
        foreign.file.close().unwrap();
        read_nxmx_geometry(&path).unwrap_err().to_string().replace(&path.display().to_string(), "FILE")
    };
    assert_eq!(error(&|_| {}), "FILE: not a file of NXmx: it has no incident_wavelength");
    assert_eq!(
        error(&|file| file.wavelength(1.0, "furlong")),
        "FILE: /run/instrument/beam/incident_wavelength: not a wavelength"
    );
    let again = |name: &str, depends_on: &str, units: &str| {
        let (name, depends_on, units) = (name.to_owned(), depends_on.to_owned(), units.to_owned());
        move |file: &Foreign| {
            file.file.delete_dataset(&name).unwrap();
            file.axis(&name, &[1.0], "translation", [1.0, 0.0, 0.0], &depends_on, &units);
        }
    };
    assert_eq!(
        error(&again("run/instrument/eiger/axes/det_z", "/run/instrument/eiger/panel/module_offset", "mm")),
        "FILE: /run/instrument/eiger/panel/module_offset: its chain of transformations goes round in a circle"
    );
    assert_eq!(
        error(&again("run/instrument/eiger/axes/det_z", "lift", "mm")),
        "FILE: /run/instrument/eiger/axes/lift: a transformation that is not there"
    );
    assert_eq!(
        error(&again("run/instrument/eiger/axes/det_z", ".", "parsec")),
        "FILE: /run/instrument/eiger/axes/det_z: a transformation without units that are known"
    );
    let plain = rust_hdf5::H5File::create(&path).unwrap();
    plain.close().unwrap();
    let failure = read_nxmx_geometry(&path).unwrap_err().to_string();
    assert_eq!(failure, format!("{}: not a file of NXmx: it has no NXentry", path.display()));
    fs::write(&path, b"text").unwrap();
    let failure = read_nxmx_geometry(&path).unwrap_err().to_string();
    assert_eq!(failure, format!("{}: not an HDF5 file", path.display()));
}

/// A direction.
fn direction() -> impl Strategy<Value = Vector> {
    [-1.0..1.0, -1.0..1.0, -1.0..1.0].prop_filter_map("a direction", crate::geometry::vectors::unit)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Distances between the corners of panels, and from them to the sample, do not depend on the frame.
    #[test]
    fn panels_keep_their_places_in_any_laboratory(
        beam in direction(),
        spindle in direction(),
        frame in prop_oneof![Just(Frame::Dials), Just(Frame::McStas), Just(Frame::Xds), Just(Frame::Mosflm)],
        axes in proptest::collection::vec((direction(), -180.0..180.0), 1..4),
        origin_m in [-0.5..0.5, -0.5..0.5, -0.5..0.5],
    ) {
        let panels = axes.iter().enumerate().map(|(i, &(axis, angle_deg))| {
            let turn = rotation(axis, angle_deg);
            let place = apply(turn, origin_m);
            Panel { origin_m: place, fast: apply(turn, [1.0, 0.0, 0.0]), slow: apply(turn, [0.0, 1.0, 0.0]),
                data_origin: [0, 5 * i], ..panels(1).remove(0) }
        });
        let panels: Vec<Panel> = panels.collect();
        let scan = Some(Scan { first: 1, frames: 2, start_deg: 1.0, width_deg: 0.1, exposure_s: None });
        let beam = Beam { direction: beam, ..stills(1).beam };
        let given = Geometry { frame, beam, panels, spindle: Some(spindle), scan, crystal: None };
        let read = read_back(&NxmxHeader::new(given.clone(), 2));
        let points = |geometry: &Geometry| -> Vec<Vector> {
            let corner = |panel: &Panel, [f, s]: [f64; 2]| plus(plus(panel.origin_m, f, panel.fast), s, panel.slow);
            let corners = [[0.0, 0.0], [0.3, 0.0], [0.0, 0.2]];
            let corners = geometry.panels.iter().flat_map(|panel| corners.map(|at| corner(panel, at)));
            corners.chain([geometry.beam.direction, geometry.spindle.unwrap(), [0.0; 3]]).collect()
        };
        let (before, after) = (points(&given), points(&read));
        for i in 0..before.len() {
            for j in 0..i {
                let difference = distance(before[i], before[j]) - distance(after[i], after[j]);
                prop_assert!(difference.abs() < 1e-12, "{i} {j} {difference}");
            }
        }
    }
}
