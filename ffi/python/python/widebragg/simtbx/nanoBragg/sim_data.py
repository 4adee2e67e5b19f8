"""``SimData``: a detector, a beam and a crystal make images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from widebragg.simtbx.deviates import normal_deviates, points_on_sphere
from widebragg.simtbx.enums import shapetype
from widebragg.simtbx.models import matrix
from widebragg.simtbx.nanoBragg.nanoBragg_beam import NBbeam
from widebragg.simtbx.nanoBragg.nanoBragg_crystal import NBcrystal
from widebragg.simtbx.simulator import nanoBragg
from widebragg.simtbx.standins import Panel

__all__ = ["Amatrix_dials2nanoBragg", "SimData", "determine_spot_scale"]

#: F of water over sin(theta)/lambda in 1/angstrom, in electrons.
WATER = (
    (0, 2.57), (0.0365, 2.58), (0.07, 2.8), (0.12, 5), (0.162, 8), (0.18, 7.32), (0.2, 6.75), (0.216, 6.75), (0.236, 6.5),
    (0.28, 4.5), (0.3, 4.3), (0.345, 4.36), (0.436, 3.77), (0.5, 3.17),
)  # fmt: skip

#: F of air.
AIR = ((0, 14.1), (0.045, 13.5), (0.174, 8.35), (0.35, 4.78), (0.5, 4.22))


def Amatrix_dials2nanoBragg(crystal: Any) -> tuple[float, ...]:
    """The matrix of a dxtbx crystal as ``nanoBragg.Amatrix`` has it; raises ``ValueError`` for centred settings."""
    group = crystal.get_space_group()
    if group is not None and group.conventional_centring_type_symbol() != "P":
        raise ValueError("the crystal has a centred setting: change_basis() to the primitive one first")
    return tuple(matrix(crystal.get_A()).T.ravel().tolist())


def determine_spot_scale(beam_size_mm: float, crystal_thick_mm: float, mosaic_vol_mm3: float) -> float:
    """The number of mosaic blocks in the part of a cubic crystal that the beam meets."""
    across = min(beam_size_mm, crystal_thick_mm)
    return crystal_thick_mm * across**2 / mosaic_vol_mm3


class SimData:
    """A simulator from a detector, a beam and a crystal.

    >>> from widebragg.simtbx.nanoBragg.sim_data import SimData
    >>> SIM = SimData(use_default_crystal=True)
    >>> SIM.detector = SimData.simple_detector(180, 0.8, (64, 64))
    >>> SIM.beam.spectrum, SIM.beam.size_mm = [(1.2, 1e12)], 0.05
    >>> SIM.add_water = SIM.include_noise = False
    >>> SIM.instantiate_nanoBragg(oversample=1, default_F=100)
    >>> image = SIM.generate_simulated_image()
    >>> image.shape, bool(image.max() > 0)
    ((64, 64), True)
    """

    def __init__(self, use_default_crystal: bool = False) -> None:
        #: Panels of dxtbx, or objects with the same methods.
        self.detector: Any = SimData.simple_detector(180, 0.1, (512, 512))
        self.seed = 1
        self.crystal: Any = NBcrystal(use_default_crystal)
        self.beam: Any = NBbeam()
        self.beam.unit_s0 = (0, 0, -1)
        self.add_air, self.air_path_mm = False, 0.0
        self.add_water, self.water_path_mm = True, 0.005
        #: 0: normal angles about random axes, with both signs. simtbx's other methods are diffBragg's.
        self.Umats_method = 0
        #: Seeds of the axes and of the angles.
        self.mosaic_seeds: Sequence[int] = (777, 777)
        self.using_cuda = self.using_omp = self.using_diffBragg_spots = False
        #: Regions of interest (fast_min, fast_max, slow_min, slow_max) to render; None: everything.
        self.rois: Any = None
        self.readout_noise, self.gain, self.psf_fwhm = 3.0, 1.0, 0.0
        self.include_noise = True
        #: An image that is added instead of water.
        self.background_raw_pixels: Any = None
        #: The simulator, once it is instantiated.
        self.D: Any = None
        self._panel_id = 0
        self._full_roi: Any = None

    @property
    def panel_id(self) -> int:
        """The panel; setting it moves the detector of a simulator to it."""
        return self._panel_id

    @panel_id.setter
    def panel_id(self, panel_id: int) -> None:
        if not 0 <= panel_id < len(self.detector):
            raise ValueError(f"panel_id {panel_id}: the detector has {len(self.detector)} panels")
        self._panel_id = int(panel_id)
        if self.D is not None:
            panel = self.detector[self._panel_id]
            self.D.set_dxtbx_detector_panel(panel, self.beam.nanoBragg_constructor_beam.get_s0())
            self._full_roi = self.D.region_of_interest

    @staticmethod
    def Umats(
        mos_spread_deg: float, n_mos_doms: int, isotropic: bool = True, seed: int = 777, norm_dist_seed: int = 777
    ) -> NDArray[np.float64]:
        """Rotations, of shape (n, 9), about random axes by angles of a normal distribution; isotropic: with both signs.

        The numbers are those of simtbx, to 1e-14, as cctbx draws them with Boost 1.56 and later.
        """
        axes = points_on_sphere(n_mos_doms, seed)
        angles = np.radians(max(mos_spread_deg, 0)) * normal_deviates(n_mos_doms, norm_dist_seed)
        if isotropic and mos_spread_deg > 0:
            axes, angles = np.repeat(axes, 2, axis=0), np.column_stack([angles, -angles]).ravel()
        across = np.cross(np.eye(3), axes[:, np.newaxis]).transpose(0, 2, 1) * -1
        sines, rest = np.sin(angles)[:, np.newaxis, np.newaxis], 1 - np.cos(angles)[:, np.newaxis, np.newaxis]
        matrices: NDArray[np.float64] = np.eye(3) + sines * across + rest * (across @ across)
        return matrices.reshape(-1, 9)

    def instantiate_nanoBragg(
        self,
        verbose: int = 0,
        oversample: int = 0,
        device_Id: int = 0,
        adc_offset: float = 0,
        default_F: float = 1e3,
        interpolate: int = 0,
    ) -> None:
        """Makes the simulator ``D``."""
        D = self.D = nanoBragg(
            self.detector, self.beam.nanoBragg_constructor_beam, verbose=verbose, panel_id=self._panel_id
        )
        D.seed = D.calib_seed = D.mosaic_seed = self.seed
        D.interpolate = interpolate
        self._crystal_properties()
        D.xray_beams = self.beam.xray_beams
        D.beamsize_mm = self.beam.size_mm
        D.adc_offset_adu = adc_offset
        D.default_F = default_F
        if oversample > 0:
            D.oversample = int(oversample)
        D.device_Id = device_Id
        self._full_roi = D.region_of_interest

    def instantiate_diffBragg(self, *args: Any, use_diffBragg: bool = True, **kwargs: Any) -> None:
        """With ``use_diffBragg=False`` the same as instantiate_nanoBragg; diffBragg is not here."""
        if use_diffBragg:
            raise NotImplementedError("instantiate_diffBragg: diffBragg is not in widebragg; "
                                      "wb.Experiment.gradient has derivatives")
        scales = kwargs.pop("auto_set_spotscale", False)
        self.instantiate_nanoBragg(*args, **kwargs)
        if scales:
            self.D.spot_scale = self.determine_spot_scale()

    def update_Fhkl_tuple(self) -> None:
        """Gives the simulator the Miller array of the crystal, if it has one."""
        if self.crystal.miller_array is not None:
            array = self.crystal.miller_array
            self.D.Fhkl_tuple = array.indices(), array.data(), None

    def _crystal_properties(self) -> None:
        crystal, D = self.crystal, self.D
        if crystal is None or crystal.dxtbx_crystal is None:
            return
        D.xtal_shape = crystal.xtal_shape
        self.update_Fhkl_tuple()
        D.Amatrix = Amatrix_dials2nanoBragg(crystal.dxtbx_crystal)
        D.Ncells_abc = crystal.Ncells_abc
        if crystal.anisotropic_mos_spread_deg is not None or self.Umats_method != 0:
            raise NotImplementedError("SimData: mosaic blocks of diffBragg (Umats_method 2 and 3) are not here; "
                                      "wb.Experiment has them (--mosaic-axes)")
        D.mosaic_spread_deg = crystal.mos_spread_deg
        if crystal.n_mos_domains > 1:
            axes, angles = self.mosaic_seeds
            D.set_mosaic_blocks(SimData.Umats(crystal.mos_spread_deg, crystal.n_mos_domains, True, axes, angles))

    def determine_spot_scale(self) -> float:
        """The number of mosaic blocks in the beam."""
        if self.crystal is None:
            return 1.0
        block_mm3 = float(np.prod(self.D.xtal_size_mm))
        return determine_spot_scale(self.beam.size_mm, self.crystal.thick_mm, block_mm3)

    def update_nanoBragg_instance(self, parameter: str, value: Any) -> None:
        """Sets a property of the simulator."""
        setattr(self.D, parameter, value)

    def generate_simulated_image(self, instantiate: bool = False) -> NDArray[np.float64]:
        """Spots, background and noise, as far as these are asked for: a plain array (slow, fast)."""
        if instantiate:
            self.instantiate_nanoBragg()
        self._add_nanoBragg_spots()
        self._add_background()
        if self.include_noise:
            self._add_noise()
        image: NDArray[np.float64] = self.D.raw_pixels.as_numpy_array()
        return image

    def _add_nanoBragg_spots(self) -> None:
        for roi in [self._full_roi] if self.rois is None else self.rois:
            if len(roi) == 4:
                roi = (roi[0], roi[1]), (roi[2], roi[3])
            self.D.region_of_interest = roi
            if self.using_omp:
                self.D.add_nanoBragg_spots_nks()
            else:
                self.D.add_nanoBragg_spots()

    def _add_background(self) -> None:
        if self.background_raw_pixels is not None:
            self.D.raw_pixels += np.asarray(self.background_raw_pixels)
        elif self.add_water:
            self._add_matter(WATER, self.water_path_mm, density_gcm3=1)
        if self.add_air:
            self._add_matter(AIR, self.air_path_mm, density_gcm3=1.2e-3)

    def _add_matter(self, table: Sequence[tuple[float, float]], thick_mm: float, density_gcm3: float) -> None:
        self.D.Fbg_vs_stol = table
        self.D.amorphous_sample_thick_mm = thick_mm
        self.D.amorphous_density_gcm3 = density_gcm3
        # simtbx has the molecular weight of water for air as well: it sets that of nitrogen by a name without effect.
        self.D.amorphous_molecular_weight_Da = 18
        self.D.add_background(1, 0)

    def _add_noise(self) -> None:
        # The readout noise of the simulator stays 3 ADU in simtbx, which sets it by a name without effect; here it counts.
        self.D.detector_psf_kernel_radius_pixels = 5
        self.D.detector_psf_type = shapetype.Unknown
        self.D.detector_psf_fwhm_mm = self.psf_fwhm
        self.D.readout_noise_adu = self.readout_noise
        self.D.quantum_gain = self.gain
        self.D.add_noise()

    @staticmethod
    def simple_detector(
        detector_distance_mm: float,
        pixelsize_mm: float,
        image_shape: Sequence[int],
        fast: Sequence[float] = (1, 0, 0),
        slow: Sequence[float] = (0, -1, 0),
    ) -> list[Panel]:
        """A detector of one panel, ``image_shape`` (fast, slow), whose middle the beam along fast x slow meets."""
        f, s = np.asarray(fast, dtype=float), np.asarray(slow, dtype=float)
        center_s, center_f = (0.5 * (pixels + 2) * pixelsize_mm for pixels in image_shape)
        origin = np.cross(f, s) * detector_distance_mm - f * center_f - s * center_s
        pixels_fast, pixels_slow = (int(pixels) for pixels in image_shape)
        size = (pixelsize_mm, pixelsize_mm)
        return [Panel(tuple(f.tolist()), tuple(s.tolist()), tuple(origin.tolist()), size, (pixels_fast, pixels_slow))]
