"""Names that scripts use beside those of the class, and what they mean."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["MEANT", "meant"]

#: Names that scripts set although simtbx has no such property, and the properties that were meant.
MEANT = {
    "amorphous_sample_molecular_weight_Da": "amorphous_molecular_weight_Da",
    "amorphous_sample_density_gcm3": "amorphous_density_gcm3",
    "readout_noise": "readout_noise_adu",
    "detector_calibration_noice_pct": "detector_calibration_noise_pct",
    "psf_fwhm_mm": "detector_psf_fwhm_mm",
    "adc_offset": "adc_offset_adu",
    "mosaic_spread": "mosaic_spread_deg",
}


def meant(name: str, known: Iterable[str]) -> str | None:
    """The name among the known ones that an unknown one probably stands for."""
    if name in MEANT:
        return MEANT[name]
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return close[0] if close else None
