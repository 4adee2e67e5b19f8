//! The pixel loop of widebragg on other processors than the CPU, such as GPUs.
//!
//! Nothing of the physics is written here. The kernel's formulas ([`widebragg::formulas`]) run on a level whose vectors are
//! symbols, which leaves a tape of operations; printers turn tapes into functions of OpenCL C, CUDA C and WGSL; some 100 lines of
//! each language, written by hand, are the loops around them and the loads of tables.
//!
//! ```text
//! formulas --symbol--> tape --recorded--> functions of groups of numbers
//!     --text-->         programs: one for each lattice factor and lookup                       OpenCL C, CUDA C, WGSL
//!     --interpreter-->  values, operation by operation: what every device must give           interpreted
//! scene --tables--> numbers --drivers--> pixels of rows --device--> the pixels of a panel, after a self-test
//! ```
//!
//! **Bits.** A program has the operations of the processor in their order, so that an image has the bits of the SIMD level
//! that rounds alike: AVX2 where products and sums are fused (OpenCL, CUDA), the portable level where they are not (Vulkan).
//! Compilers may neither fuse nor reorder; a device that does fails its [`self_test`].
//!
//! **Programs.** There are 13, of 30 to 40 kB. Numbers of a scene are arguments of them; rules, layers and subpixels are
//! branches and loops at run time.
//!
//! **What runs elsewhere.** Derivatives, pixels of the carryover's streams and those with an index that is exactly an integer are
//! the processor's ([`Scene::complete_rows`](widebragg::scene::Scene::complete_rows)). Lists of spots
//! ([`widebragg::light`]) do not pay: a step of a GPU is faster than finding out whether it is needed. There are no pairs of f32
//! in place of f64: cards whose f64 is slow render slowly, and those without it are left out.
//!
//! ```
//! use widebragg_devices::choice::Choice;
//! use widebragg_devices::device::Device;
//!
//! let (device, why) = Device::open(Choice::Auto)?;
//! match device {
//!     Some(device) => println!("{} has the bits of {}", device.identity().name, device.level()),
//!     None => println!("{}", why.expect("the reason why there is none")),
//! }
//! # Ok::<(), widebragg_devices::drivers::Fault>(())
//! ```

mod cache;
pub mod choice;
pub mod device;
pub mod drivers;
pub mod interpreted;
pub mod interpreter;
pub mod recorded;
pub mod self_test;
pub mod symbol;
pub mod tables;
pub mod tape;
pub mod text;
