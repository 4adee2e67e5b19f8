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


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_cluster_renders(small, expected, tmp_path):
    distributed = pytest.importorskip("distributed", reason="distributed is not installed")
    dask = pytest.importorskip("dask", reason="dask is not installed")
    folder = {"temporary_directory": str(tmp_path), "distributed.worker.daemon": True}
    with (
        dask.config.set(folder),
        distributed.LocalCluster(n_workers=2, threads_per_worker=2, processes=True, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        assert len(client.scheduler_info()["workers"]) == 2
        # Sent once, and named by what it is.
        sent = client.scatter(small, broadcast=True)
        images = client.gather(client.map(image_of, [sent] * len(ANGLES), ANGLES))
        assert np.array_equal(images, expected)
        tasks = [dask.delayed(image_of)(small, angle) for angle in ANGLES]
        assert np.array_equal(client.gather(client.compute(tasks)), expected)


def test_dask_knows_equal_experiments(small):
    base = pytest.importorskip("dask.base", reason="dask is not installed")
    token = base.tokenize(small)
    assert token == base.tokenize(wb.Experiment(SMALL)) == base.tokenize(small.replace())
    assert token != base.tokenize(small.replace(phi_deg=1))
