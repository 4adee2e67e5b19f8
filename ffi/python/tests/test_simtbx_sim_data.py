"""SimData and what belongs to it: the same images as by hand."""

from __future__ import annotations

import numpy as np
import pytest

from simtbx_doubles import Beam, Cell, MillerArray, Panel
from widebragg.simtbx.deviates import normal_deviates, points_on_sphere
from widebragg.simtbx.nanoBragg import nanoBragg, nanoBragg_beam, nanoBragg_crystal, shapetype
from widebragg.simtbx.nanoBragg.sim_data import Amatrix_dials2nanoBragg, SimData, determine_spot_scale
from widebragg.simtbx.nanoBragg.utils import ENERGY_CONV, flexBeam_sim_colors, get_xray_beams

CELL = (79.1, 79.1, 38.4, 90.0, 90.0, 90.0)


class Operator:
    """A change of basis that changes nothing."""

    def c(self):
        return self

    def r(self):
        return self

    def determinant(self):
        return 1


class Group:
    """A primitive space group."""

    def __init__(self, centring="P"):
        self.centring = centring

    def conventional_centring_type_symbol(self):
        return self.centring

    def change_of_basis_op_to_primitive_setting(self):
        return Operator()


class Array(MillerArray):
    """A Miller array with a space group."""

    def space_group_info(self):
        return Group()


class Crystal:
    """A crystal of dxtbx whose axes lie along x, y, z."""

    def __init__(self, centring="P"):
        self.centring = centring

    def get_A(self):
        return np.diag(1 / np.array(CELL[:3])).ravel()

    def get_unit_cell(self):
        return Cell(CELL)

    def get_space_group(self):
        return Group(self.centring)


PANELS = [
    Panel((1, 0, 0), (0, -1, 0), (-10, 10, -100), (20, 24), 1.0),
    Panel((1, 0, 0), (0, -1, 0), (12, 10, -100), (20, 24), 1.0),
]


@pytest.fixture
def small() -> SimData:
    SIM = SimData(use_default_crystal=True)
    SIM.detector = SimData.simple_detector(100, 1.0, (20, 24))
    SIM.beam.spectrum, SIM.beam.size_mm = [(1.2, 1e12), (1.3, 3e12)], 0.01
    SIM.add_water = SIM.include_noise = False
    return SIM


def test_beams():
    beam = nanoBragg_beam.NBbeam()
    beam.spectrum = [(1.2, 1e12), (1.3, 3e12)]
    assert [one.get_wavelength() for one in beam.xray_beams] == pytest.approx([1.2e-10, 1.3e-10])
    assert [one.get_flux() for one in beam.xray_beams] == [5e11, 1.5e12]
    assert beam.nanoBragg_constructor_beam.get_wavelength() == pytest.approx(1.275)
    assert beam.nanoBragg_constructor_beam.get_flux() == 2e12
    assert beam.xray_beams[0].get_s0()[0] == pytest.approx(1 / 1.2e-10)
    assert beam.xray_beams[0].get_sample_to_source_direction() == (-1, 0, 0)
    beam.spectrum = [(1.2, 0)]
    with pytest.raises(ValueError, match="no photons"):
        beam.nanoBragg_constructor_beam
    others = get_xray_beams([(1.1, 4.0)], Beam(9.0, polarization=0.5, s0=(0, 0, -2)))
    assert others[0].get_polarization_fraction() == 0.5 and others[0].get_unit_s0() == (0, 0, -1)


def test_n_beams_are_as_bright_as_one_of_their_flux(small):
    """NBbeam undoes what nanoBragg.xray_beams does."""
    small.beam.spectrum = [(1.2, 4e12)]
    small.instantiate_nanoBragg(oversample=1)
    one = small.generate_simulated_image()
    small.beam.spectrum = [(1.2, 1e12), (1.2, 3e12)]
    small.instantiate_nanoBragg(oversample=1)
    np.testing.assert_allclose(small.generate_simulated_image(), one, rtol=1e-12)


def test_an_image_is_that_of_a_simulator_by_hand(small):
    small.instantiate_nanoBragg(oversample=2, default_F=50, adc_offset=7)
    image = small.generate_simulated_image()
    SIM = nanoBragg(small.detector, small.beam.nanoBragg_constructor_beam)
    SIM.xtal_shape, SIM.interpolate, SIM.oversample, SIM.default_F = shapetype.Gauss, 0, 2, 50
    SIM.Amatrix = np.diag(1 / np.array(CELL[:3]))
    SIM.Ncells_abc = 10
    SIM.xray_beams = small.beam.xray_beams
    SIM.beamsize_mm = 0.01
    SIM.add_nanoBragg_spots()
    assert image.max() > 0
    np.testing.assert_allclose(image, SIM.raw_pixels, rtol=1e-9, atol=1e-12 * image.max())
    assert small.D.adc_offset_adu == 7 and small.D.seed == 1
    small.update_nanoBragg_instance("spot_scale", 3)
    small.D.raw_pixels *= 0
    np.testing.assert_allclose(small.generate_simulated_image(), 3 * image, rtol=1e-12)
    small.background_raw_pixels = np.ones_like(image)
    assert small.generate_simulated_image().min() >= 1


def test_regions_and_the_other_spots(small):
    small.instantiate_nanoBragg(oversample=1, default_F=50)
    whole = small.generate_simulated_image()
    small.D.raw_pixels *= 0
    small.rois, small.using_omp = [(0, 9, 0, 23), ((10, 19), (0, 23))], True
    np.testing.assert_allclose(small.generate_simulated_image(), whole, rtol=1e-12)


def test_deviates_are_those_of_cctbx():
    deviates = normal_deviates(3, 777)
    np.testing.assert_allclose(deviates, [0.2943570118788006, 1.2615728100584602, 0.16536295852889996], rtol=1e-14)
    # Of the tails: layers end at 3.4426.
    many = normal_deviates(20_000, 5)
    far = {1424: 3.457099789325878, 2612: 3.443216998972318, 3847: -3.539433197509425}
    assert np.nonzero(np.abs(many) > 3.4426)[0][:3].tolist() == list(far)
    np.testing.assert_allclose(many[list(far)], list(far.values()), rtol=1e-14)
    assert many.std() == pytest.approx(1, abs=0.02) and abs(many.mean()) < 0.02
    expected = [-0.11195728702321323, -0.07896225470949428, -0.9905708092880563]
    np.testing.assert_allclose(points_on_sphere(2, 777)[1], expected, rtol=1e-13)


def test_mosaic_blocks(small):
    blocks = SimData.Umats(0.5, 10).reshape(-1, 3, 3)
    assert len(blocks) == 20
    np.testing.assert_allclose(blocks @ blocks.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (20, 3, 3)), atol=1e-12)
    np.testing.assert_allclose(blocks[0] @ blocks[1], np.eye(3), atol=1e-12)
    many = SimData.Umats(0.5, 4000, isotropic=False).reshape(-1, 3, 3)
    angles = np.degrees(np.arccos((np.trace(many, axis1=1, axis2=2) - 1) / 2))
    assert np.sqrt(np.mean(angles**2)) == pytest.approx(0.5, rel=0.05)
    assert np.linalg.det(many).min() > 0.99
    # Numbers of cctbx (scitbx.random and flex.mersenne_twister, seeds 777, Debian's cctbx with Boost 1.74).
    angle = np.radians(0.5) * 0.2943570118788006
    axis = np.array([-0.03604710171618549, -0.5498643959799622, 0.8344757351124443])
    np.testing.assert_allclose(blocks[0] @ axis, axis, rtol=1e-14)
    np.testing.assert_allclose(np.trace(blocks[0]), 1 + 2 * np.cos(angle), rtol=1e-14)
    lower, upper = blocks[0][[2, 0, 1], [1, 2, 0]], blocks[0][[1, 2, 0], [2, 0, 1]]
    np.testing.assert_allclose((lower - upper) / 2, np.sin(angle) * axis, rtol=1e-12)
    small.crystal.n_mos_domains, small.crystal.mos_spread_deg = 6, 0.5
    small.instantiate_nanoBragg(oversample=1)
    assert small.D.mosaic_domains == 12 and small.D.mosaic_spread_deg == 0.5
    small.Umats_method = 2
    with pytest.raises(NotImplementedError, match="Umats_method"):
        small.instantiate_nanoBragg()


def test_crystals():
    assert Amatrix_dials2nanoBragg(Crystal())[0] == pytest.approx(1 / 79.1)
    with pytest.raises(ValueError, match="centred setting"):
        Amatrix_dials2nanoBragg(Crystal("C"))
    crystal = nanoBragg_crystal.NBcrystal()
    A = np.reshape(crystal.dxtbx_crystal.get_A(), (3, 3))
    np.testing.assert_allclose(A, np.diag(1 / np.array(CELL[:3])), atol=1e-15)
    oblique = crystal.dxtbx_crystal_from_ucell_and_symbol((50, 60, 70, 80, 95, 100), "P1")
    direct = np.linalg.inv(np.reshape(oblique.get_A(), (3, 3)))
    assert direct[0] == pytest.approx((50, 0, 0)) and direct[1][2] == pytest.approx(0) and direct[1][1] > 0
    assert np.degrees(np.arccos(direct[1] @ direct[2] / 60 / 70)) == pytest.approx(80)
    crystal.xtal_shape = "anything"
    assert crystal.xtal_shape is shapetype.Tophat
    crystal.miller_array = Array([(0, 0, 1)], [2.0], CELL)
    assert crystal.miller_array.calls == ["expand_to_p1", "generate_bijvoet_mates"]
    assert not crystal.has_anisotropic_mosaicity


def test_scales_of_the_crystal(small):
    assert determine_spot_scale(0.05, 0.1, 1e-6) == pytest.approx(0.1 * 0.05**2 / 1e-6)
    assert determine_spot_scale(0.2, 0.1, 1e-6) == pytest.approx(1e-3 / 1e-6)
    small.instantiate_diffBragg(use_diffBragg=False, auto_set_spotscale=True)
    assert small.D.spot_scale == small.determine_spot_scale() > 1
    with pytest.raises(NotImplementedError, match="diffBragg is not in widebragg"):
        small.instantiate_diffBragg()


def test_all_panels_in_colours():
    energies, fluxes = [ENERGY_CONV / 1.2, ENERGY_CONV / 1.25], [1e12, 2e12]
    hkl = np.indices((41, 41, 21)).reshape(3, -1).T - (20, 20, 10)
    F = Array(hkl, 10.0 + np.abs(hkl).sum(axis=1), CELL)
    images = flexBeam_sim_colors(
        Crystal(), PANELS, Beam(1.2), F, energies, fluxes, Ncells_abc=(6, 6, 6), oversample=1, show_params=False,
        beamsize_mm=0.01,
    )  # fmt: skip
    assert [panel for panel, _ in images] == [0, 1]
    # Each colour alone, by one simulator for each panel.
    for panel, image in images:
        SIM = nanoBragg(PANELS, Beam(1.2, polarization=1), panel_id=panel)
        SIM.xtal_shape, SIM.interpolate, SIM.oversample = shapetype.Gauss, 0, 1
        SIM.Fhkl_tuple = hkl, 10.0 + np.abs(hkl).sum(axis=1)
        SIM.Amatrix, SIM.Ncells_abc, SIM.beamsize_mm = Crystal().get_A(), 6, 0.01
        for wavelength, flux in ((1.2, 1e12), (1.25, 2e12)):
            SIM.wavelength_A, SIM.flux = wavelength, flux
            SIM.add_nanoBragg_spots()
        assert image.max() > 0
        np.testing.assert_allclose(image, SIM.raw_pixels, rtol=1e-6, atol=1e-9 * image.max())
    (only,) = flexBeam_sim_colors(
        Crystal(), PANELS, Beam(1.2), None, energies, fluxes, pids=[1], default_F=10, oversample=1, show_params=False,
        rois_perpanel={1: [(0, 4, 0, 5)]}, nopolar=True, spot_scale_override=2, Ncells_abc=(2, 2, 2),
    )  # fmt: skip
    assert only[0] == 1 and only[1][:6, :5].any() and not only[1][6:].any() and not only[1][:, 5:].any()


def test_water_air_and_noise(small):
    # Fewer than a million photons a pixel, whose counts are whole numbers.
    small.beam.spectrum = [(1.2, 1e9)]
    small.instantiate_nanoBragg(oversample=1, default_F=50)
    spots = small.generate_simulated_image()
    small.D.raw_pixels *= 0
    small.add_water = small.add_air = True
    small.water_path_mm, small.air_path_mm = 1.0, 50.0
    matter = small.generate_simulated_image() - spots
    assert matter.min() > 0
    small.D.raw_pixels *= 0
    small.include_noise, small.gain, small.readout_noise = True, 2.0, 0.0
    small.D.detector_calibration_noise_pct = 0
    adu = small.generate_simulated_image()
    counts = adu / 2
    assert np.array_equal(counts, np.round(counts)) and counts.sum() == pytest.approx((spots + matter).sum(), rel=0.05)


def test_panels(small):
    small.detector = PANELS
    small.instantiate_nanoBragg(oversample=1)
    small.panel_id = 1
    assert small.D.pix0_vector_mm == (12, 10, -100) and small.panel_id == 1
    with pytest.raises(ValueError, match="the detector has 2 panels"):
        small.panel_id = 2
