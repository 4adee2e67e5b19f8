"""Functions over arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import widebragg as wb


@given(h=st.lists(st.floats(-40, 40), min_size=1, max_size=20), n=st.integers(1, 60))
def test_sincg_is_a_sum_of_waves(h, n):
    h = np.array(h)
    waves = np.exp(2j * np.pi * h[:, None] * (np.arange(n) - (n - 1) / 2)).sum(axis=1).real
    np.testing.assert_allclose(wb.sincg(h, n), waves, atol=1e-9 * n)


def test_sincg_keeps_the_shape():
    assert wb.sincg(np.zeros((2, 3, 4)), 7.0).shape == (2, 3, 4)
    with pytest.raises(TypeError):
        wb.sincg(np.zeros(3, dtype=np.float32), 7.0)


def test_structure_factors_are_those_of_the_grid():
    grid = np.random.default_rng(2).uniform(0, 9, (9, 8, 7))
    nodes = np.stack(np.meshgrid(np.arange(3, 6), np.arange(2, 5), np.arange(2, 4), indexing="ij"), axis=-1)
    minimum = (-3, -2, -2)
    expected = grid[3:6, 2:5, 2:4]
    for interpolate in (False, True):
        found = wb.structure_factors(grid, minimum, nodes + np.array(minimum), interpolate=interpolate)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert wb.structure_factors(grid, minimum, [99.0, 0, 0], default_F=5.0) == 5.0
    with pytest.raises(ValueError, match="last axis"):
        wb.structure_factors(grid, minimum, [1.0, 2.0])
    with pytest.raises(ValueError, match="three are needed"):
        wb.structure_factors([1.0], minimum, [1.0, 2.0, 3.0])


def test_rotations_keep_lengths_and_angles():
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(2, 5, 3))
    axis = np.array([1.0, 2.0, 2.0]) / 3
    turned = wb.rotate(vectors, tuple(axis), 25.0)
    assert turned.shape == vectors.shape
    np.testing.assert_allclose(turned @ axis, vectors @ axis, atol=1e-15)
    np.testing.assert_allclose(np.einsum("...i,...i", turned, turned), np.einsum("...i,...i", vectors, vectors))
    np.testing.assert_allclose(wb.rotate(turned, tuple(axis), -25.0), vectors, atol=1e-15)
    with pytest.raises(ValueError, match="last axis"):
        wb.rotate([1.0, 2.0], (0, 0, 1), 5.0)


@given(k=st.floats(-1, 1), theta=st.floats(0.01, 3.1), psi=st.floats(0, 6.3))
def test_polarization_is_kahn_s(k, theta, psi):
    diffracted = [np.cos(theta), np.sin(theta) * np.cos(psi), np.sin(theta) * np.sin(psi)]
    # psi is counted from y, and the electric field is along z.
    factor = wb.polarization_factor(k, (1, 0, 0), diffracted, (0, 0, 1))
    expected = (1 + np.cos(theta) ** 2 + k * np.cos(2 * psi) * np.sin(theta) ** 2) / 2
    assert factor == pytest.approx(expected, abs=1e-12)
