"""Images as functions of torch tensors, with gradients in reverse and forward mode.

>>> import torch, widebragg as wb, widebragg.torch
>>> experiment = wb.Experiment(
...     cell=(70, 80, 90, 90, 90, 90), N=5, default_F=100, wavelength_A=1, distance_mm=100,
...     pixel_mm=0.5, detector_pixels=(20, 30), fluence=1e24,
... )
>>> a = torch.tensor(70.1, dtype=torch.float64, requires_grad=True)
>>> image = wb.torch.render(experiment, {"a": a})
>>> image.sum().backward()
>>> a.grad.shape
torch.Size([])

Values are those of :meth:`widebragg.Experiment.parameters`, in its units, so that a tensor with the value that the
experiment has gives the image that the experiment has. Structure factors are a tensor as well:

>>> hkl = [(h, k, l) for h in range(-3, 4) for k in range(-3, 4) for l in range(-3, 4)]
>>> listed = experiment.replace(hkl=(hkl, [50.0] * len(hkl)), interpolate=False)
>>> F = torch.tensor(listed.structure_factors[1], requires_grad=True)
>>> wb.torch.render(listed, {}, F=F).sum().backward()
>>> F.grad.shape == F.shape
True

Derivatives are exact; second ones are not to be had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from . import _core
from .experiment import Experiment

__all__ = ["render"]


@dataclass(frozen=True)
class _Image:
    """What an image is a function of, but for the values."""

    experiment: Experiment
    names: list[str]
    panel_groups: list[str]
    threads: int | None

    def core(self, F: Tensor | None) -> _core.Experiment:
        """The experiment with these structure factors."""
        core = self.experiment._core
        return core if F is None else core.with_structure_factors(np.ascontiguousarray(F.numpy()))

    def wrt(self, *, by_F: bool) -> tuple[list[str], list[str]]:
        """What derivatives are with respect to."""
        return [*self.names, *(["F"] if by_F else [])], self.panel_groups

    def rendered(self, steps: Tensor, F: Tensor | None) -> NDArray[np.float64]:
        """The image after steps of the parameters."""
        return self.core(F).image(self.wrt(by_F=F is not None), steps.tolist(), self.threads)


def render(
    experiment: Experiment,
    parameters: Mapping[str, Tensor],
    *,
    F: Tensor | None = None,
    panel_groups: Sequence[str] = (),
    threads: int | None = None,
) -> Tensor:
    """The photons expected in each pixel, float64, of the experiment's shape.

    ``parameters`` are scalars on the CPU, by the names of single parameters; what they do not name stays as it is.
    ``F`` has the shape of the grid of ``experiment.structure_factors`` and takes its place. Tensors of float32 are
    cast. Raises ``ValueError`` for names, shapes and values that fit no experiment.
    """
    if not parameters and F is None:
        raise ValueError("parameters: there are none")
    names = list(parameters)
    known = experiment.parameters(names, panel_groups=panel_groups) if names else {}
    if list(known) != names:
        raise ValueError(f"parameters: {names} are not single parameters; they stand for {list(known)}")
    for name, value in parameters.items():
        if value.ndim != 0:
            raise ValueError(f"parameters: {name} has the shape {tuple(value.shape)}, a scalar is needed")
    for name, value in [*parameters.items(), *([("F", F)] if F is not None else [])]:
        if value.device.type != "cpu":
            raise ValueError(f"parameters: {name} is on {value.device}; images are computed on the CPU")
    start = torch.tensor([parameter.value for parameter in known.values()], dtype=torch.float64)
    values = torch.stack([value.double() for value in parameters.values()]) if names else start
    of = _Image(experiment, names, list(panel_groups), threads)
    image: Tensor = _Render.apply(values - start, None if F is None else F.double(), of)
    return image


def _each(function: type[Function], info: Any, in_dims: Sequence[int | None], *args: Any) -> tuple[Any, Any]:
    """A function of a batch of tensors, one by one."""
    def chosen(at: int) -> list[Any]:
        return [arg if dim is None else arg.select(dim, at) for arg, dim in zip(args, in_dims)]

    results = [function.apply(*chosen(at)) for at in range(info.batch_size)]
    if isinstance(results[0], tuple):
        return tuple(torch.stack(each) for each in zip(*results)), (0,) * len(results[0])
    return torch.stack(results), 0


class _Render(Function):
    """The image after steps of its parameters, with structure factors where these are given."""

    @staticmethod
    def forward(steps: Tensor, F: Tensor | None, image: _Image) -> Tensor:
        return torch.from_numpy(image.rendered(steps, F))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor | None, _Image], output: Tensor) -> None:
        steps, F, ctx.image = inputs
        ctx.save_for_backward(steps, F)
        ctx.save_for_forward(steps, F)

    @staticmethod
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor, Tensor | None, None]:
        steps, F = ctx.saved_tensors
        if F is not None and ctx.needs_input_grad[1]:
            slopes, by_F = _PullbackWithF.apply(steps, F, weights, ctx.image)
            return slopes, by_F, None
        return _Pullback.apply(steps, F, weights, ctx.image), None, None

    @staticmethod
    def jvp(ctx: Any, along: Tensor | None, along_F: Tensor | None, _: None) -> Tensor:
        steps, F = ctx.saved_tensors
        parts: list[Tensor] = []
        if along is not None and len(ctx.image.names) > 0:
            parts.append(_Pushforward.apply(steps, F, along, ctx.image))
        if along_F is not None and F is not None:
            parts.append(_PushforwardOfF.apply(steps, F, along_F, ctx.image))
        return sum(parts[1:], parts[0]) if parts else torch.zeros(ctx.image.experiment.shape, dtype=torch.float64)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        return _each(_Render, info, in_dims, *args)


class _FirstDerivative(Function):
    """What has no derivatives of its own."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        pass

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise RuntimeError("images have no second derivatives")


class _Pullback(_FirstDerivative):
    """Derivatives of a weighted sum of pixels with respect to the parameters."""

    @staticmethod
    def forward(steps: Tensor, F: Tensor | None, weights: Tensor, image: _Image) -> Tensor:
        if not image.names:
            return torch.zeros(0, dtype=torch.float64)
        pixels = np.ascontiguousarray(weights.numpy())
        slopes, _ = image.core(F).pullback(image.wrt(by_F=False), steps.tolist(), pixels, image.threads)
        return torch.tensor(slopes, dtype=torch.float64)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        return _each(_Pullback, info, in_dims, *args)


class _PullbackWithF(_FirstDerivative):
    """Derivatives of a weighted sum of pixels with respect to the parameters and to the structure factors."""

    @staticmethod
    def forward(steps: Tensor, F: Tensor, weights: Tensor, image: _Image) -> tuple[Tensor, Tensor]:
        pixels = np.ascontiguousarray(weights.numpy())
        slopes, by_F = image.core(F).pullback(image.wrt(by_F=True), steps.tolist(), pixels, image.threads)
        assert by_F is not None  # it was asked for
        return torch.tensor(slopes, dtype=torch.float64), torch.from_numpy(by_F)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Any, Any]:
        return _each(_PullbackWithF, info, in_dims, *args)


class _Pushforward(_FirstDerivative):
    """The derivative of each pixel along a direction of the parameters."""

    @staticmethod
    def forward(steps: Tensor, F: Tensor | None, along: Tensor, image: _Image) -> Tensor:
        images = image.core(F).pushforward(image.wrt(by_F=False), steps.tolist(), image.threads)
        return torch.from_numpy(np.tensordot(along.numpy(), images, axes=1))

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], steps: Tensor, F: Tensor | None, along: Tensor, image: _Image
    ) -> tuple[Tensor, int]:
        if in_dims[0] is not None or in_dims[1] is not None or in_dims[2] is None:
            return _each(_Pushforward, info, in_dims, steps, F, along, image)
        # All directions from the same images of derivatives.
        images = image.core(F).pushforward(image.wrt(by_F=False), steps.tolist(), image.threads)
        along_each = along.movedim(in_dims[2], 0).numpy()
        return torch.from_numpy(np.tensordot(along_each, images, axes=1)), 0


class _PushforwardOfF(_FirstDerivative):
    """The derivative of each pixel along a direction of the structure factors.

    A pixel is a polynomial of the second degree in these, whose derivative is the difference of two values.
    """

    @staticmethod
    def forward(steps: Tensor, F: Tensor, along: Tensor, image: _Image) -> Tensor:
        size = float(along.abs().max())
        if size == 0.0:
            return torch.zeros(image.experiment.shape, dtype=torch.float64)
        # As far as F is large, so that rounding errors are small in both.
        step = (float(F.abs().max()) or 1.0) / size
        ahead, behind = (image.rendered(steps, F + sign * step * along) for sign in (1, -1))
        return torch.from_numpy((ahead - behind) / (2 * step))

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> tuple[Tensor, int]:
        return _each(_PushforwardOfF, info, in_dims, *args)
