"""The simulated card gateway and prepaid mainframe, which `./run` starts to try things with, never in production."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paymentsite.stack.programs import OwnProgram

# Beside the tests, which use them too: there in a checkout, not where only the product was put.
ENTRY = Path("tests/simulators/__main__.py")


class SimulatorsProgram(OwnProgram):
    """`python -m tests.simulators`, which is up when it has written its address and keys."""

    def __init__(self, *, address_file: Path, **options: Any) -> None:
        # Not a copy of ours: with the standard library alone (-S) it takes 14 MB, as a copy 29.
        arguments = ["-S", "-m", "tests.simulators", "--address-file", str(address_file), "--believes-earlier"]
        super().__init__("simulators", arguments, role="command", **options)
        self.address_file = address_file

    def prepare(self) -> None:
        """The address of simulators that are gone would only send its readers astray."""
        self.address_file.unlink(missing_ok=True)

    def answers(self) -> bool:
        return simulators_url(self.address_file) is not None


def simulators_url(address_file: Path) -> str | None:
    """Where the running simulators are; None when none run."""
    try:
        return str(json.loads(address_file.read_text())["url"])
    except (FileNotFoundError, ValueError, KeyError):
        return None
