"""Images with the methods of flex arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

__all__ = ["FlexArray", "numbers"]


class _Size(int):
    """A number of elements that can also be called, since flex has a method where numpy has an attribute."""

    def __call__(self) -> int:
        return int(self)


class FlexArray(NDArray[Any]):
    """A numpy array with the methods of flex.

    As in flex, ``len()``, iteration and an index that is a single number treat an array of several axes as flattened;
    everything else is numpy's.

    >>> image = FlexArray.of([[1.0, 2.0], [3.0, 4.0]])
    >>> bool(image[3] == image[1, 1] == 4.0)
    True
    >>> image.focus(), image.size(), image.all()
    ((2, 2), 4, (2, 2))
    >>> image *= 2
    >>> type(image.as_numpy_array()).__name__, image.as_1d().as_numpy_array().tolist()
    ('ndarray', [2.0, 4.0, 6.0, 8.0])
    """

    @classmethod
    def of(cls, values: Any, dtype: Any = np.float64) -> FlexArray:
        """An array of its own with these values."""
        return cast(FlexArray, np.array(numbers(values), dtype=dtype).view(cls))

    @property
    def size(self) -> Any:
        """The number of elements, also by a call as in flex."""
        return _Size(np.ndarray.size.__get__(self))

    def __len__(self) -> int:
        return int(self.size)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.as_numpy_array().ravel().tolist())

    def __getitem__(self, index: Any) -> Any:
        if self.ndim > 1 and isinstance(index, (int, np.integer)):
            return self.view(np.ndarray).reshape(-1)[index]
        return super().__getitem__(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.ndim > 1 and isinstance(index, (int, np.integer)):
            index = np.unravel_index(int(index) % int(self.size), self.shape)
        super().__setitem__(index, value)

    def __repr__(self) -> str:
        return repr(self.view(np.ndarray)).replace("array", "FlexArray", 1)

    def __str__(self) -> str:
        return str(self.view(np.ndarray))

    def as_numpy_array(self) -> NDArray[Any]:
        """A copy as a plain numpy array."""
        return np.array(self.view(np.ndarray))

    def focus(self) -> tuple[int, ...]:
        """The shape."""
        return self.shape

    def all(self, *args: Any, **kwargs: Any) -> Any:
        """The shape, as in flex; of truth values, or with arguments, whether all elements are true, as in numpy."""
        return super().all(*args, **kwargs) if args or kwargs or self.dtype == bool else self.shape

    def as_1d(self) -> FlexArray:
        """The same elements without axes; shares memory."""
        return cast(FlexArray, self.reshape(-1))

    def as_double(self) -> FlexArray:
        """A copy in double precision."""
        return FlexArray.of(self)

    def deep_copy(self) -> FlexArray:
        """A copy."""
        return self.copy()

    def iround(self) -> FlexArray:
        """The nearest integers, halves away from 0."""
        values = self.view(np.ndarray)
        return FlexArray.of(np.copysign(np.floor(np.abs(values) + 0.5), values), dtype=np.int64)

    def select(self, selection: Any) -> FlexArray:
        """The elements where a selection of the same shape is true, or at flat indices."""
        return FlexArray.of(self.view(np.ndarray).reshape(-1)[_flat(selection)], dtype=self.dtype)

    def set_selected(self, selection: Any, value: Any) -> FlexArray:
        """Sets the elements where a selection of the same shape is true, or at flat indices."""
        values = numbers(value)
        self.view(np.ndarray).reshape(-1)[_flat(selection)] = values
        return self


def _flat(selection: Any) -> NDArray[Any]:
    return np.asarray(numbers(selection)).reshape(-1)


def numbers(values: Any) -> NDArray[Any]:
    """The numbers of an array of numpy, flex or scitbx, or of anything that can be iterated, as a plain numpy array."""
    if isinstance(values, np.ndarray):
        return values.view(np.ndarray)
    for name in ("as_numpy_array", "as_vec3_double"):
        convert = getattr(values, name, None)
        if convert is not None:
            try:
                return numbers(convert())
            except (RuntimeError, TypeError, ValueError):
                continue
    elements = getattr(values, "elems", values)
    if hasattr(elements, "__array__") or np.ndim(elements) == 0 and not hasattr(elements, "__iter__"):
        return np.asarray(elements)
    return np.asarray(list(elements))
