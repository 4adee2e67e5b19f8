//! Memory that calls are pointed into, and what is checked around each call.

use core::ops::Range;
use core::ptr::null_mut;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use widebragg_ffi::status::{WB_LATCH_MISSING, WB_OK};

/// A piece of memory as scenes want it.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq)]
struct Line([u64; 8]);

/// Aligned memory.
pub struct Memory(Vec<Line>);

impl Memory {
    /// `bytes` bytes, filled with the numbers in turn.
    pub fn new(bytes: usize, numbers: &[f64]) -> Self {
        let mut numbers = numbers.iter().cycle().map(|number| number.to_bits());
        let mut line = || Line(core::array::from_fn(|_| numbers.next().unwrap_or(0)));
        Self((0..bytes.div_ceil(64)).map(|_| line()).collect())
    }

    pub fn start(&mut self) -> *mut u8 {
        self.0.as_mut_ptr().cast()
    }

    pub fn bytes(&self) -> usize {
        self.0.len() * 64
    }

    fn content(&self) -> Vec<u8> {
        self.0.iter().flat_map(|line| line.0).flat_map(u64::to_ne_bytes).collect()
    }

    /// A place in it.
    pub fn at<T>(&mut self, place: Place) -> Given<T> {
        let align = align_of::<T>();
        let from = (usize::from(place.at) % self.bytes()) / align * align;
        let room = (self.bytes() - from) / size_of::<T>();
        let len = usize::from(place.len).min(room);
        let start = self.start().wrapping_add(from).cast::<T>();
        let good = Given { start, len, bytes: Some(from..from + len * size_of::<T>()) };
        match place.kind % 16 {
            0 => Given { start: null_mut(), bytes: None, ..good },
            1 if align > 1 && len > 0 => {
                Given { start: start.wrapping_byte_add(1), len: len - 1, bytes: None }
            }
            // No memory is as long as that.
            2 => Given { len: usize::MAX - len, bytes: None, ..good },
            _ => good,
        }
    }

    /// A place for one.
    pub fn one<T>(&mut self, place: Place) -> Given<T> {
        let most = (self.bytes() - size_of::<T>()).min(u16::MAX.into()) as u16;
        let given = self.at(Place { at: place.at.min(most), len: 1, ..place });
        // A length that nobody is told cannot be wrong, and there is room for one everywhere.
        if place.kind % 16 == 2 { self.at(Place { at: place.at.min(most), len: 1, kind: 3 }) } else { given }
    }
}

/// Where a pointer goes, and how many elements are said to be there.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Place {
    at: u16,
    kind: u8,
    len: u8,
}

/// A pointer with its length, and the bytes that it stands for; `None` where it cannot be used.
#[derive(Debug, Clone)]
pub struct Given<T> {
    pub start: *mut T,
    pub len: usize,
    pub bytes: Option<Range<usize>>,
}

impl<T> Given<T> {
    /// The part of it that a call uses.
    pub fn first(&self, count: usize) -> Option<Range<usize>> {
        let bytes = self.bytes.clone()?;
        (count <= self.len).then(|| bytes.start..bytes.start + count * size_of::<T>())
    }
}

/// How long arrays of one length are said to be: as the shortest, or as one that no memory holds.
pub fn common_len(lens: &[usize]) -> usize {
    let absurd = lens.iter().find(|len| isize::try_from(**len).is_err());
    absurd.or(lens.iter().min()).copied().unwrap_or(0)
}

/// Makes a call that writes `outputs` and reads `inputs` of `memory`. Refused, it writes nothing; done, it writes nothing
/// else, and nothing that overlaps.
pub fn call(
    memory: &mut Memory,
    outputs: &[Option<Range<usize>>],
    inputs: &[Option<Range<usize>>],
    call: impl FnOnce() -> i32,
) -> bool {
    let before = memory.content();
    let status = call();
    let after = memory.content();
    assert!((WB_LATCH_MISSING..=WB_OK).contains(&status), "status {status}");
    if status != WB_OK {
        assert!(before == after, "refused with {status}, and yet something was written");
        return false;
    }
    let all = outputs.iter().chain(inputs);
    assert!(all.clone().all(Option::is_some), "done with a pointer that cannot be used");
    let outputs: Vec<Range<usize>> = outputs.iter().flatten().cloned().collect();
    for (i, output) in outputs.iter().enumerate() {
        for other in outputs[i + 1..].iter().chain(inputs.iter().flatten()) {
            let apart = output.is_empty()
                || other.is_empty()
                || output.end <= other.start
                || other.end <= output.start;
            assert!(apart, "done, but {output:?} is written and overlaps {other:?}");
        }
    }
    let changed = before.iter().zip(&after).enumerate().filter(|(_, (old, new))| old != new);
    for (at, _) in changed {
        assert!(
            outputs.iter().any(|output| output.contains(&at)),
            "byte {at} was written, not in {outputs:?}"
        );
    }
    true
}
