"""`python -m benchmarks <name>|all [--quick]`: on servers of its own, with fsync on, in a temporary folder."""

from __future__ import annotations

import argparse
import importlib
import sys

from benchmarks.sizes import SIZES
from benchmarks.stand import Stand

NAMES = (
    "staging",
    "webhook",
    "steadyrate",
    "coldstart",
    "memory",
    "growth",
    "bulkcreate",
    "relay",
    "retention",
    "invoicing",
    "rendering",
    "pages",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("benchmark", choices=(*NAMES, "all"))
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_const", const="quick", dest="size", help="fewer rows, two repetitions")
    size.add_argument("--smoke", action="store_const", const="smoke", dest="size", help="seconds: does it still run?")
    parser.add_argument("--repetitions", type=int, help="how often each comparison is made (5)")
    parser.set_defaults(size="full")
    options = parser.parse_args()
    chosen = SIZES[options.size].with_repetitions(options.repetitions)
    # Lines are read while the benchmark runs, also through a pipe.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with Stand(is_small=options.size == "smoke") as stand:
        print(stand.description())
        for name in NAMES if options.benchmark == "all" else (options.benchmark,):
            # Only now: settings are read once, and they have to name the stand's servers.
            importlib.import_module(f"benchmarks.{name}").measure(stand, chosen)


if __name__ == "__main__":
    main()
