//! Checked pointers into the caller's memory.
//!
//! [`Input`] and [`Output`] can only be made from pointers that are not NULL, are aligned, and whose elements
//! fit the address space; [`disjoint`] rejects outputs that overlap other memory. What remains for the caller
//! to guarantee is that the elements exist, and that no other thread writes them during the call: each
//! function that follows a pointer says so in its `# Safety` section.
//!
//! Memory to be written may be uninitialised. No reference to a `T` in it exists before its elements are
//! initialised: until then it is a slice of [`MaybeUninit`].

use core::mem::MaybeUninit;

use widebragg::Error;

use crate::status::{Failure, WB_MISALIGNED, WB_NULL_POINTER, WB_OVERLAP, WB_TOO_LARGE};

/// A range of addresses in the caller's memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Region {
    start: usize,
    bytes: usize,
    name: &'static str,
}

impl Region {
    /// The empty region, which overlaps nothing.
    pub(crate) const EMPTY: Self = Self { start: 0, bytes: 0, name: "" };

    /// The region of `len` elements from `start` on. Rejects NULL, misaligned addresses and sizes beyond the
    /// address space.
    pub(crate) fn new<T>(start: *const T, len: usize, name: &'static str) -> Result<Self, Failure> {
        if start.is_null() {
            return Err(Failure::new(WB_NULL_POINTER, name));
        }
        if !start.is_aligned() {
            return Err(Failure::new(WB_MISALIGNED, name));
        }
        let bytes = len.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
        let end = bytes.and_then(|bytes| start.addr().checked_add(bytes));
        match (bytes, end) {
            (Some(bytes), Some(_)) => Ok(Self { start: start.addr(), bytes, name }),
            _ => Err(Failure::new(WB_TOO_LARGE, name)),
        }
    }

    /// Whether it has no bytes.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    fn overlaps(&self, other: &Self) -> bool {
        let share = self.start < other.start + other.bytes && other.start < self.start + self.bytes;
        self.bytes > 0 && other.bytes > 0 && share
    }
}

/// Rejects outputs that overlap each other or an input; the failure names the first of them.
pub(crate) fn disjoint(outputs: &[Region], inputs: &[Region]) -> Result<(), Failure> {
    for (i, output) in outputs.iter().enumerate() {
        let mut others = outputs.iter().skip(i + 1).chain(inputs);
        if others.any(|other| output.overlaps(other)) {
            return Err(Failure::new(WB_OVERLAP, output.name));
        }
    }
    Ok(())
}

/// An array that a call reads. Its pointer is not NULL and is aligned, and its elements fit the address
/// space.
#[derive(Debug)]
pub(crate) struct Input<T> {
    start: *const T,
    len: usize,
    region: Region,
}

impl<T> Input<T> {
    /// Checks the pointer to an array; `name` is what a failure calls it.
    pub(crate) fn array(start: *const T, len: usize, name: &'static str) -> Result<Self, Failure> {
        Ok(Self { start, len, region: Region::new(start, len, name)? })
    }

    /// Checks the pointer to a single value.
    pub(crate) fn one(start: *const T, name: &'static str) -> Result<Self, Failure> {
        Self::array(start, 1, name)
    }

    /// The memory that is read.
    pub(crate) fn region(&self) -> Region {
        self.region
    }

    /// The elements.
    ///
    /// # Safety
    /// During `'a` the elements lie in one allocation, are initialised, and are not written.
    pub(crate) unsafe fn slice<'a>(&self) -> &'a [T] {
        // SAFETY: `start` is not NULL, is aligned, and the size of `len` elements fits an `isize`: checked by
        // `Region::new`. The caller guarantees that the elements are initialised and unchanged during 'a.
        unsafe { core::slice::from_raw_parts(self.start, self.len) }
    }
}

impl<T: Copy> Input<T> {
    /// A copy of the first element.
    ///
    /// # Safety
    /// The array has at least one element, which is initialised and which no other thread writes meanwhile.
    pub(crate) unsafe fn read(&self) -> T {
        // SAFETY: `start` is not NULL and is aligned: checked by `Region::new`. The caller guarantees that an
        // initialised `T` lies there and that no thread writes it.
        unsafe { self.start.read() }
    }
}

/// An array that a call writes. Its pointer is not NULL and is aligned, and its elements fit the address
/// space.
#[derive(Debug)]
pub(crate) struct Output<T> {
    start: *mut T,
    len: usize,
    region: Region,
}

impl<T> Output<T> {
    /// Checks the pointer to an array; `name` is what a failure calls it.
    pub(crate) fn array(start: *mut T, len: usize, name: &'static str) -> Result<Self, Failure> {
        Ok(Self { start, len, region: Region::new(start, len, name)? })
    }

    /// Checks the pointer to a single value.
    pub(crate) fn one(start: *mut T, name: &'static str) -> Result<Self, Failure> {
        Self::array(start, 1, name)
    }

    /// The memory that is written.
    pub(crate) fn region(&self) -> Region {
        self.region
    }

    /// Writes the first element.
    ///
    /// # Safety
    /// The array has room for at least one element, which no other thread accesses meanwhile and to which no
    /// reference exists.
    pub(crate) unsafe fn write(&self, value: T) {
        // SAFETY: `start` is not NULL and is aligned: checked by `Region::new`. The caller guarantees room
        // for a `T` there that nothing else accesses. What the room held before is overwritten without being
        // read.
        unsafe { self.start.write(value) };
    }

    /// The elements, which may be uninitialised.
    ///
    /// # Safety
    /// During `'a` the array lies in one allocation and is accessed through this slice alone.
    pub(crate) unsafe fn uninit<'a>(&self) -> &'a mut [MaybeUninit<T>] {
        // SAFETY: `start` is not NULL, is aligned for `T` and so for `MaybeUninit<T>`, and the size of `len`
        // elements fits an `isize`: checked by `Region::new`. A `MaybeUninit` needs no initialisation. The
        // caller guarantees that the memory exists and that nothing else accesses it during 'a.
        unsafe { core::slice::from_raw_parts_mut(self.start.cast(), self.len) }
    }

    /// The elements of an array that is updated: read as well as written.
    ///
    /// # Safety
    /// During `'a` the array lies in one allocation, is initialised, and is accessed through this slice
    /// alone.
    pub(crate) unsafe fn initialised<'a>(&self) -> &'a mut [T] {
        // SAFETY: `start` is not NULL, is aligned, and the size of `len` elements fits an `isize`: checked by
        // `Region::new`. The caller guarantees that the elements are initialised and that nothing else
        // accesses them during 'a.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len) }
    }
}

impl<T: Copy> Output<T> {
    /// A copy of the first element of an array that is updated.
    ///
    /// # Safety
    /// The array has at least one element, which is initialised and which no other thread accesses meanwhile.
    pub(crate) unsafe fn read(&self) -> T {
        // SAFETY: `start` is not NULL and is aligned: checked by `Region::new`. The caller guarantees that an
        // initialised `T` lies there and that no other thread accesses it.
        unsafe { self.start.read() }
    }
}

/// Sets every element to `value`, after which the array is initialised.
pub(crate) fn filled<T: Copy>(array: &mut [MaybeUninit<T>], value: T) -> &mut [T] {
    array.fill(MaybeUninit::new(value));
    let start = (&raw mut *array) as *mut [T];
    // SAFETY: `start` has address, length and lifetime of `array`, which is borrowed exclusively for as long
    // as the result lives; `MaybeUninit<T>` has the layout of `T`; and all elements have just been
    // initialised.
    unsafe { &mut *start }
}

/// Lets the kernel fill an array that may be uninitialised, and leaves it untouched if the kernel rejects the
/// call.
///
/// `fill` is first called with an empty slice. The kernel checks the length of a buffer last, so whatever
/// else it rejects is known before `value` initialises the array and `fill` is called again.
pub(crate) fn fill_with<T: Copy, R>(
    array: &mut [MaybeUninit<T>],
    value: T,
    mut fill: impl FnMut(&mut [T]) -> Result<R, Error>,
) -> Result<R, Failure> {
    match fill(&mut []) {
        Ok(_) | Err(Error::BufferTooShort { .. }) => Ok(fill(filled(array, value))?),
        Err(rejected) => Err(rejected.into()),
    }
}
