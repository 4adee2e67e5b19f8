"""A rotation as the physics has it (spec), and as nanoBragg has it (c-parity), which forgets to rotate at phi = 0.

    python two_modes.py [PICTURE]
"""

from __future__ import annotations

import numpy as np
import picture

import widebragg as wb

spec = wb.Experiment(
    cell=(70, 80, 90, 90, 90, 90), misset_deg=(10, 20, 30), N=20, default_F=100, fluence=1e24,
    wavelength_A=1.0, distance_mm=100, pixel_mm=0.2, detector_pixels=(150, 150), oversample=11,
    phi_deg=0, osc_deg=1, phi_steps=10,
)
parity = spec.replace(mode="c-parity")
images = {"spec": spec.render(), "c-parity": parity.render()}
found = wb.compare(images["c-parity"], images["spec"])
print(f"correlation {found['correlation']:.3f}, sums {found['sum_ratio']:.3f}")
images["difference"] = np.abs(images["c-parity"] - images["spec"])
picture.save(images, "modes.png")
