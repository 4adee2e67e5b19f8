"""A cell and an orientation, fitted to an image by torch.

    python fit_cell_with_torch.py [PICTURE]
"""

from __future__ import annotations

import picture
import torch

import widebragg as wb
import widebragg.torch

start = wb.Experiment(
    cell=(70, 80, 90, 90, 90, 90), misset_deg=(10, 20, 30), N=6, default_F=100, fluence=1e24,
    wavelength_A=1.0, distance_mm=100, pixel_mm=0.4, detector_pixels=(120, 120), oversample=7,
)
truth = start.replace(cell=(70.1, 80.1, 89.9, 90, 90, 90), misset_deg=(10.05, 19.95, 30.05))
data = torch.from_numpy(truth.render()).double()

names = ["a", "b", "c", "misset_x", "misset_y", "misset_z"]
values = {
    name: torch.tensor(parameter.value, dtype=torch.float64, requires_grad=True)
    for name, parameter in start.parameters(names).items()
}
optimiser = torch.optim.LBFGS(values.values(), max_iter=100, line_search_fn="strong_wolfe")


def closure() -> torch.Tensor:
    optimiser.zero_grad()
    difference = widebragg.torch.render(start, values) - data
    loss = difference.square().sum() / data.square().sum()
    loss.backward()
    return loss


first = closure().item()
optimiser.step(closure)
print(f"loss {first:.3g} -> {closure().item():.3g}")
for name, value in values.items():
    print(f"{name:9} {value.item():9.4f}")
fitted = widebragg.torch.render(start, values).detach()
images = {
    "data": data.numpy(),
    "start, away from the data": (torch.from_numpy(start.render()) - data).abs().numpy(),
    "fitted, away from the data": (fitted - data).abs().numpy(),
}
picture.save(images, "fit.png", one_scale=True)
assert abs(values["a"].item() - 70.1) < 1e-3
