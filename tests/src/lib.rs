//! What every crate of this workspace is checked against: a scalar oracle, golden figures, random command lines.
//!
//! * [`oracle`]: the whole reference in plain scalar f64, in the reference's serial order. It shares no code with the
//!   kernel, so that an error in one does not hide in the other.
//! * [`golden`]: images, function tables and traces produced by running the reference (folder `golden/`).
//! * [`compare`]: how far two images or two numbers are apart, and how far they may be.
//! * [`deviates`]: random numbers that are the same at every run.
//! * [`commands`]: a `proptest` strategy of valid command lines over the whole option space.
//! * [`program`]: the `widebragg` program itself, run in a temporary folder.
//! * [`fault`]: the same under limits, in small or read-only file systems, with signals.
//! * [`scene`]: the oracle's derived values as a scene of the kernel, so that its render loop is compared alone.

#![allow(non_snake_case, reason = "the field's symbols keep their case: N, F_latt, Fbeam, ORGX")]

pub mod commands;
pub mod compare;
pub mod deviates;
pub mod fault;
pub mod golden;
pub mod oracle;
pub mod program;
pub mod scene;
