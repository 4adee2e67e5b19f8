"""Beams, panels, crystals and Miller arrays of dxtbx and cctbx, by their methods.

Nothing is imported: an object only needs the methods named here. Dictionaries as in experiment lists (``.expt``) do as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from widebragg.simtbx.arrays import numbers
from widebragg.simtbx.warning import warn_once

__all__ = ["BeamModel", "PanelModel", "direct_axes", "matrix", "panel_of", "reflections", "vector"]

#: Wavelengths below this are in metres: the longest X-rays of 1e-6 A and the shortest of 1e-6 m are out of question.
METRES_BELOW = 1e-6


def vector(values: Any, count: int = 3) -> tuple[float, ...]:
    """As many numbers as are needed."""
    found = np.asarray(numbers(values), dtype=float).reshape(-1)
    if found.shape != (count,):
        raise ValueError(f"{count} numbers are needed, not {found.size}")
    return tuple(found.tolist())


def matrix(values: Any) -> NDArray[np.float64]:
    """A 3 x 3 matrix from 9 numbers in rows."""
    return np.asarray(vector(values, 9)).reshape(3, 3)


def _of(model: Any, key: str, *methods: str, default: Any = None) -> Any:
    """A value of a dictionary, or of the first method that the object has."""
    if isinstance(model, Mapping):
        return model.get(key, default)
    for method in methods:
        call = getattr(model, method, None)
        if call is not None:
            return call()
    return default


class BeamModel(NamedTuple):
    """A beam."""

    #: Direction of propagation, of length 1.
    direction: tuple[float, ...]
    #: Wavelength in angstrom.
    wavelength_A: float
    #: Photons per second; 0: not known.
    flux: float
    #: Fraction of the polarisation, which simtbx takes as Kahn's factor.
    polarization: float
    #: Normal of the plane of polarisation.
    polarization_normal: tuple[float, ...]
    #: Divergence in mrad.
    divergence_mrad: float

    @classmethod
    def of(cls, model: Any) -> BeamModel:
        """The beam of a dxtbx object, or of a dictionary with ``direction`` (sample to source), ``wavelength`` ..."""
        if isinstance(model, Mapping):
            direction = -np.asarray(vector(model["direction"]))
        else:
            direction = np.asarray(vector(_of(model, "", "get_unit_s0", "get_s0")))
        direction = direction / np.linalg.norm(direction)
        wavelength = float(_of(model, "wavelength", "get_wavelength"))
        if wavelength < METRES_BELOW:
            wavelength *= 1e10
        return cls(
            direction=tuple(direction.tolist()),
            wavelength_A=wavelength,
            flux=float(_of(model, "flux", "get_flux", default=0.0) or 0.0),
            polarization=float(_of(model, "polarization_fraction", "get_polarization_fraction", default=0.999)),
            polarization_normal=vector(
                _of(model, "polarization_normal", "get_polarization_normal", default=(0.0, 1.0, 0.0))
            ),
            divergence_mrad=float(np.radians(_of(model, "divergence", "get_divergence", default=0.0) or 0.0)) * 1e3,
        )

    @property
    def e_vector(self) -> tuple[float, ...]:
        """Direction of the E vector: beam x normal of the plane of polarisation."""
        return tuple(np.cross(self.direction, self.polarization_normal).tolist())


class PanelModel(NamedTuple):
    """A panel; lengths in mm."""

    #: Pixels along slow and fast.
    shape: tuple[int, int]
    pixel_mm: float
    origin_mm: tuple[float, ...]
    fast: tuple[float, ...]
    slow: tuple[float, ...]
    #: Thickness of the sensor, and its attenuation in 1/mm; 0: not known.
    thickness_mm: float
    attenuation_per_mm: float
    #: ADU per photon.
    gain: float

    @classmethod
    def of(cls, model: Any) -> PanelModel:
        """The panel of a dxtbx object, or of a dictionary with ``fast_axis``, ``slow_axis``, ``origin`` ..."""
        fast_pixels, slow_pixels = _of(model, "image_size", "get_image_size")
        pixel = _of(model, "pixel_size", "get_pixel_size")
        return cls(
            shape=(int(slow_pixels), int(fast_pixels)),
            pixel_mm=float(pixel[0]),
            origin_mm=vector(_of(model, "origin", "get_origin")),
            fast=vector(_of(model, "fast_axis", "get_fast_axis")),
            slow=vector(_of(model, "slow_axis", "get_slow_axis")),
            thickness_mm=float(_of(model, "thickness", "get_thickness", default=0.0) or 0.0),
            attenuation_per_mm=float(_of(model, "mu", "get_mu", default=0.0) or 0.0),
            gain=float(_of(model, "gain", "get_gain", default=1.0) or 1.0),
        )


def direct_axes(crystal: Any) -> NDArray[np.float64]:
    """a, b, c in angstrom, as rows, of a crystal of dxtbx, or of a dictionary with ``real_space_a`` ..."""
    if isinstance(crystal, Mapping):
        return np.array([vector(crystal[f"real_space_{axis}"]) for axis in "abc"])
    return np.asarray(np.linalg.inv(matrix(crystal.get_A())), dtype=np.float64)


def panel_of(detector: Any, panel_id: int) -> Any:
    """A panel of a detector: of an object that has panels by index, or of a dictionary with ``panels``."""
    if isinstance(detector, Mapping):
        return detector["panels"][panel_id]
    if hasattr(detector, "get_fast_axis") and not hasattr(detector, "__getitem__"):
        return detector
    return detector[panel_id]


def reflections(miller_array: Any) -> tuple[Any, Any, tuple[float, ...]]:
    """Indices, amplitudes and the cell of a cctbx Miller array, expanded to P 1 with Friedel mates."""
    if not hasattr(miller_array, "indices"):
        raise TypeError("Fhkl: a Miller array of cctbx is needed; Fhkl_tuple takes indices and amplitudes")
    expanded = miller_array.expand_to_p1().generate_bijvoet_mates()
    if expanded.is_complex_array():
        expanded = expanded.amplitudes()
    if str(getattr(expanded, "observation_type", lambda: "")()) == "xray.intensity":
        warn_once("Fhkl: these are intensities, which simtbx and widebragg take as amplitudes; use as_amplitude_array()")
    return expanded.indices(), expanded.data(), vector(expanded.unit_cell().parameters(), 6)
