"""Types of the compiled module."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, overload

import numpy as np
from numpy.typing import NDArray

__version__: str

_Wrt = tuple[list[str], list[str]]

class Carryover:
    def __new__(cls) -> Carryover: ...
    @property
    def streams(self) -> list[dict[str, Any]]: ...

class Experiment:
    def __new__(cls, words: list[str], files: Mapping[str, bytes]) -> Experiment: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def shape(self) -> list[int]: ...
    @property
    def panels(self) -> list[dict[str, Any]]: ...
    @property
    def facts(self) -> dict[str, Any]: ...
    @overload
    def render(
        self, frame: int, threads: int | None, out: None, carryover: Carryover | None
    ) -> NDArray[np.float32]: ...
    @overload
    def render(
        self, frame: int, threads: int | None, out: NDArray[np.float32], carryover: Carryover | None
    ) -> None: ...
    def parameters(self, wrt: _Wrt) -> list[tuple[str, str, float]]: ...
    def image(self, wrt: _Wrt, steps: list[float], threads: int | None) -> NDArray[np.float64]: ...
    def pullback(
        self, wrt: _Wrt, steps: list[float], weights: NDArray[np.float64], threads: int | None
    ) -> tuple[list[float], NDArray[np.float64] | None]: ...
    def with_structure_factors(self, factors: NDArray[np.float64]) -> Experiment: ...
    def pushforward(self, wrt: _Wrt, steps: list[float], threads: int | None) -> NDArray[np.float64]: ...
    def gradient(
        self, wrt: _Wrt, against: NDArray[np.float32] | None, poisson: bool, threads: int | None
    ) -> tuple[float, list[tuple[str, float]]]: ...
    @property
    def background(self) -> NDArray[np.float32] | None: ...
    def scattered(
        self,
        points: Sequence[tuple[float, float]],
        thickness_mm: float,
        path_mm: tuple[float, float] | None,
        density_and_weight: tuple[float, float],
        threads: int | None,
    ) -> NDArray[np.float32]: ...
    def radial_means(
        self,
        photons: NDArray[np.float32],
        bins: int,
        thickness_mm: float,
        density_and_weight: tuple[float, float],
        threads: int | None,
    ) -> list[NDArray[np.float64]]: ...
    def predictions(self, frames: int) -> dict[str, NDArray[Any]]: ...
    def write_image(
        self, path: str, format: str, pixels: NDArray[Any], frame: int, adc_offset: float
    ) -> None: ...
    def write_nxmx(self, path: str, pixels: NDArray[Any], threads: int | None) -> None: ...
    def write_geometry(self, path: str, format: str) -> None: ...
    @property
    def structure_factors(self) -> tuple[list[int], NDArray[np.float64]] | None: ...
    def detect(
        self, photons: NDArray[np.float32], seed: int, frame: int, threads: int | None
    ) -> NDArray[np.int32]: ...
    def trace(self, slow: int, fast: int) -> dict[str, Any]: ...
    def refine(
        self, wrt: _Wrt, against: NDArray[np.float32], poisson: bool, iterations: int, threads: int | None
    ) -> Refined: ...

class Refined:
    parameters: list[tuple[str, str, float, float | None]]
    loss: list[float]
    correlation: list[float]
    iterations: int
    converged: bool
    believable: bool
    pixels: int

class Shots:
    def __new__(cls, words: list[str], files: Mapping[str, bytes]) -> Shots: ...
    def __len__(self) -> int: ...
    @property
    def warnings(self) -> list[str]: ...
    @property
    def shape(self) -> list[int]: ...
    def render(self, index: int, threads: int | None) -> NDArray[np.float32]: ...
    def detect(self, index: int, photons: NDArray[np.float32], threads: int | None) -> NDArray[np.int32]: ...
    def truth(self, index: int) -> dict[str, Any]: ...

def compare(image: NDArray[np.float32], reference: NDArray[np.float32]) -> dict[str, Any]: ...
def grouped(words: list[str], contents: list[str]) -> list[tuple[str, list[str]]]: ...
def read_image(path: str, size: tuple[int, int] | None) -> NDArray[np.float32]: ...
def rotate(vectors: NDArray[np.float64], axis: Sequence[float], angle_deg: float) -> NDArray[np.float64]: ...
def polarization_factor(
    kahn: float, incident: Sequence[float], diffracted: NDArray[np.float64], axis: Sequence[float]
) -> NDArray[np.float64]: ...
def run(args: list[str]) -> tuple[int, str | None]: ...
def sincg(h: NDArray[np.float64], n: float) -> NDArray[np.float64]:
    """The lattice factor of ``n`` unit cells in a row, sin(pi n h)/sin(pi h), at each h."""

def structure_factors(
    grid: NDArray[np.float64],
    min: tuple[int, int, int],
    hkl: Sequence[NDArray[np.float64]],
    default_f: float,
    interpolate: bool,
) -> NDArray[np.float64]: ...

_Drawn = tuple[int, int, int]

def noise_vary(
    pixels: NDArray[np.float32], flicker: float, pixel_flicker: float, drawn: _Drawn
) -> None: ...
def noise_count(pixels: NDArray[np.float32], drawn: _Drawn) -> None: ...
def noise_lose(
    pixels: NDArray[np.float32], tau_s: float, exposure_s: float, is_paralyzable: bool
) -> None: ...
def noise_spread(
    pixels: NDArray[np.float32],
    form: str,
    width_m: float,
    pixel_m: float,
    radius_px: int | None,
    threads: int | None,
) -> None: ...
def noise_gain_map(gains: NDArray[np.float32], calibration: float, seed: int, panel: int) -> None: ...
def noise_amplify(
    pixels: NDArray[np.float32], gain: float, gain_map: NDArray[np.float32] | None
) -> None: ...
def noise_add_common_mode(
    pixels: NDArray[np.float32], rms_adu: float, block: tuple[int, int] | None, drawn: _Drawn
) -> None: ...
def noise_read_out(pixels: NDArray[np.float32], rms_adu: float, drawn: _Drawn) -> None: ...
def noise_store(pixels: NDArray[np.float32], least: int, largest: int) -> NDArray[np.int32]: ...
def noise_switch_gain(
    pixels: NDArray[np.float32],
    photon_kev: float,
    switch_kev: tuple[float, float],
    modes: Sequence[tuple[float, float, float]],
    gain_map: NDArray[np.float32] | None,
    drawn: _Drawn,
) -> NDArray[np.int32]: ...
def noise_bad_pixels(pixels: int, count: int, seed: int, panel: int) -> NDArray[np.uint32]: ...
def reflections(
    path: str,
    columns: list[str],
    block: str | None,
    format: str | None,
    space_group: str | None,
    merges_mates: bool,
    cell: list[float] | None,
) -> tuple[NDArray[np.int32], NDArray[np.float64], dict[str, Any]]: ...
def write_reflections(
    path: str, hkl: NDArray[np.int32], f: NDArray[np.float64], cell: list[float] | None
) -> None: ...
def geometry(path: str, experiment: int) -> dict[str, Any]: ...
def stream(path: str) -> list[dict[str, Any]]: ...
def spectra(path: str) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]: ...
def source_list(path: str) -> list[tuple[list[float] | None, float | None, float | None]]: ...
def read_matrix(path: str) -> NDArray[np.float64]: ...
def write_matrix(path: str, rows: Sequence[Sequence[float]]) -> None: ...
def known_matter(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64], float, float]: ...
def stol(path: str, abscissa: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

class SimtbxFactors:
    def __new__(
        cls, hkl: NDArray[np.int32], f: NDArray[np.float64], default_f: float, f000: float
    ) -> SimtbxFactors: ...
    @property
    def shape(self) -> list[int]: ...

class Placed(TypedDict):
    origin_mm: list[float]
    fast: list[float]
    slow: list[float]
    normal: list[float]
    beam: list[float]
    e_vector: list[float]
    spindle: list[float]
    twotheta_axis: list[float]
    distance_mm: float
    close_distance_mm: float
    beam_center_mm: list[float]

def simtbx_panel(
    convention: str,
    shape: tuple[int, int],
    pixel_mm: float,
    distance_mm: float | None,
    close_distance_mm: float | None,
    beam_center_mm: Sequence[float] | None,
    rotation_deg: Sequence[float],
    twotheta_deg: float,
) -> Placed: ...
def simtbx_axes(
    cell: Sequence[float], reciprocal: Sequence[Sequence[float]] | None, misset_deg: Sequence[float]
) -> NDArray[np.float64]: ...
def simtbx_oversample(
    direct_angstrom: Sequence[Sequence[float]],
    cells: Sequence[float],
    wavelength_angstrom: float,
    distance_mm: float,
    pixel_mm: float,
) -> float: ...
def simtbx_misset(seed: int) -> list[float]: ...
def simtbx_domains(spread_deg: float, count: int, seed: int) -> NDArray[np.float64]: ...
def simtbx_add_spots(
    image: NDArray[np.float64],
    panel: Mapping[str, Any],
    beam: Mapping[str, Any],
    crystal: Mapping[str, Any],
    sources: NDArray[np.float64] | None,
    domains: NDArray[np.float64] | None,
    factors: SimtbxFactors,
    threads: int | None,
) -> bool: ...
def simtbx_add_noise(
    image: NDArray[np.float64],
    region_px: Sequence[int],
    noise: Mapping[str, Any],
    point_spread: tuple[str, float, int] | None,
) -> None: ...
def simtbx_apply_psf(image: NDArray[np.float64], point_spread: tuple[str, float, int]) -> None: ...
def simtbx_add_background(
    image: NDArray[np.float64],
    panel: Mapping[str, Any],
    beam: Mapping[str, Any],
    crystal: Mapping[str, Any],
    sources: NDArray[np.float64] | None,
    table: NDArray[np.float64],
    matter: Mapping[str, Any],
) -> None: ...
