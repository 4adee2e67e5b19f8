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
experiment has gives the image that the experiment has. Derivatives are exact; second ones are not to be had.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from .experiment import Experiment

__all__ = ["render"]


@dataclass(frozen=True)
class _Image:
    """What an image is a function of, but for the values."""

    experiment: Experiment
    wrt: tuple[list[str], list[str]]
    threads: int | None


def render(
    experiment: Experiment,
    parameters: Mapping[str, Tensor],
    *,
    panel_groups: Sequence[str] = (),
    threads: int | None = None,
) -> Tensor:
    """The photons expected in each pixel, float64, of the experiment's shape.

    ``parameters`` are scalars on the CPU, by the names of single parameters; what they do not name stays as it is.
    Scalars of float32 are cast. Raises ``ValueError`` for names and values that fit no experiment.
    """
    if not parameters:
        raise ValueError("parameters: there are none")
    names = list(parameters)
    known = experiment.parameters(names, panel_groups=panel_groups)
    if list(known) != names:
        raise ValueError(f"parameters: {names} are not single parameters; they stand for {list(known)}")
    for name, value in parameters.items():
        if value.ndim != 0:
            raise ValueError(f"parameters: {name} has the shape {tuple(value.shape)}, a scalar is needed")
        if value.device.type != "cpu":
            raise ValueError(f"parameters: {name} is on {value.device}; images are computed on the CPU")
    values = torch.stack([value.double() for value in parameters.values()])
    start = torch.tensor([parameter.value for parameter in known.values()], dtype=torch.float64)
    image: Tensor = _Render.apply(values - start, _Image(experiment, (names, list(panel_groups)), threads))
    return image


def _each(function: type[Function], info: Any, in_dims: Sequence[int | None], *args: Any) -> tuple[Tensor, int]:
    """A function of a batch of tensors, one by one."""
    def chosen(at: int) -> list[Any]:
        return [arg if dim is None else arg.select(dim, at) for arg, dim in zip(args, in_dims)]

    return torch.stack([function.apply(*chosen(at)) for at in range(info.batch_size)]), 0


class _Render(Function):
    """The image after steps of its parameters."""

    @staticmethod
    def forward(steps: Tensor, image: _Image) -> Tensor:
        core = image.experiment._core
        return torch.from_numpy(core.image(image.wrt, steps.tolist(), image.threads))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, _Image], output: Tensor) -> None:
        steps, ctx.image = inputs
        ctx.save_for_backward(steps)
        ctx.save_for_forward(steps)

    @staticmethod
    def backward(ctx: Any, weights: Tensor) -> tuple[Tensor, None]:
        (steps,) = ctx.saved_tensors
        return _Pullback.apply(steps, weights, ctx.image), None

    @staticmethod
    def jvp(ctx: Any, along: Tensor, _: None) -> Tensor:
        (steps,) = ctx.saved_tensors
        slopes: Tensor = _Pushforward.apply(steps, along, ctx.image)
        return slopes

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], steps: Tensor, image: _Image) -> tuple[Tensor, int]:
        return _each(_Render, info, in_dims, steps, image)


class _FirstDerivative(Function):
    """What has no derivatives of its own."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *_: Tensor) -> Any:
        raise RuntimeError("images have no second derivatives")


class _Pullback(_FirstDerivative):
    """Derivatives of a weighted sum of pixels."""

    @staticmethod
    def forward(steps: Tensor, weights: Tensor, image: _Image) -> Tensor:
        core = image.experiment._core
        slopes = core.pullback(image.wrt, steps.tolist(), np.ascontiguousarray(weights.numpy()), image.threads)
        return torch.tensor(slopes, dtype=torch.float64)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], steps: Tensor, weights: Tensor, image: _Image
    ) -> tuple[Tensor, int]:
        return _each(_Pullback, info, in_dims, steps, weights, image)


class _Pushforward(_FirstDerivative):
    """The derivative of each pixel along a direction of the parameters."""

    @staticmethod
    def forward(steps: Tensor, along: Tensor, image: _Image) -> Tensor:
        core = image.experiment._core
        images = core.pushforward(image.wrt, steps.tolist(), image.threads)
        return torch.from_numpy(np.tensordot(along.numpy(), images, axes=1))

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, ...], steps: Tensor, along: Tensor, image: _Image
    ) -> tuple[Tensor, int]:
        if in_dims[0] is not None:
            return _each(_Pushforward, info, in_dims, steps, along, image)
        # All directions from the same images of derivatives.
        core = image.experiment._core
        images = core.pushforward(image.wrt, steps.tolist(), image.threads)
        along_each = along.movedim(in_dims[1] or 0, 0).numpy()
        return torch.from_numpy(np.tensordot(along_each, images, axes=1)), 0
