//! What a pixel is sampled with, and which pixels there are to render.

use crate::panel::Panel;

/// The sensitive layer of a panel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sensor {
    /// Layers that the thickness is sampled with, at least 1.
    pub layers: usize,
    /// Thickness of a layer, in m; 0 for a sensor that captures everything at its surface.
    pub layer_m: f64,
    /// Attenuation, in 1/m.
    pub attenuation_per_m: f64,
}

impl Sensor {
    /// A sensor without thickness.
    pub const THIN: Self = Self { layers: 1, layer_m: 0.0, attenuation_per_m: 0.0 };

    /// Thickness of all layers, in m.
    #[must_use]
    pub fn thickness_m(&self) -> f64 {
        self.layer_m * self.layers as f64
    }
}

/// A sensor without thickness.
impl Default for Sensor {
    fn default() -> Self {
        Self::THIN
    }
}

/// Subpixels, and the factors that are evaluated for each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oversample {
    /// Subpixels along each axis, at least 1.
    pub per_axis: usize,
    /// Capture at every subpixel.
    pub thick: bool,
    /// Polarisation at every subpixel and source.
    pub polar: bool,
    /// Solid angle at every subpixel.
    pub omega: bool,
}

impl Oversample {
    /// One sample a pixel.
    pub const NONE: Self = Self { per_axis: 1, thick: false, polar: false, omega: false };

    /// Whether any factor is evaluated more than once for each pixel or layer.
    pub(crate) fn has_flags(self) -> bool {
        self.thick || self.polar || self.omega
    }
}

/// The samples of a pixel: (layer, subpixel along slow, along fast), the last changing fastest.
///
/// Two nested `flat_map`s would yield the same items, but the compiler reads their optional inner iterators before
/// it checks that they exist, which memory checkers report; hence this counter.
#[derive(Debug, Clone)]
pub(crate) struct Samples {
    layers: usize,
    per_axis: usize,
    next: (usize, usize, usize),
}

impl Samples {
    #[inline(always)]
    pub(super) fn new(layers: usize, per_axis: usize) -> Self {
        Self { layers, per_axis, next: (0, 0, 0) }
    }
}

impl Iterator for Samples {
    type Item = (usize, usize, usize);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let sample = self.next;
        let (layer, slow, fast) = sample;
        if layer >= self.layers {
            return None;
        }
        self.next = if fast + 1 < self.per_axis {
            (layer, slow, fast + 1)
        } else if slow + 1 < self.per_axis {
            (layer, slow + 1, 0)
        } else {
            (layer + 1, 0, 0)
        };
        Some(sample)
    }
}

/// The part of a panel that is rendered, bounds included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roi {
    /// First column.
    pub fast_min: usize,
    /// Last column.
    pub fast_max: usize,
    /// First row.
    pub slow_min: usize,
    /// Last row.
    pub slow_max: usize,
}

impl Roi {
    /// All of a panel.
    #[must_use]
    pub fn whole(panel: &Panel) -> Self {
        Self {
            fast_min: 0,
            fast_max: panel.fast_pixels.saturating_sub(1),
            slow_min: 0,
            slow_max: panel.slow_pixels.saturating_sub(1),
        }
    }
}
