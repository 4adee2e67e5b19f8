//! Drivers: each gives access to the devices of one kind, and is one file, which alone has calls without checks.

pub mod cuda;
pub mod opencl;
#[cfg(feature = "vulkan")]
pub mod vulkan;

use core::fmt;

use widebragg::structure_factor::Nodes;

use crate::interpreter::Rounding;
use crate::tables::{Band, SceneTables};

/// Bands that a device works on at a time: one is rendered while another is copied.
pub const SLOTS: usize = 2;

/// Why a device does not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The device, or the driver where there is no device.
    pub device: String,
    /// What is wrong.
    pub what: String,
}

impl Fault {
    pub(crate) fn new(device: &str, what: impl Into<String>) -> Self {
        Self { device: device.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.device, self.what)
    }
}

impl core::error::Error for Fault {}

/// The name of a device, and what drives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// As options name it: `opencl:0`.
    pub option: String,
    /// The name that the driver gives it.
    pub name: String,
    /// The driver and its version.
    pub driver: String,
    /// Whether it is a GPU, and not the processor itself.
    pub is_gpu: bool,
    /// How many times as long it takes for f64 as for f32; `None` where the driver does not say.
    pub f64_slowdown: Option<u32>,
}

/// The pixels of a band, row by row.
#[derive(Debug)]
pub enum Pixels<'p> {
    /// f64.
    Wide(&'p mut [f64]),
    /// f32.
    Narrow(&'p mut [f32]),
}

impl Pixels<'_> {
    /// The memory of the pixels.
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        match self {
            Self::Wide(pixels) => bytemuck::cast_slice_mut(pixels),
            Self::Narrow(pixels) => bytemuck::cast_slice_mut(pixels),
        }
    }
}

/// The memory of nodes.
pub(crate) fn bytes_of<'n>(nodes: &Nodes<'n>) -> &'n [u8] {
    match nodes {
        Nodes::F64(nodes) => bytemuck::cast_slice(nodes),
        Nodes::F32(nodes) => bytemuck::cast_slice(nodes),
    }
}

/// A device.
pub trait Driver: Send + fmt::Debug {
    /// What it is.
    fn identity(&self) -> &Identity;

    /// How the text that it runs rounds.
    fn rounding(&self) -> Rounding;

    /// Replaces the nodes that later bands read.
    ///
    /// # Errors
    /// The device has not enough memory, or is lost.
    fn load_nodes(&mut self, nodes: Nodes<'_>) -> Result<(), Fault>;

    /// Replaces the tables that later bands read.
    ///
    /// # Errors
    /// The device has not enough memory, or is lost.
    fn load_tables(&mut self, tables: &SceneTables) -> Result<(), Fault>;

    /// Starts to render a band in one of the [`SLOTS`], and returns.
    ///
    /// # Errors
    /// The driver does not compile the program, the device has not enough memory, or is lost.
    fn start(&mut self, slot: usize, band: &Band) -> Result<(), Fault>;

    /// Waits for the band of a slot, and copies its pixels and, where they are counted, the fallbacks of each.
    ///
    /// # Errors
    /// The device is lost.
    fn finish(&mut self, slot: usize, pixels: Pixels<'_>, fallbacks: &mut [u32]) -> Result<(), Fault>;
}
