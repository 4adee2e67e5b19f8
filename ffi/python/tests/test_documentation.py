"""The examples of the documentation run, and the types fit."""

from __future__ import annotations

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import widebragg as wb

MODULES = {
    "widebragg": None, "experiment": None, "functions": None, "noise": None, "files": None, "torch": "torch",
    "jax": "jax", "simtbx": None,
    "simtbx.arrays": None, "simtbx.simulator": None, "simtbx.nanoBragg": None, "simtbx.nanoBragg.nanoBragg_beam": None,
    "simtbx.nanoBragg.nanoBragg_crystal": None, "simtbx.nanoBragg.sim_data": None,
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    if MODULES[name]:
        pytest.importorskip(MODULES[name], reason=f"{name} is not installed")
    module = importlib.import_module("widebragg" if name == "widebragg" else f"widebragg.{name}")
    failed, tried = doctest.testmod(module)
    assert failed == 0
    assert tried > 0 or name == "functions"


def test_the_readme_runs():
    readme = Path(__file__).parent.parent / "README.md"
    text = readme.read_text()
    blocks = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    assert blocks
    for block in blocks:
        exec(compile(block, str(readme), "exec"), {})


def test_types_fit():
    pytest.importorskip("mypy", reason="mypy is not installed")
    # The source, since mypy does not check what is installed.
    package = Path(__file__).parent.parent / "python" / "widebragg"
    command = [sys.executable, "-m", "mypy", "--strict", "--ignore-missing-imports", str(package)]
    checked = subprocess.run(command, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert wb.__version__ == version("widebragg")
    assert set(wb.__all__) <= set(dir(wb))


def test_the_program_runs_as_a_module():
    command = [sys.executable, "-m", "widebragg", "--version"]
    assert subprocess.run(command, capture_output=True, text=True).stdout.startswith("widebragg ")
    refused = subprocess.run([*command[:-1], "-cell", "1"], capture_output=True, text=True)
    assert refused.returncode == 2 and refused.stderr.startswith("widebragg: ")
