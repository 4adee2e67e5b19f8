"""The program: ``python -m widebragg OPTIONS``, or ``widebragg OPTIONS``."""

import sys

from ._core import run


def main() -> None:
    """Runs the program with the arguments of the process, and exits as it does."""
    code, line = run(sys.argv[1:])
    if line is not None:
        print(f"widebragg: {line}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
