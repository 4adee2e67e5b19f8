"""SMV files as simtbx writes them."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from widebragg.simtbx.simulator import nanoBragg

__all__ = ["header_lines", "pixels_of", "scale_of", "write"]

HEADER_BYTES = 1024

#: What the brightest pixel becomes where no factor is given.
BRIGHTEST = 55000.0

#: The largest pixel.
LARGEST = 65534


def scale_of(pixels: NDArray[np.float64], scale: float) -> float:
    """The factor on pixels; 0: the one that makes the brightest :data:`BRIGHTEST`."""
    if scale > 0:
        return float(scale)
    largest = float(pixels.max(initial=0.0))
    return BRIGHTEST / largest if largest > 0 else 1.0


def pixels_of(pixels: NDArray[np.float64], scale: float) -> NDArray[np.uint16]:
    """Pixels times a factor, cut off after the point; beyond :data:`LARGEST` they are this, and below 0 they wrap."""
    scaled = np.nan_to_num(np.minimum(pixels * scale, LARGEST), nan=0.0)
    wrapped: NDArray[np.uint16] = np.maximum(scaled, -(2.0**31)).astype(np.int64).astype("<u2")
    return wrapped


def header_lines(simulator: nanoBragg) -> list[str]:
    """Keys and values of the header."""
    s = simulator
    fast, slow = s.detpixels_fastslow
    pairs = {"BEAM_CENTER": s.beam_center_mm, "ADXV_CENTER": s.adxv_beam_center_mm, "MOSFLM_CENTER": s.mosflm_beam_center_mm}
    lines = [
        f"HEADER_BYTES={HEADER_BYTES};", "DIM=2;", "BYTE_ORDER=little_endian;", "TYPE=unsigned_short;",
        f"SIZE1={fast};", f"SIZE2={slow};", f"PIXEL_SIZE={s.pixel_size_mm:g};", f"DISTANCE={s.distance_mm:g};",
        f"WAVELENGTH={s.wavelength_A:g};",
    ]  # fmt: skip
    lines += [f"{key}_{axis}={number:g};" for key, pair in pairs.items() for axis, number in zip("XY", pair)]
    lines += [f"DENZO_{axis}_BEAM={number:g};" for axis, number in zip("XY", s.denzo_beam_center_mm)]
    lines.append("DIALS_ORIGIN={:g},{:g},{:g}".format(*s.dials_origin_mm))
    lines += [f"XDS_ORG{axis}={number:g};" for axis, number in zip("XY", s.XDS_ORGXY)]
    return lines + [
        f"CLOSE_DISTANCE={s.close_distance_mm:g};", f"PHI={s.phi_deg:g};", f"OSC_START={s.phi_deg:g};",
        f"OSC_RANGE={s.osc_deg:g};", f"TIME={s.exposure_s:g};", f"TWOTHETA={s.detector_twotheta_deg:g};",
        "DETECTOR_SN=000;", f"ADC_OFFSET={s.adc_offset_adu:g};", "BEAMLINE=fake;",
    ]  # fmt: skip


def write(path: Any, lines: list[str], extra: str | None, pixels: NDArray[np.uint16], gz: bool) -> None:
    """Writes a file, or ``path``.gz."""
    header = "{\n" + "\n".join(lines) + "\n" + (extra or "") + "}\f"
    if len(header) > HEADER_BYTES:
        raise ValueError(f"the header has {len(header)} bytes, and there is room for {HEADER_BYTES}")
    contents = header.ljust(HEADER_BYTES).encode() + pixels.tobytes()
    name = os.fspath(path)
    if gz:
        with gzip.open(name + ".gz", "wb") as compressed:
            compressed.write(contents)
    else:
        with open(name, "wb") as file:
            file.write(contents)
