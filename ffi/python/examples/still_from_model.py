"""A still of a crystal from the coordinates in it, as a detector counts its photons.

    python still_from_model.py [PICTURE [MODEL]]

MODEL is an entry of the Protein Data Bank, as a PDB or mmCIF file; without it the model is a small one of the tests.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import picture

import widebragg as wb

SMALL = Path(__file__).parents[3] / "tests/golden/coordinates/p212121_aniso.pdb"
MODEL = sys.argv[2] if len(sys.argv) > 2 else SMALL

# That the solvent of the model is assumed is told, and that more subpixels would resolve the spots: both are well here.
warnings.simplefilter("ignore", wb.WidebraggWarning)
still = wb.Experiment(
    hkl=MODEL, misset_deg=(20, 50, 70), N=60, mosaic_spread_deg=0.2, mosaic_domains=50,
    wavelength_A=1.0, fluence=2e26, oversample=3,
    distance_mm=120, pixel_mm=0.172, detector_pixels=(600, 600), beam_center_mm=(20, 20),
)
photons = still.render()
counts = still.detect(photons, seed=1)
print(f"cell {still.cell}; one pixel of a thousand has more than {np.quantile(counts, 0.999):.0f} photons")
picture.save({"expected photons": photons, "counts": counts}, "still.png")
