"""Beam, panel and crystal with the names of dxtbx's methods, for scripts that run without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from widebragg.simtbx.simulator import UnitCell

__all__ = ["Beam", "Crystal", "Panel"]


@dataclass
class Beam:
    """A beam: ``wavelength`` in the unit that is asked for (simtbx has metres in ``xray_beams``, else angstrom)."""

    wavelength: float
    #: Photons per second.
    flux: float = 0.0
    polarization_fraction: float = 1.0
    unit_s0: tuple[float, ...] = (0.0, 0.0, -1.0)
    #: Full angle, in degrees.
    divergence: float = 0.0
    polarization_normal: tuple[float, ...] = (0.0, 1.0, 0.0)

    def get_wavelength(self) -> float:
        """The wavelength."""
        return self.wavelength

    def get_flux(self) -> float:
        """Photons per second."""
        return self.flux

    def get_polarization_fraction(self) -> float:
        """Fraction of the polarisation."""
        return self.polarization_fraction

    def get_polarization_normal(self) -> tuple[float, ...]:
        """Normal of the plane of polarisation."""
        return self.polarization_normal

    def get_unit_s0(self) -> tuple[float, ...]:
        """Direction in which the beam goes."""
        return self.unit_s0

    def get_s0(self) -> tuple[float, ...]:
        """The same, of length 1/wavelength."""
        return tuple(component / self.wavelength for component in self.unit_s0)

    def get_sample_to_source_direction(self) -> tuple[float, ...]:
        """The opposite direction."""
        return tuple(-component for component in self.unit_s0)

    def get_divergence(self) -> float:
        """Full angle of the divergence, in degrees."""
        return self.divergence


@dataclass
class Panel:
    """A panel; (fast, slow) pixels and lengths in mm."""

    fast_axis: tuple[float, ...]
    slow_axis: tuple[float, ...]
    origin: tuple[float, ...]
    pixel_size: tuple[float, float]
    image_size: tuple[int, int]

    def get_fast_axis(self) -> tuple[float, ...]:
        """Fast axis."""
        return self.fast_axis

    def get_slow_axis(self) -> tuple[float, ...]:
        """Slow axis."""
        return self.slow_axis

    def get_origin(self) -> tuple[float, ...]:
        """Outer corner of the first pixel, in mm."""
        return self.origin

    def get_pixel_size(self) -> tuple[float, float]:
        """Edges of a pixel along fast and slow, in mm."""
        return self.pixel_size

    def get_image_size(self) -> tuple[int, int]:
        """Pixels along fast and slow."""
        return self.image_size


@dataclass
class Crystal:
    """A crystal of a cell (a, b, c in angstrom, angles in degrees), a along x and b in the plane of x and y."""

    cell: tuple[float, ...]

    def get_unit_cell(self) -> UnitCell:
        """The cell, with a method parameters()."""
        return UnitCell(self.cell)

    def get_A(self) -> tuple[float, ...]:
        """Columns a*, b*, c* in 1/angstrom, 9 numbers in rows."""
        a, b, c = self.cell[:3]
        cos_alpha, cos_beta, cos_gamma = np.cos(np.radians(self.cell[3:]))
        sin_gamma = np.sqrt(1 - cos_gamma**2)
        along_y = (cos_alpha - cos_beta * cos_gamma) / sin_gamma
        squared = 1 - cos_beta**2 - along_y**2
        if not squared > 0:
            raise ValueError(f"no cell has the angles {self.cell[3:]}")
        direct = np.array([
            [a, 0, 0],
            [b * cos_gamma, b * sin_gamma, 0],
            [c * cos_beta, c * along_y, c * np.sqrt(squared)],
        ])  # fmt: skip
        return tuple(np.linalg.inv(direct).ravel().tolist())

    def get_space_group(self) -> Any:
        """None: it is not known, and no setting is centred."""
        return None
