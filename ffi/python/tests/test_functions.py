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
