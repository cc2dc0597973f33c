"""`python -m tests.simulators --port 0 --address-file F`: runs until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from tests.simulators.server import SimulatorServer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators", description=sys.modules[__name__].__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any that is free")
    parser.add_argument("--address-file", type=Path, required=True, help="gets the address and the keys, as JSON")
    parser.add_argument("--settle-seconds", type=float, default=5.0, help="until what was paid is booked")
    parser.add_argument(
        "--believes-earlier",
        action="store_true",
        help="refunds what it never saw paid: card payments of invented invoices and of an earlier start",
    )
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = SimulatorServer(given.port, settle_seconds=given.settle_seconds, believes_earlier=given.believes_earlier)
    write_whole(given.address_file, json.dumps(server.access()))
    print(f"Listening on {server.url}", flush=True)
    try:
        server.serve_forever(poll_interval=0.5)
    except KeyboardInterrupt:
        given.address_file.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """A reader sees the whole text or none of it, and nobody else may read the keys."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(text + "\n")
    draft.replace(path)


main()
