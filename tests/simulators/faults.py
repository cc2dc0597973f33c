"""Faults on demand: what goes wrong at which system, and how many times."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

# Each fault, and whether it meets questions too or only what writes (a debit, a refund, a decision on the page).
FAULTS = {
    "accept_then_time_out": "done, and never answered",
    "accept_then_reset": "done, and the connection is reset",
    "accept_then_fail": "done, and answered 500",
    "garbage": "done, and answered with something that is no JSON",
    "wrong_hash": "done, and answered or redirected with a wrong hash",
    "duplicate_call": "done twice, with the same key; the page calls the return address itself before it redirects",
    "declined": "refused; with `code`, by this fault code",
    "down": "503 with the header that says that nothing was done",
    "fail": "not done, and answered 500",
    "reset": "not done, and the connection is reset",
    "slow": "done, after `seconds` (2)",
}
WRITES_ONLY = {"accept_then_time_out", "accept_then_reset", "accept_then_fail", "duplicate_call", "declined"}
SYSTEMS = ("card", "prepaid")


@dataclass
class Fault:
    system: str
    fault: str
    # None: until the faults are taken back.
    times: int | None
    code: str
    seconds: float


class Faults:
    """The faults that were asked for, in order; each call of a system uses up one at the most."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: list[Fault] = []

    def add(self, asked: dict[str, Any]) -> None:
        """Raises ValueError for what is no fault."""
        fault = Fault(
            system=asked.get("system", ""),
            fault=asked.get("fault", ""),
            times=asked.get("times", 1),
            code=str(asked.get("code", "61")),
            seconds=float(asked.get("seconds", 2)),
        )
        if fault.system not in SYSTEMS or fault.fault not in FAULTS:
            raise ValueError(f"system is one of {SYSTEMS}, fault one of {sorted(FAULTS)}")
        with self._lock:
            self._asked.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._asked.clear()

    def shown(self) -> list[dict[str, Any]]:
        with self._lock:
            return [vars(fault) for fault in self._asked]

    def next_for(self, system: str, *, writes: bool) -> Fault | None:
        with self._lock:
            for fault in self._asked:
                if fault.system == system and (writes or fault.fault not in WRITES_ONLY):
                    if fault.times is not None:
                        fault.times -= 1
                        if fault.times <= 0:
                            self._asked.remove(fault)
                    return fault
        return None
