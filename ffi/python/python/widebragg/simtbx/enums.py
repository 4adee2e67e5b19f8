"""The enumerations of simtbx."""

from __future__ import annotations

from enum import Enum

__all__ = ["convention", "pivot", "shapetype"]


class shapetype(Enum):
    """Shapes of spots (Square, Round, Gauss, Gauss_argchk, Tophat) and of the point spread (Gauss, Fiber; Unknown: none)."""

    Unknown = "unknown"
    Square = "square"
    Round = "round"
    Gauss = "gauss"
    Gauss_argchk = "gauss_argchk"
    Tophat = "tophat"
    Fiber = "fiber"


class convention(Enum):
    """Conventions of axes, beam centre and pivot."""

    Custom = "custom"
    ADXV = "adxv"
    MOSFLM = "mosflm"
    XDS = "xds"
    DIALS = "dials"
    DENZO = "denzo"


class pivot(Enum):
    """The point that rotations of the detector leave fixed."""

    Sample = "sample"
    Beam = "beam"
