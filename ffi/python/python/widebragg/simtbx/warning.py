"""Warnings, each given once."""

from __future__ import annotations

import os
import sys
import warnings

__all__ = ["SimtbxWarning", "forget", "warn_once"]


class SimtbxWarning(UserWarning):
    """What a script asks for differs from what it gets, or from what it would get of simtbx."""


_PACKAGE = os.path.dirname(__file__)

_given: set[str] = set()


def warn_once(sentence: str) -> None:
    """Warns with a sentence, unless it was given before in this process."""
    if sentence not in _given:
        _given.add(sentence)
        # At the line of the script: beyond all frames of this package.
        frame, depth = sys._getframe(1), 2
        while frame.f_back is not None and os.path.dirname(frame.f_code.co_filename).startswith(_PACKAGE):
            frame, depth = frame.f_back, depth + 1
        warnings.warn(sentence, SimtbxWarning, stacklevel=depth)


def forget() -> None:
    """Makes all warnings new again."""
    _given.clear()
