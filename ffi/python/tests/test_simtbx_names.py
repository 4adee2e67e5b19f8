"""Names of widebragg.simtbx: all that scripts use, imports in any order, warnings, arrays, state."""

from __future__ import annotations

import copy
import gzip
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import widebragg as wb
from simtbx_doubles import Beam, Cell, MillerArray, Panel
from widebragg.simtbx import SimtbxWarning, convention, nanoBragg, shapetype
from widebragg.simtbx.arrays import FlexArray, numbers
from widebragg.simtbx.warning import forget

#: What at least three public files use, in the order of how many do.
USED = """
    raw_pixels Ncells_abc xtal_shape flux beamsize_mm oversample exposure_s verbose show_params amorphous_sample_thick_mm
    amorphous_density_gcm3 Fbg_vs_stol wavelength_A amorphous_molecular_weight_Da adc_offset_adu default_F progress_meter Fhkl
    seed add_nanoBragg_spots polarization add_background pixel_size_mm detpixels_fastslow Amatrix free_all distance_mm
    detector_psf_fwhm_mm add_noise mosaic_domains detector_psf_kernel_radius_pixels mosaic_spread_deg
    amorphous_sample_molecular_weight_Da detector_psf_type randomize_orientation set_mosaic_blocks to_smv_format Amatrix_RUB
    spot_scale device_Id readout_noise_adu add_nanoBragg_spots_nks add_nanoBragg_spots_cuda F000 to_smv_format_py interpolate
    quantum_gain Fhkl_tuple detector_thicksteps detector_thick_mm xray_beams to_cbf beam detector_calibration_noise_pct
    pix0_vector_mm detector region_of_interest beam_center_mm sdet_vector fdet_vector beam_vector close_distance_mm
    get_intfile_scale fluence xtal_size_mm phisteps polar_vector printout_pixel_fastslow nopolar point_pixel odet_vector
    integral_form curved_detector detector_attenuation_length_mm get_mosaic_blocks unit_cell_tuple divergence_hv_mrad
    detector_thickstep_mm phi_deg calib_seed beamcenter_convention flicker_noise_pct imageset
""".split()

#: Names that simtbx does not have: scripts set one of them, and ask whether the other is there.
NO_PROPERTIES = {"amorphous_sample_molecular_weight_Da", "add_nanoBragg_spots_cuda"}


@pytest.fixture(autouse=True)
def warnings_are_new():
    forget()


@pytest.fixture
def SIM() -> nanoBragg:
    return nanoBragg(detpixels_slowfast=(6, 8), pixel_size_mm=1, Ncells_abc=(5, 5, 5), oversample=1)


def test_all_names_that_scripts_use_are_there(SIM):
    assert len(USED) == len(set(USED)) == 83
    assert set(USED) - set(dir(nanoBragg)) == NO_PROPERTIES - {"add_nanoBragg_spots_cuda"}
    for name in USED:
        described = getattr(nanoBragg, name, None)
        assert described is None and name in NO_PROPERTIES or described.__doc__, name


def test_simple_properties_read_back_what_was_set(SIM):
    from widebragg.simtbx.properties import Property

    values = {float: 0.25, int: 3, bool: True, tuple: (2.0, 3.0), shapetype: shapetype.Gauss}
    checked = 0
    for name, described in vars(nanoBragg).items():
        if isinstance(described, Property) and type(described.default) in values:
            value = values[type(described.default)]
            setattr(SIM, name, value)
            assert getattr(SIM, name) == value, name
            checked += 1
    assert checked > 35


@pytest.mark.parametrize(
    "script",
    [
        "from widebragg.simtbx import nanoBragg\nfrom widebragg.simtbx.nanoBragg import nanoBragg as N, shapetype",
        "from widebragg.simtbx.nanoBragg import nanoBragg as N, shapetype\nfrom widebragg.simtbx import nanoBragg",
        "import widebragg.simtbx.nanoBragg\nfrom widebragg.simtbx import nanoBragg\nN = nanoBragg",
        "import widebragg.simtbx.nanoBragg as nb\nN, nanoBragg, shapetype = nb.nanoBragg, nb.nanoBragg, nb.shapetype",
        "import widebragg.simtbx.nanoBragg.sim_data\nfrom widebragg.simtbx import nanoBragg\nN = nanoBragg",
        "from widebragg.simtbx.nanoBragg.sim_data import SimData\nfrom widebragg.simtbx.nanoBragg import nanoBragg\n"
        "from widebragg.simtbx import nanoBragg as N",
        "from widebragg.simtbx.nanoBragg import Gauss, DIALS, Beam, nanoBragg\nN = nanoBragg",
    ],
)
def test_imports_in_any_order(script):
    ends = "\nassert isinstance(nanoBragg, type) and nanoBragg is N\nimport widebragg.simtbx as s\nassert s.nanoBragg is N"
    subprocess.run([sys.executable, "-W", "error", "-c", script + ends], check=True)


def test_reading_an_unknown_name_gives_none(SIM):
    assert SIM.add_nanoBragg_spots_cuda is None
    assert SIM.detector_rot_deg is None
    assert SIM.amorphous_sample_molecular_weight_Da is None
    assert not hasattr(SIM, "__array_interface__")


@pytest.mark.parametrize(
    ("name", "probably"),
    [
        ("amorphous_sample_molecular_weight_Da", "amorphous_molecular_weight_Da"),
        ("readout_noise", "readout_noise_adu"),
        ("detector_calibration_noice_pct", "detector_calibration_noise_pct"),
        ("wavelenght_A", "wavelength_A"),
    ],
)
def test_writing_an_unknown_name_warns_once_and_names_what_was_meant(SIM, name, probably):
    with pytest.warns(SimtbxWarning, match=f"{name} is not a property.*; {probably} is") as warned:
        setattr(SIM, name, 28)
    assert warned[0].filename == __file__
    setattr(SIM, name, 29)
    other = nanoBragg(detpixels_slowfast=(2, 2))
    setattr(other, name, 28)
    assert getattr(SIM, name) == 29


def test_nothing_is_guessed_for_a_name_that_is_like_none(SIM):
    with pytest.warns(SimtbxWarning, match="it has no effect$"):
        SIM.my_notes = "x"


def test_defaults_of_simtbx():
    SIM = nanoBragg()
    assert SIM.detpixels_fastslow == (1024, 1024) and SIM.raw_pixels.focus() == (1024, 1024)
    assert SIM.unit_cell_tuple == (78, 78, 38, 90, 90, 90) and SIM.Ncells_abc == (1, 1, 1)
    assert SIM.fluence == pytest.approx(1.2593201528622709e29, rel=1e-12)
    assert SIM.flux == pytest.approx(1.259320152862271e21, rel=1e-12)
    assert SIM.region_of_interest == ((0, 1024), (0, 1024))
    assert SIM.beam_center_mm == pytest.approx((51.25, 51.25)) and SIM.distance_mm == 100
    assert SIM.beamcenter_convention is convention.MOSFLM
    assert (SIM.beam_vector, SIM.fdet_vector, SIM.sdet_vector) == ((1, 0, 0), (0, 0, 1), (0, -1, 0))
    assert SIM.adc_offset_adu == 40 and SIM.readout_noise_adu == 3 and SIM.detector_psf_type is shapetype.Fiber
    assert SIM.interpolate == 1 and SIM.mosaic_domains == 1 and SIM.polarization == 0


def test_fast_and_slow(SIM):
    assert SIM.detpixels_fastslow == (8, 6)
    assert SIM.raw_pixels.focus() == (6, 8)
    SIM.raw_pixels += 1
    SIM.detpixels_fastslow = 6, 8
    assert SIM.raw_pixels.focus() == (8, 6) and SIM.raw_pixels[47] == 1
    SIM.detpixels_fastslow = 4, 3
    assert SIM.raw_pixels.focus() == (3, 4) and not SIM.raw_pixels.any()


def test_the_region_of_interest_includes_its_ends(SIM):
    SIM.default_F = 10
    SIM.add_nanoBragg_spots()
    whole = SIM.raw_pixels.as_numpy_array()
    SIM.raw_pixels *= 0
    SIM.region_of_interest = ((2, 4), (1, 3))
    SIM.add_nanoBragg_spots()
    part = np.zeros_like(whole)
    part[1:4, 2:5] = whole[1:4, 2:5]
    assert np.array_equal(SIM.raw_pixels, part)
    SIM.region_of_interest = ((8, 20), (0, 6))
    SIM.add_nanoBragg_spots()
    assert np.array_equal(SIM.raw_pixels, part)


def test_raw_pixels_share_memory_and_take_flat_numbers(SIM):
    image = SIM.raw_pixels
    image[2, 3] = 7
    assert SIM.raw_pixels[2 * 8 + 3] == 7
    SIM.raw_pixels *= 2
    assert image[2, 3] == 14
    SIM.raw_pixels = list(range(48))
    assert image[5, 7] == 47
    SIM.raw_pixels += FlexArray.of(np.ones((6, 8)))
    assert SIM.raw_pixels[0] == 1
    with pytest.raises(ValueError, match="raw_pixels: 3 numbers"):
        SIM.raw_pixels = [1, 2, 3]


def test_methods_of_flex():
    image = FlexArray.of(np.arange(6.0).reshape(2, 3))
    assert image.focus() == image.all() == (2, 3) and image.size() == image.size == len(image) == 6
    assert list(image) == [0, 1, 2, 3, 4, 5] and image[4] == image[1, 1] == 4 and image[-1] == 5
    with pytest.raises(IndexError):
        image[6]
    image[4] = 40
    assert image[1, 1] == 40
    plain, copied = image.as_numpy_array(), image.deep_copy()
    plain[0, 0] = copied[0, 0] = 9
    assert type(plain) is np.ndarray and image[0] == 0
    flat = image.as_1d()
    flat[0] = 5
    assert image[0, 0] == 5 and flat.focus() == (6,)
    assert image[0:1, 1:3].focus() == (1, 2)
    image.set_selected(image > 4, -1)
    assert image.as_1d().as_numpy_array().tolist() == [-1, 1, 2, 3, -1, -1]
    image.set_selected([1, 2], [7, 8])
    assert image.select([1, 2]).as_numpy_array().tolist() == [7, 8]
    assert FlexArray.of([0.5, -0.5, 1.4]).iround().as_numpy_array().tolist() == [1, -1, 1]
    assert np.asarray(image).tolist() == image.view(np.ndarray).tolist()
    assert float(image.sum()) == image.as_numpy_array().sum() and "FlexArray" in repr(image)
    assert pickle.loads(pickle.dumps(image)).focus() == (2, 3)


def test_numbers_of_foreign_arrays():
    class Vec3:
        def as_numpy_array(self):
            return np.arange(6.0).reshape(2, 3)

    class MillerIndex:
        def as_vec3_double(self):
            return Vec3()

    class Matrix:
        elems = tuple(range(9))

    assert numbers(MillerIndex()).shape == (2, 3)
    assert numbers(Matrix()).tolist() == list(range(9))
    assert numbers(iter([(1, 2), (3, 4)])).shape == (2, 2)


def test_the_fluence_follows_the_flux(SIM):
    SIM.flux = 1e12
    SIM.exposure_s = 0.1
    SIM.beamsize_mm = 0.01
    assert SIM.fluence == pytest.approx(1e21) and SIM.flux == 1e12
    SIM.fluence = 1e20
    SIM.exposure_s = 1
    assert SIM.fluence == 1e20 and SIM.flux == pytest.approx(1e10)


def test_the_matrix_is_kept(SIM):
    A = np.array([[0.01, 0.002, 0], [-0.001, 0.012, 0.001], [0, 0, 0.02]])
    with pytest.warns(SimtbxWarning, match="Ncells_abc stays"):
        SIM.Amatrix = A
    SIM.distance_mm = 90
    SIM.beam_center_mm = 3, 4
    SIM.oversample = 2
    assert SIM.Amatrix == pytest.approx(A.ravel()) and SIM.Ncells_abc == (5, 5, 5)
    cell = SIM.unit_cell_tuple
    with pytest.warns(SimtbxWarning, match="Fhkl: the matrix that was set before is kept"):
        SIM.Fhkl = MillerArray([(0, 0, 1), (0, 0, -1)], [3.0, 3.0], (50, 60, 70, 90, 90, 90))
    assert SIM.unit_cell_tuple == cell
    SIM.missets_deg = 0, 0, 90
    turned = np.array(SIM.Amatrix).reshape(3, 3)
    assert turned[0] == pytest.approx((-0.002, 0.01, 0))
    SIM.distance_mm = 80
    assert np.array_equal(turned.ravel(), SIM.Amatrix)


def test_cells_of_any_kind(SIM):
    SIM.Ncells_abc = 7
    assert SIM.Ncells_abc == (7, 7, 7)
    SIM.Ncells_abc = np.array([1.5, 2, 3])
    assert SIM.Ncells_abc == (1.5, 2, 3)
    SIM.xtal_size_mm = 78e-6, 39e-6, 38e-6
    assert SIM.Ncells_abc == pytest.approx((10, 5, 10)) and SIM.xtal_size_mm == pytest.approx((78e-6, 39e-6, 38e-6))
    with pytest.raises(ValueError, match="Ncells_abc: three numbers above 0"):
        SIM.Ncells_abc = 0, 1, 1
    with pytest.warns(SimtbxWarning, match="Ncells_abc stays"):
        SIM.unit_cell_Adeg = Cell((50, 60, 70, 90, 90, 90))
    assert SIM.unit_cell_Adeg.parameters() == pytest.approx((50, 60, 70, 90, 90, 90))
    SIM.unit_cell_Adeg = (40, 60, 70, 90, 90, 90)
    assert SIM.unit_cell_tuple[0] == 40


def test_structure_factors(SIM):
    hkl = [(0, 0, 1), (1, 0, 0), (0, 2, 0), (0, 0, 0)]
    SIM.Fhkl_tuple = hkl, [1.0, 2.0, 3.0, 99.0], None
    indices, F = SIM.Fhkl_tuple
    assert indices.tolist() == [list(index) for index in hkl] and F.as_numpy_array().tolist() == [1, 2, 3, 99]
    assert SIM.indices.shape == (4, 3) and SIM.amplitudes[2] == 3
    from widebragg.simtbx.simulator import _Reflections

    # Made once for all objects with the same list.
    one = _Reflections.of(indices, F).grid(0.0, 5.0)
    assert one is SIM._reflections.grid(0.0, 5.0) and one is not SIM._reflections.grid(1.0, 5.0)
    F[1] = 2.5
    assert _Reflections.of(indices, F) is not SIM._reflections and SIM.amplitudes[1] == 2
    assert _Reflections.of(indices[::-1], [1.0, 2.0, 3.0, 99.0]) is not SIM._reflections
    assert list(one.shape) == [2, 3, 2]
    with pytest.raises(ValueError, match="Fhkl_tuple"):
        SIM.Fhkl_tuple = hkl, [1.0]
    assert SIM.Fhkl is None
    array = MillerArray(hkl, [1.0, 2.0, 3.0, 4.0], (50, 60, 70, 90, 90, 90))
    with pytest.warns(SimtbxWarning, match="Ncells_abc stays"):
        SIM.Fhkl = array
    assert SIM.Fhkl is array and array.calls == ["expand_to_p1", "generate_bijvoet_mates"]
    assert SIM.unit_cell_tuple == (50, 60, 70, 90, 90, 90)


def test_f000_without_a_list(SIM):
    """The spot of the direct beam has F000 and all others default_F."""
    SIM.pixel_size_mm, SIM.Ncells_abc = 0.1, 50
    SIM.default_F, SIM.F000 = 0, 10
    SIM.add_nanoBragg_spots()
    bright = SIM.raw_pixels.as_numpy_array()
    assert bright.max() > 0
    SIM.raw_pixels *= 0
    SIM.F000 = 20
    SIM.add_nanoBragg_spots()
    np.testing.assert_allclose(SIM.raw_pixels, 4 * bright, rtol=1e-12)


def test_interpolation_ends_for_good(SIM):
    """F(h) = 10 + h on a box that the image leaves: interpolated until then."""
    box = np.indices((21, 21, 21)).reshape(3, -1).T - 10
    SIM.Fhkl_tuple = box, 10.0 + box[:, 0]
    SIM.Ncells_abc = 2
    assert SIM.interpolate == 1
    SIM.add_nanoBragg_spots()
    smooth = SIM.raw_pixels.as_numpy_array()
    assert SIM.interpolate == 1
    SIM.raw_pixels *= 0
    SIM.interpolate = 0
    SIM.add_nanoBragg_spots()
    assert not np.allclose(SIM.raw_pixels, smooth, rtol=1e-3)
    SIM.interpolate, SIM.distance_mm = 1, 5
    SIM.add_nanoBragg_spots()
    assert SIM.interpolate == 0


def test_mosaic_domains_need_a_spread(SIM):
    with pytest.warns(SimtbxWarning, match="mosaic_domains is 1"):
        SIM.mosaic_domains = 5
    assert SIM.mosaic_domains == 1
    SIM.mosaic_spread_deg = 0.5
    assert SIM.mosaic_domains == 1
    SIM.mosaic_domains = 5
    blocks = np.array(SIM.get_mosaic_blocks()).reshape(-1, 3, 3)
    assert len(blocks) == 5 and np.array_equal(blocks[0], np.eye(3))
    np.testing.assert_allclose(blocks @ blocks.transpose(0, 2, 1), np.broadcast_to(np.eye(3), (5, 3, 3)), atol=1e-12)
    assert 0 < np.degrees(np.arccos((np.trace(blocks[1]) - 1) / 2)) <= 0.5
    SIM.mosaic_seed = 5
    assert not np.array_equal(blocks.reshape(-1, 9), SIM.get_mosaic_blocks())
    SIM.set_mosaic_blocks(blocks.reshape(-1, 9)[:2])
    assert np.array_equal(blocks[:2].reshape(-1, 9), SIM.get_mosaic_blocks()) and SIM.mosaic_domains == 2
    SIM.mosaic_spread_deg = 0
    assert SIM.get_mosaic_blocks() == [tuple(np.eye(3).ravel())]


def test_oversampling_is_automatic_until_it_is_set():
    SIM = nanoBragg(detpixels_slowfast=(4, 4), pixel_size_mm=1)
    SIM.Ncells_abc = 5
    assert SIM.oversample == 12
    SIM.oversample = 3
    SIM.Ncells_abc = 50
    assert SIM.oversample == 3
    SIM.oversample = 0
    assert SIM.oversample == 117
    with pytest.raises(ValueError, match="oversample|whole"):
        SIM.oversample = 1.5


@pytest.mark.parametrize("named", [name for name in convention if name is not convention.Custom])
def test_conventions_act_at_once(SIM, named):
    SIM.beamcenter_convention = named
    place = [np.array(axis) for axis in (SIM.fdet_vector, SIM.sdet_vector, SIM.odet_vector, SIM.beam_vector)]
    assert place[2] @ place[3] == pytest.approx(1)
    if named is convention.DIALS:
        assert [axis.tolist() for axis in place] == [[1, 0, 0], [0, -1, 0], [0, 0, -1], [0, 0, -1]]
        assert SIM.spindle_axis == SIM.polar_vector == SIM.twotheta_axis == (1, 0, 0)
    SIM.detector_twotheta_deg = 10
    assert abs(np.dot(SIM.odet_vector, place[3])) == pytest.approx(np.cos(np.radians(10)))


def test_an_axis_makes_the_detector_custom(SIM):
    center, before = SIM.beam_center_mm, np.array(SIM.pix0_vector_mm)
    direct = np.array(SIM.denzo_beam_center_mm[::-1])
    SIM.fdet_vector = 0, 0.1, 1
    assert SIM.beamcenter_convention is convention.Custom
    assert np.linalg.norm(SIM.fdet_vector) == pytest.approx(1)
    assert SIM.beam_center_mm == pytest.approx(direct) and center != SIM.beam_center_mm
    SIM.distance_mm = 50
    assert SIM.distance_mm == pytest.approx(50) and SIM.fdet_vector[1] > 0.09
    assert not np.allclose(before, SIM.pix0_vector_mm)
    SIM.close_distance_mm = 40
    assert SIM.close_distance_mm == pytest.approx(40)
    SIM.beam_center_mm = 1, 2
    assert SIM.beam_center_mm == pytest.approx((1, 2))
    SIM.XDS_ORGXY = 3, 4
    assert SIM.XDS_ORGXY == pytest.approx((3, 4))
    with pytest.raises(NotImplementedError, match="detector_rotation_deg: a custom detector"):
        SIM.detector_rotation_deg = 1, 2, 3


def test_beams_in_metres_and_in_angstrom(SIM):
    for factor in (1e-10, 1.0):
        SIM.xray_beams = [Beam(1.2 * factor, flux=1e12), Beam(1.4 * factor, flux=3e12)]
        assert SIM.wavelength_A == pytest.approx(1.3) and SIM.flux == 4e12
        assert SIM._sources[:, 3].tolist() == pytest.approx([1.2, 1.4])
        assert SIM._sources[:, 4].tolist() == pytest.approx([0.5, 1.5])
    SIM.energy_eV = 12398.42
    assert SIM.wavelength_A == pytest.approx(1) and SIM._sources is None


def test_a_thick_panel_is_in_mm():
    panel = Panel((1, 0, 0), (0, -1, 0), (-10, 10, -100), (20, 20), 1.0, thickness=0.45, mu=3.9, gain=2.5)
    with pytest.warns(SimtbxWarning, match="the thickness of the panel is in mm"):
        SIM = nanoBragg([panel], Beam(1.0))
    assert SIM.detector_thick_mm == 0.45 and SIM.detector_attenuation_length_mm == pytest.approx(1 / 3.9)
    assert SIM.detector_thicksteps == 2 and SIM.detector_thickstep_mm == pytest.approx(0.225)
    assert SIM.quantum_gain == 2.5


def test_dictionaries_of_experiment_lists_do_as_well():
    panel = {
        "origin": (-10, 10, -100), "fast_axis": (1, 0, 0), "slow_axis": (0, -1, 0), "pixel_size": (1, 1),
        "image_size": (20, 30), "gain": 1,
    }  # fmt: skip
    beam = {"direction": (0, 0, 1), "wavelength": 1.1, "polarization_fraction": 0.9, "flux": 0}
    SIM = nanoBragg({"panels": [panel]}, beam)
    assert SIM.raw_pixels.focus() == (30, 20) and SIM.wavelength_A == 1.1 and SIM.beam_vector == (0, 0, -1)
    assert SIM.polarization == 0.9 and SIM.polar_vector == (1, 0, 0)


def test_a_left_handed_panel_looks_away_from_the_sample():
    panel = Panel((1, 0, 0), (0, 1, 0), (-10, -10, -100), (20, 20), 1.0)
    SIM = nanoBragg([panel], Beam(1.0))
    assert SIM.close_distance_mm == 100 and SIM.odet_vector == (0, 0, -1)
    SIM.default_F = 1
    SIM.add_nanoBragg_spots()
    assert SIM.raw_pixels.as_numpy_array().min() >= 0


def test_smv_files(SIM, tmp_path):
    SIM.raw_pixels = np.linspace(-3, 70000, 48)
    SIM.to_smv_format(str(tmp_path / "a.img"), intfile_scale=1)
    pixels = np.frombuffer((tmp_path / "a.img").read_bytes()[1024:], "<u2")
    assert pixels[0] == 65533 and pixels[-1] == 65534 and pixels[1] == int(np.linspace(-3, 70000, 48)[1])
    assert SIM.get_intfile_scale() == pytest.approx(55000 / 70000) and SIM.get_intfile_scale(2) == 2
    SIM.to_smv_format_py(str(tmp_path / "b.img"), 1, rotmat=True, extra="X=1;\n", gz=True)
    header = gzip.decompress((tmp_path / "b.img.gz").read_bytes())[:1024].decode()
    assert header.endswith(" ") and "\nX=1;\n}\f" in header
    line = next(line for line in header.splitlines() if line.startswith("DIRECT_SPACE_ABC="))
    abc = np.array([float(x) for x in line[17:-1].split(",")]).reshape(3, 3)
    np.testing.assert_allclose(abc @ np.reshape(SIM.Amatrix, (3, 3)).T, np.eye(3), atol=1e-12)
    with pytest.raises(ValueError, match="room for 1024"):
        SIM.to_smv_format_py(str(tmp_path / "c.img"), extra="Y" * 600)


def test_threads_do_not_change_the_image(SIM):
    SIM.default_F, SIM.oversample = 10, 3
    images = []
    for threads in (1, 3, None):
        SIM.threads = threads
        SIM.raw_pixels *= 0
        SIM.add_nanoBragg_spots()
        images.append(SIM.raw_pixels.as_numpy_array())
    assert np.array_equal(images[0], images[1]) and np.array_equal(images[0], images[2])


def test_errors_are_one_line(SIM):
    with pytest.raises(ValueError, match="^polarization: "):
        SIM.polarization = "much"
    with pytest.raises(TypeError, match="^xtal_shape: 'Gauss' is not a shapetype$"):
        SIM.xtal_shape = "Gauss"
    SIM.xtal_shape = shapetype.Fiber
    with pytest.raises(ValueError, match="a shape of the point spread"):
        SIM.add_nanoBragg_spots()
    with pytest.raises(ValueError, match="span no volume"):
        SIM.Amatrix = np.ones((3, 3))
    with pytest.raises(ValueError):
        SIM.unit_cell_tuple = 1, 2, 3
    with pytest.raises(TypeError, match="a detector and a beam"):
        nanoBragg([], None)


def test_copies_and_pickles(SIM):
    SIM.default_F = 10
    SIM.add_nanoBragg_spots()
    for other in (copy.deepcopy(SIM), pickle.loads(pickle.dumps(SIM))):
        assert np.array_equal(other.raw_pixels, SIM.raw_pixels)
        other.raw_pixels *= 0
        other.add_nanoBragg_spots()
        assert np.array_equal(other.raw_pixels, SIM.raw_pixels)


def test_show_params(SIM, capsys):
    SIM.show_params()
    SIM.show_mosaic_blocks()
    SIM.show_sources()
    assert "wavelength_A = 1.0" in capsys.readouterr().out
    SIM.free_all()


def test_dxtbx_objects_or_their_numbers(SIM):
    beam, detector, crystal = SIM.beam, SIM.detector, SIM.crystal
    if isinstance(beam, dict):
        again = nanoBragg(detector, beam)
        with pytest.raises(ImportError, match="imageset: dxtbx is needed"):
            SIM.imageset
        with pytest.raises(ImportError, match="to_cbf|imageset|dxtbx"):
            SIM.to_cbf("a.cbf")
        abc = np.array([crystal[f"real_space_{axis}"] for axis in "abc"])
    else:
        again = nanoBragg(detector, beam)
        abc = np.array(crystal.get_real_space_vectors())
    assert again.pix0_vector_mm == pytest.approx(SIM.dials_origin_mm)
    assert again.distance_mm == pytest.approx(SIM.distance_mm)
    # The same experiment in another frame has the same image.
    SIM.default_F, SIM.Ncells_abc = 10, (2, 3, 4)
    again.Amatrix = np.linalg.inv(abc).T
    again.default_F, again.Ncells_abc, again.oversample, again.fluence = 10, (2, 3, 4), 1, SIM.fluence
    for simulator in (SIM, again):
        simulator.add_nanoBragg_spots()
    np.testing.assert_allclose(again.raw_pixels, SIM.raw_pixels, rtol=1e-9)


def test_no_warning_without_a_reason():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SIM = nanoBragg(detpixels_slowfast=(4, 4), verbose=10)
        SIM.unit_cell_tuple = 50, 60, 70, 90, 90, 90
        SIM.Ncells_abc, SIM.mosaic_spread_deg, SIM.mosaic_domains = 5, 0.1, 3
        SIM.progress_meter, SIM.device_Id, SIM.printout_pixel_fastslow = False, 0, (1, 1)
        SIM.threads = 1
        SIM.add_nanoBragg_spots()


def test_listed_sources_are_as_good_as_beams():
    by_beams = nanoBragg(detpixels_slowfast=(6, 8), pixel_size_mm=7)
    by_beams.default_F, by_beams.Ncells_abc = 100, (5, 5, 5)
    directions = np.array([[-1, 0, 0], [-1, 0.002, 0], [-1, 0, 0.001]])
    wavelengths = np.array([1.0, 1.01, 0.99])
    by_beams.xray_beams = [
        {"direction": tuple(direction), "wavelength": wavelength * 1e-10, "flux": flux}
        for direction, wavelength, flux in zip(directions, wavelengths, (1e10, 2e10, 1e10))
    ]
    # simtbx's beams have the sum of their number, and a list what it says.
    fractions = np.array([0.25, 0.5, 0.25])
    orders = [(0, 1, 2), (2, 1, 0), (1, 2, 0)]
    images = []
    for order in orders:
        listed = nanoBragg(detpixels_slowfast=(6, 8), pixel_size_mm=7)
        listed.default_F, listed.Ncells_abc, listed.flux = 100, (5, 5, 5), by_beams.flux
        listed.wavelength_A, listed.beam_vector = by_beams.wavelength_A, by_beams.beam_vector
        listed.polar_vector, listed.polarization = by_beams.polar_vector, by_beams.polarization
        given = [
            ("xray_source_XYZ", directions), ("xray_source_wavelengths_A", wavelengths * 1e-10),
            ("xray_source_intensity_fraction", fractions),
        ]  # fmt: skip
        for at in order:
            setattr(listed, *given[at])
        listed.add_nanoBragg_spots()
        images.append(listed.raw_pixels.as_numpy_array())
    by_beams.add_nanoBragg_spots()
    assert images[0].max() > 0
    np.testing.assert_array_equal(images[1], images[0])
    np.testing.assert_array_equal(images[2], images[0])
    np.testing.assert_allclose(3 * images[0], by_beams.raw_pixels, rtol=1e-9)
    assert listed.xray_source_wavelengths_A.tolist() == pytest.approx(wavelengths.tolist())
    with pytest.raises(ValueError, match="no length"):
        listed.xray_source_XYZ = [(0, 0, 0)]
    with pytest.raises(ValueError, match="not above 0"):
        listed.xray_source_wavelengths_A = [0.0]
    listed.wavelength_A = 1.0
    again = listed.raw_pixels.as_numpy_array().copy()
    listed.add_nanoBragg_spots()
    assert not np.array_equal(listed.raw_pixels.as_numpy_array() - again, again)


def test_the_b_vector_goes_with_the_e_vector(SIM):
    assert np.dot(SIM.polar_Bvector, SIM.polar_vector) == 0
    # dxtbx's polarization normal n has E = beam x n.
    np.testing.assert_allclose(np.cross(SIM.beam_vector, np.negative(SIM.polar_Bvector)), SIM.polar_vector, atol=1e-15)
    SIM.polar_Bvector = (0, 0, 1)
    np.testing.assert_allclose(SIM.polar_Bvector, (0, 0, 1), atol=1e-15)
    assert np.dot(SIM.polar_vector, (0, 0, 1)) == 0


def test_axes_of_the_domains():
    SIM = nanoBragg(detpixels_slowfast=(4, 4))
    SIM.unit_cell_tuple = 50, 60, 70, 80, 90, 100
    (alone,) = SIM.get_mosaic_domains_abc_phi_0()
    axes = np.reshape(alone, (3, 3))
    np.testing.assert_allclose(np.linalg.norm(axes, axis=1), (50, 60, 70))
    np.testing.assert_allclose(axes @ np.reshape(SIM.Amatrix, (3, 3)).T, np.eye(3), atol=1e-12)
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]])
    SIM.mosaic_spread_deg = 1
    SIM.set_mosaic_blocks([np.eye(3).ravel(), turn.ravel()])
    first, second = SIM.get_mosaic_domains_abc_phi_0()
    assert first == pytest.approx(alone)
    np.testing.assert_allclose(np.reshape(second, (3, 3))[0], turn @ axes[0])


def hexagonal(angle_deg: float = 0.0) -> dict[str, object]:
    """A crystal of 60 x 60 x 80 A, 120 degrees, turned about c."""
    axes = 60 * np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, 80 / 60]])
    cos, sin = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    axes = axes @ np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]).T
    return {f"real_space_{name}": tuple(axis) for name, axis in zip("abc", axes)}


def test_domains_of_threefold_rotations():
    SIM = nanoBragg(detpixels_slowfast=(4, 4))
    SIM.set_mosaic_blocks_sym(hexagonal(), "P 61 2 2", 1)
    assert SIM.mosaic_domains == 3 and SIM.mosaic_spread_deg == 1e-6
    axes = np.array(list(hexagonal().values()))
    identity, first, second = (np.reshape(block, (3, 3)) for block in SIM.get_mosaic_blocks())
    assert np.array_equal(identity, np.eye(3))
    for turn in (first, second):
        assert np.trace(turn) == pytest.approx(0) and np.linalg.det(turn) == pytest.approx(1)
        np.testing.assert_allclose(turn @ turn @ turn, np.eye(3), atol=1e-12)
        # Axes become axes of the same lattice.
        indices = np.linalg.solve(axes.T, turn @ axes.T)
        np.testing.assert_allclose(indices, np.round(indices), atol=1e-12)
    np.testing.assert_allclose(first @ second, np.eye(3), atol=1e-12)
    for symbol, domains in [("P 1", 1), ("P 4", 1), ("P 63 m c", 3), ("P 2 3", 9), ("P -3", 3)]:
        SIM = nanoBragg(detpixels_slowfast=(4, 4))
        SIM.set_mosaic_blocks_sym(hexagonal(), symbol, 1)
        assert SIM.mosaic_domains == domains, symbol
    # Of two domains and what they had been turned to before.
    SIM = nanoBragg(detpixels_slowfast=(4, 4))
    SIM.mosaic_spread_deg, SIM.mosaic_domains = 0.5, 5
    before = SIM.get_mosaic_blocks()[:2]
    SIM.set_mosaic_blocks_sym(hexagonal(), "P 3", 2)
    assert SIM.mosaic_domains == 6 and SIM.get_mosaic_blocks()[:2] == before and SIM.mosaic_spread_deg == 0.5
    with pytest.raises(TypeError, match="R 3 is centred"):
        SIM.set_mosaic_blocks_sym(hexagonal(), "R 3", 1)
    with pytest.raises(ValueError, match="space group"):
        SIM.set_mosaic_blocks_sym(hexagonal(), "P 999", 1)
    with pytest.raises(NotImplementedError, match="diffBragg"):
        SIM.set_mosaic_blocks_sym(hexagonal(), "P 3", 1, refining_eta=True)


def test_spots_are_those_of_an_equivalent_setting():
    images = []
    for angle_deg in (0, 120):
        SIM = nanoBragg(detpixels_slowfast=(60, 60), pixel_size_mm=1, distance_mm=80, oversample=1)
        crystal = hexagonal(angle_deg)
        SIM.Amatrix_RUB = np.ravel(list(crystal.values()))
        # Cells of unequal numbers along a and b, so that a spot has not the symmetry of the lattice.
        SIM.Ncells_abc, SIM.default_F = (4, 7, 5), 10
        SIM.add_nanoBragg_spots()
        alone = SIM.raw_pixels.as_numpy_array().copy()
        SIM.raw_pixels *= 0
        SIM.set_mosaic_blocks_sym(crystal, "P 3", 1)
        SIM.add_nanoBragg_spots()
        images.append((alone, SIM.raw_pixels.as_numpy_array()))
    (alone, symmetric), (other_alone, other_symmetric) = images
    np.testing.assert_allclose(other_symmetric, symmetric, rtol=1e-6, atol=1e-7 * symmetric.max())
    assert not np.allclose(alone, other_alone, rtol=0.1, atol=1e-2 * alone.max())


def matter(**properties: object) -> nanoBragg:
    """A detector with a millimetre of something in the beam."""
    SIM = nanoBragg(detpixels_slowfast=(150, 140), pixel_size_mm=0.5, distance_mm=60, oversample=1, wavelength_A=1.1)
    SIM.beamsize_mm, SIM.exposure_s, SIM.flux, SIM.amorphous_sample_thick_mm = 0.1, 1, 1e12, 1
    for name, value in {"adc_offset_adu": 0, **properties}.items():
        setattr(SIM, name, value)
    return SIM


TABLE = [(s, 2.5 + 5 * np.exp(-(((s - 0.16) / 0.04) ** 2))) for s in np.arange(0, 0.35, 0.01)]


@pytest.mark.parametrize("polarization", [0.0, 0.9])
def test_the_background_of_an_image_is_that_which_was_added(polarization):
    SIM = matter(polarization=polarization, adc_offset_adu=12)
    SIM.Fbg_vs_stol = TABLE
    SIM.add_background()
    # What is not background: spots.
    np.asarray(SIM.raw_pixels)[::37, ::41] *= 50
    SIM.raw_pixels += 12
    flat = [(s, 0.0) for s, _ in TABLE]
    SIM.Fbg_vs_stol = flat
    SIM.extract_background()
    s, F = np.array(SIM.Fbg_vs_stol).T
    assert np.array_equal(s, [at for at, _ in TABLE])
    # Entries beyond the corners, and that of the beam, have too few pixels.
    found = F > 0
    assert found.sum() > 20 and not found[-1]
    inner = found & np.roll(found, 1) & np.roll(found, -1)
    np.testing.assert_allclose(F[inner], np.array(TABLE)[inner, 1], rtol=0.03)


def test_backgrounds_that_cannot_be_extracted():
    SIM = matter(Fbg_vs_stol=[(0, 1), (0.2, 2), (0.1, 3)])
    with pytest.raises(ValueError, match="rising order"):
        SIM.extract_background()
    SIM.Fbg_vs_stol = TABLE
    with pytest.raises(ValueError, match="source 1 of 1"):
        SIM.extract_background(1)
    SIM.curved_detector = True
    with pytest.raises(NotImplementedError, match="curved"):
        SIM.extract_background()


def test_pixels_of_a_file_without_a_header(tmp_path):
    SIM = nanoBragg(detpixels_slowfast=(3, 4))
    SIM.raw_pixels = np.arange(12) - 1.5
    SIM.to_smv_format(tmp_path / "a.img", intfile_scale=2)
    with open(tmp_path / "pixels", "wb") as file:
        SIM.to_smv_format_streambuf(file, 2)
    assert (tmp_path / "pixels").read_bytes() == (tmp_path / "a.img").read_bytes()[1024:]


def test_nxmx_files_have_pixels_and_models(tmp_path):
    SIM = nanoBragg(detpixels_slowfast=(30, 40), pixel_size_mm=0.5, distance_mm=70, wavelength_A=1.2)
    SIM.unit_cell_tuple, SIM.missets_deg = (50, 60, 70, 80, 90, 100), (10, 20, 30)
    SIM.beam_center_mm = 8, 11
    SIM.raw_pixels = np.random.default_rng(2).uniform(0, 1e4, (30, 40))
    SIM.to_nexus_nxmx(tmp_path / "a.nxs")
    SIM.to_nexus_nxmx(str(tmp_path / "b.nxs"), True, 0.5)
    SIM.to_nexus_nxmx(tmp_path / "c.nxs", intfile_scale=0)
    pixels = SIM.raw_pixels.as_numpy_array()
    for name, scale in [("a", 1.0), ("b", 0.5), ("c", 55000 / pixels.max())]:
        assert np.array_equal(wb.read_image(tmp_path / f"{name}.nxs"), (pixels * scale).astype(np.float32)), name
    read = wb.read_geometry(tmp_path / "a.nxs")
    (panel,) = read["panels"]
    # The x and z of NeXus are the reverse of those of DIALS.
    turned = np.array([-1, 1, -1])
    np.testing.assert_allclose(panel["origin_mm"] * turned, SIM.dials_origin_mm, atol=1e-9)
    assert panel["shape"] == (30, 40) and read["beam"]["wavelength_A"] == pytest.approx(1.2)
    in_laboratory = SIM._geometry.dials.T @ np.diag(turned) @ read["crystal"]["A"]
    np.testing.assert_allclose(in_laboratory.T.ravel(), SIM.Amatrix, rtol=1e-9, atol=1e-12)
