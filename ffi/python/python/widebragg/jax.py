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

from .experiment import Experiment

__all__ = ["renderer"]


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
    config: Any = jax.config
    if not config.jax_enable_x64:
        raise RuntimeError("jax holds float32 alone: jax.config.update('jax_enable_x64', True)")
    known = experiment.parameters(wrt, panel_groups=panel_groups)
    names = (list(known), list(panel_groups))
    start = np.array([parameter.value for parameter in known.values()])
    core = experiment._core
    array_type: Any = jax.ShapeDtypeStruct
    image_type = array_type(experiment.shape, jnp.float64)
    slopes_type = array_type(start.shape, jnp.float64)
    callback: Any = partial(jax.pure_callback, vmap_method="sequential")

    def steps(values: Any) -> list[float]:
        away: list[float] = (np.asarray(values) - start).tolist()
        return away

    def image(values: Any) -> np.ndarray[Any, Any]:
        return core.image(names, steps(values), threads)

    def slopes(values: Any, weights: Any) -> np.ndarray[Any, Any]:
        return np.array(core.pullback(names, steps(values), np.ascontiguousarray(weights), threads))

    @jax.custom_vjp
    def render(values: jax.Array) -> jax.Array:
        rendered: jax.Array = callback(image, image_type, values)
        return rendered

    def forward(values: jax.Array) -> tuple[jax.Array, jax.Array]:
        return render(values), values

    def backward(values: jax.Array, weights: jax.Array) -> tuple[jax.Array]:
        return (callback(slopes, slopes_type, values, weights),)

    render.defvjp(forward, backward)

    def checked(values: jax.Array) -> jax.Array:
        values = jnp.asarray(values, dtype=jnp.float64)
        if values.shape != start.shape:
            raise ValueError(f"values: an array of shape {values.shape}, {start.shape} is needed")
        return render(values)

    return checked
