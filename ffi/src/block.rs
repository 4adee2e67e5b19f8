//! Blocks of the caller's memory that hold an object of the library: a tagged header, then its arrays.
//!
//! A block starts at a multiple of [`WB_ALIGNMENT`]. So does each of its arrays.

use core::ffi::c_void;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use crate::memory::{Output, Region};
use crate::status::{Failure, WB_MISALIGNED, WB_MOVED, WB_NOT_MADE};

/// The alignment of the memory of scenes, carryovers and turns.
pub const WB_ALIGNMENT: usize = 64;

/// The header of a block, which its first field identifies.
///
/// # Safety
/// The type is `repr(C)`, its alignment is at most [`WB_ALIGNMENT`], and its first field is a `u64` that is
/// `TAG` in every value of the type.
pub(crate) unsafe trait Header {
    /// Identifies blocks of this type.
    const TAG: u64;
    /// The name of such an object in failures.
    const NAME: &'static str;

    /// The address at which the object was made, if it holds pointers into its own block and so is valid
    /// nowhere else.
    fn made_at(&self) -> Option<usize> {
        None
    }
}

/// The header of an object made by this library; a copy of an object that is valid only where it was made is
/// rejected.
///
/// # Safety
/// `start` is NULL, misaligned, or points to a block that holds an object of this library; of other memory,
/// the first eight bytes are initialised. During `'a` the header is not written.
pub(crate) unsafe fn header<'a, T: Header>(start: *const T) -> Result<&'a T, Failure> {
    Region::new(start, 1, T::NAME)?;
    // SAFETY: `Region::new` found `start` not NULL and aligned for `T`, whose first field is a `u64`, so for
    // a `u64` as well. The caller guarantees that the eight bytes there are initialised and not written
    // meanwhile.
    let tag = unsafe { start.cast::<u64>().read() };
    if tag != T::TAG {
        return Err(Failure::new(WB_NOT_MADE, T::NAME));
    }
    // SAFETY: `start` is not NULL and is aligned, as above. The tag is that of `T`, so the function that
    // makes such objects has written a `T` there; the caller guarantees that it is not written during 'a.
    let header = unsafe { &*start };
    if header.made_at().is_some_and(|made| made != start.addr()) {
        return Err(Failure::new(WB_MOVED, T::NAME));
    }
    Ok(header)
}

/// Checks the memory in which an object is to be made.
pub(crate) fn block(memory: *mut c_void, bytes: usize) -> Result<Output<u8>, Failure> {
    let block = Output::array(memory.cast::<u8>(), bytes, "memory")?;
    if memory.addr().is_multiple_of(WB_ALIGNMENT) {
        Ok(block)
    } else {
        Err(Failure::new(WB_MISALIGNED, "memory"))
    }
}

/// The layout of a block, to which arrays are added one by one.
#[derive(Debug)]
pub(crate) struct Layout {
    end: usize,
}

impl Layout {
    /// A block that starts with a header of type `T`.
    pub(crate) const fn of<T: Header>() -> Self {
        Self { end: size_of::<T>() }
    }

    /// Adds an array of `len` elements; `None` if the block exceeds the address space.
    pub(crate) fn array<T>(&mut self, len: usize) -> Option<Array<T>> {
        const { assert!(align_of::<T>() <= WB_ALIGNMENT) };
        let offset = self.end.checked_next_multiple_of(WB_ALIGNMENT)?;
        self.end = offset.checked_add(len.checked_mul(size_of::<T>())?)?;
        Some(Array { offset, len, element: PhantomData })
    }

    /// The size of the block, a multiple of [`WB_ALIGNMENT`].
    pub(crate) fn bytes(&self) -> Option<usize> {
        self.end.checked_next_multiple_of(WB_ALIGNMENT)
    }
}

/// The position of an array in a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Array<T> {
    /// Bytes from the start of the block.
    offset: usize,
    len: usize,
    element: PhantomData<T>,
}

impl<T> Array<T> {
    /// A pointer to the first element.
    ///
    /// # Safety
    /// `block` points to a block of the layout that this array was added to.
    unsafe fn start(&self, block: *mut u8) -> *mut T {
        // SAFETY: the layout places the array inside the block, whose memory the caller guarantees to be one
        // allocation.
        unsafe { block.add(self.offset) }.cast()
    }

    /// The elements, which may be uninitialised.
    ///
    /// # Safety
    /// `block` points to a block of the layout that this array was added to, and is aligned to
    /// [`WB_ALIGNMENT`]. During `'a` the array is accessed through this slice alone.
    pub(crate) unsafe fn uninit<'a>(&self, block: *mut u8) -> &'a mut [MaybeUninit<T>] {
        // SAFETY: `block` points to a block of this layout, as the caller guarantees.
        let start = unsafe { self.start(block) };
        // SAFETY: `start` is not NULL, and aligned because block and offset are multiples of WB_ALIGNMENT.
        // `len` elements from there lie inside the block, apart from its other arrays. A `MaybeUninit` needs
        // no initialisation, and the caller guarantees that nothing else accesses the elements during 'a.
        unsafe { core::slice::from_raw_parts_mut(start.cast(), self.len) }
    }

    /// The elements of an array that has been filled, to be read.
    ///
    /// # Safety
    /// As for [`Array::uninit`]; in addition, during `'a` the elements are initialised and not written.
    pub(crate) unsafe fn slice<'a>(&self, block: *const u8) -> &'a [T] {
        // SAFETY: `block` points to a block of this layout, as the caller guarantees.
        let start = unsafe { self.start(block.cast_mut()) };
        // SAFETY: `start` is not NULL and aligned, and `len` elements from there lie inside the block, as in
        // `uninit`; the caller guarantees that they are initialised and not written during 'a.
        unsafe { core::slice::from_raw_parts(start, self.len) }
    }

    /// The elements of an array that has been filled, to be updated.
    ///
    /// # Safety
    /// As for [`Array::uninit`]; in addition, the elements are initialised.
    pub(crate) unsafe fn initialised<'a>(&self, block: *mut u8) -> &'a mut [T] {
        // SAFETY: `block` points to a block of this layout, as the caller guarantees.
        let start = unsafe { self.start(block) };
        // SAFETY: `start` is not NULL and aligned, and `len` elements from there lie inside the block, as in
        // `uninit`; the caller guarantees that they are initialised and that nothing else accesses them
        // during 'a.
        unsafe { core::slice::from_raw_parts_mut(start, self.len) }
    }
}
