"""Experiments: images of them, and derivatives."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _core
from .keywords import KEYWORDS, options_of, replaced

__all__ = ["Carryover", "Experiment", "Parameter", "Refinement", "Shot", "Shots", "WidebraggWarning"]


class WidebraggWarning(UserWarning):
    """What the user of an experiment should know, such as a value that was changed or is doubtful."""


class Carryover:
    """What the phi sweeps of an image leave to those of the next one, in c-parity.

    These are variables of nanoBragg, which at phi = 0 hold what they held before.

    One that was given to a render is given to the next one of the same experiment and frame, whose first pixel then
    finds what the last one left, as in a second call of simtbx.

    >>> import numpy as np, widebragg as wb
    >>> experiment = wb.Experiment(
    ...     "-cell 70 80 90 85 95 100 -default_F 100 -lambda 1 -distance 100 -osc 1 -phisteps 3 --reference-threads 1",
    ...     N=5, detector_pixels=(16, 16), pixel_mm=0.5, mode="c-parity",
    ... )
    >>> carryover = wb.Carryover()
    >>> first, second = (experiment.render(carryover=carryover) for _ in range(2))
    >>> np.argwhere(first != second).tolist()
    [[0, 0]]
    >>> carryover.streams[0]["left_by"]
    (15, 15)
    """

    def __init__(self) -> None:
        self._core = _core.Carryover()

    @property
    def streams(self) -> list[dict[str, Any]]:
        """What each thread of nanoBragg found on each panel; none before a render, and in spec.

        ``panel`` and ``rows`` (first, end) are those of the thread. The pixel (slow, fast) ``left_by`` has left what its first
        pixel found, None: that found the unrotated cell. ``hits`` and ``fresh`` count the pixels that found one or the other.
        """
        return self._core.streams


class Parameter(NamedTuple):
    """A parameter of derivatives."""

    #: Its unit; empty for factors.
    unit: str
    #: Its value.
    value: float


@dataclass(frozen=True)
class Refinement:
    """What a refinement found."""

    #: Unit and fitted value of each parameter.
    parameters: dict[str, Parameter]
    #: The standard uncertainty of each; None where it is not determined.
    uncertainties: dict[str, float | None]
    #: Whether the fit has converged.
    converged: bool
    #: Whether it has, to something that describes the data.
    believable: bool
    #: Half the sum of squared residuals at the start and at the end, over the pixels of the last stage.
    loss: tuple[float, float]
    #: Pearson's correlation with the image, likewise.
    correlation: tuple[float, float]
    #: Accepted steps.
    iterations: int
    #: Pixels of the last stage.
    pixels: int


#: The formats of images by the ends of names, and the numbers that they hold.
_FORMATS = {".img": "smv", ".smv": "smv", ".cbf": "cbf", ".bin": "float", ".png": "png", ".pgm": "pgm"}
_PIXELS: dict[str, type[np.generic]] = {
    "smv": np.uint16, "cbf": np.int32, "float": np.float32, "png": np.float32, "pgm": np.uint8,
}  # fmt: skip


def _stored(name: str, value: Any, dtype: Any) -> NDArray[Any]:
    """Pixels as a contiguous array of a type, which has to hold them."""
    given = np.asarray(value)
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        whole = np.issubdtype(given.dtype, np.integer) or bool(np.all(given == np.floor(given)))
        if not whole or given.size and not (given.min() >= limits.min and given.max() <= limits.max):
            raise ValueError(f"{name}: whole numbers from {limits.min} to {limits.max} are needed")
    return np.ascontiguousarray(given, dtype=dtype)


def _words(options: str | Sequence[str]) -> list[str]:
    return shlex.split(options) if isinstance(options, str) else [str(word) for word in options]


class Experiment:
    """An experiment that is set up once and gives images and derivatives.

    ``options`` are those of the program, as a string or as words, without a command; keywords are the ones
    below, and count after ``options``. Files are read when the experiment is made, and the structure factors
    are kept; ``contents`` are bytes that stand for files, by the names that the options give these.

    An experiment does not change; :meth:`replace` makes another one. Experiments can be pickled: they are made
    again from their options, whose files have to be there still, and from the arrays that were given.

    Raises ``ValueError`` for what fits no experiment, ``OSError`` for files that cannot be read, and
    ``TypeError`` for unknown keywords.

    >>> import numpy as np, widebragg as wb
    >>> experiment = wb.Experiment(
    ...     "-cell 70 80 90 90 90 90 -default_F 100 -lambda 1 -distance 100",
    ...     N=3, detector_pixels=(16, 32), pixel_mm=0.5,
    ... )
    >>> experiment.shape, experiment.wavelength_A
    ((16, 32), 1.0)
    >>> np.array_equal(experiment.render(), experiment.replace().render(threads=2))
    True

    Keywords:

    """

    def __init__(
        self,
        options: str | Sequence[str] = (),
        *,
        contents: Mapping[str, bytes] | None = None,
        **keywords: Any,
    ) -> None:
        self._set_up(options, contents, keywords)
        for line in self._core.warnings:
            warnings.warn(line, WidebraggWarning, stacklevel=2)

    def _set_up(
        self,
        options: str | Sequence[str],
        contents: Mapping[str, bytes] | None,
        keywords: Mapping[str, Any],
    ) -> None:
        """Makes the experiment, and tells no warnings."""
        self._options, self._contents = _given(options, contents, keywords)
        self._core = _core.Experiment(self.options, self._contents)

    @classmethod
    def from_options(cls, options: str | Sequence[str], **keywords: Any) -> Experiment:
        """The experiment of the program's options, a string or words; keywords count after these."""
        return cls(options, **keywords)

    def replace(self, options: str | Sequence[str] = (), **keywords: Any) -> Experiment:
        """Another experiment, with these options and keywords in the place of those that it has.

        Of its warnings, those are told that this experiment did not have.
        """
        other = Experiment.__new__(Experiment)
        other._set_up([*self.options, *_words(options)], self._contents, keywords)
        for line in other._core.warnings:
            if line not in self._core.warnings:
                warnings.warn(line, WidebraggWarning, stacklevel=2)
        return other

    @property
    def options(self) -> list[str]:
        """The words of the options; files are named by absolute paths, and arrays by ``<hkl>`` and the like."""
        return [word for _, words in self._options for word in words]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of images: (slow, fast), or (panel, slow, fast) of several panels of equal size."""
        return tuple(self._core.shape)

    @property
    def panels(self) -> list[dict[str, Any]]:
        """Name, number in the file, shape, pixel_mm, origin_mm, fast and slow of each panel that is rendered."""
        return self._core.panels

    @property
    def facts(self) -> dict[str, Any]:
        """Numbers of the experiment by name, those of the properties below among them."""
        return self._core.facts

    @property
    def wavelength_A(self) -> float:
        """The wavelength, that of the orientation matrix."""
        return float(self.facts["wavelength_A"])

    @property
    def cell(self) -> tuple[float, ...]:
        """a, b, c in angstrom and alpha, beta, gamma in degrees."""
        return tuple(self.facts["cell"])

    @property
    def N(self) -> tuple[float, ...]:
        """Unit cells along a, b and c."""
        return tuple(self.facts["N"])

    def render(
        self,
        *,
        frame: int = 0,
        threads: int | None = None,
        out: NDArray[np.float32] | None = None,
        carryover: Carryover | None = None,
    ) -> NDArray[np.float32]:
        """The photons expected in each pixel, float32, of :attr:`shape`: the program's float image.

        ``frame`` counts from 0 and turns the crystal on by the oscillation of as many frames. ``threads`` are as many
        as pay where it is None; the image does not depend on them. ``out`` is a contiguous float32 array with as many
        elements, which is filled and returned. ``carryover`` is what renders before this one have left; without it a
        render begins anew. Raises ``ValueError`` for one of another experiment or frame.
        """
        kept = None if carryover is None else carryover._core
        if out is None:
            return self._core.render(frame, threads, None, kept)
        self._core.render(frame, threads, out, kept)
        return out

    def parameters(
        self, wrt: str | Sequence[str] = "all", *, panel_groups: Sequence[str] = ()
    ) -> dict[str, Parameter]:
        """Unit and value of each parameter that ``wrt`` names, as ``--wrt`` of the program does."""
        named = self._core.parameters((_names(wrt), list(panel_groups)))
        return {name: Parameter(unit, value) for name, unit, value in named}

    def gradient(
        self,
        wrt: str | Sequence[str] = "all",
        *,
        against: ArrayLike | None = None,
        loss: Literal["least-squares", "poisson"] = "least-squares",
        panel_groups: Sequence[str] = (),
        threads: int | None = None,
    ) -> tuple[float, dict[str, float]]:
        """A loss and its derivative with respect to each parameter that ``wrt`` names, per unit of it.

        ``against`` is an image of :attr:`shape`; pixels that are NaN or infinite do not count. The loss is half
        the sum of squared differences, or the negative logarithm of the likelihood of counts. Without an image it
        is the sum of all pixels.
        """
        data = None if against is None else self._image("against", against, np.float32)
        names = (_names(wrt), list(panel_groups))
        value, slopes = self._core.gradient(names, data, _is_poisson(loss), threads)
        return value, dict(slopes)

    def derivatives(
        self,
        wrt: str | Sequence[str],
        *,
        panel_groups: Sequence[str] = (),
        threads: int | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        """The derivative of each pixel with respect to each parameter that ``wrt`` names, per unit of it."""
        parameters = self.parameters(wrt, panel_groups=panel_groups)
        names = (list(parameters), list(panel_groups))
        images = self._core.pushforward(names, [0.0] * len(parameters), threads)
        return dict(zip(parameters, images))

    def structure_factor_slopes(
        self, weights: ArrayLike, *, threads: int | None = None
    ) -> NDArray[np.float64]:
        """The derivative of ``(weights * image).sum()`` with respect to each F of :attr:`structure_factors`."""
        _, slopes = self._core.pullback((["F"], []), [], self._image("weights", weights, np.float64), threads)
        assert slopes is not None  # the core raises where there are no structure factors
        return slopes

    @property
    def structure_factors(self) -> tuple[tuple[int, int, int], NDArray[np.float64]] | None:
        """The h, k, l of the first node of the grid of structure factors, and the grid; None without a list."""
        found = self._core.structure_factors
        if found is None:
            return None
        (h, k, l), grid = found
        return (h, k, l), grid

    def detect(
        self,
        photons: ArrayLike,
        *,
        seed: int = 1,
        frame: int = 1,
        threads: int | None = None,
    ) -> NDArray[np.int32]:
        """What a detector stores of the expected ``photons``, an image of :attr:`shape`: int32, -1 where masked.

        The stages are those of the options, such as ``--gain``, ``--psf`` or ``--detector-model``; without any,
        photons are counted. Each pixel is drawn by ``seed``, ``frame``, panel and pixel alone, as by the program with
        ``--noise-model counter``, whose frames count from 1.
        """
        image = self._image("photons", photons, np.float32)
        return self._core.detect(image, seed, frame, threads)

    @property
    def background(self) -> NDArray[np.float32] | None:
        """The photons that amorphous matter adds to each pixel, of :attr:`shape`; None without ``--background``."""
        return self._core.background

    def scattered_by(
        self,
        matter: str | tuple[ArrayLike, ArrayLike],
        *,
        thickness_mm: float | None = None,
        path_mm: tuple[float, float] | None = None,
        density_g_cm3: float | None = None,
        weight_g_mol: float | None = None,
        threads: int | None = None,
    ) -> NDArray[np.float32]:
        """The photons that amorphous matter in the beam scatters into each pixel, of :attr:`shape`.

        ``matter`` is ``"water"``, ``"air"`` or ``"ice"``, or arrays of s = sin(theta)/lambda in 1/angstrom, rising,
        and of F of a molecule in electrons. It fills a slab of ``thickness_mm`` at the sample, or the beam from
        ``path_mm[0]`` to ``path_mm[1]`` behind the sample (below 0: before it). Density in g/cm^3 and molecular
        weight in g/mol are those of the matter, or of water where it is a table. Nothing is absorbed in the matter
        itself: ``--background`` has that.

        The beam has the size and the fluence of the experiment. Raises ``ValueError`` in c-parity, whose images have
        no such background, and unless either a thickness or a path is given.

        >>> import numpy as np, widebragg as wb
        >>> experiment = wb.Experiment(
        ...     cell=(70, 80, 90, 90, 90, 90), N=5, default_F=100, wavelength_A=1, distance_mm=100,
        ...     pixel_mm=0.5, detector_pixels=(64, 64), fluence=1e20, beamsize_mm=0.05,
        ... )
        >>> water = experiment.scattered_by("water", thickness_mm=0.05)
        >>> s, F, pixels = experiment.radial_background(water, thickness_mm=0.05, bins=20)
        >>> again = experiment.scattered_by((s, F), thickness_mm=0.05)
        >>> round(float(again.sum() / water.sum()), 2)
        1.0
        """
        if (thickness_mm is None) == (path_mm is None):
            raise ValueError("either thickness_mm or path_mm is needed")
        if isinstance(matter, str):
            s, F, density, weight = _core.known_matter(matter)
        else:
            s, F = (np.asarray(column, dtype=np.float64) for column in matter)
            density, weight = 1.0, 18.0
            if s.ndim != 1 or s.shape != F.shape:
                raise ValueError(f"matter: as many F as s are needed, not {F.shape} and {s.shape}")
        density = density if density_g_cm3 is None else density_g_cm3
        weight = weight if weight_g_mol is None else weight_g_mol
        points = list(zip(s.tolist(), F.tolist()))
        return self._core.scattered(points, thickness_mm or 0.0, path_mm, (density, weight), threads)

    def radial_background(
        self,
        photons: ArrayLike,
        *,
        thickness_mm: float,
        bins: int = 200,
        density_g_cm3: float = 1.0,
        weight_g_mol: float = 18.0,
        threads: int | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """s in 1/angstrom and F in electrons of the matter whose photons an image has, and the pixels of each.

        The inverse of :meth:`scattered_by`, as ``widebragg stol`` does it: robust means over ``bins`` rings of equal
        width in s, without those of few pixels. ``photons`` is an image of :attr:`shape`; pixels that are NaN do not
        count.
        """
        image = self._image("photons", photons, np.float32)
        s, F, pixels = self._core.radial_means(image, bins, thickness_mm, (density_g_cm3, weight_g_mol), threads)
        return s, F, pixels

    def predictions(self, frames: int = 1) -> dict[str, NDArray[Any]]:
        """Where the reflections of the first ``frames`` frames are, as ``--predictions`` of the program.

        There is a column for each quantity: ``hkl`` of shape (n, 3), the index of the ``panel``, ``fast_px`` and ``slow_px`` from the outer corner of its
        first pixel, ``d_A``, ``wavelength_A``, and ``phi_deg`` of a rotation or ``excitation_deg`` of a still;
        ``full_photons`` in all frames of a rotation, where they are known.
        """
        return self._core.predictions(frames)

    def write_image(
        self,
        path: str | os.PathLike[str],
        pixels: ArrayLike,
        format: Literal["smv", "cbf", "float", "png", "pgm"] | None = None,
        *,
        frame: int = 0,
        adc_offset: float = 0.0,
    ) -> None:
        """Writes an image of :attr:`shape`, with the geometry of the experiment; panels are stacked along slow.

        ========  ===========================================================  ======================
        format    pixels                                                       end of ``path``
        ========  ===========================================================  ======================
        smv       0 to 65535; ``adc_offset`` is what the header says of them   ``.img``, ``.smv``
        cbf       counts of 31 bits; negative ones are gaps                    ``.cbf``
        float     photons, no header                                           ``.bin``
        png       photons: a preview                                           ``.png``
        pgm       grey levels from 0 to 255                                    ``.pgm``
        ========  ===========================================================  ======================

        Numbers that the format does not hold raise ``ValueError``. Headers describe detectors perpendicular to the
        beam; :meth:`write_geometry` describes any.
        """
        name = format or _FORMATS.get(os.path.splitext(os.fspath(path))[1].lower())
        if name is None:
            raise ValueError(f"format: the end of {os.fspath(path)!r} tells none; there are {', '.join(_PIXELS)}")
        if name not in _PIXELS:
            raise ValueError(f"format: {name!r} is none of {', '.join(_PIXELS)}")
        image = _stored("pixels", pixels, _PIXELS[name])
        if image.shape != self.shape:
            raise ValueError(f"pixels: an array of shape {image.shape}, the image has {self.shape}")
        self._core.write_image(os.fspath(path), name, image, frame, adc_offset)

    def write_nxmx(
        self, path: str | os.PathLike[str], frames: Sequence[ArrayLike], *, threads: int | None = None
    ) -> None:
        """Writes an NXmx file of the first frames: floats are photons, and integers are counts with noise.

        ``frames`` are images of :attr:`shape`. The file has beam, detector, crystal and scan of the experiment. Raises
        ``ValueError`` for no frames, other shapes, and numbers beyond 32 bits.
        """
        images = [np.asarray(frame) for frame in frames]
        for image in images:
            if image.shape != self.shape:
                raise ValueError(f"frames: an array of shape {image.shape}, the image has {self.shape}")
        if not images:
            raise ValueError("frames: there are none")
        dtype = np.int32 if all(np.issubdtype(image.dtype, np.integer) for image in images) else np.float32
        self._core.write_nxmx(os.fspath(path), _stored("frames", images, dtype), threads)

    def write_geometry(self, path: str | os.PathLike[str]) -> None:
        """Writes the geometry: an experiment list of DIALS where ``path`` ends in ``.expt``, of CrystFEL for ``.geom``.

        The list has beam, detector and crystal, the geometry of CrystFEL beam and detector.
        """
        self._core.write_geometry(os.fspath(path), os.path.splitext(os.fspath(path))[1].lstrip("."))

    def trace(self, slow: int, fast: int) -> dict[str, Any]:
        """The intermediate values of a pixel by their names, and those of its steps, a list, as ``"steps"``."""
        return self._core.trace(slow, fast)

    def refine(
        self,
        wrt: str | Sequence[str],
        against: ArrayLike,
        *,
        loss: Literal["least-squares", "poisson"] = "least-squares",
        iterations: int = 60,
        panel_groups: Sequence[str] = (),
        threads: int | None = None,
    ) -> Refinement:
        """Fits the parameters that ``wrt`` names to an image, as the program's ``refine`` does."""
        names = (_names(wrt), list(panel_groups))
        image = self._image("against", against, np.float32)
        found = self._core.refine(names, image, _is_poisson(loss), iterations, threads)
        return Refinement(
            {name: Parameter(unit, value) for name, unit, value, _ in found.parameters},
            {name: uncertainty for name, _, _, uncertainty in found.parameters},
            found.converged,
            found.believable,
            (found.loss[0], found.loss[1]),
            (found.correlation[0], found.correlation[1]),
            found.iterations,
            found.pixels,
        )

    def _image(self, name: str, value: ArrayLike, dtype: type[np.floating[Any]]) -> NDArray[Any]:
        """An image as a contiguous array, checked for its shape."""
        image = np.asarray(value, dtype=dtype)
        if image.shape != self.shape:
            raise ValueError(f"{name}: an array of shape {image.shape}, the image has {self.shape}")
        return np.ascontiguousarray(image)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.options, self._contents)

    def __repr__(self) -> str:
        return f"Experiment({shlex.join(self.options)!r})"


@dataclass(frozen=True)
class Shot:
    """A shot of a series."""

    #: Its number, from 1.
    number: int
    #: The photons expected in each pixel.
    photons: NDArray[np.float32]
    #: What it is: ``wavelength_A``, ``fluence``, ``shift_mm`` of the detector, and ``crystals`` with ``A`` (columns a*,
    #: b*, c* in 1/angstrom), ``N``, ``weight`` and so on; what is None is as in the options.
    truth: dict[str, Any]


class Shots:
    """Many stills of crystals in random orientations, as ``widebragg shots`` makes them: an iterator of :class:`Shot`.

    ``options`` and keywords are those of :class:`Experiment`, and the options of ``widebragg help shots``. A shot is the
    same whatever is rendered before it, and has the bits that the program gives it.

    >>> import widebragg as wb
    >>> shots = wb.Shots(
    ...     "--shots 3", cell=(70, 80, 90, 90, 90, 90), N=5, default_F=100, wavelength_A=1, distance_mm=100,
    ...     pixel_mm=0.5, detector_pixels=(20, 30), fluence=1e24,
    ... )
    >>> [shot.number for shot in shots], len(shots)
    ([1, 2, 3], 3)
    >>> shots[0].photons.shape, len(shots[0].truth["crystals"])
    ((20, 30), 1)
    """

    def __init__(
        self,
        options: str | Sequence[str] = (),
        *,
        contents: Mapping[str, bytes] | None = None,
        **keywords: Any,
    ) -> None:
        grouped, self._contents = _given(options, contents, keywords)
        self._options = [word for _, words in grouped for word in words]
        self._core = _core.Shots(self._options, self._contents)
        for line in self._core.warnings:
            warnings.warn(line, WidebraggWarning, stacklevel=2)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of images: (slow, fast), or (panel, slow, fast) of several panels of equal size."""
        return tuple(self._core.shape)

    def __len__(self) -> int:
        return len(self._core)

    def __getitem__(self, index: int) -> Shot:
        """A shot, counted from 0 here."""
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError(f"shot {index} of {len(self)}, counted from 0")
        truth = self._core.truth(at)
        return Shot(truth.pop("number"), self._core.render(at, None), truth)

    def __iter__(self) -> Iterator[Shot]:
        return (self[at] for at in range(len(self)))

    def __reduce__(self) -> tuple[Any, ...]:
        return _shots_again, (self._options, self._contents)

    def detect(self, shot: Shot) -> NDArray[np.int32]:
        """What the detector stores of a shot, drawn by the seed of the shots: see :meth:`Experiment.detect`."""
        photons = np.ascontiguousarray(shot.photons, dtype=np.float32)
        return self._core.detect(shot.number - 1, photons, None)

    def write_truth(self, path: str | os.PathLike[str]) -> None:
        """Writes the table of all shots, as ``--truth`` of the program: :func:`widebragg.read_shots` reads it."""
        self._core.write_truth(os.fspath(path))

    def write_stream(self, path: str | os.PathLike[str]) -> None:
        """Writes a stream of CrystFEL with the crystals of all shots and their reflections, as ``--stream``.

        Its images are those of the NXmx file that the options name (``--nxmx``), which is not written.
        """
        self._core.write_stream(os.fspath(path))


def _given(
    options: str | Sequence[str],
    contents: Mapping[str, bytes] | None,
    keywords: Mapping[str, Any],
) -> tuple[list[tuple[str, list[str]]], dict[str, bytes]]:
    """The options with those of keywords, and the contents that stand for files."""
    given = options_of(keywords)
    held = dict(contents or {})
    for keyword in given:
        held.update(keyword.contents)
    grouped = _core.grouped(_words(options), list(held))
    for keyword in given:
        grouped = replaced(grouped, keyword)
    # Again, since names of files that keywords give are made absolute, too.
    words = [word for _, words in grouped for word in words]
    return _core.grouped(words, list(held)), {name: text for name, text in held.items() if name in words}


def _again(options: list[str], contents: dict[str, bytes]) -> Experiment:
    """An experiment that was pickled, whose warnings were told."""
    experiment = Experiment.__new__(Experiment)
    experiment._set_up(options, contents, {})
    return experiment


def _shots_again(options: list[str], contents: dict[str, bytes]) -> Shots:
    """Shots that were pickled, whose warnings were told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WidebraggWarning)
        return Shots(options, contents=contents)


def _is_poisson(loss: str) -> bool:
    if loss not in ("least-squares", "poisson"):
        raise ValueError(f"loss: {loss!r} is neither 'least-squares' nor 'poisson'")
    return loss == "poisson"


def _names(wrt: str | Sequence[str]) -> list[str]:
    return [wrt] if isinstance(wrt, str) else list(wrt)


_WIDTH = max(map(len, KEYWORDS))
if Experiment.__doc__:
    Experiment.__doc__ += "".join(
        f"    {name:{_WIDTH}}  {keyword.help}\n" for name, keyword in KEYWORDS.items()
    )
