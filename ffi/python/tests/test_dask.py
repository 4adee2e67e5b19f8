"""Experiments as tasks of dask, and in processes."""

from __future__ import annotations

import multiprocessing
import warnings

import numpy as np
import pytest

import widebragg as wb

from conftest import SMALL


def image_of(experiment: wb.Experiment, phi_deg: float) -> np.ndarray:
    """The image at another phi."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wb.WidebraggWarning)
        return experiment.replace(phi_deg=phi_deg).render(threads=2)


ANGLES = [0.5, 1.0, 1.5, 2.0]


@pytest.fixture
def expected(small):
    return [image_of(small, angle) for angle in ANGLES]


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_render_what_they_are_sent(small, expected, method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        images = pool.starmap(image_of, [(small, angle) for angle in ANGLES])
    assert np.array_equal(images, expected)


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_dask_renders(small, expected, scheduler):
    dask = pytest.importorskip("dask", reason="dask is not installed")
    tasks = [dask.delayed(image_of)(small, angle) for angle in ANGLES]
    assert np.array_equal(dask.compute(*tasks, scheduler=scheduler, num_workers=2), expected)


def test_dask_knows_equal_experiments(small):
    base = pytest.importorskip("dask.base", reason="dask is not installed")
    token = base.tokenize(small)
    assert token == base.tokenize(wb.Experiment(SMALL)) == base.tokenize(small.replace())
    assert token != base.tokenize(small.replace(phi_deg=1))
