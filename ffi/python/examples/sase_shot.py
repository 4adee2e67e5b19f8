"""Shots of an X-ray laser: a spectrum of spikes, crystals in random orientations, the noise of a detector.

    python sase_shot.py [PICTURE]
"""

from __future__ import annotations

import warnings

import numpy as np
import picture

import widebragg as wb

# Spikes of random heights within a band of 0.3 % around 9.5 keV.
rng = np.random.default_rng(3)
energy_eV = 9500 + np.linspace(-30, 30, 40)
weights = np.exp(-(((energy_eV - 9500) / 12) ** 2)) * rng.exponential(size=40)
wavelength_A = 12398.419843320026 / energy_eV

warnings.simplefilter("ignore", wb.WidebraggWarning)  # More subpixels would resolve the spots.
shots = wb.Shots(
    "--shots 2 --shot-seed 11 --noise-model counter --gain 8 --readout 3 --spot-metric index",
    spectrum=(wavelength_A[::-1], weights[::-1]),
    cell=(79, 79, 38, 90, 90, 90), N=40, default_F=1000, shape="gauss", mosaic_spread_deg=0.3, mosaic_domains=20,
    fluence=2e24, oversample=2,
    distance_mm=110, pixel_mm=0.11, detector_pixels=(600, 600),
)
images = {}
for shot in shots:
    adu = shots.detect(shot)
    images[f"shot {shot.number}, ADU"] = adu
    print(f"shot {shot.number}: {shot.photons.sum():.4g} photons, {shot.truth['wavelength_A']:.5f} A")
picture.save(images, "sase.png")
