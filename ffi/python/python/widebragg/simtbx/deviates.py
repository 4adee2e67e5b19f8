"""Random numbers as cctbx draws them, for scripts whose mosaic blocks are to be those of simtbx.

Both kinds come from the Mersenne twister (M. Matsumoto and T. Nishimura, ACM TOMACS 8, 3, 1998), Gaussian deviates by
the ziggurat method (G. Marsaglia and W. W. Tsang, J. Stat. Softw. 5, 8, 2000) with 128 layers, as Boost 1.56 and
later have it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["normal_deviates", "points_on_sphere"]

#: Words of the twister that are taken at a time.
_WORDS = 4096


class _Layers:
    """The layers of equal area under a falling density f(x), f(0) = 1, from the base up."""

    def __init__(
        self,
        count: int,
        f: Callable[[float], float],
        inverse: Callable[[float], float],
        area_beyond: Callable[[float], float],
    ) -> None:
        def edges(base: float) -> list[float] | None:
            """Right edges of all layers where the base ends at ``base``; None where they pass f = 1."""
            area = base * f(base) + area_beyond(base)
            found = [area / f(base), base]
            for _ in range(count - 2):
                height = f(found[-1]) + area / found[-1]
                if height >= 1:
                    return None
                found.append(inverse(height))
            return found if f(found[-1]) + area / found[-1] <= 1 else None

        # The base at which the last layer ends at f = 1.
        low, high = 1.0, 16.0
        while low < (middle := (low + high) / 2) < high:
            low, high = (middle, high) if edges(middle) is None else (low, middle)
        self.x = [*(edges(high) or []), 0.0]
        self.y = [0.0, *(f(x) for x in self.x[1:])]
        self.f = f


@cache
def _normal() -> _Layers:
    return _Layers(
        128,
        lambda x: math.exp(-x * x / 2),
        lambda y: math.sqrt(-2 * math.log(y)),
        lambda x: math.sqrt(math.pi / 2) * math.erfc(x / math.sqrt(2)),
    )


@cache
def _exponential() -> _Layers:
    return _Layers(256, lambda x: math.exp(-x), lambda y: -math.log(y), lambda x: math.exp(-x))


class _Twister:
    """Words of 32 bits, and what is made of them."""

    def __init__(self, seed: int) -> None:
        state = np.random.RandomState(seed)

        def words() -> Iterator[int]:
            while True:
                yield from state.randint(0, 2**32, size=_WORDS, dtype=np.uint32).tolist()

        self._words = words()

    def uniform(self) -> float:
        """A number from 0 to 1, of 32 bits."""
        return next(self._words) / 2.0**32

    def byte_and_uniform(self) -> tuple[int, float]:
        """8 bits, and a number from 0 to 1 of the other 24 and of 29 more, which are the leading ones."""
        first, second = next(self._words), next(self._words)
        return first & 0xFF, ((first >> 8) / 2.0**24 + (second & (2**29 - 1))) / 2.0**29

    def below(self, layers: _Layers, layer: int, x: float) -> bool:
        """Whether a point of a layer at x, at a height that is drawn, is below the density."""
        low, high = layers.y[layer], layers.y[layer + 1]
        return low + self.uniform() * (high - low) < layers.f(x)

    def normal(self) -> float:
        """A Gaussian deviate of variance 1."""
        layers = _normal()
        while True:
            byte, part = self.byte_and_uniform()
            layer, sign = byte >> 1, 1 if byte & 1 else -1
            x = part * layers.x[layer]
            if x < layers.x[layer + 1]:
                return sign * x
            if layer == 0:
                return sign * self._tail(layers.x[1])
            if self.below(layers, layer, x):
                return sign * x

    def _tail(self, start: float) -> float:
        """A Gaussian deviate beyond ``start``."""
        while True:
            x, y = self.exponential() / start, self.exponential()
            if 2 * y > x * x:
                return start + x

    def exponential(self) -> float:
        """An exponential deviate of mean 1."""
        layers, shift = _exponential(), 0.0
        while True:
            layer, part = self.byte_and_uniform()
            x = part * layers.x[layer]
            if x < layers.x[layer + 1]:
                return shift + x
            if layer == 0:
                # What follows has the shape of the whole.
                shift += layers.x[1]
            elif self.below(layers, layer, x):
                return shift + x


def normal_deviates(count: int, seed: int) -> NDArray[np.float64]:
    """Gaussian deviates of variance 1, those of ``scitbx.random`` after ``set_random_seed(seed)``."""
    twister = _Twister(seed)
    return np.array([twister.normal() for _ in range(count)], dtype=np.float64)


def points_on_sphere(count: int, seed: int) -> NDArray[np.float64]:
    """Unit vectors, of shape (count, 3): ``random_double_point_on_sphere`` of ``flex.mersenne_twister(seed)``."""
    # cctbx seeds that twister with the next number.
    z, turn = np.random.RandomState(seed + 1).random_sample((count, 2)).T
    z, angle = 2 * z - 1, 2 * np.pi * turn
    across = np.sqrt(1 - z * z)
    return np.column_stack([across * np.cos(angle), across * np.sin(angle), z])
