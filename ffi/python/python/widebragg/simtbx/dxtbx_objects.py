"""What the class hands out as objects of dxtbx, where that is installed.

All of them are in the frame of DIALS: x along the spindle, z towards the source.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from widebragg.simtbx.simulator import nanoBragg

__all__ = ["beam", "crystal", "detector", "experiment_list", "imageset", "write_cbf"]


def _made(module: str, factory: str, numbers: dict[str, Any]) -> Any:
    """The object of these numbers, or these where dxtbx is not installed."""
    try:
        return getattr(import_module(module), factory).from_dict(numbers)
    except ImportError:
        return numbers


def _needed(module: str, name: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{name}: dxtbx is needed, and cannot be imported ({error})") from None


def beam(simulator: nanoBragg) -> Any:
    """The beam."""
    place, dials = simulator._geometry.place, simulator._geometry.dials
    direction, e_vector = dials @ place["beam"], dials @ place["e_vector"]
    numbers = {
        "__id__": "monochromatic",
        "direction": (-direction).tolist(),
        "wavelength": simulator.wavelength_A,
        "divergence": 0.0,
        "sigma_divergence": 0.0,
        "polarization_normal": np.cross(e_vector, direction).tolist(),
        "polarization_fraction": simulator.polarization,
        "flux": simulator.flux,
        "transmission": 1.0,
    }
    return _made("dxtbx.model", "BeamFactory", numbers)


def detector(simulator: nanoBragg) -> Any:
    """The detector of one panel."""
    place, dials = simulator._geometry.place, simulator._geometry.dials
    thickness = simulator.detector_thick_mm
    panel = {
        "name": "Panel",
        "type": "",
        "identifier": "",
        "fast_axis": (dials @ place["fast"]).tolist(),
        "slow_axis": (dials @ place["slow"]).tolist(),
        "origin": list(simulator.dials_origin_mm),
        "image_size": list(simulator.detpixels_fastslow),
        "pixel_size": [simulator.pixel_size_mm] * 2,
        "raw_image_offset": [0, 0],
        "trusted_range": [-1e3, 1e10],
        "thickness": thickness,
        "material": "",
        "mu": 1.0 / simulator.detector_attenuation_length_mm if thickness > 0 else 0.0,
        "mask": [],
        "gain": simulator.quantum_gain,
        "pedestal": 0.0,
        "px_mm_strategy": {"type": "SimplePxMmStrategy"},
    }
    return _made("dxtbx.model", "DetectorFactory", {"panels": [panel]})


def crystal(simulator: nanoBragg) -> Any:
    """The crystal at phi = 0, in P 1."""
    a, b, c = (simulator._oriented() @ simulator._geometry.dials.T).tolist()
    numbers = {
        "__id__": "crystal",
        "real_space_a": a,
        "real_space_b": b,
        "real_space_c": c,
        "space_group_hall_symbol": " P 1",
    }
    return _made("dxtbx.model", "CrystalFactory", numbers)


class _Image:
    """The image, as image sets read it."""

    def __init__(self, pixels: Any, flex: Any) -> None:
        self.pixels = flex.double(np.ascontiguousarray(pixels))
        self.mask = flex.bool(flex.grid(self.pixels.focus()), True)

    def get_path(self, index: int) -> str:
        """A name, since writers ask for one."""
        return "widebragg"

    def get_raw_data(self) -> tuple[Any]:
        """The pixels of the only panel."""
        return (self.pixels,)

    def get_mask(self, goniometer: Any = None) -> tuple[Any]:
        """All pixels are good."""
        return (self.mask,)


def imageset(simulator: nanoBragg, scale: float = 1.0) -> Any:
    """The image times a factor as an image set with its beam and detector."""
    sets = _needed("dxtbx.imageset", "imageset")
    flex = _needed("scitbx.array_family.flex", "imageset")

    class Reader(sets.MemReader):  # type: ignore[misc, name-defined]
        """The image alone."""

        format_class = _Image

        def paths(self) -> list[str]:
            """A name, since writers ask for one."""
            return ["widebragg"]

    images = sets.ImageSet(sets.ImageSetData(Reader([_Image(simulator._pixels * scale, flex)]), None))
    images.set_beam(beam(simulator))
    images.set_detector(detector(simulator))
    return images


def experiment_list(simulator: nanoBragg, path: Any) -> Any:
    """Image, beam, detector and crystal as an experiment list, written to a file where one is named."""
    model = _needed("dxtbx.model", "as_explist")
    experiment = model.Experiment()
    experiment.beam, experiment.detector, experiment.crystal = beam(simulator), detector(simulator), crystal(simulator)
    experiment.imageset = imageset(simulator)
    experiments = model.ExperimentList()
    experiments.append(experiment)
    if path is not None:
        experiments.as_file(str(path))
    return experiments


def write_cbf(simulator: nanoBragg, path: Any, scale: float) -> None:
    """Writes a full CBF file of the image times a factor."""
    writers = _needed("dxtbx.format.cbf_writer", "to_cbf")
    writers.FullCBFWriter(imageset=imageset(simulator, scale)).write_cbf(str(path), index=0)
