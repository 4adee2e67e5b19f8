"""Stand-ins for objects of dxtbx and cctbx: the methods that widebragg.simtbx calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Panel:
    """A panel of dxtbx; pixels are (fast, slow), lengths in mm."""

    fast: tuple[float, ...]
    slow: tuple[float, ...]
    origin: tuple[float, ...]
    size: tuple[int, int]
    pixel: float
    thickness: float = 0.0
    mu: float = 0.0
    gain: float = 1.0

    def get_fast_axis(self):
        return self.fast

    def get_slow_axis(self):
        return self.slow

    def get_origin(self):
        return self.origin

    def get_image_size(self):
        return self.size

    def get_pixel_size(self):
        return (self.pixel, self.pixel)

    def get_thickness(self):
        return self.thickness

    def get_mu(self):
        return self.mu

    def get_gain(self):
        return self.gain


@dataclass
class Beam:
    """A beam of dxtbx."""

    wavelength: float
    flux: float = 0.0
    polarization: float = 0.999
    s0: tuple[float, ...] = (0.0, 0.0, -1.0)
    divergence: float = 0.0

    def get_unit_s0(self):
        return self.s0

    def get_s0(self):
        return tuple(np.asarray(self.s0) / self.wavelength)

    def get_wavelength(self):
        return self.wavelength

    def get_flux(self):
        return self.flux

    def get_polarization_fraction(self):
        return self.polarization

    def get_polarization_normal(self):
        return (0.0, 1.0, 0.0)

    def get_divergence(self):
        return self.divergence


@dataclass
class Cell:
    """A unit cell of cctbx."""

    numbers: tuple[float, ...]

    def parameters(self):
        return self.numbers


@dataclass
class MillerArray:
    """A Miller array of cctbx, in P 1 with Friedel mates."""

    hkl: Any
    F: Any
    cell: tuple[float, ...]
    calls: list[str] = field(default_factory=list)

    def expand_to_p1(self):
        self.calls.append("expand_to_p1")
        return self

    def generate_bijvoet_mates(self):
        self.calls.append("generate_bijvoet_mates")
        return self

    def is_complex_array(self):
        return False

    def indices(self):
        return [tuple(index) for index in np.asarray(self.hkl).tolist()]

    def data(self):
        return np.asarray(self.F)

    def unit_cell(self):
        return Cell(self.cell)
