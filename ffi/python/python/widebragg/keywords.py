"""Options of the program as keywords: names with units, values as Python has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["KEYWORDS", "Given", "options_of"]


@dataclass(frozen=True)
class Given:
    """What a keyword stands for: words of options, and contents of files that these name."""

    #: The options, each its name and its values.
    options: tuple[tuple[str, ...], ...]
    #: The names of options that no longer count.
    replaces: tuple[str, ...]
    #: Contents of files, by the names that the options give them.
    contents: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Keyword:
    """A keyword: what it means, and how its value is written as options."""

    help: str
    given: Callable[[str, Any], Given]


def _text(value: Any) -> str:
    """A number with all of its digits."""
    if isinstance(value, (bool, np.bool_)):
        raise TypeError("a number is expected, not a truth value")
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return repr(float(value))


def _numbers(name: str, value: Any, count: int) -> tuple[str, ...]:
    values = np.asarray(value).ravel().tolist()
    if len(values) != count:
        raise ValueError(f"{name}: {len(values)} numbers, {count} are needed")
    return tuple(_text(number) for number in values)


def _number(option: str, *replaces: str) -> Callable[[str, Any], Given]:
    def given(_name: str, value: Any) -> Given:
        return Given(((option, _text(value)),), (option, *replaces))

    return given


def _several(option: str, count: int, *replaces: str) -> Callable[[str, Any], Given]:
    def given(name: str, value: Any) -> Given:
        return Given(((option, *_numbers(name, value, count)),), (option, *replaces))

    return given


def _word(option: str) -> Callable[[str, Any], Given]:
    def given(_name: str, value: Any) -> Given:
        return Given(((option, os.fspath(value)),), (option,))

    return given


def _choice(options: Mapping[Any, str]) -> Callable[[str, Any], Given]:
    def given(name: str, value: Any) -> Given:
        if value not in options:
            known = ", ".join(repr(choice) for choice in options)
            raise ValueError(f"{name}: {value!r} is none of {known}")
        return Given(((options[value],),), tuple(options.values()))

    return given


def _cells(name: str, value: Any) -> Given:
    replaces = ("-N", "-Na", "-Nb", "-Nc")
    if np.ndim(value) == 0:
        return Given((("-N", _text(value)),), replaces)
    numbers = _numbers(name, value, 3)
    return Given(tuple(zip(replaces[1:], numbers)), replaces)


def _pixels(name: str, value: Any) -> Given:
    slow, fast = _numbers(name, (value, value) if np.ndim(value) == 0 else value, 2)
    replaces = ("-detpixels", "-detpixels_x", "-detpixels_y")
    return Given((("-detpixels_x", fast), ("-detpixels_y", slow)), replaces)


def _beam_center(name: str, value: Any) -> Given:
    x, y = _numbers(name, value, 2)
    return Given((("-Xbeam", x), ("-Ybeam", y)), ("-Xbeam", "-Ybeam"))


def _region(name: str, value: Any) -> Given:
    slow, fast = value
    limits = []
    for part in (fast, slow):
        if not isinstance(part, slice) or part.step not in (None, 1) or part.stop is None:
            raise ValueError(f"{name}: two slices are needed, such as numpy.s_[10:20, 0:30]")
        limits += [part.start or 0, part.stop - 1]
    return Given((("-roi", *map(_text, limits)),), ("-roi",))


def _polarization(_name: str, value: Any) -> Given:
    option = ("-nopolar",) if value is None else ("-polar", _text(value))
    return Given((option,), ("-polar", "-nopolar"))


def _reflections(name: str, value: Any) -> Given:
    if isinstance(value, (str, os.PathLike)):
        return Given((("-hkl", os.fspath(value)),), ("-hkl",))
    hkl, F = value
    hkl, F = np.asarray(hkl), np.asarray(F, dtype=float)
    if hkl.ndim != 2 or hkl.shape[1] != 3 or F.shape != hkl.shape[:1]:
        raise ValueError(f"{name}: indices of shape (n, 3) and n structure factors are needed, "
                         f"not {hkl.shape} and {F.shape}")
    indices = hkl.astype(int)
    if not np.array_equal(indices, hkl):
        raise ValueError(f"{name}: indices are whole numbers")
    lines = (f"{h} {k} {l} {f!r}\n" for (h, k, l), f in zip(indices.tolist(), F.tolist()))
    return Given((("-hkl", "<hkl>"),), ("-hkl",), {"<hkl>": "".join(lines).encode()})


def _spectrum(name: str, value: Any) -> Given:
    if isinstance(value, (str, os.PathLike)):
        return Given((("--spectrum", os.fspath(value)),), ("--spectrum",))
    wavelengths, weights = (np.asarray(column, dtype=float) for column in value)
    if wavelengths.ndim != 1 or wavelengths.shape != weights.shape:
        raise ValueError(f"{name}: as many weights as wavelengths are needed, "
                         f"not {wavelengths.shape} and {weights.shape}")
    lines = (f"{wavelength!r} {weight!r}\n" for wavelength, weight in zip(wavelengths.tolist(), weights.tolist()))
    text = "# wavelength_A weight\n" + "".join(lines)
    return Given((("--spectrum", "<spectrum>"),), ("--spectrum",), {"<spectrum>": text.encode()})


#: All keywords.
KEYWORDS: dict[str, Keyword] = {
    # Crystal
    "cell": Keyword("a, b, c in angstrom and alpha, beta, gamma in degrees", _several("-cell", 6, "-mat")),
    "mat": Keyword("file with an orientation matrix", _word("-mat")),
    "misset_deg": Keyword("turns about x, y, z", _several("-misset", 3)),
    "N": Keyword("unit cells along a, b, c, or along each", _cells),
    "shape": Keyword(
        "'square', 'round', 'gauss' or 'tophat'",
        _choice({"square": "-square_xtal", "round": "-round_xtal", "gauss": "-gauss_xtal", "tophat": "-tophat_spots"}),
    ),
    "mosaic_spread_deg": Keyword("spread of the mosaic domains", _number("-mosaic")),
    "mosaic_domains": Keyword("number of mosaic domains", _number("-mosaic_domains")),
    "mosaic_seed": Keyword("seed of their rotations", _number("-mosaic_seed")),
    # Structure factors
    "hkl": Keyword("file of structure factors, or indices of shape (n, 3) and n values of F", _reflections),
    "default_F": Keyword("F of reflections that are not listed", _number("-default_F")),
    "interpolate": Keyword("whether F is interpolated", _choice({True: "-interpolate", False: "-nointerpolate"})),
    # Beam
    "wavelength_A": Keyword("wavelength", _number("-lambda", "-energy")),
    "energy_eV": Keyword("energy of the photons", _number("-energy", "-lambda")),
    "spectrum": Keyword("file of a spectrum, or wavelengths in angstrom and their weights", _spectrum),
    "fluence": Keyword("photons per square metre", _number("-fluence")),
    "flux": Keyword("photons per second", _number("-flux")),
    "exposure_s": Keyword("exposure", _number("-exposure")),
    "beamsize_mm": Keyword("width of the beam", _number("-beamsize")),
    "polarization": Keyword("Kahn's factor, -1 to 1; None: no polarisation factor", _polarization),
    "water_um": Keyword("thickness of water in the beam", _number("-water")),
    # Detector
    "geometry": Keyword("file with the geometry of the experiment (.expt, .geom, XDS, images, NXmx)", _word("--geometry")),
    "panel": Keyword("the panel to render alone, by name or number", lambda _n, v: Given((("--panel", str(v)),), ("--panel",))),
    "distance_mm": Keyword("from the sample to the detector along the beam", _number("-distance")),
    "close_distance_mm": Keyword("from the sample to the detector along its normal", _number("-close_distance")),
    "pixel_mm": Keyword("edge of a pixel", _number("-pixel")),
    "detector_pixels": Keyword("pixels along slow and fast, or along both", _pixels),
    "beam_center_mm": Keyword("x and y of the beam in the convention of the options", _beam_center),
    "twotheta_deg": Keyword("swing of the detector", _number("-twotheta")),
    "roi": Keyword("slices of slow and fast pixels to render, such as numpy.s_[10:20, 0:30]", _region),
    # Sampling
    "phi_deg": Keyword("phi of the first step", _number("-phi")),
    "osc_deg": Keyword("range of phi", _number("-osc")),
    "phi_steps": Keyword("steps of phi", _number("-phisteps")),
    "oversample": Keyword("subpixels along each edge of a pixel", _number("-oversample")),
    "mode": Keyword("'spec' or 'c-parity'", _word("--phi-carryover-mode")),
    "device": Keyword("what renders images: cpu, auto, opencl, cuda:1 ...", _word("--device")),
    "simd": Keyword("highest instruction set to use", _word("--simd")),
}


def options_of(keywords: Mapping[str, Any]) -> list[Given]:
    """The options that keywords stand for."""
    found = []
    for name, value in keywords.items():
        keyword = KEYWORDS.get(name)
        if keyword is None:
            known = ", ".join(KEYWORDS)
            raise TypeError(f"no keyword {name!r}; there are {known}, and options= takes all others of the program")
        found.append(keyword.given(name, value))
    return found


def replaced(options: Sequence[tuple[str, list[str]]], given: Given) -> list[tuple[str, list[str]]]:
    """Options with those of a keyword in the place of the first that these replace, or at the end."""
    kept = [option for option in options if option[0] not in given.replaces]
    places = [at for at, option in enumerate(options) if option[0] in given.replaces]
    at = len([option for option in options[: places[0]] if option in kept]) if places else len(kept)
    return [*kept[:at], *((words[0], list(words)) for words in given.options), *kept[at:]]
