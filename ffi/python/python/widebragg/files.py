"""Readers and writers of files, by themselves.

What an experiment needs to know of its files it reads itself (``hkl=``, ``geometry=``, ``spectrum=``); these
functions are for programs that want to look into them. Images are read by :func:`widebragg.read_image`, and written
by :meth:`widebragg.Experiment.write_image` and :meth:`widebragg.Experiment.write_nxmx`, since their headers hold the
geometry. Files that cannot be read raise ``OSError``, and damaged ones ``ValueError`` with the line that the program
prints.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core

__all__ = [
    "Reflections",
    "Source",
    "read_geometry",
    "read_matrix",
    "read_reflections",
    "read_sources",
    "read_spectra",
    "read_stol",
    "read_stream",
    "write_matrix",
    "write_reflections",
]

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, eq=False)
class Reflections:
    """Reflections of P 1, and what their file says."""

    #: Indices, of shape (n, 3), in the order of h, k, l.
    hkl: NDArray[np.int32]
    #: |F| in the unit of the file, of shape (n,).
    F: NDArray[np.float64]
    #: The format in words.
    format: str
    #: a, b, c in angstrom and alpha, beta, gamma in degrees; None where the file has no cell.
    cell: tuple[float, ...] | None
    #: The wavelength in angstrom, where the file has one.
    wavelength_A: float | None
    #: The name of the space group by which they were expanded; None for lines of h k l F, which are taken as they
    #: stand.
    space_group: str | None
    #: Labels of all columns of values.
    columns: list[str]
    #: Labels of those that were taken.
    taken: list[str]
    #: What the user should know, a sentence each.
    warnings: list[str]


def read_reflections(
    path: PathLike,
    *,
    columns: Sequence[str] = (),
    block: str | None = None,
    format: str | None = None,
    space_group: str | None = None,
    merge_friedel: bool = False,
    cell: Sequence[float] | None = None,
) -> Reflections:
    """The reflections of a file: MTZ, CIF, FCF, XDS_ASCII.HKL, CrystFEL, scalepack, CNS, SHELX or lines of ``h k l F``.

    They are averaged over equivalents and expanded to P 1, intensities become amplitudes, and Friedel mates are apart
    where they differ, unless ``merge_friedel``. ``columns``, ``block``, ``format`` and ``space_group`` are
    ``--hkl-columns``, ``--hkl-block``, ``--hkl-format`` and ``--space-group`` of the program; ``cell`` serves files
    that have none.

    >>> import widebragg as wb, pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "list.hkl"
    >>> wb.write_reflections(path, [[1, 2, 3], [0, 0, 4]], [514.5, 50])
    >>> found = wb.read_reflections(path, space_group="P 21 21 21", cell=(30, 40, 50, 90, 90, 90))
    >>> len(found.F), found.F[(found.hkl == (-1, 2, -3)).all(axis=1)]
    (10, array([514.5]))
    """
    lengths_angles = None if cell is None else _cell(cell)
    hkl, F, facts = _core.reflections(
        os.fspath(path), list(columns), block, format, space_group, merge_friedel, lengths_angles
    )
    known = facts.pop("cell")
    return Reflections(hkl, F, cell=None if known is None else tuple(known), **facts)


def _cell(cell: Sequence[float]) -> list[float]:
    numbers = [float(number) for number in cell]
    if len(numbers) != 6:
        raise ValueError(f"cell: {len(numbers)} numbers, a, b, c, alpha, beta and gamma are needed")
    return numbers


def write_reflections(path: PathLike, hkl: ArrayLike, F: ArrayLike, *, cell: Sequence[float] | None = None) -> None:
    """Writes reflections of P 1: an MTZ file where ``path`` ends in ``.mtz``, else lines of ``h k l F``.

    An MTZ file needs a ``cell``. ``hkl`` has the shape (n, 3), and ``F`` the shape (n,); an MTZ file holds F in float32. Raises ``ValueError`` for
    other shapes and indices that are not whole, ``OSError`` where the file cannot be written.
    """
    indices = np.asarray(hkl)
    whole = np.ascontiguousarray(indices, dtype=np.int32)
    values = np.ascontiguousarray(F, dtype=np.float64)
    if whole.ndim != 2 or whole.shape[1] != 3 or values.shape != whole.shape[:1]:
        raise ValueError(f"indices of shape (n, 3) and n values of F are needed, not {whole.shape} and {values.shape}")
    if not np.array_equal(whole, indices):
        raise ValueError("hkl: indices are whole numbers, below 2^31")
    is_mtz = os.fspath(path).lower().endswith(".mtz")
    if is_mtz and cell is None:
        raise ValueError("an MTZ file needs a cell")
    _core.write_reflections(os.fspath(path), whole, values, _cell(cell) if is_mtz and cell is not None else None)


def read_geometry(path: PathLike, experiment: int = 0) -> dict[str, Any]:
    """What an ``.expt``, ``.geom``, XDS file, NXmx file, or the header of an image says of the geometry.

    Vectors are in the frame of the file. The keys are

    ``beam``: ``direction`` from the source to the sample, ``wavelength_A``, ``polarization`` (Kahn's factor) and
    ``e_vector``; ``panels``, a list: ``name``, ``shape`` (slow, fast), ``data_origin`` (slow, fast) in the block of
    data, ``pixel_mm`` (slow, fast), ``origin_mm``, the unit vectors ``fast`` and ``slow``, ``sensor``,
    ``thickness_mm``, and the ``valid`` range of counts; ``bad_pixels``, a list: for each panel a mask (slow, fast),
    True where a pixel is bad, or None; ``spindle``; ``scan``: ``first``, ``frames``, ``phi_deg``, ``osc_deg``,
    ``exposure_s``; ``crystal``: ``A``, whose columns are a*, b*, c* in 1/angstrom at phi = 0, ``cell`` and
    ``space_group``; ``format``, ``experiments`` (their number in the file) and ``warnings``.

    What a file does not say is None.
    """
    return _core.geometry(os.fspath(path), experiment)


def read_stream(path: PathLike) -> list[dict[str, Any]]:
    """The images of a stream of CrystFEL: ``image``, ``event``, ``serial``, ``wavelength_A`` and ``crystals``.

    Each crystal has ``A``, whose columns are a*, b*, c* in 1/angstrom with z along the beam and y up, ``cell``,
    ``space_group`` (None) and ``shift_mm``, which is to be added to x and y of the detector.
    """
    return _core.stream(os.fspath(path))


def read_spectra(path: PathLike) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """The wavelengths in angstrom and the weights of each spectrum of a file of ``--spectrum``, by its name."""
    return {name: (wavelengths, weights) for name, wavelengths, weights in _core.spectra(os.fspath(path))}


class Source(NamedTuple):
    """A source of a beam; what its file does not say is None."""

    #: Its direction as seen from the sample.
    direction: tuple[float, float, float] | None
    #: Its weight.
    weight: float | None
    #: Its wavelength.
    wavelength_A: float | None


def read_sources(path: PathLike) -> list[Source]:
    """The sources of a file of ``-sourcefile``."""
    return [
        Source(None if direction is None else (direction[0], direction[1], direction[2]), weight, wavelength)
        for direction, weight, wavelength in _core.source_list(os.fspath(path))
    ]


def read_matrix(path: PathLike) -> NDArray[np.float64]:
    """The matrix of a file of ``-mat``: its columns are a*, b*, c* times the wavelength."""
    return _core.read_matrix(os.fspath(path))


def write_matrix(path: PathLike, matrix: ArrayLike) -> None:
    """Writes a file of ``-mat``, a matrix of shape (3, 3) whose columns are a*, b*, c* times the wavelength."""
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.shape != (3, 3):
        raise ValueError(f"matrix: an array of shape {rows.shape}, (3, 3) is needed")
    _core.write_matrix(os.fspath(path), rows.tolist())


def read_stol(path: PathLike, abscissa: str = "s") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """s = sin(theta)/lambda in 1/angstrom, rising, and F in electrons of a table of amorphous matter.

    ``abscissa`` is what the first column holds: ``"s"``, ``"4s"`` or ``"Q"`` (4 pi s).
    """
    return _core.stol(os.fspath(path), abscissa)
