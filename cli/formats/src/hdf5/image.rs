//! Frames of HDF5 files as images.

use std::path::Path;

use super::file::{Array, Hdf5File};
use super::number::{Converted, MinusOne};
use super::{MAX_PIXELS, Place, SIGNATURE};
use crate::failure::Failure;
use crate::image::{Counting, FlatDetector, ImageReader, ReadImage};
use crate::memory::reserved;
use crate::nxmx::{Detector, flat_detector, unit};
use crate::text::{in_file, shown};

/// Where files keep their images that name no data of their own.
const USUAL_ARRAYS: [&str; 4] = ["/entry/data/data", "/data/data", "/data", "/images"];

/// The reader of frames.
#[derive(Debug, Clone, Copy)]
pub struct Hdf5;

impl ImageReader for Hdf5 {
    fn name(&self) -> &'static str {
        "HDF5"
    }

    fn recognises(&self, start: &[u8], _: &Path) -> bool {
        start.starts_with(SIGNATURE)
    }

    fn read(&self, path: &Path, _: Option<[usize; 2]>) -> Result<ReadImage, Failure> {
        let place = Place::of(path);
        let file = Hdf5File::open(&place.file)?;
        let (name, array) = array_of(&file, &place)?;
        let frames = Frames::new(&file, &name, array)?;
        let frame = frames.chosen(&place)?;
        let detector = Detector::of_data(&file, &name);
        let least = detector.as_ref().map_or(Ok(None), |detector| detector.least(&file))?;
        let minus_one =
            if least.is_some_and(|least| least <= -1.0) { MinusOne::Count } else { MinusOne::Gap };
        let Converted { mut pixels, rounded } = frames.pixels(frame, minus_one)?;
        let size = [frames.fast, frames.slow];
        if let Some(detector) = &detector {
            detector.mark_gaps(&file, size, &mut pixels)?;
        }
        let saturation = detector.as_ref().and_then(|detector| detector.saturation(&file));
        let detector: Option<FlatDetector> = detector.and_then(|_| flat_detector(&file, size));
        let counting = Counting { offset: Some(0.0), saturation };
        let [fast, slow] = size;
        let unit = unit(&file, &name, frames.array.is_float());
        Ok(ReadImage { fast, slow, pixels, detector, unit, counting, rounded })
    }
}

/// The array that a place names, or else the file's own data.
fn array_of<'a>(file: &'a Hdf5File, place: &Place) -> Result<(String, Array<'a>), Failure> {
    let names = match &place.array {
        Some(name) => vec![name.clone()],
        None => {
            let own = own_data(file).into_iter();
            own.chain(USUAL_ARRAYS.map(str::to_owned)).collect()
        }
    };
    for name in names {
        if let Some(array) = file.array(&name)? {
            return Ok((name, array));
        }
    }
    Err(match &place.array {
        Some(name) => {
            let frame = name.rsplit_once(':').map_or_else(String::new, |(_, frame)| {
                format!(", and {} is not the number of a frame", shown(frame.as_bytes()))
            });
            in_file(&place.file, format!("no array {name} in it{frame}"))
        }
        None => in_file(
            &place.file,
            "does not say which of its arrays are images; name one: FILE:/path:frame, frames from 0",
        ),
    })
}

/// The data that a NeXus file says to show.
fn own_data(file: &Hdf5File) -> Option<String> {
    let named = |group: &str, class: &str| {
        let child = file.text_attribute(group, "default").filter(|child| !child.is_empty());
        let path = child.map(|child| format!("{}/{child}", group.trim_end_matches('/')));
        path.or_else(|| file.of_class(group, class).into_iter().next())
    };
    let entry = named("/", "NXentry")?;
    let data = named(&entry, "NXdata")?;
    let signal = file.text_attribute(&data, "signal").unwrap_or_else(|| "data".to_owned());
    Some(format!("{data}/{signal}"))
}

/// An array as a stack of frames.
struct Frames<'a> {
    file: &'a Hdf5File,
    name: &'a str,
    array: Array<'a>,
    count: usize,
    slow: usize,
    fast: usize,
}

impl<'a> Frames<'a> {
    fn new(file: &'a Hdf5File, name: &'a str, array: Array<'a>) -> Result<Self, Failure> {
        let shape = &array.shape;
        let (count, modules, slow, fast) = match shape[..] {
            [slow, fast] => (1, 1, slow, fast),
            [count, slow, fast] => (count, 1, slow, fast),
            [count, modules, slow, fast] => (count, modules, slow, fast),
            _ => return Err(file.failure(name, format!("not images, but of shape {shape:?}"))),
        };
        let slow = slow.saturating_mul(modules);
        if !slow.checked_mul(fast).is_some_and(|pixels| (1..=MAX_PIXELS).contains(&pixels)) || count == 0 {
            return Err(file.failure(name, format!("an array of shape {shape:?} is not read as images")));
        }
        Ok(Self { file, name, array, count, slow, fast })
    }

    /// The number of the frame that a place names.
    fn chosen(&self, place: &Place) -> Result<usize, Failure> {
        let Self { file, name, count, .. } = self;
        match place.frame {
            Some(frame) if frame >= *count => {
                let has = match count {
                    1 => "1 frame, number 0".to_owned(),
                    _ => format!("{count} frames, from 0 to {}", count - 1),
                };
                Err(file.failure(name, format!("has {has}; there is no {frame}")))
            }
            Some(frame) => Ok(frame),
            None if *count == 1 => Ok(0),
            None => {
                Err(file.failure(name, format!("has {count} frames; name one of 0 to {}: FILE:0", count - 1)))
            }
        }
    }

    fn pixels(&self, frame: usize, minus_one: MinusOne) -> Result<Converted, Failure> {
        let shape = &self.array.shape;
        let (mut start, mut count) = (vec![0; shape.len()], shape.clone());
        if shape.len() > 2 {
            (start[0], count[0]) = (frame, 1);
        }
        let (bytes, number) = self.array.read(&start, &count)?;
        let pixels = reserved(self.slow * self.fast);
        let pixels = pixels.ok_or_else(|| {
            self.file.failure(self.name, format!("no memory for {} x {} pixels", self.fast, self.slow))
        })?;
        let mut converted = Converted { pixels, rounded: 0 };
        number.convert(&bytes, minus_one, &mut converted);
        Ok(converted)
    }
}
