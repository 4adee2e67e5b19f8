"""Images as functions of jax arrays."""

from __future__ import annotations

import numpy as np
import pytest

import widebragg as wb

jax = pytest.importorskip("jax", reason="jax is not installed")
import jax.test_util  # noqa: E402

import widebragg.jax  # noqa: E402


@pytest.fixture(autouse=True)
def float64():
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", False)


def test_images_and_gradients(small):
    names = ["a", "misset_x", "distance"]
    image = wb.jax.renderer(small, names)
    start = jax.numpy.array([value for _, value in small.parameters(names).values()])
    np.testing.assert_allclose(image(start), small.render(), rtol=1e-6)
    slopes = jax.jit(jax.grad(lambda values: image(values).sum()))(start)
    total, expected = small.gradient(names)
    np.testing.assert_allclose(slopes, list(expected.values()), rtol=1e-9)
    jax.test_util.check_grads(lambda values: image(values) / 1e4, (start,), order=1, modes=["rev"], rtol=1e-3)
    images = jax.vmap(image)(jax.numpy.stack([start, start + 0.1]))
    np.testing.assert_allclose(images[1], image(start + 0.1))


def test_what_cannot_be_used_is_refused(small):
    image = wb.jax.renderer(small, ["a"])
    with pytest.raises(ValueError, match="is needed"):
        image(jax.numpy.ones(2))
    jax.config.update("jax_enable_x64", False)
    with pytest.raises(RuntimeError, match="float32 alone"):
        wb.jax.renderer(small, ["a"])
