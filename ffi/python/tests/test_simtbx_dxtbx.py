"""Objects of dxtbx and cctbx themselves, where these are installed."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("dxtbx", reason="dxtbx is not installed")

from simtbx_doubles import Beam, Panel
from widebragg.simtbx.nanoBragg import nanoBragg, shapetype
from widebragg.simtbx.nanoBragg.utils import flexBeam_sim_colors

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PANEL = Panel((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (-20.0, 15.0, -90.0), (40, 30), 1.0)

CRYSTAL = {
    "__id__": "crystal", "real_space_a": (60, 0, 5), "real_space_b": (0, 65, 0), "real_space_c": (-3, 4, 70),
    "space_group_hall_symbol": " P 1",
}  # fmt: skip


def models():
    from dxtbx.model import BeamFactory, CrystalFactory, DetectorFactory

    panel = {
        "name": "p", "type": "", "identifier": "", "fast_axis": PANEL.fast, "slow_axis": PANEL.slow, "origin": PANEL.origin,
        "image_size": PANEL.size, "pixel_size": (1.0, 1.0), "raw_image_offset": (0, 0), "trusted_range": (0, 65536),
        "thickness": 0.0, "material": "", "mu": 0.0, "mask": [], "gain": 1.0, "pedestal": 0.0,
        "px_mm_strategy": {"type": "SimplePxMmStrategy"},
    }  # fmt: skip
    beam = BeamFactory.simple(1.3)
    beam.set_flux(1e12)
    return DetectorFactory.from_dict({"panels": [panel]}), beam, CrystalFactory.from_dict(CRYSTAL)


def rendered(SIM: nanoBragg, crystal) -> np.ndarray:
    SIM.xtal_shape, SIM.oversample, SIM.default_F, SIM.interpolate = shapetype.Gauss, 1, 100, 0
    SIM.Amatrix = np.reshape(crystal.get_A(), (3, 3)).T
    SIM.Ncells_abc = 6, 7, 8
    SIM.add_nanoBragg_spots()
    return SIM.raw_pixels.as_numpy_array()


def test_models_of_dxtbx_are_read():
    detector, beam, crystal = models()
    image = rendered(nanoBragg(detector, beam), crystal)
    by_hand = rendered(nanoBragg([PANEL], Beam(1.3, flux=1e12)), crystal)
    assert image.max() > 0
    np.testing.assert_allclose(image, by_hand, rtol=1e-9, atol=1e-12 * image.max())


def test_matrices_and_arrays_of_scitbx():
    from cctbx.array_family import flex
    from scitbx.matrix import sqr

    detector, beam, crystal = models()
    SIM = nanoBragg(detector, beam)
    SIM.Amatrix = sqr(crystal.get_A()).transpose()
    assert SIM.Amatrix == pytest.approx(np.reshape(crystal.get_A(), (3, 3)).T.ravel())
    blocks = flex.mat3_double([sqr((1, 0, 0, 0, 1, 0, 0, 0, 1)), sqr((0, 1, 0, -1, 0, 0, 0, 0, 1))])
    SIM.mosaic_spread_deg = 1
    SIM.set_mosaic_blocks(blocks)
    assert SIM.get_mosaic_blocks()[1] == (0, 1, 0, -1, 0, 0, 0, 0, 1)
    SIM.Fbg_vs_stol = flex.vec2_double([(0, 2.57), (0.5, 3.17)])
    assert SIM.Fbg_vs_stol == [(0, 2.57), (0.5, 3.17)]
    SIM.raw_pixels = flex.double(np.arange(1200.0))
    assert SIM.raw_pixels[29, 39] == 1199
    SIM.Fhkl_tuple = flex.miller_index([(0, 0, 0), (1, 2, 3)]), flex.double([1, 2]), None
    assert SIM.indices.tolist() == [[0, 0, 0], [1, 2, 3]] and SIM.amplitudes[1] == 2


def miller_array():
    from cctbx import crystal, miller
    from scitbx.array_family import flex

    symmetry = crystal.symmetry((79.1, 79.1, 38.4, 90, 90, 90), "P43212")
    indices = miller.build_set(symmetry, anomalous_flag=False, d_min=4).indices()
    data = flex.double([10.0 + h + k + l for h, k, l in indices])
    array = miller.array(miller.set(symmetry, indices, anomalous_flag=False), data)
    return array.set_observation_type_xray_amplitude()


def test_miller_arrays_are_expanded():
    array = miller_array()
    SIM = nanoBragg(detpixels_slowfast=(10, 10))
    SIM.Fhkl = array
    assert SIM.unit_cell_tuple == pytest.approx((79.1, 79.1, 38.4, 90, 90, 90))
    found = dict(zip(map(tuple, SIM.indices.tolist()), SIM.amplitudes))
    for h, k, l in ((1, 2, 3), (-2, 1, 3), (2, 1, -3), (-1, -2, -3)):
        assert found[h, k, l] == found[1, 2, 3] > 0
    assert len(found) > 4 * array.size()


def test_objects_of_dxtbx_come_back(tmp_path):
    SIM = nanoBragg(detpixels_slowfast=(12, 10), pixel_size_mm=1, Ncells_abc=(5, 5, 5), oversample=1)
    SIM.raw_pixels = np.arange(120.0)
    again = nanoBragg(SIM.detector, SIM.beam)
    assert again.pix0_vector_mm == pytest.approx(SIM.dials_origin_mm)
    assert SIM.crystal.get_unit_cell().parameters() == pytest.approx((78, 78, 38, 90, 90, 90))
    images = SIM.imageset
    assert np.array_equal(images.get_raw_data(0)[0].as_numpy_array(), SIM.raw_pixels.as_numpy_array())
    assert images.get_detector()[0].get_image_size() == (10, 12)
    SIM.to_cbf(str(tmp_path / "a.cbf"))
    assert (tmp_path / "a.cbf").stat().st_size > 1000


def test_flexbeam_sim_colors_with_objects_of_dxtbx():
    detector, beam, crystal = models()
    energies = [12398.42 / 1.3, 12398.42 / 1.31]
    ((panel, image),) = flexBeam_sim_colors(
        crystal, detector, beam, None, energies, [1e12, 1e12], default_F=10, oversample=1, show_params=False,
        Ncells_abc=(5, 5, 5),
    )  # fmt: skip
    assert panel == 0 and image.shape == (30, 40) and image.max() > 0


def test_experiment_lists_have_all_models(tmp_path):
    detector, beam, crystal = models()
    SIM = nanoBragg(detector, beam)
    image = rendered(SIM, crystal)
    (experiment,) = SIM.as_explist(tmp_path / "a.expt")
    assert experiment.beam.get_wavelength() == pytest.approx(1.3)
    assert experiment.detector[0].get_image_size() == (40, 30)
    assert experiment.crystal.get_unit_cell().parameters() == pytest.approx(crystal.get_unit_cell().parameters())
    assert np.array_equal(experiment.imageset.get_raw_data(0)[0].as_numpy_array(), image)
    assert (tmp_path / "a.expt").read_text().count("real_space_a") == 1


def test_image_sets_of_whole_numbers():
    SIM = nanoBragg(detpixels_slowfast=(12, 10), pixel_size_mm=1, oversample=1)
    SIM.raw_pixels = np.arange(120.0) + 0.75
    SIM.cbf_int = True
    whole = SIM.imageset.get_raw_data(0)[0].as_numpy_array()
    assert whole.dtype.kind == "i" and whole.ravel().tolist() == list(range(120))


@pytest.mark.parametrize("cbf_int", [False, True])
def test_cbf_files_hold_what_was_asked_for(tmp_path, cbf_int):
    SIM = nanoBragg(detpixels_slowfast=(12, 10), pixel_size_mm=1, oversample=1)
    SIM.raw_pixels = np.arange(120.0) + 0.75
    path = tmp_path / "a.cbf"
    try:
        SIM.to_cbf(str(path), intfile_scale=2, cbf_int=cbf_int)
    except TypeError as error:
        if "set_integerarray" not in str(error):
            raise
        pytest.skip("this dxtbx cannot write CBF files of whole numbers: they are not tested")
    kind = b"signed 32-bit integer" if cbf_int else b"signed 64-bit real IEEE"
    assert b'X-Binary-Element-Type: "' + kind in path.read_bytes()


def test_centred_groups_have_threefold_domains():
    from dxtbx.model import CrystalFactory

    # The primitive cell of a face-centred cube of 100 A.
    primitive = {
        "__id__": "crystal", "real_space_a": (0, 50, 50), "real_space_b": (50, 0, 50), "real_space_c": (50, 50, 0),
        "space_group_hall_symbol": " P 1",
    }  # fmt: skip
    SIM = nanoBragg(detpixels_slowfast=(4, 4))
    SIM.set_mosaic_blocks_sym(CrystalFactory.from_dict(primitive), "F 2 3", 1)
    turns = [np.reshape(block, (3, 3)) for block in SIM.get_mosaic_blocks()[1:]]
    assert len(turns) == 8
    axes = np.array([primitive[f"real_space_{name}"] for name in "abc"], dtype=float)
    for turn in turns:
        assert np.trace(turn) == pytest.approx(0)
        indices = np.linalg.solve(axes.T, turn @ axes.T)
        np.testing.assert_allclose(indices, np.round(indices), atol=1e-12)


def test_nxmx_files_are_read_by_dxtbx(tmp_path):
    from dxtbx.model.experiment_list import ExperimentListFactory

    detector, beam, crystal = models()
    SIM = nanoBragg(detector, beam)
    image = rendered(SIM, crystal)
    SIM.to_nexus_nxmx(tmp_path / "a.nxs")
    (experiment,) = ExperimentListFactory.from_filenames([str(tmp_path / "a.nxs")])
    assert experiment.beam.get_wavelength() == pytest.approx(1.3)
    assert experiment.detector[0].get_origin() == pytest.approx(PANEL.origin)
    assert experiment.detector[0].get_fast_axis() == pytest.approx(PANEL.fast)
    found = experiment.imageset.get_raw_data(0)[0].as_numpy_array()
    # Below 1e-38 a float32 loses digits.
    np.testing.assert_allclose(found, image, rtol=1e-6, atol=1e-36)
