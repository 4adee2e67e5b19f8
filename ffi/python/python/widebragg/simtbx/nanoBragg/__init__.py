"""The module that scripts import as ``simtbx.nanoBragg``.

>>> from widebragg.simtbx.nanoBragg import nanoBragg, shapetype, convention
>>> nanoBragg(Ncells_abc=(5, 5, 5)).beamcenter_convention is convention.MOSFLM
True
"""

from widebragg.simtbx.enums import convention, pivot, shapetype
from widebragg.simtbx.simulator import nanoBragg

# simtbx's module has the members as well.
Square, Round, Gauss, Gauss_argchk = shapetype.Square, shapetype.Round, shapetype.Gauss, shapetype.Gauss_argchk
Tophat, Fiber, Unknown = shapetype.Tophat, shapetype.Fiber, shapetype.Unknown
Custom, ADXV, MOSFLM = convention.Custom, convention.ADXV, convention.MOSFLM
XDS, DIALS, DENZO = convention.XDS, convention.DIALS, convention.DENZO
Sample, Beam = pivot.Sample, pivot.Beam


def testuple() -> tuple[int, ...]:
    """Four numbers, with which simtbx's scripts test that a tuple comes back."""
    return (1, 2, 3, 4)


__all__ = [
    "ADXV", "Beam", "Custom", "DENZO", "DIALS", "Fiber", "Gauss", "Gauss_argchk", "MOSFLM", "Round", "Sample", "Square",
    "Tophat", "Unknown", "XDS", "convention", "nanoBragg", "pivot", "shapetype", "testuple",
]  # fmt: skip

# ``import widebragg.simtbx.nanoBragg as nb`` finds the class, which has the place of this module in the package: its
# attributes are those of the module, so that ``nb.nanoBragg`` and ``nb.shapetype`` are found.
for _name in __all__:
    setattr(nanoBragg, _name, globals()[_name])
