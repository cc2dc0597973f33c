"""Processor time from the process table: steadier than the clock on a machine that others use too."""

from __future__ import annotations

import os
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def seconds_of_tree(pid: int) -> float:
    """What this process, its living children and its buried ones have used so far."""
    times = _stat(pid)
    if times is None:
        return 0.0
    own_and_buried = sum(times[11:15])
    children = (int(child) for child in _children(pid))
    return own_and_buried / TICKS_PER_SECOND + sum(seconds_of_tree(child) for child in children)


def seconds_of_this_process() -> float:
    return sum(os.times()[:2])


def _children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []


def _stat(pid: int) -> list[int] | None:
    """The numbers of /proc/<pid>/stat behind the state letter: utime, stime, cutime, cstime are those from the 11th."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The program's name stands in brackets and may hold anything.
    return [0, *map(int, text.rpartition(")")[2].split()[1:])]
