"""Images as functions of jax arrays, with gradients in reverse mode.

>>> import jax, widebragg as wb, widebragg.jax
>>> jax.config.update("jax_enable_x64", True)
>>> experiment = wb.Experiment(
...     cell=(70, 80, 90, 90, 90, 90), N=5, default_F=100, wavelength_A=1, distance_mm=100,
...     pixel_mm=0.5, detector_pixels=(20, 30), fluence=1e24,
... )
>>> image = wb.jax.renderer(experiment, ["a", "b"])
>>> jax.grad(lambda values: image(values).sum())(jax.numpy.array([70.1, 80.0])).shape
(2,)

Structure factors are an array as well:

>>> hkl = [(h, k, l) for h in range(-3, 4) for k in range(-3, 4) for l in range(-3, 4)]
>>> listed = experiment.replace(hkl=(hkl, [50.0] * len(hkl)), interpolate=False)
>>> of_F = wb.jax.renderer_of_F(listed)
>>> F = jax.numpy.array(listed.structure_factors[1])
>>> jax.grad(lambda F: of_F(jax.numpy.array([]), F).sum())(F).shape == F.shape
True

Values are those of :meth:`widebragg.Experiment.parameters`, in its units. jax has to hold float64
(``jax_enable_x64``), since digits would be lost otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from . import _core
from .experiment import Experiment

__all__ = ["renderer", "renderer_of_F"]


def renderer(
    experiment: Experiment,
    wrt: str | Sequence[str],
    *,
    panel_groups: Sequence[str] = (),
    threads: int | None = None,
) -> Callable[[jax.Array], jax.Array]:
    """The image of an experiment as a function of the values of the parameters that ``wrt`` names, in their order.

    The function takes a vector and returns the photons expected in each pixel, both float64. It can be
    differentiated in reverse mode, compiled and mapped over. Raises ``ValueError`` for names that fit no experiment, and
    ``RuntimeError`` where jax does not hold float64.
    """
    of = _Image(experiment, wrt, panel_groups, threads, by_F=False)
    callback: Any = partial(jax.pure_callback, vmap_method="sequential")

    @jax.custom_vjp
    def render(values: jax.Array) -> jax.Array:
        rendered: jax.Array = callback(of.rendered, of.image_type, values)
        return rendered

    def forward(values: jax.Array) -> tuple[jax.Array, jax.Array]:
        return render(values), values

    def backward(values: jax.Array, weights: jax.Array) -> tuple[jax.Array]:
        slopes, _ = callback(of.slopes, (of.values_type, None), weights, values)
        return (slopes,)

    render.defvjp(forward, backward)
    return lambda values: render(of.checked(values))


def renderer_of_F(
    experiment: Experiment,
    wrt: str | Sequence[str] = (),
    *,
    panel_groups: Sequence[str] = (),
    threads: int | None = None,
) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """As :func:`renderer`, a function of the values and of the structure factors.

    These have the shape of the grid of ``experiment.structure_factors`` and take its place. Without parameters the
    values are an empty vector. Raises ``ValueError`` also for an experiment that has none but ``default_F``.
    """
    of = _Image(experiment, wrt, panel_groups, threads, by_F=True)
    callback: Any = partial(jax.pure_callback, vmap_method="sequential")

    @jax.custom_vjp
    def render(values: jax.Array, F: jax.Array) -> jax.Array:
        rendered: jax.Array = callback(of.rendered, of.image_type, values, F)
        return rendered

    def forward(values: jax.Array, F: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
        return render(values, F), (values, F)

    def backward(given: tuple[jax.Array, jax.Array], weights: jax.Array) -> tuple[jax.Array, jax.Array]:
        slopes: tuple[jax.Array, jax.Array] = callback(of.slopes, (of.values_type, of.F_type), weights, *given)
        return slopes

    render.defvjp(forward, backward)
    return lambda values, F: render(of.checked(values), of.checked_F(F))


class _Image:
    """An image as a function of values, and of structure factors."""

    def __init__(
        self,
        experiment: Experiment,
        wrt: str | Sequence[str],
        panel_groups: Sequence[str],
        threads: int | None,
        *,
        by_F: bool,
    ) -> None:
        config: Any = jax.config
        if not config.jax_enable_x64:
            raise RuntimeError("jax holds float32 alone: jax.config.update('jax_enable_x64', True)")
        known = experiment.parameters(wrt, panel_groups=panel_groups) if wrt else {}
        self.wrt = [*known, *(["F"] if by_F else [])], list(panel_groups)
        self.start = np.array([parameter.value for parameter in known.values()], dtype=np.float64)
        self.core, self.threads = experiment._core, threads
        array_type: Any = jax.ShapeDtypeStruct
        self.image_type = array_type(experiment.shape, jnp.float64)
        self.values_type = array_type(self.start.shape, jnp.float64)
        if by_F:
            found = experiment.structure_factors
            if found is None:
                raise ValueError("the experiment has no structure factors but default_F")
            self.F_type = array_type(found[1].shape, jnp.float64)

    def with_F(self, F: Any) -> _core.Experiment:
        """The experiment with structure factors in the place of its own; as it is without them."""
        return self.core.with_structure_factors(np.ascontiguousarray(F[0])) if F else self.core

    def steps(self, values: Any) -> list[float]:
        """How far the values are from those of the experiment."""
        away: list[float] = (np.asarray(values) - self.start).tolist()
        return away

    def rendered(self, values: Any, *F: Any) -> NDArray[np.float64]:
        """The image."""
        return self.with_F(F).image(self.wrt, self.steps(values), self.threads)

    def slopes(self, weights: Any, values: Any, *F: Any) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """The derivatives of the weighted sum of the pixels by the values, and by structure factors that are given."""
        pixels = np.ascontiguousarray(weights)
        slopes, by_F = self.with_F(F).pullback(self.wrt, self.steps(values), pixels, self.threads)
        return np.array(slopes, dtype=np.float64), by_F

    def checked(self, values: jax.Array) -> jax.Array:
        """The values as a vector of float64."""
        values = jnp.asarray(values, dtype=jnp.float64)
        if values.shape != self.start.shape:
            raise ValueError(f"values: an array of shape {values.shape}, {self.start.shape} is needed")
        return values

    def checked_F(self, F: jax.Array) -> jax.Array:
        """The structure factors as an array of float64."""
        F = jnp.asarray(F, dtype=jnp.float64)
        if F.shape != self.F_type.shape:
            raise ValueError(f"F: an array of shape {F.shape}, {self.F_type.shape} is needed")
        return F
