"""Images of simtbx (golden/simtbx, 01 to 08) by scripts that use widebragg.simtbx as they used simtbx."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from simtbx_doubles import Beam, MillerArray, Panel
from widebragg.simtbx import SimtbxWarning
from widebragg.simtbx.nanoBragg import nanoBragg, shapetype
from widebragg.simtbx.warning import forget

GOLDEN = Path(__file__).parents[3] / "tests" / "golden" / "simtbx"

#: The crystal of 03, 04, 07 and 08 as dxtbx has it: columns are a*, b*, c* in 1/A.
CRYSTAL_A = np.array([
    [0.012580333770730517, -0.008021737570850099, 0.0053014694535224146],
    [0.010963348561966384, 0.013565673791666934, -0.0010831968934947086],
    [-0.0029911935075405452, 0.0014870560401961303, 0.013486189406502326],
])  # fmt: skip


@pytest.fixture(autouse=True)
def warnings_are_new():
    forget()


def golden(folder: str, name: str, image: np.ndarray) -> np.ndarray:
    return np.fromfile(GOLDEN / folder / f"{name}.f32", dtype="<f4").reshape(image.shape)


def check(folder: str, name: str, SIM: nanoBragg, but: tuple[int, int] | None = None) -> None:
    """Compares an image with a golden one, and makes it dark again."""
    image = SIM.raw_pixels.as_numpy_array()
    expected = golden(folder, name, image).astype(float)
    error = np.abs(image - expected)
    if but is not None:
        error[but] = 0
    assert expected.max() > 0
    assert error.max() <= 1e-6 * expected.max(), error.max() / expected.max()
    SIM.raw_pixels *= 0


def minimal() -> nanoBragg:
    SIM = nanoBragg(detpixels_slowfast=(96, 80), pixel_size_mm=1.0)
    SIM.default_F = 1
    SIM.F000 = 10
    SIM.Ncells_abc = (5, 5, 5)
    SIM.seed = 1
    SIM.randomize_orientation()
    return SIM


def test_01_minimal(tmp_path):
    SIM = minimal()
    assert SIM.oversample == 12 and SIM.interpolate == 1
    np.testing.assert_allclose(SIM.missets_deg, (4.662967376570718, -11.845025058353327, 17.622612878297087), rtol=1e-12)
    SIM.add_nanoBragg_spots()
    assert SIM.interpolate == 0
    photons = SIM.raw_pixels.as_numpy_array()
    SIM.to_smv_format(fileout=str(tmp_path / "spots.img"))
    written = (tmp_path / "spots.img").read_bytes()
    assert written[:1024] == (GOLDEN / "01_minimal" / "header.smv").read_bytes()
    pixels = np.frombuffer(written[1024:], "<u2").reshape(photons.shape)
    assert np.array_equal(pixels, np.floor(photons * (55000 / photons.max())))
    # simtbx drops the first evaluation of the first pixel, at which its interpolation ends.
    check("01_minimal", "spots", SIM, but=(0, 0))


def test_02_structure_factors_shapes_sources_mosaic():
    SIM = nanoBragg(detpixels_slowfast=(64, 72), pixel_size_mm=1.0, distance_mm=80, wavelength_A=1.2)
    scenes = json.loads((GOLDEN / "02_shapes" / "scenes.json").read_text())
    box = scenes["factors"]
    indices = np.indices(box["len"]).reshape(3, -1).T + box["min"]
    F = np.fromfile(GOLDEN / "02_shapes" / "factors.f32", dtype="<f4").astype(float)
    SIM.F000 = 200
    SIM.Fhkl = MillerArray(indices, F, (50, 60, 70, 90, 90, 90))
    SIM.missets_deg = 96.9, -52.1, -32.5
    SIM.Ncells_abc = 6, 5, 4
    SIM.oversample = 2
    SIM.interpolate = 0
    SIM.dispersion_pct, SIM.dispsteps = 0.5, 3
    SIM.divergence_hv_mrad, SIM.divsteps_hv = (2, 2), (2, 2)
    SIM.mosaic_spread_deg = 0.2
    SIM.mosaic_domains = 7
    SIM.flux, SIM.exposure_s, SIM.beamsize_mm = 1e12, 0.1, 0.1
    SIM.polarization = 1
    assert SIM.fluence == pytest.approx(1e19)
    assert SIM.unit_cell_tuple == pytest.approx((50, 60, 70, 90, 90, 90))
    for shape in (shapetype.Square, shapetype.Round, shapetype.Gauss, shapetype.Tophat):
        SIM.xtal_shape = shape
        SIM.add_nanoBragg_spots()
        check("02_shapes", shape.value, SIM)


def tilted() -> nanoBragg:
    panel = Panel(
        fast=(0.9938079899999066, 0.04969039949999533, -0.09938079899999067),
        slow=(0.05258669152830669, -0.9982583498852357, 0.026737740340448884),
        origin=(-30, 35, -90), size=(60, 70), pixel=1.0,
    )  # fmt: skip
    SIM = nanoBragg([panel], Beam(1.3, flux=1e12, polarization=0.9), panel_id=0)
    SIM.Amatrix = tuple(CRYSTAL_A.T.ravel())
    SIM.default_F, SIM.F000, SIM.oversample = 1e3, 0, 3
    SIM.exposure_s, SIM.beamsize_mm = 0.1, 0.01
    return SIM


def test_03_a_tilted_panel_of_dxtbx():
    SIM = tilted()
    assert SIM.close_distance_mm == pytest.approx(91.34554905536677, rel=1e-12)
    assert SIM.distance_mm == pytest.approx(91.83316683316681, rel=1e-12)
    assert SIM.beam_center_mm == pytest.approx((28.257257302077768, 36.46762825304651), rel=1e-12)
    assert SIM.XDS_ORGXY == pytest.approx((19.630803807498214, 39.42303962247286), rel=1e-12)
    assert SIM.dials_origin_mm == pytest.approx((-19.130803807498214, 36.45446036904134, -92.35845746265473), rel=1e-12)
    assert SIM.fluence == pytest.approx(1e21)
    assert SIM.spindle_axis == SIM.fdet_vector
    SIM.Ncells_abc = 8.5, 7, 6.25
    for shape in (shapetype.Gauss, shapetype.Gauss_argchk, shapetype.Tophat):
        SIM.xtal_shape = shape
        SIM.add_nanoBragg_spots()
        check("03_tilted", shape.value, SIM)
    SIM.Ncells_abc = 8, 7, 6
    SIM.xtal_shape = shapetype.Square
    SIM.add_nanoBragg_spots()
    check("03_tilted", "square", SIM)
    SIM.xtal_shape = shapetype.Gauss
    SIM.progress_meter = False
    SIM.add_nanoBragg_spots_nks(None)
    check("03_tilted", "nks", SIM)


def spectral() -> nanoBragg:
    panel = Panel(fast=(1, 0, 0), slow=(0, -1, 0), origin=(-32, 30, -90), size=(64, 60), pixel=1.0)
    SIM = nanoBragg([panel], Beam(1.3, polarization=1))
    SIM.Amatrix = tuple(CRYSTAL_A.T.ravel())
    SIM.default_F, SIM.Ncells_abc, SIM.oversample = 500, (9, 8, 7), 1
    SIM.xtal_shape = shapetype.Gauss
    SIM.spot_scale = 10
    SIM.beamsize_mm = 0.01
    scenes = json.loads((GOLDEN / "04_spectrum" / "scenes.json").read_text())
    SIM.mosaic_spread_deg = 0.3
    SIM.set_mosaic_blocks([np.ravel(domain).tolist() for domain in scenes["common"]["domains"]])
    assert SIM.mosaic_domains == 8
    # As NBbeam makes them: wavelengths in metres, the flux divided by the number of beams.
    wavelengths = (1.28e-10, 1.288e-10, 1.296e-10, 1.304e-10, 1.312e-10, 1.32e-10)
    flux = np.array([1, 3, 7, 5, 2, 1]) * 1e11 / 6
    SIM.xray_beams = [Beam(wavelength, flux=f, polarization=1) for wavelength, f in zip(wavelengths, flux)]
    return SIM


def test_04_a_spectrum_and_own_domains():
    SIM = spectral()
    assert SIM.flux == pytest.approx(316666666666.6667)
    assert SIM.wavelength_A == pytest.approx(1.3)
    SIM.add_nanoBragg_spots()
    check("04_spectrum", "spots", SIM)


def stored(folder: str, name: str, shape: tuple[int, int]) -> np.ndarray:
    """An image in double precision."""
    packed = (GOLDEN / folder / f"{name}.f64.gz").read_bytes()
    return np.frombuffer(gzip.decompress(packed), "<f8").reshape(shape)


def check_noise(folder: str, name: str, SIM: nanoBragg) -> None:
    """Compares the bits of noise with those of simtbx, which ran with glibc 2.36: its logarithm decides last bits."""
    image = SIM.raw_pixels.as_numpy_array()
    assert np.count_nonzero(image != stored(folder, name, image.shape)) <= 2


def test_01_noise():
    SIM = minimal()
    SIM.add_nanoBragg_spots()
    # simtbx's first pixel, without the evaluation that it drops.
    SIM.raw_pixels[0] = golden("01_minimal", "spots", SIM.raw_pixels)[0, 0]
    SIM.raw_pixels *= 2000
    # randomize_orientation leaves simtbx's seed at this; here it stays as it was set.
    SIM.seed = 1551901393
    SIM.add_noise()
    check("01_minimal", "noise", SIM)


def test_04_background():
    SIM = spectral()
    SIM.Fbg_vs_stol = [
        (0, 2.57), (0.0365, 2.58), (0.07, 2.8), (0.12, 5), (0.162, 8), (0.2, 6.75), (0.18, 7.32), (0.216, 6.75),
        (0.236, 6.5), (0.28, 4.5), (0.3, 4.3), (0.345, 4.36), (0.436, 3.77), (0.5, 3.17),
    ]  # fmt: skip
    SIM.amorphous_sample_thick_mm, SIM.amorphous_density_gcm3, SIM.amorphous_molecular_weight_Da = 0.1, 1, 18
    SIM.add_background()
    check("04_spectrum", "water", SIM)
    SIM.add_background(1, 0)
    check("04_spectrum", "water_1_0", SIM)
    SIM.Fbg_vs_stol = [(0, 14.1), (0.045, 13.5), (0.174, 8.35), (0.35, 4.78), (0.5, 4.22)]
    SIM.amorphous_sample_thick_mm, SIM.amorphous_density_gcm3 = 10, 1.2e-3
    with pytest.warns(SimtbxWarning, match="amorphous_molecular_weight_Da is"):
        SIM.amorphous_sample_molecular_weight_Da = 28
    SIM.add_background()
    check("04_spectrum", "air", SIM)


def test_04_noise():
    SIM = spectral()
    total = stored("04_spectrum", "total", SIM.raw_pixels.focus())
    SIM.seed = 5
    SIM.detector_psf_type = shapetype.Unknown
    SIM.detector_calibration_noise_pct = SIM.readout_noise_adu = SIM.adc_offset_adu = 0
    SIM.raw_pixels = total
    SIM.add_noise()
    check_noise("04_spectrum", "n0", SIM)
    SIM.quantum_gain, SIM.flicker_noise_pct, SIM.adc_offset_adu = 2.5, 10, 10
    SIM.detector_calibration_noise_pct = SIM.readout_noise_adu = 3
    SIM.raw_pixels = total
    SIM.add_noise()
    check_noise("04_spectrum", "n1", SIM)
    SIM.quantum_gain, SIM.flicker_noise_pct, SIM.adc_offset_adu = 1, 0, 40
    SIM.detector_psf_type, SIM.detector_psf_fwhm_mm = shapetype.Fiber, 0.5
    SIM.detector_psf_kernel_radius_pixels = 5
    SIM.raw_pixels = total
    SIM.add_noise()
    check_noise("04_spectrum", "n2", SIM)
    SIM.detector_psf_type, SIM.detector_psf_fwhm_mm = shapetype.Gauss, 1.5
    SIM.detector_psf_kernel_radius_pixels = 0
    SIM.raw_pixels = total
    SIM.add_noise()
    check_noise("04_spectrum", "n3", SIM)


def close() -> nanoBragg:
    SIM = nanoBragg(detpixels_slowfast=(50, 56), pixel_size_mm=1.0, distance_mm=60)
    SIM.unit_cell_tuple = 60, 70, 80, 90, 90, 90
    SIM.missets_deg = 10, 20, 30
    SIM.Ncells_abc = 5, 6, 7
    SIM.default_F = 100
    return SIM


def test_05_sensor_and_pixels():
    SIM = close()
    SIM.beam_center_mm = 20, 26
    SIM.oversample = 3
    SIM.polarization = 0.8
    SIM.detector_attenuation_length_mm = 0.3
    SIM.detector_thick_mm = 0.5
    SIM.detector_thicksteps = 4
    assert SIM.detector_thickstep_mm == pytest.approx(0.5 / 3)
    SIM.add_nanoBragg_spots()
    check("05_sensor", "thick", SIM)
    SIM.point_pixel = True
    SIM.add_nanoBragg_spots()
    check("05_sensor", "point", SIM)
    SIM.point_pixel = False
    SIM.detector_thick_mm = 0
    SIM.curved_detector = True
    SIM.add_nanoBragg_spots()
    check("05_sensor", "curved", SIM)
    SIM.curved_detector = False
    SIM.nopolar = True
    SIM.add_nanoBragg_spots()
    check("05_sensor", "nopolar", SIM)


def test_06_rotation():
    SIM = close()
    SIM.oversample = 1
    SIM.osc_deg, SIM.phisteps = 1, 5
    SIM.add_nanoBragg_spots()
    # The first pixel of simtbx's first call finds the crystal unrotated at phi = 0; here it is like all others.
    check("06_rotation", "phi0_first_call", SIM, but=(0, 0))
    SIM.add_nanoBragg_spots()
    check("06_rotation", "phi0_second_call", SIM)
    SIM.add_nanoBragg_spots_nks()
    check("06_rotation", "phi0_nks", SIM)
    SIM.phi_deg = 2
    SIM.add_nanoBragg_spots()
    check("06_rotation", "phi2", SIM)


def test_07_panels():
    panels = [
        Panel(fast=(1, 0, 0), slow=(0, -1, 0), origin=(-40, 20, -100), size=(40, 44), pixel=0.9),
        Panel(
            fast=(0.978988077628659, 0.004202384474268147, -0.20387418626612014),
            slow=(-0.004202384474268147, -0.9991595231051462, -0.040774837253224026),
            origin=(5, 22, -101), size=(40, 44), pixel=0.9,
        ),
    ]  # fmt: skip
    beam = Beam(1.4, flux=1e12, polarization=1)

    def start(panel_id: int) -> nanoBragg:
        SIM = nanoBragg(panels, beam, panel_id=panel_id)
        SIM.Amatrix = CRYSTAL_A.T
        SIM.Ncells_abc, SIM.oversample, SIM.xtal_shape = (5, 5, 5), 2, shapetype.Round
        SIM.default_F, SIM.F000, SIM.interpolate = 10, 100, 0
        return SIM

    for panel_id in (0, 1):
        SIM = start(panel_id)
        SIM.add_nanoBragg_spots()
        check("07_panel", f"panel{panel_id}", SIM)
    SIM = start(0)
    SIM.set_dxtbx_detector_panel(panels[1], beam.get_s0())
    assert SIM.pix0_vector_mm == (5, 22, -101)
    assert SIM.close_distance_mm == pytest.approx(98.6705831623547, rel=1e-12)
    SIM.add_nanoBragg_spots()
    check("07_panel", "panel1_by_setter", SIM)


def test_08_matrices():
    SIM = nanoBragg(detpixels_slowfast=(30, 30), pixel_size_mm=2.0, oversample=1, Ncells_abc=(4, 4, 4))
    SIM.default_F = 100
    with pytest.warns(SimtbxWarning, match="Ncells_abc stays"):
        SIM.Amatrix = CRYSTAL_A.T
    assert SIM.Amatrix == pytest.approx(CRYSTAL_A.T.ravel(), rel=1e-12)
    SIM.interpolate = 0
    SIM.add_nanoBragg_spots()
    check("08_amatrix", "right", SIM)
    SIM.Amatrix = CRYSTAL_A
    SIM.add_nanoBragg_spots()
    check("08_amatrix", "wrong", SIM)
    SIM.Amatrix_RUB = np.linalg.inv(CRYSTAL_A)
    assert SIM.unit_cell_tuple == pytest.approx((60, 65, 70, 80, 95, 100))
    SIM.add_nanoBragg_spots()
    check("08_amatrix", "rub", SIM)
