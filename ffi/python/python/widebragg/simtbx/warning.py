"""Warnings, each given once."""

from __future__ import annotations

import warnings

__all__ = ["SimtbxWarning", "forget", "warn_once"]


class SimtbxWarning(UserWarning):
    """What a script asks for differs from what it gets, or from what it would get of simtbx."""


_given: set[str] = set()


def warn_once(sentence: str) -> None:
    """Warns with a sentence, unless it was given before in this process."""
    if sentence not in _given:
        _given.add(sentence)
        warnings.warn(sentence, SimtbxWarning, stacklevel=4)


def forget() -> None:
    """Makes all warnings new again."""
    _given.clear()
