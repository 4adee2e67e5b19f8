"""Functions over arrays, and images in files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core

__all__ = ["compare", "read_image", "structure_factors"]


def structure_factors(
    grid: ArrayLike,
    minimum: tuple[int, int, int],
    hkl: ArrayLike,
    *,
    default_F: float = 0.0,
    interpolate: bool = False,
) -> NDArray[np.float64]:
    """The structure factors at fractional indices ``hkl``, of shape (..., 3).

    ``grid`` has the values at whole indices, of which the first is ``minimum``; elsewhere F is ``default_F``.
    The value is that of the nearest node, halves rounded down, or the tricubic interpolation of the nodes around.

    >>> import widebragg as wb
    >>> wb.structure_factors([[[1.0]], [[2.0]]], (0, 0, 0), [[0.2, 0, 0], [0.9, 0, 0], [3, 0, 0]])
    array([1., 2., 0.])
    """
    indices = np.asarray(hkl, dtype=np.float64)
    if indices.ndim == 0 or indices.shape[-1] != 3:
        raise ValueError(f"hkl: an array of shape {indices.shape}, the last axis has to be h, k, l")
    values = np.ascontiguousarray(grid, dtype=np.float64)
    if values.ndim != 3:
        raise ValueError(f"grid: an array of {values.ndim} axes, three are needed: h, k, l")
    columns = [np.ascontiguousarray(column) for column in np.moveaxis(indices, -1, 0)]
    return _core.structure_factors(values, minimum, columns, default_F, interpolate)


def compare(image: ArrayLike, reference: ArrayLike) -> dict[str, Any]:
    """How an image differs from a reference of the same shape, as the program's ``compare`` tells it.

    ``pixels``, those that are finite in both (``compared``) and those of the same bits (``identical``), Pearson's
    ``correlation``, ``mean_square`` difference, ``sum_ratio`` (image over reference), and the largest differences:
    ``largest_absolute``, ``largest_relative``, and ``largest_relative_bright`` of pixels above a millionth of the
    brightest.

    >>> import numpy as np, widebragg as wb
    >>> wb.compare(np.full((2, 2), 3.0), np.full((2, 2), 2.0))["sum_ratio"]
    1.5
    """
    images = [np.ascontiguousarray(each, dtype=np.float32) for each in (image, reference)]
    if images[0].shape != images[1].shape:
        raise ValueError(f"shapes differ: {images[0].shape}, {images[1].shape}")
    rows = [each.reshape(-1, each.shape[-1] if each.ndim else 1) for each in images]
    return _core.compare(*rows)


def read_image(path: str | os.PathLike[str], shape: tuple[int, int] | None = None) -> NDArray[Any]:
    """The pixels (slow, fast) of an image, float32, as stored; gaps are NaN.

    SMV, CBF, NXmx and other HDF5 (``FILE:/path:frame``) and float images; ``shape`` is that of a float image,
    which has no header. Raises ``OSError`` for files that cannot be read, ``ValueError`` for damaged ones.
    """
    return _core.read_image(os.fspath(path), shape)
