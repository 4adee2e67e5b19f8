"""The examples run, and each leaves its picture."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
NEEDS = {"still_from_model": [], "sase_shot": [], "fit_cell_with_torch": ["torch"], "two_modes": []}


def test_all_examples_are_tested():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {*NEEDS, "picture"}


@pytest.mark.parametrize("name", NEEDS)
def test_an_example_runs(name, tmp_path):
    for module in ["matplotlib", *NEEDS[name]]:
        pytest.importorskip(module, reason=f"{module} is not installed")
    picture = tmp_path / "picture.png"
    command = [sys.executable, EXAMPLES / f"{name}.py", picture]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert picture.read_bytes().startswith(b"\x89PNG"), ran.stdout
