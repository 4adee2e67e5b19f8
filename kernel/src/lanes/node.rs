//! The numbers that a table of nodes holds.

use core::fmt::Debug;

/// A number of a table that vectors are loaded from: f64, or f32, which takes half the memory and whose value is
/// exactly `f64::from`.
pub trait Node: level::Node + Copy + Debug + Into<f64> {}

impl Node for f64 {}
impl Node for f32 {}

/// What the levels do with a number of a table. Private, so that no other type can be a [`Node`].
#[cfg(target_arch = "x86_64")]
mod level {
    pub trait Node: crate::lanes::avx2::Node4 + crate::lanes::avx512::Node8 {}
    impl Node for f64 {}
    impl Node for f32 {}
}

#[cfg(not(target_arch = "x86_64"))]
mod level {
    pub trait Node {}
    impl Node for f64 {}
    impl Node for f32 {}
}
