"""What the class hands out as objects of dxtbx, where that is installed, and as files.

All of them are in the frame of DIALS: x along the spindle, z towards the source.
"""

from __future__ import annotations

import json
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from widebragg.experiment import Experiment

if TYPE_CHECKING:
    from widebragg.simtbx.simulator import nanoBragg

__all__ = ["beam", "conventional", "crystal", "detector", "experiment_list", "imageset", "write_cbf", "write_nxmx"]


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


def _beam(simulator: nanoBragg) -> dict[str, Any]:
    place, dials = simulator._geometry.place, simulator._geometry.dials
    direction, e_vector = dials @ place["beam"], dials @ place["e_vector"]
    return {
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


def beam(simulator: nanoBragg) -> Any:
    """The beam."""
    return _made("dxtbx.model", "BeamFactory", _beam(simulator))


def _detector(simulator: nanoBragg) -> dict[str, Any]:
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
    return {"panels": [panel]}


def detector(simulator: nanoBragg) -> Any:
    """The detector of one panel."""
    return _made("dxtbx.model", "DetectorFactory", _detector(simulator))


def _crystal(simulator: nanoBragg) -> dict[str, Any]:
    a, b, c = (simulator._oriented() @ simulator._geometry.dials.T).tolist()
    return {
        "__id__": "crystal",
        "real_space_a": a,
        "real_space_b": b,
        "real_space_c": c,
        "space_group_hall_symbol": " P 1",
    }


def crystal(simulator: nanoBragg) -> Any:
    """The crystal at phi = 0, in P 1."""
    return _made("dxtbx.model", "CrystalFactory", _crystal(simulator))


def conventional(primitive: Any, space_group: str) -> Any:
    """A crystal of dxtbx in the setting of a centred group, from its primitive one."""
    if not hasattr(primitive, "change_basis"):
        raise TypeError(f"set_mosaic_blocks_sym: {space_group} is centred, which needs a crystal of dxtbx")
    symmetry = _needed("cctbx.sgtbx", "set_mosaic_blocks_sym").space_group_info(space_group)
    return primitive.change_basis(symmetry.change_of_basis_op_to_primitive_setting().inverse())


class _Image:
    """The image, as image sets read it."""

    def __init__(self, pixels: NDArray[Any], flex: Any) -> None:
        held = flex.int if np.issubdtype(pixels.dtype, np.integer) else flex.double
        self.pixels = held(np.ascontiguousarray(pixels))
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


def _pixels(simulator: nanoBragg, scale: float, as_integers: bool) -> NDArray[Any]:
    """The image times a factor, 0: :meth:`nanoBragg.get_intfile_scale`; cut off after the point for integers."""
    scaled = simulator._pixels * (scale if scale > 0 else simulator.get_intfile_scale())
    return scaled.astype(np.int32) if as_integers else scaled


def imageset(simulator: nanoBragg, scale: float = 1.0, as_integers: bool = False) -> Any:
    """The image times a factor as an image set with its beam and detector."""
    sets = _needed("dxtbx.imageset", "imageset")
    flex = _needed("scitbx.array_family.flex", "imageset")

    class Reader(sets.MemReader):  # type: ignore[misc, name-defined]
        """The image alone."""

        format_class = _Image

        def paths(self) -> list[str]:
            """A name, since writers ask for one."""
            return ["widebragg"]

    pixels = _pixels(simulator, scale, as_integers)
    images = sets.ImageSet(sets.ImageSetData(Reader([_Image(pixels, flex)]), None))
    images.set_beam(beam(simulator))
    images.set_detector(detector(simulator))
    return images


def experiment_list(simulator: nanoBragg, path: Any) -> Any:
    """Image, beam, detector and crystal as an experiment list, written to a file where one is named."""
    model = _needed("dxtbx.model", "as_explist")
    experiment = model.Experiment()
    experiment.beam, experiment.detector, experiment.crystal = beam(simulator), detector(simulator), crystal(simulator)
    experiment.imageset = simulator.imageset
    experiments = model.ExperimentList()
    experiments.append(experiment)
    if path is not None:
        experiments.as_file(str(path))
    return experiments


def write_cbf(simulator: nanoBragg, path: Any, scale: float, as_integers: bool) -> None:
    """Writes a full CBF file of the image times a factor."""
    writers = _needed("dxtbx.format.cbf_writer", "to_cbf")
    images = imageset(simulator, scale, as_integers)
    writer = writers.FullCBFWriter(imageset=images)
    # By itself the writer takes corrected pixels, which are never whole numbers.
    file = writer.get_cbf_handle(index=0, header_only=True)
    writer.add_data_to_cbf(file, data=images.get_raw_data(0))
    writer.write_cbf(str(path), cbf=file)


def write_nxmx(simulator: nanoBragg, path: Any, scale: float) -> None:
    """Writes an NXmx file of the image times a factor, by widebragg's own writer."""
    models = {
        "__id__": "ExperimentList",
        "experiment": [{"__id__": "Experiment", "beam": 0, "detector": 0, "crystal": 0}],
        "beam": [_beam(simulator)],
        "detector": [_detector(simulator)],
        "crystal": [_crystal(simulator)],
    }
    with tempfile.TemporaryDirectory() as folder:
        geometry = Path(folder) / "simtbx.expt"
        geometry.write_text(json.dumps(models))
        N, fluence = simulator.Ncells_abc, simulator.fluence
        experiment = Experiment(geometry=geometry, default_F=1, N=N, fluence=fluence)
    experiment.write_nxmx(path, [_pixels(simulator, scale, as_integers=False)])
