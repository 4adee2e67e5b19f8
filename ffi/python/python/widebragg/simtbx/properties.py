"""Properties of a class that are one value each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

from widebragg.simtbx.models import vector

__all__ = ["Property", "flag", "integer", "pair"]

T = TypeVar("T")


class Property(Generic[T]):
    """A value that is converted when it is set."""

    def __init__(self, convert: Callable[[Any], T], default: T, doc: str) -> None:
        self.convert = convert
        self.default = default
        self.__doc__ = doc
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Property[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Property[T] | T:
        if instance is None:
            return self
        value: T = instance.__dict__.get(self.name, self.default)
        return value

    def __set__(self, instance: object, value: Any) -> None:
        try:
            instance.__dict__[self.name] = self.convert(value)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name}: {error}") from None


def integer(value: Any) -> int:
    """A whole number; 5.0 is one."""
    number = int(value)
    if number != value:
        raise ValueError(f"{value!r} is not a whole number")
    return number


def flag(value: Any) -> bool:
    """True or false."""
    return bool(value)


def pair(value: Any) -> tuple[float, float]:
    """Two numbers."""
    first, second = vector(value, 2)
    return first, second
