"""``NBbeam``: the spectrum and the size of a beam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from widebragg.simtbx.standins import Beam

__all__ = ["NBbeam"]


class NBbeam:
    """A beam of several wavelengths in one direction.

    >>> beam = NBbeam()
    >>> beam.spectrum = [(1.2, 1e12), (1.3, 3e12)]
    >>> beam.number_of_sources, beam.nanoBragg_constructor_beam.get_wavelength()
    (2, 1.275)
    """

    def __init__(self) -> None:
        #: Wavelengths in angstrom and photons per second of each.
        self.spectrum: Sequence[tuple[float, float]] = [(1.8, 1e12)]
        #: Direction in which the beam goes.
        self.unit_s0: Sequence[float] = (1, 0, 0)
        #: Fraction of the polarisation.
        self.polarization_fraction: float = 1
        #: Full angle of the divergence, in degrees.
        self.divergence: float = 0
        #: Edge of the square beam, in mm.
        self.size_mm: float = 0.001
        self._undo_nanoBragg_norm_by_nbeams = True

    @property
    def xray_beams(self) -> list[Beam]:
        """A beam for each wavelength, in metres as ``nanoBragg.xray_beams`` takes them.

        Each flux is divided by their number, since ``nanoBragg`` makes n beams n times as bright.
        """
        norm = len(self.spectrum) if self._undo_nanoBragg_norm_by_nbeams else 1
        return [self._beam(wavelength * 1e-10, flux / norm) for wavelength, flux in self.spectrum]

    @property
    def nanoBragg_constructor_beam(self) -> Beam:
        """One beam of the mean wavelength, in angstrom, weighted by flux, and of the flux of ``xray_beams`` in all."""
        wavelengths, flux = np.array([(wavelength, flux) for wavelength, flux in self.spectrum], dtype=float).T
        if not flux.sum() > 0:
            raise ValueError("NBbeam: the spectrum has no photons")
        total = sum(beam.flux for beam in self.xray_beams)
        return self._beam(float(wavelengths @ flux / flux.sum()), total)

    @property
    def number_of_sources(self) -> int:
        """The number of wavelengths."""
        return len(self.spectrum)

    def _beam(self, wavelength: float, flux: float) -> Beam:
        direction = np.asarray(self.unit_s0, dtype=float)
        direction /= np.linalg.norm(direction)
        return Beam(
            float(wavelength), float(flux), float(self.polarization_fraction), tuple(direction.tolist()), self.divergence
        )
