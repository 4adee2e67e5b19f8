"""simtbx's class ``nanoBragg`` for existing scripts: only the prefix of their imports changes.

>>> from widebragg.simtbx.nanoBragg import nanoBragg, shapetype
>>> SIM = nanoBragg(detpixels_slowfast=(64, 64), pixel_size_mm=0.5, Ncells_abc=(5, 5, 5), oversample=1)
>>> SIM.default_F, SIM.xtal_shape, SIM.progress_meter = 100, shapetype.Gauss, False
>>> SIM.add_nanoBragg_spots()
>>> SIM.raw_pixels.as_numpy_array().shape
(64, 64)

``from widebragg.simtbx import nanoBragg`` is the class as well. Objects of dxtbx and cctbx are taken by their methods, and
neither needs to be installed.

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
``seed``                       reads back as set, and each call of ``add_noise`` starts from it
``XDS_ORGXY``                  moves the detector
``phistep_deg``                reads the step
``misset_deg``                 of the constructor is in degrees
panels of dxtbx                their thickness and attenuation are in mm and 1/mm
``interpolate``                the reflection that ends interpolation counts with its nearest neighbour; simtbx drops it, so
                               that one pixel differs
phi = 0, several steps         the first pixel of the first call is like all others
``SimData``                    ``readout_noise`` counts; there is no Miller array until one is set
``extract_background``         pixels count at their centres instead of a corner, and grids of sources as their centre
``to_nexus_nxmx``              needs no dxtbx; pixels are float32, and the crystal is in the file as well
``toggle_conventions``         has no effect: files are in the frame of DIALS anyway
=============================  ========================================================================================

What makes images differ warns once, as :class:`widebragg.simtbx.SimtbxWarning`.

**What is not here** raises ``NotImplementedError``: what only diffBragg computes with (``SimData.instantiate_diffBragg``,
``Umats_method`` 2 and 3, ``refining_eta``, imaginary parts in ``Fhkl_tuple``), turns of a custom detector by angles, which its
axes give, and ``extract_background`` of a curved detector, whose pixels have no common distance. There is no
``add_nanoBragg_spots_cuda`` (None, as in simtbx without CUDA): ``add_nanoBragg_spots`` uses all threads that pay.
"""

import widebragg.simtbx.nanoBragg as _module
from widebragg.simtbx.enums import convention, pivot, shapetype
from widebragg.simtbx.warning import SimtbxWarning

# The class takes the place of the module of the same name, which stays importable: it is in sys.modules by now.
nanoBragg = _module.nanoBragg

__all__ = ["SimtbxWarning", "convention", "nanoBragg", "pivot", "shapetype"]
