"""How long the Python package takes, beside the program: ``python benches/python.py target/release/widebragg [ROUNDS]``.

Everything runs on one thread, and times are those of the processor, so that other work of a machine counts little. A
render of the program is a run less a run with a region of one pixel, which sets up and writes the same. Renders are
paired, program and package in each round. Printed are medians and the fastest rounds.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

IMPORT = "import numpy, time; begun = time.process_time(); import widebragg; print(time.process_time() - begun)"
CRYSTAL = (
    "-cell 70 80 90 85 95 100 -misset 10 20 30 -N 20 -default_F 100 -lambda 1 -distance 100 -pixel 0.1 "
    "-fluence 1e29 -oversample 1 "
)
CASES = {
    "1024 x 1024, 10 steps of phi": CRYSTAL + "-detpixels 1024 -osc 1 -phisteps 10",
    "1024 x 1024, still": CRYSTAL + "-detpixels 1024",
}
SMALL = CRYSTAL + "-detpixels 64"


def described(seconds: list[float], unit: float) -> str:
    """The median, and the least."""
    return f"{statistics.median(seconds) / unit:.2f}, fastest {min(seconds) / unit:.2f}"


def children_seconds() -> float:
    """What the processor has done for programs that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def program_seconds(program: str, options: str) -> float:
    """What a render of the program takes."""
    command = [program, *options.split(), "-floatfile", "f.bin", "-nonoise", "--no-expt", "--threads", "1", "--quiet"]
    seconds = []
    with tempfile.TemporaryDirectory() as folder:
        for region in (["-roi", "0", "0", "0", "0"], []):
            before = children_seconds()
            subprocess.run([*command, *region], cwd=folder, capture_output=True, check=True)
            seconds.append(children_seconds() - before)
    return seconds[1] - seconds[0]


def main(program: str, rounds: int) -> None:
    """Prints a line for each measurement."""
    imports = [float(subprocess.check_output([sys.executable, "-c", IMPORT])) for _ in range(rounds)]
    print(f"import widebragg, after numpy: {described(imports, 1e-3)} ms")

    import widebragg as wb

    warnings.simplefilter("ignore", wb.WidebraggWarning)

    def render_seconds(experiment: wb.Experiment) -> float:
        begun = time.process_time()
        experiment.render(threads=1)
        return time.process_time() - begun

    small = wb.Experiment(SMALL)
    calls = [render_seconds(small) for _ in range(100 * rounds)]
    print(f"64 x 64 render: {described(calls, 1e-6)} us")

    for name, options in CASES.items():
        experiment = wb.Experiment(options)
        pairs = [(program_seconds(program, options), render_seconds(experiment)) for _ in range(rounds)]
        theirs, ours = ([pair[at] for pair in pairs] for at in (0, 1))
        ratio = statistics.median(our / their for their, our in pairs)
        print(
            f"{name}: program {described(theirs, 1e-3)} ms, Python {described(ours, 1e-3)} ms, "
            f"Python/program in pairs {ratio:.3f}"
        )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20)
