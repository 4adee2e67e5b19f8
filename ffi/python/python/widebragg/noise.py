"""The stages of a detector's noise, each by itself, on images as arrays.

>>> import numpy as np, widebragg as wb
>>> expected = np.full((64, 64), 20.0)                                  # photons
>>> photons = wb.noise.count(wb.noise.vary(expected, flicker=0.02, seed=7), seed=7)
>>> adu = wb.noise.amplify(photons, 1.5, wb.noise.gain_map((64, 64), 0.03, seed=1))
>>> stored = wb.noise.store(wb.noise.read_out(adu + 40, 3.0, seed=7), largest=65535)
>>> stored.dtype, bool(stored.min() > 20)
(dtype('int32'), True)

Images are of one panel, (slow, fast), or of several, (panel, slow, fast). They are taken as float32, and a new array
is returned; numbers between stages are float32 as well. A deviate is a function of ``seed``, ``frame``, panel, pixel
and stage alone: stages one by one give what :meth:`widebragg.Experiment.detect` gives, whose frames and seeds count
as here. With g a Gaussian deviate of mean 0 and variance 1, the stages in their order are

=====================  ==========================================================  ==================
function               pixel becomes                                               unit
=====================  ==========================================================  ==================
:func:`vary`           pixel max(0, 1 + flicker g) max(0, 1 + pixel_flicker g)     photons
:func:`count`          a Poisson deviate of that mean                              photons
:func:`lose`           what the dead time of a count leaves                        photons
:func:`spread`         what a point spread brings to it                            photons
:func:`amplify`        pixel gain gain_map                                         ADU
:func:`add_common_mode`  pixel + rms g of its row or block                         ADU
:func:`read_out`       pixel + rms g                                               ADU
:func:`store`          the nearest whole number within limits                      ADU, int32
=====================  ==========================================================  ==================

or, instead of the last four, :func:`switch_gain`, and :func:`bad_pixels` to overwrite at the end. A pedestal is added
by numpy. Other shapes raise ``ValueError``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core

__all__ = [
    "add_common_mode",
    "amplify",
    "bad_pixels",
    "count",
    "gain_map",
    "lose",
    "read_out",
    "spread",
    "store",
    "switch_gain",
    "vary",
]


def _image(image: ArrayLike) -> NDArray[np.float32]:
    """A copy of an image, contiguous and float32."""
    copy = np.array(image, dtype=np.float32, order="C")
    if copy.ndim not in (2, 3):
        raise ValueError(f"an image of shape {copy.shape}: (slow, fast) or (panel, slow, fast) is needed")
    return copy


def _panels(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """An image as one of several panels, (panel, slow, fast): a view."""
    return image if image.ndim == 3 else image[np.newaxis]


def _staged(image: ArrayLike, stage: Callable[..., None], *numbers: Any) -> NDArray[np.float32]:
    """An image after a stage of the core, which is given all panels and ``numbers``."""
    copy = _image(image)
    stage(_panels(copy), *numbers)
    return copy


def _map_of(gains: ArrayLike | None, image: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """The gains of the panels of an image."""
    if gains is None:
        return None
    held = _image(gains)
    if held.shape != image.shape:
        raise ValueError(f"gain_map: an array of shape {held.shape}, the image has {image.shape}")
    return _panels(held)


def vary(
    expected: ArrayLike, *, flicker: float = 0.0, pixel_flicker: float = 0.0, seed: int = 1, frame: int = 1
) -> NDArray[np.float32]:
    """Expected photons of a frame that is brighter or darker than others.

    ``flicker`` is the rms fraction by which all pixels vary together, ``pixel_flicker`` that by which each varies.
    """
    return _staged(expected, _core.noise_vary, (seed, frame), flicker, pixel_flicker)


def count(expected: ArrayLike, *, seed: int = 1, frame: int = 1) -> NDArray[np.float32]:
    """Photons that are counted where as many are expected: Poisson deviates; NaN counts 0."""
    return _staged(expected, _core.noise_count, (seed, frame))


def lose(
    counts: ArrayLike, dead_time_ns: float, exposure_s: float, *, paralyzable: bool = True
) -> NDArray[np.float32]:
    """Counts n that a dead time tau leaves in an exposure T: n exp(-n tau/T), if not ``paralyzable`` n/(1 + n tau/T).

    Raises ``ValueError`` for an exposure that is not above 0 and a dead time below 0.
    """
    if not (exposure_s > 0 and dead_time_ns >= 0):
        raise ValueError(f"a dead time of {dead_time_ns} ns in an exposure of {exposure_s} s")
    return _staged(counts, _core.noise_lose, (0, 0), dead_time_ns * 1e-9, exposure_s, paralyzable)


def spread(
    counts: ArrayLike,
    form: Literal["gauss", "fiber", "moffat"],
    width_um: float,
    pixel_mm: float,
    *,
    radius: int | None = None,
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Counts as a point spread of full width at half maximum ``width_um`` distributes them over a panel.

    Nothing goes farther than ``radius`` pixels, unless it is None; what leaves a panel is lost.

    >>> import numpy as np, widebragg as wb
    >>> point = np.zeros((9, 9)); point[4, 4] = 100
    >>> around = wb.noise.spread(point, "gauss", 172, 0.172)
    >>> bool(around[4, 4] > around[4, 3] == around[3, 4]), round(float(around.sum()))
    (True, 100)
    """
    return _staged(counts, _core.noise_spread, form, width_um * 1e-6, pixel_mm * 1e-3, radius, threads)


def gain_map(shape: Sequence[int], calibration: float, *, seed: int = 1) -> NDArray[np.float32]:
    """Gains of pixels, of mean 1, that differ by the rms fraction ``calibration``: the same in all frames."""
    return _staged(np.ones(tuple(shape)), _core.noise_gain_map, (seed, 0), calibration)


def amplify(counts: ArrayLike, gain: float, gain_map: ArrayLike | None = None) -> NDArray[np.float32]:
    """ADU of counts: ``gain`` ADU for each, times the gain of the pixel."""
    image = _image(counts)
    _core.noise_amplify(_panels(image), gain, _map_of(gain_map, image))
    return image


def add_common_mode(
    adu: ArrayLike, rms_adu: float, *, block: tuple[int, int] | None = None, seed: int = 1, frame: int = 1
) -> NDArray[np.float32]:
    """ADU with a deviate that each row has in common, or each ``block`` of so many (slow, fast) pixels."""
    image = _image(adu)
    columns = image.shape[-1]
    slow, fast = block or (1, columns)
    _core.noise_add_common_mode(_panels(image), (seed, frame), rms_adu, columns, (fast, slow))
    return image


def read_out(adu: ArrayLike, rms_adu: float, *, seed: int = 1, frame: int = 1) -> NDArray[np.float32]:
    """ADU with the noise of the readout, a deviate for each pixel."""
    return _staged(adu, _core.noise_read_out, (seed, frame), rms_adu)


def store(adu: ArrayLike, *, least: int = 0, largest: int = 2**31 - 1) -> NDArray[np.int32]:
    """The nearest whole numbers from ``least`` to ``largest``; halves are rounded up, and NaN becomes ``least``."""
    return _core.noise_store(_image(adu), least, largest)


def switch_gain(
    counts: ArrayLike,
    photon_kev: float,
    switch_kev: tuple[float, float],
    modes: Sequence[tuple[float, float, float]],
    *,
    gain_map: ArrayLike | None = None,
    seed: int = 1,
    frame: int = 1,
) -> NDArray[np.int32]:
    """Raw words of a detector whose pixels choose one of three gains by their charge, such as Jungfrau.

    ``modes`` are three of (ADU per keV, pedestal in ADU, rms readout noise in ADU); mode 1 begins at a charge of
    ``switch_kev[0]``, mode 2 at ``switch_kev[1]``. The upper two bits of a word are 0, 1 and 3 for the modes, the
    lower 14 its ADU.
    """
    if len(modes) != 3:
        raise ValueError(f"modes: {len(modes)}, three are needed")
    first, second, third = ((gain, pedestal, readout) for gain, pedestal, readout in modes)
    image = _image(counts)
    gains, three = _map_of(gain_map, image), (first, second, third)
    words = _core.noise_switch_gain(_panels(image), (seed, frame), photon_kev, switch_kev, three, gains)
    return words.reshape(image.shape)


def bad_pixels(shape: tuple[int, int], count: int, *, seed: int = 1, panel: int = 0) -> tuple[NDArray[np.intp], ...]:
    """``count`` pixels of a panel of ``shape`` (slow, fast), drawn without repetition, as an index of an image.

    They are the first hot pixels and then dead ones of as many as :meth:`widebragg.Experiment.detect` draws. Raises
    ``ValueError`` for more than there are.

    >>> import numpy as np, widebragg as wb
    >>> stored = np.zeros((50, 40), dtype=np.int32)
    >>> stored[wb.noise.bad_pixels((50, 40), 12)] = 65535
    >>> int((stored == 65535).sum())
    12
    """
    slow, fast = shape
    return np.unravel_index(_core.noise_bad_pixels(slow * fast, count, seed, panel), (slow, fast))
