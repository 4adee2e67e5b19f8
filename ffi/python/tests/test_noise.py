"""Stages of noise by themselves."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import widebragg as wb
from widebragg import noise

from conftest import SMALL


def quiet(options: str) -> wb.Experiment:
    """An experiment whose warnings are of no interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        return wb.Experiment(options)


BRIGHT = SMALL.replace("1e24", "1e29") + " --noise-model counter -adc 0"


def test_the_stages_are_those_of_a_detector():
    line = (
        f"{BRIGHT} --flicker 0.05 --pixel-flicker 0.02 --dead-time 120 -exposure 0.1 --psf gauss,600 --gain 3 "
        "--calibration 0.03 --calibration-seed 4 --common-mode 2 --readout 2.5 --overload 5000"
    )
    experiment = quiet(line)
    expected = experiment.render()
    drawn = {"seed": 7, "frame": 3}
    photons = noise.count(noise.vary(expected, flicker=0.05, pixel_flicker=0.02, **drawn), **drawn)
    assert np.array_equal(photons, np.round(photons)) and photons.max() > 0
    spread = noise.spread(noise.lose(photons, 120, 0.1), "gauss", 600, 0.5)
    adu = noise.amplify(spread, 3, noise.gain_map(experiment.shape, 0.03, seed=4))
    adu = noise.read_out(noise.add_common_mode(adu, 2, **drawn), 2.5, **drawn)
    stored = noise.store(adu, least=-(2**31 - 1), largest=5000)
    assert stored.dtype == np.int32 and np.array_equal(stored, experiment.detect(expected, **drawn))
    # Each stage changes something.
    for one, next_one in [(expected, photons), (photons, spread), (spread, adu)]:
        assert not np.array_equal(one, next_one)


def test_panels_have_noise_of_their_own():
    image = np.full((3, 16, 16), 30.0)
    counted = noise.count(image, seed=5)
    assert counted.shape == image.shape
    assert np.array_equal(counted[0], noise.count(image[0], seed=5))
    assert not np.array_equal(counted[0], counted[1])
    gains = noise.gain_map(image.shape, 0.1)
    assert not np.array_equal(gains[0], gains[1])
    assert np.array_equal(noise.amplify(image, 2.0, gains)[2], (30 * 2.0 * gains[2].astype(float)).astype(np.float32))
    blocks = noise.add_common_mode(image, 4.0, block=(8, 16))
    assert len(np.unique(blocks[0, :8])) == len(np.unique(blocks[0, 8:])) == 1 and blocks[0, 0, 0] != blocks[0, 8, 0]
    rows = noise.add_common_mode(image, 4.0)
    assert all(len(np.unique(row)) == 1 for row in rows[1]) and len(np.unique(rows[1, :, 0])) == 16


def test_deviates_have_their_moments():
    counted = noise.count(np.full((256, 256), 5.0))
    assert counted.mean() == pytest.approx(5, abs=0.05) and counted.var() == pytest.approx(5, rel=0.05)
    read = noise.read_out(np.zeros((256, 256)), 3.0)
    assert read.mean() == pytest.approx(0, abs=0.05) and read.std() == pytest.approx(3, rel=0.02)
    factors = [noise.vary(np.ones((1, 1)), flicker=0.1, frame=frame).item() for frame in range(400)]
    assert np.std(factors) == pytest.approx(0.1, rel=0.15)


def test_dead_times():
    counts = np.array([[0.0, 10, 1000, 1e6]])
    x = counts * 1e-6 / 0.5
    np.testing.assert_allclose(noise.lose(counts, 1000, 0.5), counts * np.exp(-x), rtol=1e-6)
    np.testing.assert_allclose(noise.lose(counts, 1000, 0.5, paralyzable=False), counts / (1 + x), rtol=1e-6)


def test_gain_switching():
    modes = [(40.0, 3000.0, 0.0), (-1.4, 15500.0, 0.0), (-0.1, 15200.0, 0.0)]
    counts = np.array([[0, 1, 20, 60, 900.0]])
    words = noise.switch_gain(counts, 12.0, (300.0, 7000.0), modes)
    charge = counts * 12.0
    mode = (charge >= 300).astype(int) + (charge >= 7000)
    codes, (gains, pedestals, _) = np.array([0, 1, 3])[mode], np.array(modes).T
    assert np.array_equal(words >> 14, codes)
    assert np.array_equal(words & 0x3FFF, np.floor(charge * gains[mode] + pedestals[mode] + 0.5))
    doubled = noise.switch_gain(counts[:, 1:2], 12.0, (300.0, 7000.0), modes, gain_map=[[2.0]])
    assert doubled.item() == 3000 + 12 * 40 * 2


def test_bad_pixels_are_those_of_a_detector():
    experiment = quiet(BRIGHT + " --bad-pixels hot=4,dead=3,seed=9 --overload 999")
    stored = experiment.detect(np.full(experiment.shape, 50.0))
    slow, fast = noise.bad_pixels((20, 30), 7, seed=9)
    assert set(stored[slow[:4], fast[:4]]) == {999} and set(stored[slow[4:], fast[4:]]) == {0}
    assert (stored == 999).sum() == 4


def test_what_cannot_be_used_is_refused():
    image = np.ones((4, 4))
    for call, words in [
        (lambda: noise.count(np.ones(4)), "is needed"),
        (lambda: noise.amplify(image, 1.0, np.ones((3, 4))), "gain_map"),
        (lambda: noise.lose(image, 100, 0), "an exposure of 0 s"),
        (lambda: noise.spread(image, "sinc", 100, 0.1), "none of gauss, fiber, moffat"),
        (lambda: noise.spread(image, "gauss", 0, 0.1), "above 0"),
        (lambda: noise.switch_gain(image, 1, (1, 2), [(1, 1, 1)]), "three are needed"),
        (lambda: noise.bad_pixels((4, 4), 17), "17 bad pixels of a panel that has 16"),
    ]:
        with pytest.raises(ValueError, match=words):
            call()


def test_given_arrays_stay_as_they_are():
    image = np.full((4, 4), 9, dtype=np.float32)
    noise.count(image)
    noise.read_out(image, 3.0)
    assert (image == 9).all()
    # Any array that can be seen as one of floats.
    assert np.array_equal(noise.count(np.full((8, 4), 9)[::2]), noise.count(image))
