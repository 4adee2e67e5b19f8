"""The module that scripts import as ``simtbx.nanoBragg``.

>>> from widebragg.simtbx.nanoBragg import nanoBragg, shapetype, convention
>>> nanoBragg(Ncells_abc=(5, 5, 5)).beamcenter_convention is convention.MOSFLM
True

**What differs from simtbx.** Where simtbx's state depends on the order in which properties are set, this class does what
scripts intend:

=============================  ========================================================================================
``Ncells_abc``                 stays as set when the cell changes
``Amatrix``, ``Amatrix_RUB``   stay whatever is set later, also ``Fhkl``; ``missets_deg`` turns them once
``beamcenter_convention``,     act at once, and once; turns of a custom detector are refused
``detector_rotation_deg``,
``detector_twotheta_deg``
axes of the detector           make it custom instead of being lost at the next change of the distance
``energy_eV``, ``beam_vector`` change the sources
``oversample = 0``             automatic, as in the constructor
``mosaic_seed``                acts at once
``mosaic_domains``             1 without a spread, as in simtbx: the spread comes first
amorphous matter               as wide as the beam, whenever that is set
``seed``                       reads back as set
``XDS_ORGXY``                  moves the detector
``phistep_deg``                reads the step
``misset_deg``                 of the constructor is in degrees
panels of dxtbx                their thickness and attenuation are in mm and 1/mm
``interpolate``                the reflection that ends interpolation counts with its nearest neighbour; simtbx drops it, so
                               that one pixel differs
phi = 0, several steps         the first pixel of the first call is like all others
=============================  ========================================================================================

What makes images differ warns once, as :class:`widebragg.simtbx.SimtbxWarning`.
"""

from widebragg.simtbx.enums import convention, pivot, shapetype
from widebragg.simtbx.simulator import nanoBragg

# simtbx's module has the members as well.
Square, Round, Gauss, Gauss_argchk = shapetype.Square, shapetype.Round, shapetype.Gauss, shapetype.Gauss_argchk
Tophat, Fiber, Unknown = shapetype.Tophat, shapetype.Fiber, shapetype.Unknown
Custom, ADXV, MOSFLM = convention.Custom, convention.ADXV, convention.MOSFLM
XDS, DIALS, DENZO = convention.XDS, convention.DIALS, convention.DENZO
Sample, Beam = pivot.Sample, pivot.Beam

__all__ = [
    "ADXV", "Beam", "Custom", "DENZO", "DIALS", "Fiber", "Gauss", "Gauss_argchk", "MOSFLM", "Round", "Sample", "Square",
    "Tophat", "Unknown", "XDS", "convention", "nanoBragg", "pivot", "shapetype",
]  # fmt: skip

# ``import widebragg.simtbx.nanoBragg as nb`` finds the class, which has the place of this module in the package: its
# attributes are those of the module, so that ``nb.nanoBragg`` and ``nb.shapetype`` are found.
for _name in __all__:
    setattr(nanoBragg, _name, globals()[_name])
