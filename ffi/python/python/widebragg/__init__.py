"""Nanocrystal X-ray diffraction images: simulation, derivatives and fits.

The package computes what the program ``widebragg`` computes, on numpy arrays.
An experiment is made from the program's options, from keywords, or both:

>>> import widebragg as wb
>>> experiment = wb.Experiment(
...     cell=(70, 80, 90, 90, 90, 90), misset_deg=(10, 20, 30), N=5, default_F=100,
...     wavelength_A=1, distance_mm=100, pixel_mm=0.5, detector_pixels=(20, 30),
...     fluence=1e24,
... )
>>> image = experiment.render()  # photons, (slow, fast)
>>> image.shape, image.dtype
((20, 30), dtype('float32'))
>>> turned = experiment.replace(phi_deg=1)
>>> loss, slopes = turned.gradient(["cell", "misset"], against=image)
>>> sorted(slopes)
['a', 'alpha', 'b', 'beta', 'c', 'gamma', 'misset_x', 'misset_y', 'misset_z']

Images have the axes (slow, fast), or (panel, slow, fast) of a detector of several panels. Lengths of
cells are in angstrom, those of detectors in mm, angles in degrees, fluences in photons per square metre.
What cannot be used raises ``ValueError``, and what the system refuses to read ``OSError``, with the line
that the program prints; what the user should know is a :class:`WidebraggWarning`.
"""

from . import noise
from ._core import __version__, sincg
from .experiment import Carryover, Experiment, Parameter, Refinement, Shot, Shots, WidebraggWarning
from .files import (
    Reflections,
    Source,
    Trace,
    TracedPixel,
    read_crystals,
    read_dump,
    read_geometry,
    read_matrix,
    read_reflections,
    read_shots,
    read_sources,
    read_spectra,
    read_stol,
    read_stream,
    read_trace,
    write_dump,
    write_matrix,
    write_reflections,
    write_stream,
)
from .functions import compare, polarization_factor, read_image, rotate, structure_factors

__all__ = [
    "Carryover",
    "Experiment",
    "Parameter",
    "Refinement",
    "Reflections",
    "Shot",
    "Shots",
    "Source",
    "Trace",
    "TracedPixel",
    "WidebraggWarning",
    "__version__",
    "compare",
    "noise",
    "polarization_factor",
    "read_crystals",
    "read_dump",
    "read_geometry",
    "read_image",
    "read_matrix",
    "read_reflections",
    "read_shots",
    "read_sources",
    "read_spectra",
    "read_stol",
    "read_stream",
    "read_trace",
    "rotate",
    "sincg",
    "structure_factors",
    "write_dump",
    "write_matrix",
    "write_reflections",
    "write_stream",
]
