"""Structure factors of amorphous matter from an image of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["extracted"]

#: Entries of fewer pixels keep their F.
FEWEST_PIXELS = 101

#: Pixels that are farther from the median than this many median deviations do not count, and of the others those that
#: are farther from the mean than as many rms deviations.
CUTOFF = 6.0


def extracted(
    table: NDArray[np.float64], stol: NDArray[np.float64], F: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A table of sin(theta)/lambda and F, rising, with the mean F of the pixels that are nearest to each entry.

    ``table`` has the shape (n, 2); ``stol`` and ``F`` are those of pixels, and F that are not finite do not count.
    """
    if len(table) < 2 or not (np.diff(table[:, 0]) > 0).all():
        raise ValueError("Fbg_vs_stol: at least two entries in rising order are needed")
    counts = np.isfinite(F)
    nearest = np.searchsorted((table[1:, 0] + table[:-1, 0]) / 2, stol[counts])
    order = np.argsort(nearest, kind="stable")
    ends = np.searchsorted(nearest[order], np.arange(1, len(table)))
    found = table.copy()
    for entry, values in zip(found, np.split(F[counts][order], ends)):
        if len(values) >= FEWEST_PIXELS:
            kept = _mean_of_rest(values)
            if kept is not None:
                entry[1] = kept
    return found


def _mean_of_rest(values: NDArray[np.float64]) -> float | None:
    """The mean of what is left without outliers; None where that is too little."""
    for center_of, width_of in ((np.median, np.median), (np.mean, _rms)):
        while len(values) >= FEWEST_PIXELS:
            distances = np.abs(values - center_of(values))
            is_kept = distances <= CUTOFF * width_of(distances)
            if is_kept.all():
                break
            values = values[is_kept]
    return float(values.mean()) if len(values) >= FEWEST_PIXELS else None


def _rms(distances: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(distances**2)))
