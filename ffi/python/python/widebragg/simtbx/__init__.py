"""simtbx's class ``nanoBragg`` for existing scripts: only the prefix of their imports changes.

>>> from widebragg.simtbx.nanoBragg import nanoBragg, shapetype
>>> SIM = nanoBragg(detpixels_slowfast=(64, 64), pixel_size_mm=0.5, Ncells_abc=(5, 5, 5), oversample=1)
>>> SIM.default_F, SIM.xtal_shape, SIM.progress_meter = 100, shapetype.Gauss, False
>>> SIM.add_nanoBragg_spots()
>>> SIM.raw_pixels.as_numpy_array().shape
(64, 64)

``from widebragg.simtbx import nanoBragg`` is the class as well. :mod:`widebragg.simtbx.nanoBragg` says what differs from
simtbx. Objects of dxtbx and cctbx are taken by their methods, and neither needs to be installed.
"""

import widebragg.simtbx.nanoBragg as _module
from widebragg.simtbx.enums import convention, pivot, shapetype
from widebragg.simtbx.warning import SimtbxWarning

# The class takes the place of the module of the same name, which stays importable: it is in sys.modules by now.
nanoBragg = _module.nanoBragg

__all__ = ["SimtbxWarning", "convention", "nanoBragg", "pivot", "shapetype"]
