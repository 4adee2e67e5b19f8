"""What amorphous matter adds to images."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import widebragg as wb
from widebragg._core import run

from conftest import SMALL


@pytest.fixture
def plain() -> wb.Experiment:
    """The small crystal in a beam of 0.1 mm."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        return wb.Experiment(SMALL + " -beamsize 0.1")


def test_images_have_the_background_of_their_options(plain):
    water = plain.replace("--background water,0.1")
    assert plain.background is None
    assert water.background.shape == water.shape and water.background.min() > 0
    np.testing.assert_allclose(water.render(), plain.render() + water.background, rtol=1e-5)
    np.testing.assert_array_equal(plain.scattered_by("water", thickness_mm=0.1), water.background)
    air = plain.replace("--background air,35")
    assert (plain.scattered_by("air", path_mm=(0, 35)) > 0).all() and air.background.min() > 0


def test_photons_are_proportional_to_matter(plain):
    water = plain.scattered_by("water", thickness_mm=0.1)
    np.testing.assert_allclose(plain.scattered_by("water", thickness_mm=0.2), 2 * water, rtol=1e-6)
    of_18, of_36 = (
        plain.scattered_by("water", thickness_mm=0.1, density_g_cm3=density, weight_g_mol=weight)
        for density, weight in [(1, 18), (3, 36)]
    )
    np.testing.assert_allclose(of_36, 1.5 * of_18, rtol=1e-6)
    np.testing.assert_allclose(of_18, water, rtol=5e-3)
    constant = plain.scattered_by(([0, 1], [4, 4]), thickness_mm=0.1)
    np.testing.assert_allclose(plain.scattered_by(([0], [2]), thickness_mm=0.1), constant / 4, rtol=1e-6)


def test_the_table_of_an_image_is_that_of_the_program(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = plain.scattered_by("water", thickness_mm=0.1)
    plain.write_image("water.bin", image)
    line = [*SMALL.split(), "-beamsize", "0.1", "--thickness", "0.1", "--bins", "6", "--out", "table.stol"]
    code, said = run(["stol", "water.bin", *line])
    assert code == 0, said
    s, F, pixels = plain.radial_background(image, thickness_mm=0.1, bins=6)
    table = np.loadtxt("table.stol")
    np.testing.assert_allclose(table[:, :3], np.column_stack([s, F, pixels]), rtol=1e-5)
    known_s, known_F = wb._core.known_matter("water")[:2]
    np.testing.assert_allclose(F, np.interp(s, known_s, known_F), rtol=0.05)


def test_what_cannot_be_used_is_refused(plain):
    parity = plain.replace(mode="c-parity")
    for call, words in [
        (lambda: plain.scattered_by("water"), "either thickness_mm or path_mm"),
        (lambda: plain.scattered_by("mud", thickness_mm=1), "none of water, air, ice"),
        (lambda: plain.scattered_by(([0, 1], [1]), thickness_mm=1), "as many F as s"),
        (lambda: plain.scattered_by("water", path_mm=(0, 200)), "reaches the detector"),
        (lambda: parity.scattered_by("water", thickness_mm=1), "only in spec"),
        (lambda: plain.radial_background(np.ones((3, 3)), thickness_mm=1), "shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()
