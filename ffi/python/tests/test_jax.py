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


def test_structure_factors(small):
    rng = np.random.default_rng(6)
    hkl = np.stack(np.meshgrid(*[np.arange(-9, 10)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    listed = small.replace(hkl=(hkl, rng.uniform(10, 100, len(hkl))), interpolate=False)
    image = wb.jax.renderer_of_F(listed, ["a"])
    F = jax.numpy.array(listed.structure_factors[1])
    start = jax.numpy.array([70.0])
    np.testing.assert_allclose(image(start, F), listed.render(), rtol=1e-6)
    slopes, by_F = jax.jit(jax.grad(lambda values, F: image(values, F).sum(), argnums=(0, 1)))(start, F)
    np.testing.assert_allclose(by_F, listed.structure_factor_slopes(np.ones(listed.shape)), rtol=1e-12)
    np.testing.assert_allclose(slopes, list(listed.gradient(["a"])[1].values()), rtol=1e-9)
    doubled = jax.vmap(image, in_axes=(None, 0))(start, jax.numpy.stack([F, 2 * F]))
    np.testing.assert_allclose(doubled[1], 4 * doubled[0], rtol=1e-9)
    with pytest.raises(ValueError, match="is needed"):
        image(start, F[1:])
    with pytest.raises(ValueError, match="none but|no structure factors"):
        wb.jax.renderer_of_F(small)
