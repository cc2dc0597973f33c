"""Rates, ratios within a repetition, and their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

# Beyond this a limit has moved so much within the benchmark that a missed goal says nothing.
STEADY = 1.5


@dataclass(frozen=True, slots=True)
class Run:
    """One timed run. CPU is in microseconds a row (or request): the server's, then that of our own processes."""

    units: int
    seconds: float
    server_cpu_us: float
    own_cpu_us: float

    @property
    def rate(self) -> float:
        return self.units / self.seconds


def spread(values: Sequence[float], *, digits: int = 2) -> str:
    """`median (min to max)`."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def rates(runs: Sequence[Run]) -> str:
    values = [run.rate for run in runs]
    return f"{median(values):,.0f} ({min(values):,.0f} to {max(values):,.0f})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As Markdown, so that it can go into docs/performance.md as it is."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def verdict(name: str, goal: float, ratios: Sequence[float], limits: Sequence[float]) -> str:
    """Whether the goal is met by the median; undecided when it is missed while the limit itself moved."""
    reached = median(ratios)
    said = f"{name}: {spread(ratios)}, goal at least {goal:.2f}"
    if reached >= goal:
        return f"{said}: met"
    moved = max(limits) / min(limits)
    return f"{said}: undecided, the limit moved {moved:.2f} times" if moved >= STEADY else f"{said}: MISSED"


def at_most(name: str, goal: float, reached: float, unit: str, *, unless: str = "") -> str:
    """Whether a figure keeps below its limit; `unless` says why a missed goal decides nothing, if it does not."""
    said = f"{name}: {reached:,.1f} {unit}, goal at most {goal:,.0f}"
    if reached <= goal:
        return f"{said}: met"
    return f"{said}: undecided, {unless}" if unless else f"{said}: MISSED"
