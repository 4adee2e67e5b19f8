"""What the tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

import widebragg as wb
from widebragg._core import run

# How long an example takes depends on what else the machine does.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

#: A small crystal close to a small detector: most pixels have light.
SMALL = (
    "-cell 70 80 90 85 95 100 -misset 10 20 30 -N 5 -default_F 100 -lambda 1 -distance 100 -pixel 0.5 "
    "-detpixels_x 30 -detpixels_y 20 -oversample 7 -fluence 1e24"
)


@pytest.fixture
def small() -> wb.Experiment:
    """The small crystal."""
    return wb.Experiment(SMALL)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The program in a folder of its own: options to the pixels of its float image."""
    monkeypatch.chdir(tmp_path)

    def render(options: str) -> np.ndarray:
        code, line = run([*options.split(), "-floatfile", "image.bin", "-nonoise", "--quiet", "--no-expt"])
        assert code == 0, line
        return np.fromfile("image.bin", dtype="<f4")

    return render
