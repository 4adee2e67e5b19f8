"""The picture that each example ends in."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def save(images: Mapping[str, np.ndarray], default: str, *, one_scale: bool = False) -> None:
    """Images side by side, dark where there is light, into the file that the command line names, or ``default``.

    Each has a scale of its own, or all have that of the first.
    """
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    path = Path(sys.argv[1] if len(sys.argv) > 1 else default)
    figure, axes = plt.subplots(1, len(images), figsize=(5 * len(images), 5), layout="constrained", squeeze=False)
    limits = None
    for axis, (title, image) in zip(axes[0], images.items()):
        # Half of the pixels are white, and a thousandth of them black, on a scale of square roots.
        if limits is None or not one_scale:
            limits = np.quantile(image, [0.5, 0.999])
        low, high = limits
        shade = np.sqrt(np.clip((image - low) / max(high - low, 1e-30), 0, 1))
        axis.imshow(shade, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        axis.set_title(title)
        axis.set_xlabel("fast / pixel")
        axis.set_ylabel("slow / pixel")
    figure.savefig(path, dpi=100)
    print(f"wrote {path}")
