"""Functions that simulate all panels of a detector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from widebragg.simtbx.nanoBragg.nanoBragg_beam import NBbeam
from widebragg.simtbx.nanoBragg.nanoBragg_crystal import NBcrystal
from widebragg.simtbx.nanoBragg.sim_data import WATER, SimData
from widebragg.simtbx.simulator import nanoBragg
from widebragg.simtbx.standins import Beam

__all__ = ["ENERGY_CONV", "ensure_p1", "flexBeam_sim_colors", "get_xray_beams", "sim_background"]

#: Energy in eV times wavelength in angstrom: h c/e of CODATA 2018, exact.
ENERGY_CONV = 1e10 * 299792458.0 * 6.62607015e-34 / 1.602176634e-19


def ensure_p1(Crystal: Any, Famp: Any) -> tuple[Any, Any]:
    """Crystal and Miller array in the primitive setting; objects of dxtbx and cctbx."""
    to_primitive = Famp.space_group_info().change_of_basis_op_to_primitive_setting()
    if to_primitive.c().r().determinant() == 1:
        return Crystal, Famp
    return Crystal.change_basis(to_primitive), Famp.change_basis(to_primitive)


def get_xray_beams(spectrum: Sequence[tuple[float, float]], beam: Any) -> list[Beam]:
    """Beams for ``nanoBragg.xray_beams`` from wavelengths in angstrom and fluxes, in the direction of a beam of dxtbx."""
    many = NBbeam()
    many.spectrum = spectrum
    many.polarization_fraction = beam.get_polarization_fraction()
    many.divergence = beam.get_divergence()
    many.unit_s0 = beam.get_unit_s0()
    return many.xray_beams


def flexBeam_sim_colors(
    CRYSTAL: Any,
    DETECTOR: Any,
    BEAM: Any,
    Famp: Any,
    energies: Iterable[float],
    fluxes: Iterable[float],
    pids: Iterable[int] | None = None,
    cuda: bool = False,
    oversample: int = 0,
    Ncells_abc: Any = (50, 50, 50),
    mos_dom: int = 1,
    mos_spread: float = 0,
    beamsize_mm: float = 0.001,
    device_Id: int = 0,
    omp: bool = False,
    show_params: bool = True,
    crystal_size_mm: float = 0.01,
    printout_pix: Any = None,
    time_panels: bool = True,
    verbose: int = 0,
    default_F: float = 0,
    interpolate: int = 0,
    recenter: bool = True,
    profile: str = "gauss",
    spot_scale_override: float | None = None,
    background_raw_pixels: Mapping[int, Any] | None = None,
    include_noise: bool = False,
    add_water: bool = False,
    add_air: bool = False,
    water_path_mm: float = 0.005,
    air_path_mm: float = 0,
    rois_perpanel: Mapping[int, Any] | None = None,
    adc_offset: float = 0,
    readout_noise: float = 3,
    psf_fwhm: float = 0,
    gain: float = 1,
    mosaicity_random_seeds: Sequence[int] | None = None,
    nopolar: bool = False,
) -> list[list[Any]]:
    """Images of panels in a beam of several energies.

    ``CRYSTAL``, ``DETECTOR``, ``BEAM`` and ``Famp`` are objects of dxtbx and cctbx, or have their methods; ``Famp`` None: all
    reflections have ``default_F``. ``energies`` in eV, ``fluxes`` in photons per second, ``mos_spread`` in degrees. Arguments
    of GPUs and of printing are accepted; nothing is timed.

    Returns ``[panel, image (slow, fast)]`` for each of the panels ``pids``, or for all.
    """
    if Famp is not None:
        CRYSTAL, Famp = ensure_p1(CRYSTAL, Famp)
    panels = list(range(len(DETECTOR)) if pids is None else pids)
    SIM = SimData()
    SIM.detector = DETECTOR
    SIM.beam.size_mm, SIM.beam.unit_s0 = beamsize_mm, BEAM.get_unit_s0()
    SIM.beam.spectrum = [(ENERGY_CONV / energy, flux) for energy, flux in zip(energies, fluxes)]
    crystal = SIM.crystal = NBcrystal()
    crystal.dxtbx_crystal, crystal.miller_array = CRYSTAL, Famp
    crystal.Ncells_abc, crystal.thick_mm, crystal.xtal_shape = Ncells_abc, crystal_size_mm, profile
    crystal.n_mos_domains, crystal.mos_spread_deg = mos_dom, mos_spread
    SIM.using_omp = omp
    SIM.add_air, SIM.air_path_mm = add_air, air_path_mm
    SIM.add_water, SIM.water_path_mm = add_water, water_path_mm
    SIM.readout_noise, SIM.gain, SIM.psf_fwhm, SIM.include_noise = readout_noise, gain, psf_fwhm, include_noise
    if mosaicity_random_seeds is not None:
        SIM.mosaic_seeds = mosaicity_random_seeds
    SIM.instantiate_nanoBragg(
        verbose=verbose, oversample=oversample, interpolate=interpolate, device_Id=device_Id, default_F=default_F,
        adc_offset=adc_offset,
    )  # fmt: skip
    if spot_scale_override is not None:
        SIM.D.spot_scale = spot_scale_override
    SIM.D.nopolar = nopolar
    images: list[list[Any]] = []
    for panel in panels:
        SIM.background_raw_pixels = (background_raw_pixels or {}).get(panel)
        SIM.panel_id = panel
        SIM.rois = (rois_perpanel or {}).get(panel)
        SIM.D.raw_pixels *= 0
        images.append([panel, SIM.generate_simulated_image()])
        if show_params:
            SIM.D.show_params()
    return images


def sim_background(
    DETECTOR: Any,
    BEAM: Any,
    wavelengths: Sequence[float],
    wavelength_weights: Sequence[float],
    total_flux: float,
    pidx: int = 0,
    beam_size_mm: float = 0.001,
    Fbg_vs_stol: Any = None,
    sample_thick_mm: float = 100,
    density_gcm3: float = 1,
    molecular_weight: float = 18,
) -> NDArray[Any]:
    """What amorphous matter, water unless a table is given, scatters onto a panel: an image (slow, fast) of photons.

    As in simtbx, n wavelengths make it n times as bright as one.
    """
    weights = np.asarray(wavelength_weights, dtype=float)
    flux = weights / weights.sum() * total_flux
    SIM = nanoBragg(DETECTOR, BEAM, panel_id=int(pidx))
    SIM.beamsize_mm = beam_size_mm
    SIM.xray_beams = get_xray_beams(list(zip(wavelengths, flux.tolist())), BEAM)
    SIM.flux = total_flux
    SIM.Fbg_vs_stol = WATER if Fbg_vs_stol is None else Fbg_vs_stol
    SIM.amorphous_sample_thick_mm = sample_thick_mm
    SIM.amorphous_density_gcm3 = density_gcm3
    SIM.amorphous_molecular_weight_Da = molecular_weight
    SIM.add_background()
    return SIM.raw_pixels.deep_copy()
