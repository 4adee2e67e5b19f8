"""Readers and writers of files, by themselves.

What an experiment needs to know of its files it reads itself (``hkl=``, ``geometry=``, ``spectrum=``); these
functions are for programs that want to look into them. Images are read by :func:`widebragg.read_image`, and written
by :meth:`widebragg.Experiment.write_image` and :meth:`widebragg.Experiment.write_nxmx`, since their headers hold the
geometry. Files that cannot be read raise ``OSError``, and damaged ones ``ValueError`` with the line that the program
prints.
"""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core

__all__ = [
    "Reflections",
    "Source",
    "Trace",
    "TracedPixel",
    "read_crystals",
    "read_dump",
    "read_geometry",
    "read_matrix",
    "read_reflections",
    "read_shots",
    "read_sources",
    "read_spectra",
    "read_stol",
    "read_stream",
    "read_trace",
    "write_dump",
    "write_matrix",
    "write_reflections",
    "write_stream",
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
    whole = _whole(hkl)
    values = np.ascontiguousarray(F, dtype=np.float64)
    if whole.ndim != 2 or whole.shape[1] != 3 or values.shape != whole.shape[:1]:
        raise ValueError(f"indices of shape (n, 3) and n values of F are needed, not {whole.shape} and {values.shape}")
    is_mtz = os.fspath(path).lower().endswith(".mtz")
    if is_mtz and cell is None:
        raise ValueError("an MTZ file needs a cell")
    _core.write_reflections(os.fspath(path), whole, values, _cell(cell) if is_mtz and cell is not None else None)


def _whole(hkl: ArrayLike) -> NDArray[np.int32]:
    """Indices as whole numbers, which they have to be."""
    given = np.asarray(hkl)
    whole = np.ascontiguousarray(given, dtype=np.int32)
    if not np.array_equal(whole, given):
        raise ValueError("hkl: indices are whole numbers, below 2^31")
    return whole


def read_dump(path: PathLike) -> tuple[tuple[int, int, int], NDArray[np.float64]]:
    """The h, k, l of the first node of a binary file of structure factors (``Fdump.bin``), and its grid of F.

    The axes of the grid are h, k and l, as those of :attr:`widebragg.Experiment.structure_factors`.
    """
    (h, k, l), grid = _core.read_dump(os.fspath(path))
    return (h, k, l), grid


def write_dump(path: PathLike, first: Sequence[int], grid: ArrayLike) -> None:
    """Writes a grid of F with the axes h, k, l, whose first node has the indices ``first``, as ``Fdump.bin``.

    nanoBragg and widebragg read it where ``-hkl`` is not given. Raises ``ValueError`` for a grid that has not three
    axes, is empty, or has F that are not finite, ``OSError`` where the file cannot be written.

    >>> import numpy as np, pathlib, tempfile, widebragg as wb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "Fdump.bin"
    >>> wb.write_dump(path, (-1, 0, 0), np.arange(12.0).reshape(3, 2, 2))
    >>> first, grid = wb.read_dump(path)
    >>> first, float(grid[1 - first[0], 1 - first[1], 0 - first[2]])
    ((-1, 0, 0), 10.0)
    """
    values = np.ascontiguousarray(grid, dtype=np.float64)
    if values.ndim != 3 or not values.size:
        raise ValueError(f"grid: an array of shape {values.shape}, three axes that are not empty are needed")
    if not np.isfinite(values).all():
        raise ValueError("grid: structure factors that are not finite")
    h, k, l = (operator.index(index) for index in first)
    _core.write_dump(os.fspath(path), (h, k, l), values)


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


def write_stream(path: PathLike, images: Iterable[Mapping[str, Any]], geometry: PathLike) -> None:
    """Writes a stream of CrystFEL: ``images`` as :func:`read_stream` has them, on the detector of a file.

    ``geometry`` is a file of :func:`read_geometry`; the ``A`` of crystals are in its frame, which is that of streams
    for a ``.geom``. Of an image only ``image`` has to be there, and of a crystal only ``A``. A crystal may have
    ``reflections``, columns as those of :meth:`widebragg.Experiment.predictions`: ``hkl`` of shape (n, 3), ``panel``,
    ``fast_px``, ``slow_px``, and ``intensity`` and ``sigma``, which are 0 where they are left out.

    :meth:`widebragg.Shots.write_stream` writes what shots truly are. Raises ``ValueError`` for columns of other shapes
    and panels that there are not.

    >>> import pathlib, tempfile, widebragg as wb
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> still = wb.Experiment(
    ...     cell=(70, 80, 90, 90, 90, 90), N=5, default_F=100, wavelength_A=1, distance_mm=100, pixel_mm=0.5,
    ...     detector_pixels=(64, 64),
    ... )
    >>> still.write_geometry(folder / "a.expt")
    >>> A = wb.read_geometry(folder / "a.expt")["crystal"]["A"]
    >>> crystal = {"A": A, "reflections": still.predictions()}
    >>> image = {"image": "a.cbf", "wavelength_A": still.wavelength_A, "crystals": [crystal]}
    >>> wb.write_stream(folder / "a.stream", [image], folder / "a.expt")
    >>> [f"{length:.1f}" for length in wb.read_stream(folder / "a.stream")[0]["crystals"][0]["cell"][:3]]
    ['70.0', '80.0', '90.0']
    """
    numbers: list[dict[str, Any]] = [
        {
            "image": str(image["image"]),
            "event": image.get("event"),
            "serial": image.get("serial"),
            "wavelength_angstrom": image.get("wavelength_A"),
            "crystals": [_crystal_of_stream(crystal) for crystal in image.get("crystals", ())],
        }
        for image in images
    ]
    for image in numbers:
        if any("\n" in text for text in (image["image"], image["event"]) if text):
            raise ValueError(f"image: {image['image']!r} or its event has line ends")
        if image["wavelength_angstrom"] is not None and not image["wavelength_angstrom"] > 0:
            raise ValueError(f"wavelength_A: {image['wavelength_angstrom']} is not above 0")
    _core.write_stream(os.fspath(path), os.fspath(geometry), numbers)


def _crystal_of_stream(crystal: Mapping[str, Any]) -> dict[str, Any]:
    """A crystal with its reflections as arrays of equal lengths."""
    columns = crystal.get("reflections") or {"hkl": np.zeros((0, 3)), "panel": [], "fast_px": [], "slow_px": []}
    hkl = _whole(columns["hkl"])
    none = np.zeros(len(hkl))
    values = [columns["fast_px"], columns["slow_px"], columns.get("intensity", none), columns.get("sigma", none)]
    if hkl.shape != (len(hkl), 3) or any(np.shape(column) != none.shape for column in (columns["panel"], *values)):
        raise ValueError("reflections: indices of shape (n, 3) and columns of n numbers are needed")
    A = _three_by_three("A", crystal["A"])
    if not abs(np.linalg.det(A)) > 0:
        raise ValueError("A: its columns span no volume")
    return {
        "a_matrix": A,
        "shift_mm": list(crystal.get("shift_mm", (0.0, 0.0))),
        "hkl": hkl,
        "panel": np.ascontiguousarray(columns["panel"], dtype=np.int64),
        "values": np.ascontiguousarray(np.column_stack(values), dtype=np.float64),
    }


def read_shots(path: PathLike) -> list[dict[str, Any]]:
    """The shots of a table of ``widebragg shots``, such as :meth:`widebragg.Shots.write_truth` writes.

    Each has its ``number``, from 1, ``wavelength_A``, ``spectrum`` (its number in the file of spectra, from 1),
    ``fluence`` in photons per square metre, ``shift_mm`` of the detector along fast and slow, and ``crystals`` as
    :func:`read_crystals` has them; a blank has none. What the table does not say is None.
    """
    return _core.read_shots(os.fspath(path))


def read_crystals(path: PathLike) -> list[dict[str, Any]]:
    """The crystals of a table of ``--crystals``.

    Each has ``A``, whose columns are a*, b*, c* in 1/angstrom at phi = 0 in the laboratory, or ``misset_deg`` and
    ``cell``; ``N``, ``weight`` (the factor on its photons) and ``mosaic_spread_deg``. What the table does not say is
    None.

    >>> import pathlib, tempfile, widebragg as wb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "crystals.csv"
    >>> _ = path.write_text("weight,misset_x_deg,misset_y_deg,misset_z_deg\\n1,10,20,30\\n0.3,200,5,71\\n")
    >>> [(crystal["weight"], crystal["misset_deg"]) for crystal in wb.read_crystals(path)]
    [(1.0, [10.0, 20.0, 30.0]), (0.3, [200.0, 5.0, 71.0])]
    """
    return _core.read_crystals(os.fspath(path))


class TracedPixel(NamedTuple):
    """A pixel of a trace."""

    #: Its row and column (slow, fast); None where the trace does not state them.
    position: tuple[int, int] | None
    #: Its values by name: numbers, and lists of the components of vectors.
    values: dict[str, float | list[float]]
    #: Its steps, each with the counters of the loop (``layer``, ``source`` ...) and its numbers by name.
    steps: list[dict[str, float]]


class Trace(NamedTuple):
    """The pixels of a trace, and what its reader skipped, a sentence each."""

    pixels: list[TracedPixel]
    notes: list[str]


def read_trace(path: PathLike) -> Trace:
    """The intermediate values of pixels in a file: JSON or lines of ``widebragg trace``, or nanoBragg's ``-printout``.

    :meth:`widebragg.Experiment.trace` has the values of a pixel by the same names.

    >>> import pathlib, tempfile, widebragg as wb
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "trace.txt"
    >>> _ = path.write_text("TRACE_C: omega_pixel_sr 4.2e-7\\nTRACE_C: hkl_frac 3.1 -0.2 7.9\\n")
    >>> wb.read_trace(path).pixels[0].values
    {'omega_pixel_sr': 4.2e-07, 'hkl_frac': [3.1, -0.2, 7.9]}
    """
    pixels, notes = _core.read_trace(os.fspath(path))
    return Trace([TracedPixel(*pixel) for pixel in pixels], notes)


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
    _core.write_matrix(os.fspath(path), _three_by_three("matrix", matrix))


def _three_by_three(name: str, matrix: ArrayLike) -> list[list[float]]:
    rows = np.asarray(matrix, dtype=np.float64)
    if rows.shape != (3, 3):
        raise ValueError(f"{name}: an array of shape {rows.shape}, (3, 3) is needed")
    nested: list[list[float]] = rows.tolist()
    return nested


def read_stol(path: PathLike, abscissa: str = "s") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """s = sin(theta)/lambda in 1/angstrom, rising, and F in electrons of a table of amorphous matter.

    ``abscissa`` is what the first column holds: ``"s"``, ``"4s"`` or ``"Q"`` (4 pi s).
    """
    return _core.stol(os.fspath(path), abscissa)
