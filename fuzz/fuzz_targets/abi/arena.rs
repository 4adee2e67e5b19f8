//! The memory that the pointers of calls point into, and the checks around each call.

use core::ops::Range;
use core::ptr::null_mut;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use widebragg_ffi::status::{WB_LATCH_MISSING, WB_OK};

/// A piece of memory with the alignment of scenes.
#[repr(C, align(64))]
#[derive(Clone, Copy, PartialEq)]
struct Line([u64; 8]);

/// Aligned memory.
pub struct Memory(Vec<Line>);

impl Memory {
    /// Memory of `bytes` bytes, filled with the numbers in turn.
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

    /// A pointer to an array in this memory.
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
            // A length that no memory has.
            2 => Given { len: usize::MAX - len, bytes: None, ..good },
            _ => good,
        }
    }

    /// A pointer to a single value in this memory.
    pub fn one<T>(&mut self, place: Place) -> Given<T> {
        let most = (self.bytes() - size_of::<T>()).min(u16::MAX.into()) as u16;
        let given = self.at(Place { at: place.at.min(most), len: 1, ..place });
        // The length of a single value is not passed to the call, so it cannot be wrong.
        if place.kind % 16 == 2 { self.at(Place { at: place.at.min(most), len: 1, kind: 3 }) } else { given }
    }
}

/// The address of a pointer, and the length that is passed with it.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub struct Place {
    at: u16,
    kind: u8,
    len: u8,
}

/// A pointer with its length, and the bytes of the array; `None` if the pointer or the length is invalid.
#[derive(Debug, Clone)]
pub struct Given<T> {
    pub start: *mut T,
    pub len: usize,
    pub bytes: Option<Range<usize>>,
}

impl<T> Given<T> {
    /// The number of elements that there is room for.
    pub fn count(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.len() / size_of::<T>())
    }

    /// The bytes of the first `count` elements.
    pub fn first(&self, count: usize) -> Option<Range<usize>> {
        let bytes = self.bytes.clone()?;
        (count <= self.len).then(|| bytes.start..bytes.start + count * size_of::<T>())
    }
}

/// The common length of arrays: that of the shortest, or one that no memory has, if any array has such a
/// length.
pub fn common_len(lens: &[usize]) -> usize {
    let absurd = lens.iter().find(|len| isize::try_from(**len).is_err());
    absurd.or(lens.iter().min()).copied().unwrap_or(0)
}

/// Makes a call that writes `outputs` and reads `inputs` of `memory`, and returns whether it succeeded. A
/// call that fails must write nothing; one that succeeds must write nothing but its outputs, which must not
/// overlap.
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
