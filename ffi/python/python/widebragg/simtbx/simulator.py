"""The class ``nanoBragg``."""

from __future__ import annotations

import math
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from widebragg import _core
from widebragg.simtbx import dxtbx_objects, names, smv
from widebragg.simtbx.arrays import FlexArray, numbers
from widebragg.simtbx.enums import convention, pivot, shapetype
from widebragg.simtbx.extraction import extracted
from widebragg.simtbx.geometry import Geometry
from widebragg.simtbx.models import (
    METRES_BELOW,
    BeamModel,
    PanelModel,
    direct_axes,
    matrix,
    panel_of,
    reflections,
    vector,
)
from widebragg.simtbx.properties import Property, flag, integer, pair
from widebragg.simtbx.warning import warn_once

__all__ = ["nanoBragg"]

#: simtbx's default fluence, 1/r_e^2 with the classical electron radius r_e, in photons per square metre.
DEFAULT_FLUENCE = 1.0 / 7.94079248018965e-30

#: Cells whose lengths differ by less, as a fraction, are the same.
SAME_CELL = 1e-6

#: Lists of reflections that are kept for other objects with the same, and grids of each.
LISTS_KEPT, GRIDS_KEPT = 8, 4

#: Every so many amplitudes are compared first.
SAMPLE = 997

class UnitCell(tuple[float, ...]):
    """Lengths in angstrom and angles in degrees, with the method of cctbx's unit cells."""

    def parameters(self) -> tuple[float, ...]:
        """a, b, c in angstrom, alpha, beta, gamma in degrees."""
        return tuple(self)


class _Reflections:
    """Amplitudes of a P 1 list, and the grids that scenes share."""

    _kept: deque[_Reflections] = deque(maxlen=LISTS_KEPT)

    def __init__(self, hkl: NDArray[Any], F: NDArray[Any]) -> None:
        self.hkl = np.array(hkl, dtype=np.int32)
        self.F = np.array(F, dtype=float)
        self._grids: OrderedDict[tuple[float, float], _core.SimtbxFactors] = OrderedDict()

    @classmethod
    def of(cls, indices: Any, amplitudes: Any) -> _Reflections:
        """Those of a list: the same object where it was made before, since scripts give one list to many objects."""
        hkl, F = numbers(indices).reshape(-1, 3), numbers(amplitudes).reshape(-1)
        if len(hkl) != len(F):
            raise ValueError(f"Fhkl_tuple: {len(hkl)} indices and {len(F)} amplitudes")
        for kept in cls._kept:
            same = kept.F.shape == F.shape and np.array_equal(kept.F[::SAMPLE], F[::SAMPLE])
            if same and np.array_equal(kept.F, F) and np.array_equal(kept.hkl, hkl):
                return kept
        made = cls(hkl, F)
        cls._kept.append(made)
        return made

    def __getstate__(self) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        return self.hkl, self.F

    def __setstate__(self, state: tuple[NDArray[np.int32], NDArray[np.float64]]) -> None:
        self.hkl, self.F = state
        self._grids = OrderedDict()

    def grid(self, default_F: float, F000: float) -> _core.SimtbxFactors:
        """The grid with these values where no reflection is listed and at 0, 0, 0."""
        key = (default_F, F000)
        found = self._grids.get(key)
        if found is None:
            found = self._grids[key] = _core.SimtbxFactors(self.hkl, self.F, default_F, F000)
            if len(self._grids) > GRIDS_KEPT:
                self._grids.popitem(last=False)
        return found


def _inverse(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """a*, b*, c* as rows from a, b, c as rows, or the other way round."""
    return np.asarray(np.linalg.inv(rows).T, dtype=np.float64)


def _cell_of(direct: NDArray[np.float64]) -> UnitCell:
    a, b, c = direct
    lengths = [float(np.linalg.norm(edge)) for edge in direct]

    def angle(u: NDArray[np.float64], v: NDArray[np.float64]) -> float:
        return math.degrees(math.acos(float(np.clip(u @ v / np.linalg.norm(u) / np.linalg.norm(v), -1, 1))))

    return UnitCell([*lengths, angle(b, c), angle(a, c), angle(a, b)])


def _shape(value: Any) -> shapetype:
    if not isinstance(value, shapetype):
        raise TypeError(f"{value!r} is not a shapetype")
    return value


def _pivot(value: Any) -> pivot:
    if not isinstance(value, pivot):
        raise TypeError(f"{value!r} is not a pivot")
    return value


def _direction(name: str, doc: str) -> Any:
    """A property that is a direction of the geometry."""

    def read(self: nanoBragg) -> tuple[float, ...]:
        return self._geometry.axis(name)

    def write(self: nanoBragg, axis: Any) -> None:
        self._geometry.set_axis(name, vector(axis))

    return property(read, write, doc=doc)


class nanoBragg:
    """Images of crystals, by the names of simtbx.

    ``nanoBragg(detpixels_slowfast=(1024, 1024), Ncells_abc=(1, 1, 1), ...)`` has a detector of MOSFLM's convention,
    ``nanoBragg(detector, beam, panel_id=0)`` one of dxtbx. Properties are set one by one, and ``add_nanoBragg_spots()`` adds
    photons to ``raw_pixels``.

    Reading an unknown name gives None, writing one warns once and has no effect, as in simtbx.

    >>> SIM = nanoBragg(detpixels_slowfast=(20, 30), pixel_size_mm=1, distance_mm=80, wavelength_A=1.2)
    >>> SIM.unit_cell_tuple = 50, 60, 70, 90, 90, 90
    >>> SIM.Ncells_abc, SIM.oversample, SIM.default_F = (5, 5, 5), 2, 100
    >>> SIM.flux, SIM.exposure_s, SIM.beamsize_mm = 1e12, 0.1, 0.1
    >>> SIM.add_nanoBragg_spots()
    >>> once = SIM.raw_pixels.deep_copy()
    >>> SIM.add_nanoBragg_spots()
    >>> bool(np.allclose(SIM.raw_pixels, 2 * once))
    True
    """

    # Properties that are one value. Those of noise and background are kept here and used by their methods.
    verbose = Property(integer, 0, "How much is printed: accepted, without effect.")
    spot_scale = Property(float, 1.0, "Factor on the photons of spots; add_nanoBragg_spots_nks ignores it.")
    xtal_shape = Property(_shape, shapetype.Square, "Shape of the spots: a shapetype.")
    default_F = Property(float, 0.0, "Structure factor of reflections that are not listed, in electrons.")
    F000 = Property(float, 0.0, "Structure factor of 0, 0, 0, in electrons, whatever the list has.")
    interpolate = Property(
        integer, 1, "1: F is interpolated as long as each reflection has enough neighbours; 0: not. It becomes 0 then."
    )
    phi_deg = Property(float, 0.0, "Phi of the first step, in degrees.")
    osc_deg = Property(float, 0.0, "Range of phi, in degrees.")
    phisteps = Property(integer, 1, "Steps of phi.")
    mosaic_seed = Property(integer, 12345678, "Seed of the mosaic domains; it acts at once.")
    polarization = Property(float, 0.0, "Kahn's polarisation factor, -1 to 1.")
    nopolar = Property(flag, False, "Whether the polarisation factor is left out.")
    point_pixel = Property(flag, False, "Whether pixels are points: solid angle pixel^2/R^2 without obliquity.")
    curved_detector = Property(flag, False, "Whether all pixels are at the same distance from the sample.")
    integral_form = Property(flag, False, "Accepted; it has no effect in simtbx either.")
    dispersion_pct = Property(float, 0.0, "Range of wavelengths, in % of the wavelength.")
    dispsteps = Property(integer, 1, "Steps of the wavelength.")
    divergence_hv_mrad = Property(pair, (0.0, 0.0), "Horizontal and vertical divergence, in mrad.")
    divsteps_hv = Property(pair, (1.0, 1.0), "Steps of the horizontal and vertical divergence.")
    divstep_hv_mrad = Property(pair, (0.0, 0.0), "Size of these steps, in mrad; 0: from the divergence.")
    round_div = Property(flag, True, "Whether the corners of the divergence are left out.")
    detector_thick_mm = Property(float, 0.0, "Thickness of the sensor, in mm; 0: everything is captured at the surface.")
    detector_attenuation_length_mm = Property(float, 0.234, "Attenuation length of the sensor, in mm.")
    seed = Property(integer, 0, "Seed of noise and randomize_orientation; it reads back as it was set.")
    calib_seed = Property(integer, 123456789, "Seed of the calibration of the pixels.")
    adc_offset_adu = Property(float, 40.0, "ADU that add_noise adds.")
    quantum_gain = Property(float, 1.0, "ADU per photon, used by add_noise.")
    readout_noise_adu = Property(float, 3.0, "Readout noise of add_noise, in ADU.")
    flicker_noise_pct = Property(float, 0.0, "Flicker of add_noise, in %: a deviate for each pixel.")
    detector_calibration_noise_pct = Property(float, 3.0, "Calibration noise of add_noise, in %.")
    detector_psf_type = Property(_shape, shapetype.Fiber, "Point spread of add_noise: Gauss, Fiber, or Unknown for none.")
    detector_psf_fwhm_mm = Property(float, 0.08, "Width of the point spread at half its height, in mm.")
    detector_psf_kernel_radius_pixels = Property(integer, 0, "Radius of the point spread, in pixels; 0: automatic.")
    amorphous_sample_thick_mm = Property(float, 0.0, "Thickness of what add_background adds, along the beam, in mm.")
    amorphous_density_gcm3 = Property(float, 1.0, "Its density, in g/cm3.")
    amorphous_molecular_weight_Da = Property(float, 18.0, "Its molecular weight, in g/mol.")
    default_Fbg = Property(float, 0.0, "Accepted, without effect: tables have all of their F.")
    cbf_int = Property(flag, False, "Whether to_cbf and imageset have whole numbers of 32 bits.")
    device_Id = Property(integer, 0, "Number of a GPU: accepted, without effect.")
    progress_meter = Property(flag, True, "Accepted, without effect: nothing is printed.")
    progress_pixel = Property(integer, 0, "Accepted, without effect.")
    printout = Property(flag, False, "Accepted, without effect; widebragg trace prints the values of a pixel.")
    printout_pixel_fastslow = Property(pair, (-1.0, -1.0), "Accepted, without effect; see printout.")
    detector_pivot = Property(_pivot, pivot.Beam, "Accepted; named conventions have their own pivot.")

    #: Threads of add_nanoBragg_spots; None: as many as pay. The image does not depend on them. Not a name of simtbx.
    threads: int | None

    #: simtbx without CUDA has None here, which scripts ask for.
    add_nanoBragg_spots_cuda: None = None

    def __init__(
        self,
        detector: Any = None,
        beam: Any = None,
        verbose: int = 0,
        panel_id: int = 0,
        *,
        detpixels_slowfast: Sequence[int] = (1024, 1024),
        Ncells_abc: Any = (1, 1, 1),
        unit_cell_Adeg: Any = None,
        misset_deg: Any = (0, 0, 0),
        beam_center_mm: Any = None,
        distance_mm: float = 100,
        pixel_size_mm: float = 0.1,
        wavelength_A: float = 1,
        divergence_mrad: Any = 0,
        dispersion_pct: float = 0,
        mosaic_spread_deg: float = 0,
        oversample: int = 0,
    ) -> None:
        self.threads = None
        self._set: set[str] = set()
        self._cell = UnitCell((78.0, 78.0, 38.0, 90.0, 90.0, 90.0))
        self._reciprocal: NDArray[np.float64] | None = None
        self._misset_deg: tuple[float, ...] = (0.0, 0.0, 0.0)
        self._cells: tuple[float, ...] = (1.0, 1.0, 1.0)
        self._axes: tuple[object, NDArray[np.float64]] | None = None
        self._wavelength_A = 1.0
        self._flux: float | None = None
        self._fluence = DEFAULT_FLUENCE
        self._exposure_s = 1.0
        self._beamsize_mm = 0.1
        self._oversample: int | None = None
        self._domains = 1
        self._spread_deg = 0.0
        self._blocks: NDArray[np.float64] | None = None
        self._phistep_deg: float | None = None
        self._thicksteps: int | None = None
        self._sources: NDArray[np.float64] | None = None
        self._beams: list[Any] = []
        #: Columns of the list of sources, as far as they were set.
        self._listed_sources = {
            "directions": np.zeros((0, 3)), "wavelengths": np.zeros(0), "fractions": np.zeros(0),
        }  # fmt: skip
        self._region: tuple[tuple[int, int], tuple[int, int]] | None = None
        self._Fbg_vs_stol: list[tuple[float, float]] = []
        self._miller_array: Any = None
        self._reflections = _Reflections.of(np.zeros((0, 3)), np.zeros(0))
        self.verbose = verbose
        self.seed = -int(time.time())
        if detector is None and beam is None:
            slow, fast = (integer(number) for number in detpixels_slowfast)
            self._geometry = Geometry((slow, fast), float(pixel_size_mm))
            self.distance_mm = distance_mm
            self.wavelength_A = wavelength_A
            if beam_center_mm is not None and not np.isnan(vector(beam_center_mm, 2)).any():
                self.beam_center_mm = beam_center_mm
            if unit_cell_Adeg is not None:
                self.unit_cell_Adeg = unit_cell_Adeg
            if any(vector(misset_deg)):
                self.missets_deg = misset_deg
            self.divergence_hv_mrad = (divergence_mrad,) * 2 if np.ndim(divergence_mrad) == 0 else divergence_mrad
            self.dispersion_pct = dispersion_pct
            self.mosaic_spread_deg = mosaic_spread_deg
        else:
            if detector is None or beam is None:
                raise TypeError("nanoBragg: a detector and a beam of dxtbx are needed, or neither")
            self._start_from(PanelModel.of(panel_of(detector, panel_id)), BeamModel.of(beam))
        if tuple(np.ravel(Ncells_abc)) != (1, 1, 1):
            self.Ncells_abc = Ncells_abc
        if oversample > 0:
            self.oversample = oversample
        self._pixels = np.zeros(self._geometry.shape)

    def _start_from(self, panel: PanelModel, beam: BeamModel) -> None:
        """Takes a panel and a beam of dxtbx."""
        geometry = self._geometry = Geometry(panel.shape, panel.pixel_mm)
        geometry.put(panel, beam.direction, beam.e_vector)
        self.wavelength_A = beam.wavelength_A
        self.polarization = beam.polarization
        self.divergence_hv_mrad = (beam.divergence_mrad,) * 2
        if beam.flux > 0:
            self.flux = beam.flux
        self.quantum_gain = panel.gain
        if panel.thickness_mm > 0:
            warn_once("detector: the thickness of the panel is in mm, which simtbx takes as metres: images differ")
            self.detector_thick_mm = panel.thickness_mm
            if panel.attenuation_per_mm > 0:
                self.detector_attenuation_length_mm = 1.0 / panel.attenuation_per_mm

    # Names that are not properties.

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None

    def __setattr__(self, name: str, value: Any) -> None:
        known = name.startswith("_") or name == "threads" or hasattr(type(self), name)
        if not known and name not in self.__dict__:
            probably = names.meant(name, (other for other in dir(type(self)) if not other.startswith("_")))
            hint = f"; {probably} is, and was probably meant" if probably else ""
            warn_once(f"{name} is not a property of nanoBragg, so that it has no effect{hint}")
        object.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        return [*dir(type(self)), "threads"]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    # The image.

    @property
    def raw_pixels(self) -> FlexArray:
        """The image (slow, fast), in photons until add_noise makes ADU of them; spots and background are added to it.

        A view: what changes it changes the image. Set it to anything with as many numbers, also flat.
        """
        view: FlexArray = self._pixels.view(FlexArray)
        return view

    @raw_pixels.setter
    def raw_pixels(self, values: Any) -> None:
        given = numbers(values)
        pixels = self._pixels
        if given.size != pixels.size:
            raise ValueError(f"raw_pixels: {given.size} numbers, the image has {pixels.shape}")
        if not np.may_share_memory(given, pixels):
            pixels[...] = given.reshape(pixels.shape)

    raw = raw_pixels

    @property
    def region_of_interest(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """((first, last) fast pixel, (first, last) slow pixel), both rendered; beyond the detector there is nothing."""
        slow, fast = self._geometry.shape
        return self._region or ((0, fast), (0, slow))

    @region_of_interest.setter
    def region_of_interest(self, region: Any) -> None:
        (fast_min, fast_max), (slow_min, slow_max) = region
        self._region = (
            (integer(fast_min), integer(fast_max)),
            (integer(slow_min), integer(slow_max)),
        )

    # The crystal.

    @property
    def Ncells_abc(self) -> tuple[float, ...]:
        """Unit cells along a, b, c; fractions are allowed. One number stands for all three."""
        return self._cells

    @Ncells_abc.setter
    def Ncells_abc(self, cells: Any) -> None:
        given = np.asarray(numbers(cells), dtype=float).ravel()
        if given.size not in (1, 3) or not (given > 0).all():
            raise ValueError(f"Ncells_abc: three numbers above 0 are needed, not {cells!r}")
        self._cells = tuple(np.broadcast_to(given, 3).tolist())
        self._set.add("Ncells_abc")

    @property
    def xtal_size_mm(self) -> tuple[float, ...]:
        """Size of the crystal along a, b, c, in mm; setting it sets Ncells_abc to size/edge."""
        edges = np.asarray(self.unit_cell_tuple[:3])
        return tuple((np.asarray(self._cells) * edges * 1e-7).tolist())

    @xtal_size_mm.setter
    def xtal_size_mm(self, size_mm: Any) -> None:
        self.Ncells_abc = np.asarray(vector(size_mm)) / (np.asarray(self.unit_cell_tuple[:3]) * 1e-7)

    def _oriented(self) -> NDArray[np.float64]:
        """a, b, c in angstrom, as rows, at phi = 0."""
        key = (self._cell, None if self._reciprocal is None else self._reciprocal.tobytes(), self._misset_deg)
        if self._axes is None or self._axes[0] != key:
            rows = None if self._reciprocal is None else self._reciprocal.tolist()
            self._axes = (key, _core.simtbx_axes(self._cell, rows, self._misset_deg))
        return self._axes[1]

    def _orient(self, reciprocal: NDArray[np.float64] | None, cell: Sequence[float] | None = None) -> None:
        """Takes another cell, or another matrix."""
        before = self._cell if self._reciprocal is None else _cell_of(_inverse(self._reciprocal))
        self._reciprocal = reciprocal
        if cell is not None:
            self._cell = UnitCell(vector(cell, 6))
        after = self._cell if reciprocal is None else _cell_of(_inverse(reciprocal))
        changes = max(abs(new / old - 1) for new, old in zip(after[:3], before[:3]))
        if changes > SAME_CELL and "Ncells_abc" in self._set:
            warn_once("Ncells_abc stays as it was set although the cell changes; simtbx keeps the size of the crystal "
                      "instead, and other cells come out of it")

    @property
    def Amatrix(self) -> tuple[float, ...]:
        """a*, b*, c* in 1/angstrom as rows, 9 numbers: the transpose of ``get_A()`` of a dxtbx crystal.

        It is kept whatever is set later; missets are applied to it once.
        """
        return tuple(_inverse(self._oriented()).ravel().tolist())

    @Amatrix.setter
    def Amatrix(self, rows: Any) -> None:
        reciprocal = matrix(rows)
        if not np.isfinite(reciprocal).all() or np.linalg.det(reciprocal) == 0:
            raise ValueError("Amatrix: its rows a*, b*, c* span no volume")
        self._orient(reciprocal)

    @property
    def Amatrix_RUB(self) -> tuple[float, ...]:
        """Set a, b, c in angstrom as rows, 9 numbers; reading gives a*, b*, c* as in simtbx."""
        return self.Amatrix

    @Amatrix_RUB.setter
    def Amatrix_RUB(self, rows: Any) -> None:
        direct = matrix(rows)
        if not np.isfinite(direct).all() or np.linalg.det(direct) == 0:
            raise ValueError("Amatrix_RUB: its rows a, b, c span no volume")
        self._orient(_inverse(direct))

    @property
    def unit_cell_tuple(self) -> tuple[float, ...]:
        """a, b, c in angstrom, alpha, beta, gamma in degrees. Setting it turns the crystal to the default setting."""
        return tuple(self._cell) if self._reciprocal is None else tuple(_cell_of(self._oriented()))

    @unit_cell_tuple.setter
    def unit_cell_tuple(self, cell: Any) -> None:
        self._orient(None, vector(cell, 6))

    @property
    def unit_cell_Adeg(self) -> UnitCell:
        """The same with a method parameters(); set a unit cell of cctbx, or six numbers."""
        return UnitCell(self.unit_cell_tuple)

    @unit_cell_Adeg.setter
    def unit_cell_Adeg(self, cell: Any) -> None:
        self.unit_cell_tuple = cell.parameters() if hasattr(cell, "parameters") else cell

    @property
    def missets_deg(self) -> tuple[float, ...]:
        """Turns about x, y, z of the laboratory, in degrees, applied once."""
        return self._misset_deg

    @missets_deg.setter
    def missets_deg(self, misset_deg: Any) -> None:
        self._misset_deg = vector(misset_deg)

    def randomize_orientation(self) -> None:
        """Sets missets_deg to a random rotation of ``seed``."""
        self.missets_deg = _core.simtbx_misset(abs(self.seed))

    @property
    def mosaic_domains(self) -> int:
        """Number of mosaic domains. Without a spread there is one: set mosaic_spread_deg first."""
        return self._domains

    @mosaic_domains.setter
    def mosaic_domains(self, domains: Any) -> None:
        count = max(integer(domains), 1)
        if self._spread_deg <= 0 and count > 1:
            warn_once("mosaic_domains is 1 as long as mosaic_spread_deg is 0, as in simtbx: set the spread first")
            count = 1
        self._domains = count

    @property
    def mosaic_spread_deg(self) -> float:
        """Largest turn of a mosaic domain, in degrees; alone it leaves one domain."""
        return self._spread_deg

    @mosaic_spread_deg.setter
    def mosaic_spread_deg(self, spread_deg: Any) -> None:
        self._spread_deg = float(spread_deg)
        if self._spread_deg <= 0:
            self._domains = 1

    def set_mosaic_blocks(self, blocks: Any) -> None:
        """Takes rotation matrices, 9 numbers each, instead of random domains; used while mosaic_spread_deg is above 0."""
        values = numbers(blocks)
        if values.dtype == object:
            values = np.array([vector(block, 9) for block in values])
        matrices = np.asarray(values, dtype=float).reshape(-1, 3, 3)
        if not len(matrices):
            raise ValueError("set_mosaic_blocks: at least one matrix is needed")
        self._blocks = matrices
        self._domains = len(matrices)

    def set_mosaic_blocks_sym(
        self, crystal: Any, reference_symbol: str, orig_mos_domains: int, refining_eta: bool = False
    ) -> None:
        """Adds domains that are turned by the threefold rotations of the Laue group of ``reference_symbol``.

        Each of the first ``orig_mos_domains`` blocks B is joined by B R for each rotation R of ``crystal``, whose own is the
        primitive setting; crystals of trigonal, hexagonal and cubic groups then have spots of the same shape in all settings.
        ``crystal`` is of dxtbx or a dictionary of its axes; centred groups need one of dxtbx. Without a mosaic spread one of
        1e-6 degrees is set, since there would be one domain.
        """
        if refining_eta:
            raise NotImplementedError("set_mosaic_blocks_sym: refining_eta is for diffBragg")
        lattice_points, rotations = _core.simtbx_threefold(reference_symbol)
        if lattice_points > 1:
            crystal = dxtbx_objects.conventional(crystal, reference_symbol)
        axes = direct_axes(crystal).T
        blocks = [np.reshape(block, (3, 3)) for block in self.get_mosaic_blocks()[:orig_mos_domains]]
        turns = [axes @ rotation @ np.linalg.inv(axes) for rotation in rotations]
        self.set_mosaic_blocks(blocks + [block @ turn for turn in turns for block in blocks])
        if self.mosaic_spread_deg == 0:
            self.mosaic_spread_deg = 1e-6

    def get_mosaic_blocks(self) -> list[tuple[float, ...]]:
        """The rotation matrices of the domains, 9 numbers each."""
        blocks = self._mosaic_blocks()
        blocks = np.eye(3)[np.newaxis] if blocks is None else blocks
        return [tuple(block.ravel().tolist()) for block in blocks]

    def get_mosaic_domains_abc_phi_0(self) -> list[tuple[float, ...]]:
        """a, b, c of each domain in angstrom at phi = 0 as rows, 9 numbers each."""
        axes = self._oriented()
        turned = (axes @ np.reshape(block, (3, 3)).T for block in self.get_mosaic_blocks())
        return [tuple(rows.ravel().tolist()) for rows in turned]

    def show_mosaic_blocks(self) -> None:
        """Prints the rotation matrices of the domains."""
        for block in self.get_mosaic_blocks():
            print(*block)

    def _mosaic_blocks(self) -> NDArray[np.float64] | None:
        """The domains; None: one that is not turned."""
        if self._spread_deg <= 0:
            return None
        if self._blocks is not None:
            return self._blocks
        return _core.simtbx_domains(self._spread_deg, self._domains, self.mosaic_seed)

    # Structure factors.

    @property
    def Fhkl(self) -> Any:
        """A Miller array of cctbx, of amplitudes: it is expanded to P 1 with Friedel mates and sets the cell.

        A matrix that was set before is kept. None where no array was set; Fhkl_tuple has the list.
        """
        return self._miller_array

    @Fhkl.setter
    def Fhkl(self, miller_array: Any) -> None:
        hkl, F, cell = reflections(miller_array)
        self._reflections = _Reflections.of(hkl, F)
        self._miller_array = miller_array
        if self._reciprocal is None:
            self._orient(None, cell)
        else:
            now = self.unit_cell_tuple
            if max(abs(new - old) for new, old in zip(cell, now)) > 1e-3 * max(now):
                warn_once("Fhkl: the matrix that was set before is kept although its cell is another; simtbx would turn "
                          "the crystal to the default setting of the cell of Fhkl")

    @property
    def Fhkl_tuple(self) -> tuple[NDArray[np.int32], FlexArray]:
        """Indices and amplitudes of a list in P 1; set (indices, amplitudes) or (indices, amplitudes, None)."""
        return self._reflections.hkl, FlexArray.of(self._reflections.F)

    @Fhkl_tuple.setter
    def Fhkl_tuple(self, given: Any) -> None:
        indices, amplitudes, *rest = given
        if any(part is not None for part in rest):
            raise NotImplementedError("Fhkl_tuple: imaginary parts are for diffBragg")
        self._reflections = _Reflections.of(indices, amplitudes)
        self._miller_array = None

    @property
    def indices(self) -> NDArray[np.int32]:
        """The indices of Fhkl_tuple."""
        return self.Fhkl_tuple[0]

    @property
    def amplitudes(self) -> FlexArray:
        """The amplitudes of Fhkl_tuple."""
        return self.Fhkl_tuple[1]

    # The beam.

    @property
    def wavelength_A(self) -> float:
        """Central wavelength, in angstrom."""
        return self._wavelength_A

    @wavelength_A.setter
    def wavelength_A(self, wavelength_A: Any) -> None:
        self._wavelength_A = float(wavelength_A)
        self._sources = None

    @property
    def energy_eV(self) -> float:
        """Energy of the photons, in eV."""
        return 12398.42 / self.wavelength_A

    @energy_eV.setter
    def energy_eV(self, energy_eV: Any) -> None:
        self.wavelength_A = 12398.42 / float(energy_eV)

    def _follow_flux(self) -> None:
        if self._flux is not None:
            self._fluence = self._flux * self._exposure_s / (self._beamsize_mm * 1e-3) ** 2

    @property
    def flux(self) -> float:
        """Photons per second; sets fluence = flux exposure/beamsize^2."""
        if self._flux is not None:
            return self._flux
        return float(self._fluence * (self._beamsize_mm * 1e-3) ** 2 / self._exposure_s)

    @flux.setter
    def flux(self, flux: Any) -> None:
        self._flux = float(flux) or None
        self._follow_flux()

    @property
    def exposure_s(self) -> float:
        """Exposure, in s; the fluence follows a flux that was set."""
        return self._exposure_s

    @exposure_s.setter
    def exposure_s(self, exposure_s: Any) -> None:
        self._exposure_s = float(exposure_s)
        self._follow_flux()

    @property
    def beamsize_mm(self) -> float:
        """Edge of the square beam, in mm; the fluence follows a flux that was set."""
        return self._beamsize_mm

    @beamsize_mm.setter
    def beamsize_mm(self, beamsize_mm: Any) -> None:
        self._beamsize_mm = float(beamsize_mm)
        self._follow_flux()

    @property
    def fluence(self) -> float:
        """Photons per square metre."""
        return self._fluence

    @fluence.setter
    def fluence(self, fluence: Any) -> None:
        self._flux = None
        self._fluence = float(fluence)

    @property
    def xray_beams(self) -> Any:
        """Beams of dxtbx, one for each source: directions, wavelengths and fluxes.

        Wavelengths are in metres when set, and in angstrom when they are longer than 1e-6. As in simtbx, flux becomes the sum
        and each beam counts flux/mean(flux), so that n beams are n times as bright as one of the same total.
        """
        return self._beams

    @xray_beams.setter
    def xray_beams(self, beams: Any) -> None:
        given = list(beams)
        models = [BeamModel.of(beam) for beam in given]
        if not models:
            raise ValueError("xray_beams: at least one beam is needed")
        count = len(models)
        flux = np.array([model.flux for model in models])
        weights = np.full(count, 1.0 / count) if flux.sum() == 0 else flux / flux.mean()
        directions = np.array([model.direction for model in models])
        mean = directions.mean(axis=0)
        normal = np.mean([model.polarization_normal for model in models], axis=0)
        self.wavelength_A = float(np.mean([model.wavelength_A for model in models]))
        self.polarization = float(np.mean([model.polarization for model in models]))
        self._geometry.set_axis("beam", mean.tolist())
        self._geometry.set_axis("e_vector", np.cross(mean, normal).tolist())
        if flux.sum() > 0:
            self.flux = flux.sum()
        wavelengths = [model.wavelength_A for model in models]
        self._beams = given
        self._sources = np.column_stack([-directions, wavelengths, weights])

    @property
    def xray_source_XYZ(self) -> NDArray[np.float64]:
        """Directions of the sources as seen from the sample, of shape (n, 3); empty unless they were set.

        Together with ``xray_source_wavelengths_A`` and ``xray_source_intensity_fraction`` they take the place of
        dispersion and divergence, in whatever order they are set.
        """
        return self._listed_sources["directions"].reshape(-1, 3)

    @xray_source_XYZ.setter
    def xray_source_XYZ(self, directions: Any) -> None:
        values = numbers(directions)
        rows = [vector(row) for row in values] if values.dtype == object else values
        found = np.array(rows, dtype=float).reshape(-1, 3)
        if not (np.linalg.norm(found, axis=1) > 0).all():
            raise ValueError("xray_source_XYZ: a direction has no length")
        self._list_sources(directions=found)

    @property
    def xray_source_wavelengths_A(self) -> NDArray[np.float64]:
        """Wavelengths of the sources, in angstrom; in metres where they are set below 1e-6. Empty: ``wavelength_A``."""
        return self._listed_sources["wavelengths"]

    @xray_source_wavelengths_A.setter
    def xray_source_wavelengths_A(self, wavelengths: Any) -> None:
        values = np.array(numbers(wavelengths), dtype=float).reshape(-1)
        if not (values > 0).all():
            raise ValueError("xray_source_wavelengths_A: a wavelength is not above 0")
        self._list_sources(wavelengths=np.where(values < METRES_BELOW, values * 1e10, values))

    @property
    def xray_source_intensity_fraction(self) -> NDArray[np.float64]:
        """What each source has of the fluence; empty: all have the same."""
        return self._listed_sources["fractions"]

    @xray_source_intensity_fraction.setter
    def xray_source_intensity_fraction(self, fractions: Any) -> None:
        self._list_sources(fractions=np.array(numbers(fractions), dtype=float).reshape(-1))

    def _list_sources(self, **columns: NDArray[np.float64]) -> None:
        """Takes columns of the list of sources, which counts as soon as there are directions."""
        self._listed_sources = {**self._listed_sources, **columns}
        directions = self.xray_source_XYZ
        count = len(directions)
        if count == 0:
            return
        wavelengths, fractions = self.xray_source_wavelengths_A, self.xray_source_intensity_fraction
        # Columns of another length belong to directions that are still to be set.
        if len(wavelengths) != count:
            wavelengths = np.full(count, self.wavelength_A)
        if len(fractions) != count:
            fractions = np.full(count, 1.0 / count)
        directions = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        self._sources = np.column_stack([directions, wavelengths, fractions])

    fdet_vector = _direction("fast", "Fast axis.")
    sdet_vector = _direction("slow", "Slow axis.")
    odet_vector = _direction("normal", "Normal of the detector.")
    beam_vector = _direction("beam", "Direction in which the beam goes.")
    polar_vector = _direction("e_vector", "Direction of the E vector.")

    @property
    def polar_Bvector(self) -> tuple[float, ...]:
        """Direction of the B vector, the beam's times the E vector's: the reverse of dxtbx's polarization normal."""
        return tuple(np.cross(self.beam_vector, self.polar_vector).tolist())

    @polar_Bvector.setter
    def polar_Bvector(self, axis: Any) -> None:
        self.polar_vector = np.cross(vector(axis), self.beam_vector)

    spindle_axis = _direction("spindle", "Rotation axis of the crystal.")
    twotheta_axis = _direction("twotheta_axis", "Rotation axis of the 2theta arm.")

    # The detector.

    @property
    def detpixels_fastslow(self) -> tuple[int, int]:
        """Pixels along fast and slow; another number of pixels makes a new image of zeros."""
        slow, fast = self._geometry.shape
        return fast, slow

    @detpixels_fastslow.setter
    def detpixels_fastslow(self, pixels: Any) -> None:
        fast, slow = (integer(number) for number in pixels)
        self._geometry.shape = slow, fast
        if self._pixels.size == slow * fast:
            self._pixels = self._pixels.reshape(slow, fast)
        else:
            self._pixels = np.zeros((slow, fast))

    @property
    def pixel_size_mm(self) -> float:
        """Edge of a pixel, in mm."""
        return float(self._geometry.pixel_mm)

    @pixel_size_mm.setter
    def pixel_size_mm(self, pixel_mm: Any) -> None:
        self._geometry.pixel_mm = float(pixel_mm)

    @property
    def detsize_fastslow_mm(self) -> tuple[float, float]:
        """Size of the detector along fast and slow, in mm."""
        slow, fast = self._geometry.shape
        return fast * self.pixel_size_mm, slow * self.pixel_size_mm

    @property
    def distance_mm(self) -> float:
        """Distance from the sample to the detector along the beam, in mm."""
        return float(self._geometry.place["distance_mm"])

    @distance_mm.setter
    def distance_mm(self, distance_mm: Any) -> None:
        self._geometry.set_distance(float(distance_mm))

    @property
    def distance_meters(self) -> float:
        """The same in metres."""
        return self.distance_mm * 1e-3

    @property
    def close_distance_mm(self) -> float:
        """Distance from the sample to the detector along its normal, in mm."""
        return float(self._geometry.place["close_distance_mm"])

    @close_distance_mm.setter
    def close_distance_mm(self, distance_mm: Any) -> None:
        self._geometry.set_distance(float(distance_mm), close=True)

    @property
    def beam_center_mm(self) -> tuple[float, ...]:
        """X and Y of the beam in the convention, in mm; of a custom detector fast and slow from its outer corner."""
        return tuple(self._geometry.place["beam_center_mm"])

    @beam_center_mm.setter
    def beam_center_mm(self, center_mm: Any) -> None:
        self._geometry.set_beam_center(vector(center_mm, 2))

    @property
    def XDS_ORGXY(self) -> tuple[float, float]:
        """Foot of the normal through the sample, in pixels along fast and slow, counted from 1."""
        fast, slow = (self._geometry.foot_mm / self.pixel_size_mm + 0.5).tolist()
        return fast, slow

    @XDS_ORGXY.setter
    def XDS_ORGXY(self, org_px: Any) -> None:
        self._geometry.set_foot([(number - 0.5) * self.pixel_size_mm for number in vector(org_px, 2)])

    @property
    def pix0_vector_mm(self) -> tuple[float, ...]:
        """Outer corner of the first pixel, in mm."""
        return tuple(self._geometry.place["origin_mm"])

    @property
    def dials_origin_mm(self) -> tuple[float, ...]:
        """The same in the frame of DIALS: x along the spindle, z towards the source."""
        return tuple((self._geometry.dials @ self._geometry.place["origin_mm"]).tolist())

    @property
    def denzo_beam_center_mm(self) -> tuple[float, float]:
        """Where the beam meets the detector, along slow and fast, in mm."""
        fast, slow = self._geometry.direct_mm.tolist()
        return slow, fast

    @property
    def mosflm_beam_center_mm(self) -> tuple[float, float]:
        """The same less half a pixel."""
        slow, fast = self.denzo_beam_center_mm
        return slow - self.pixel_size_mm / 2, fast - self.pixel_size_mm / 2

    @property
    def adxv_beam_center_mm(self) -> tuple[float, float]:
        """The same along fast, and along slow from the last row."""
        slow, fast = self.denzo_beam_center_mm
        return fast, self.detsize_fastslow_mm[1] - slow

    @property
    def beamcenter_convention(self) -> convention:
        """The convention of axes and beam centre; it acts at once. DIALS is simtbx's, which differs from nanoBragg's."""
        named: convention = self._geometry.convention
        return named

    @beamcenter_convention.setter
    def beamcenter_convention(self, named: Any) -> None:
        if not isinstance(named, convention):
            raise TypeError(f"beamcenter_convention: {named!r} is not a convention")
        self._geometry.follow(named)

    @property
    def detector_rotation_deg(self) -> tuple[float, ...]:
        """Turns of the detector about x, y, z, in degrees, of named conventions; they act at once."""
        rotation: tuple[float, ...] = self._geometry.rotation_deg
        return rotation

    @detector_rotation_deg.setter
    def detector_rotation_deg(self, rotation_deg: Any) -> None:
        self._refuse_custom("detector_rotation_deg")
        self._geometry.rotation_deg = vector(rotation_deg)

    @property
    def detector_twotheta_deg(self) -> float:
        """Swing of the detector, in degrees, of named conventions; it acts at once."""
        return float(self._geometry.twotheta_deg)

    @detector_twotheta_deg.setter
    def detector_twotheta_deg(self, twotheta_deg: Any) -> None:
        self._refuse_custom("detector_twotheta_deg")
        self._geometry.twotheta_deg = float(twotheta_deg)

    def _refuse_custom(self, name: str) -> None:
        if self._geometry.is_custom:
            raise NotImplementedError(f"{name}: a custom detector is turned by its fdet_vector and sdet_vector")

    def set_dxtbx_detector_panel(self, panel: Any, s0_vector: Any) -> None:
        """Moves the detector to a panel of dxtbx, with the beam along ``s0_vector``, and keeps everything else."""
        direction = np.asarray(vector(s0_vector))
        model = PanelModel.of(panel)
        self._geometry.put(model, (direction / np.linalg.norm(direction)).tolist())
        if self._pixels.shape != model.shape:
            self.detpixels_fastslow = model.shape[::-1]

    @property
    def oversample(self) -> int:
        """Subpixels along each edge of a pixel: as set, or as many as resolve the spots; set 0 for these."""
        if self._oversample is not None:
            return self._oversample
        place = self._geometry.place
        return int(_core.simtbx_oversample(
            self._oriented().tolist(), self._cells, self.wavelength_A, abs(place["distance_mm"]), self.pixel_size_mm
        ))  # fmt: skip

    @oversample.setter
    def oversample(self, oversample: Any) -> None:
        count = integer(oversample)
        self._oversample = count if count > 0 else None

    @property
    def detector_thicksteps(self) -> int:
        """Layers of the sensor: the thickness is divided among one less, and one or none given makes two."""
        if self.detector_thick_mm <= 0:
            return 1
        return max(self._thicksteps or 2, 2)

    @detector_thicksteps.setter
    def detector_thicksteps(self, steps: Any) -> None:
        self._thicksteps = max(integer(steps), 0)

    @property
    def detector_thickstep_mm(self) -> float:
        """Thickness of a layer of the sensor, in mm."""
        if self.detector_thick_mm <= 0:
            return 0.0
        return self.detector_thick_mm / (self.detector_thicksteps - 1 if self._thicksteps else 2)

    @property
    def phistep_deg(self) -> float:
        """Size of a step of phi, in degrees: as set, or osc_deg/phisteps."""
        return float(self.osc_deg / max(self.phisteps, 1) if self._phistep_deg is None else self._phistep_deg)

    @phistep_deg.setter
    def phistep_deg(self, step_deg: Any) -> None:
        self._phistep_deg = float(step_deg)

    # Spots.

    def add_nanoBragg_spots(self) -> None:
        """Adds the photons of the spots to raw_pixels, within region_of_interest.

        phi = 0 finds the crystal as the step before left it, as in simtbx, where phi has several steps.
        """
        self._add_spots(self._pixels, carried=True, interpolate=bool(self.interpolate), scale=self.spot_scale)

    def add_nanoBragg_spots_nks(self, streambuf: Any = None) -> None:
        """As add_nanoBragg_spots by simtbx's rules of its OpenMP twin; ``streambuf`` gets nothing.

        phi = 0 is a rotation like any other, F is never interpolated, spot_scale does not count, and all subpixels have the
        solid angle of the last.
        """
        if self.curved_detector or (self.oversample == 1 and self.detector_thick_mm <= 0):
            self._add_spots(self._pixels, carried=False, interpolate=False, scale=1.0)
            return
        own = np.zeros_like(self._pixels)
        self._add_spots(own, carried=False, interpolate=False, scale=1.0, omega=False)
        first, last = (self._pixel_distances(at_last) for at_last in (False, True))
        self._pixels += own * (first / last) ** (2 if self.point_pixel else 3)

    def _pixel_distances(self, at_last: bool) -> NDArray[np.float64]:
        """Distances in mm of the first or last subpixel of each pixel, at the first or last layer."""
        within = (1 - 0.5 / self.oversample) if at_last else 0.5 / self.oversample
        depth = (self.detector_thicksteps - 1) * self.detector_thickstep_mm if at_last else 0.0
        positions = self._positions_mm(within) + depth * np.asarray(self._geometry.place["normal"])
        distances: NDArray[np.float64] = np.linalg.norm(positions, axis=2)
        return distances

    def _positions_mm(self, within: float) -> NDArray[np.float64]:
        """A point of each pixel of a flat detector, (slow, fast, 3), ``within`` the pixel along both of its edges."""
        place, pixel_mm = self._geometry.place, self.pixel_size_mm
        slow, fast = self._geometry.shape
        along_fast = (np.arange(fast) + within)[np.newaxis, :, np.newaxis] * pixel_mm * np.asarray(place["fast"])
        along_slow = (np.arange(slow) + within)[:, np.newaxis, np.newaxis] * pixel_mm * np.asarray(place["slow"])
        positions: NDArray[np.float64] = np.asarray(place["origin_mm"]) + along_fast + along_slow
        return positions

    def _add_spots(
        self, image: NDArray[np.float64], carried: bool, interpolate: bool, scale: float, omega: bool = True
    ) -> None:
        region = self._clamped_region()
        if region is None:
            return
        if self.xtal_shape in (shapetype.Fiber, shapetype.Unknown):
            raise ValueError(f"xtal_shape: {self.xtal_shape} is a shape of the point spread")
        factors = self._reflections.grid(self.default_F, self.F000)
        # A grid that is thinner than the four nodes of an interpolation ends it at the first reflection.
        interpolates = interpolate and min(factors.shape) >= 4
        ended = _core.simtbx_add_spots(
            image,
            self._panel_numbers(region),
            self._beam_numbers(scale),
            self._crystal_numbers(carried, interpolates, omega),
            self._sources,
            self._mosaic_blocks(),
            factors,
            self.threads,
        )
        if interpolate and (ended or not interpolates):
            self.interpolate = 0

    def _clamped_region(self) -> tuple[int, int, int, int] | None:
        """First and last pixel of the region of interest along fast, then along slow; None: it is not on the detector."""
        slow, fast = self._geometry.shape
        (fast_min, fast_max), (slow_min, slow_max) = self.region_of_interest
        region = (max(fast_min, 0), min(fast_max, fast - 1), max(slow_min, 0), min(slow_max, slow - 1))
        return None if region[0] > region[1] or region[2] > region[3] else region

    def _panel_numbers(self, region: tuple[int, int, int, int]) -> dict[str, Any]:
        place = self._geometry.place
        return {
            "shape": self._geometry.shape,
            "pixel_mm": self.pixel_size_mm,
            "origin_mm": place["origin_mm"],
            "fast": place["fast"],
            "slow": place["slow"],
            "normal": place["normal"],
            "distance_mm": place["distance_mm"],
            "close_distance_mm": place["close_distance_mm"],
            "point_pixel": self.point_pixel,
            "curved": self.curved_detector,
            "thick_mm": self.detector_thick_mm,
            "layers": self._thicksteps or 0,
            "attenuation_mm": self.detector_attenuation_length_mm,
            "region": region,
        }

    def _beam_numbers(self, scale: float) -> dict[str, Any]:
        place = self._geometry.place
        return {
            "direction": place["beam"],
            "e_vector": place["e_vector"],
            "kahn": None if self.nopolar else self.polarization,
            "wavelength_angstrom": self.wavelength_A,
            "photons_per_m2": self.fluence * scale,
            "divergence": self._divergence(),
            "round": self.round_div,
        }

    def _crystal_numbers(self, carried: bool, interpolate: bool, omega: bool) -> dict[str, Any]:
        return {
            "direct_angstrom": self._oriented().tolist(),
            "cells": self._cells,
            "shape": self.xtal_shape.value,
            "default_f": self.default_F,
            "interpolate": interpolate,
            "oversample": self.oversample,
            "solid_angle_of_each": omega,
            "spindle": self._geometry.place["spindle"],
            "phi_deg": self.phi_deg,
            "step_deg": self.phistep_deg,
            "steps": max(self.phisteps, 1),
            "carried": carried,
        }

    def _divergence(self) -> list[tuple[int | None, float | None, float | None]]:
        """Steps, range and size of the steps of horizontal and vertical divergence in rad, and of the wavelength."""
        requests: list[tuple[int | None, float | None, float | None]] = []
        for axis in (0, 1):
            steps, range_mrad = int(self.divsteps_hv[axis]), self.divergence_hv_mrad[axis]
            requests.append(_request(steps, range_mrad * 1e-3, self.divstep_hv_mrad[axis] * 1e-3))
        requests.append(_request(self.dispsteps, self.dispersion_pct / 100, 0.0))
        return requests

    def free_all(self) -> None:
        """Does nothing: memory is freed with the object."""

    # Background and noise.

    @property
    def Fbg_vs_stol(self) -> list[tuple[float, float]]:
        """Pairs of sin(theta)/lambda in 1/angstrom and F in electrons, as they are: tables need not be sorted."""
        return self._Fbg_vs_stol

    @Fbg_vs_stol.setter
    def Fbg_vs_stol(self, table: Any) -> None:
        self._Fbg_vs_stol = [(float(stol), float(F)) for stol, F in table]

    @property
    def amorphous_sample_size_mm(self) -> tuple[float, ...]:
        """Size of what add_background adds along the beam and across it, in mm: it is as wide as the beam."""
        return self.amorphous_sample_thick_mm, self.beamsize_mm, self.beamsize_mm

    def add_background(self, oversample: int = -1, override_source: int = -1) -> None:
        """Adds the photons that amorphous matter scatters to raw_pixels, within region_of_interest.

        ``oversample`` is that of the object unless it is above 0. ``override_source``: this source alone, counted from 0,
        stands for all of xray_beams. As in simtbx, F between the entries of an unsorted table depends on the pixel before.
        """
        region, table = self._clamped_region(), self._background_table()
        if region is None or not len(table):
            return
        only_source = override_source if override_source >= 0 else None
        steps = oversample if oversample > 0 else self.oversample
        self._add_matter(self._pixels, self._panel_numbers(region), self._sources, table, steps, only_source)

    def _background_table(self) -> NDArray[np.float64]:
        """sin(theta)/lambda and F, of shape (n, 2)."""
        return np.asarray(self._Fbg_vs_stol, dtype=float).reshape(-1, 2)

    def _add_matter(
        self,
        image: NDArray[np.float64],
        panel: dict[str, Any],
        sources: NDArray[np.float64] | None,
        table: NDArray[np.float64],
        oversample: int,
        only_source: int | None,
    ) -> None:
        """Adds what the amorphous matter of a table scatters to an image."""
        matter = {
            "size_mm": self.amorphous_sample_size_mm,
            "density_gcm3": self.amorphous_density_gcm3,
            "molecular_weight_da": self.amorphous_molecular_weight_Da,
            "oversample": oversample,
            "only_source": only_source,
        }
        crystal = {**self._crystal_numbers(False, False, True), "shape": "square"}
        _core.simtbx_add_background(image, panel, self._beam_numbers(1.0), crystal, sources, table, matter)

    def extract_background(self, source: int = -1) -> None:
        """Replaces the F of Fbg_vs_stol by those of the amorphous matter whose photons raw_pixels have.

        The inverse of add_background: raw_pixels less adc_offset_adu, within region_of_interest, are its photons. Each entry
        of the table, which has to rise, gets the mean over the pixels that are nearest to it, without outliers, if these are
        more than 100. The beam is that of ``source`` of xray_beams, counted from 0, or else of the first, and the sensor
        captures everything at its surface.
        """
        if self.curved_detector:
            raise NotImplementedError("extract_background: curved detectors are not in widebragg")
        region, table = self._clamped_region(), self._background_table()
        if region is None:
            return
        beam = [*np.negative(self.beam_vector), self.wavelength_A, 1.0]
        rows = [beam] if self._sources is None else self._sources
        if source >= len(rows):
            raise ValueError(f"extract_background: source {source} of {len(rows)}, counted from 0")
        x, y, z, wavelength_A, _ = rows[max(source, 0)]
        unit = np.zeros_like(self._pixels)
        panel = {**self._panel_numbers(region), "thick_mm": 0.0}
        one_source, of_one_electron = np.array([[x, y, z, wavelength_A, 1.0]]), np.array([[0.0, 1.0], [1.0, 1.0]])
        self._add_matter(unit, panel, one_source, of_one_electron, 1, None)
        positions = self._positions_mm(0.5)
        diffracted = positions / np.linalg.norm(positions, axis=2, keepdims=True)
        stol = np.linalg.norm(diffracted + np.array([x, y, z]), axis=2) / (2 * wavelength_A)
        photons = self._pixels - self.adc_offset_adu
        with np.errstate(divide="ignore", invalid="ignore"):
            F = np.sign(photons) * np.sqrt(np.abs(photons) / unit)
        self.Fbg_vs_stol = extracted(table, stol.ravel(), F.ravel()).tolist()

    def add_noise(self) -> None:
        """Replaces photons by ADU, within region_of_interest: flicker, counts, calibration, point spread, gain and readout.

        The same ``seed`` and ``calib_seed`` make the same noise at each call.
        """
        region = self._clamped_region()
        if region is None:
            return
        noise = {
            "seed": self.seed,
            "calib_seed": self.calib_seed,
            "flicker": self.flicker_noise_pct / 100,
            "calibration": self.detector_calibration_noise_pct / 100,
            "gain": self.quantum_gain,
            "offset_adu": self.adc_offset_adu,
            "readout_adu": self.readout_noise_adu,
        }
        spread = None
        if self.detector_psf_type is not shapetype.Unknown and self.detector_psf_fwhm_mm > 0:
            width_px = self.detector_psf_fwhm_mm / self.pixel_size_mm
            spread = (self.detector_psf_type.value, width_px, max(self.detector_psf_kernel_radius_pixels, 0))
        _core.simtbx_add_noise(self._pixels, region, noise, spread)

    def apply_psf(self, psf_type: shapetype = shapetype.Fiber, fwhm_pixels: float = -1, psf_radius: int = -1) -> None:
        """Spreads the photons of each pixel over its neighbours; what is below 0 is that of the object."""
        width_px = self.detector_psf_fwhm_mm / self.pixel_size_mm if fwhm_pixels < 0 else fwhm_pixels
        radius_px = self.detector_psf_kernel_radius_pixels if psf_radius < 0 else psf_radius
        if psf_type is not shapetype.Unknown and width_px > 0:
            _core.simtbx_apply_psf(self._pixels, (psf_type.value, width_px, max(radius_px, 0)))

    # Output.

    def get_intfile_scale(self, intfile_scale: float = 0) -> float:
        """The factor of to_smv_format: as given, or where that is 0, the one that makes the brightest pixel 55000."""
        return smv.scale_of(self._pixels, intfile_scale)

    def raw_pixels_unsigned_short_as_python_bytes(
        self, intfile_scale: float = 0, debug_x: int = -1, debug_y: int = -1
    ) -> bytes:
        """The pixels of to_smv_format."""
        return smv.pixels_of(self._pixels, self.get_intfile_scale(intfile_scale)).tobytes()

    def to_smv_format(self, fileout: Any, intfile_scale: float = 0, debug_x: int = -1, debug_y: int = -1) -> None:
        """Writes an SMV file of 16-bit pixels: raw_pixels times a factor, cut off after the point, at most 65534.

        ``intfile_scale`` is the factor; 0: the brightest pixel becomes 55000. Nothing is added.
        """
        self.to_smv_format_py(fileout, intfile_scale)

    def to_smv_format_py(
        self,
        fileout: Any,
        intfile_scale: float = 0,
        debug_x: int = -1,
        debug_y: int = -1,
        rotmat: bool = False,
        extra: str | None = None,
        verbose: bool = False,
        gz: bool = False,
    ) -> None:
        """As to_smv_format; ``rotmat`` adds DIRECT_SPACE_ABC, ``extra`` its lines, and ``gz`` writes ``fileout``.gz."""
        lines = smv.header_lines(self)
        if rotmat:
            lines.append(f"DIRECT_SPACE_ABC={','.join(map(repr, self._oriented().ravel().tolist()))};")
        smv.write(fileout, lines, extra, smv.pixels_of(self._pixels, self.get_intfile_scale(intfile_scale)), gz)

    def to_smv_format_streambuf(
        self, output: Any, intfile_scale: float = 0, debug_x: int = -1, debug_y: int = -1
    ) -> None:
        """Writes the pixels of to_smv_format, without a header, to a file that was opened for bytes."""
        output.write(self.raw_pixels_unsigned_short_as_python_bytes(intfile_scale))

    def to_cbf(
        self, cbf_filename: Any, toggle_conventions: bool = False, intfile_scale: float = 1.0, cbf_int: bool = False
    ) -> None:
        """Writes a full CBF file by dxtbx, which has to be installed: raw_pixels times a factor.

        ``intfile_scale`` 0 is that of get_intfile_scale; ``cbf_int`` cuts off after the point and writes whole numbers.
        """
        dxtbx_objects.write_cbf(self, cbf_filename, intfile_scale, cbf_int)

    def to_nexus_nxmx(
        self, nxmx_filename: Any, toggle_conventions: bool = False, intfile_scale: float = 1.0
    ) -> None:
        """Writes an NXmx file of raw_pixels times a factor, float32, with beam, detector and crystal.

        ``intfile_scale`` is as in to_cbf. Everything is in the frame of DIALS, whatever ``toggle_conventions`` says.
        """
        dxtbx_objects.write_nxmx(self, nxmx_filename, intfile_scale)

    @property
    def beam(self) -> Any:
        """The beam in the frame of DIALS: of dxtbx where that is installed, else a dictionary of its numbers."""
        return dxtbx_objects.beam(self)

    @property
    def detector(self) -> Any:
        """The detector in the frame of DIALS: of dxtbx where that is installed, else a dictionary of its numbers."""
        return dxtbx_objects.detector(self)

    @property
    def crystal(self) -> Any:
        """The crystal in the frame of DIALS: of dxtbx where that is installed, else a dictionary of its numbers."""
        return dxtbx_objects.crystal(self)

    @property
    def imageset(self) -> Any:
        """The image as an image set of dxtbx, which has to be installed."""
        return dxtbx_objects.imageset(self, as_integers=self.cbf_int)

    def as_explist(self, fname: Any = None, toggle_conventions: bool = False) -> Any:
        """Image, beam, detector and crystal as an experiment list of dxtbx, which has to be installed.

        It is written to ``fname`` if that is given. Everything is in the frame of DIALS, whatever ``toggle_conventions`` says.
        """
        return dxtbx_objects.experiment_list(self, fname)

    def show_params(self) -> None:
        """Prints the parameters."""
        shown = (
            "beamcenter_convention", "detpixels_fastslow", "pixel_size_mm", "distance_mm", "close_distance_mm",
            "beam_center_mm", "pix0_vector_mm", "fdet_vector", "sdet_vector", "odet_vector", "beam_vector",
            "polar_vector", "polarization", "nopolar", "wavelength_A", "fluence", "flux", "exposure_s", "beamsize_mm",
            "unit_cell_tuple", "Amatrix", "missets_deg", "Ncells_abc", "xtal_shape", "mosaic_spread_deg",
            "mosaic_domains", "phi_deg", "osc_deg", "phisteps", "spindle_axis", "oversample", "default_F", "F000",
            "interpolate", "spot_scale", "region_of_interest",
        )  # fmt: skip
        for name in shown:
            print(f"{name} = {getattr(self, name)}")

    def show_sources(self) -> None:
        """Prints the sources that xray_beams made."""
        for row in self._sources if self._sources is not None else []:
            print("to source {:g} {:g} {:g}, wavelength {:g} A, weight {:g}".format(*row))


def _request(steps: int, range_: float, step: float) -> tuple[int | None, float | None, float | None]:
    """What is given of steps, range and step size."""
    return (steps if steps > 1 else None, range_ if range_ > 0 else None, step if step > 0 else None)
