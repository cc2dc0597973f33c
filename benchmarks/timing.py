"""One timed run: seconds, processor time on both sides, and how much the server wrote to its log."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks import cpu
from benchmarks.figures import Run
from benchmarks.stand import Stand


@dataclass(frozen=True, slots=True)
class Timed:
    """A run and the bytes of write-ahead log that came about meanwhile."""

    run: Run
    wal_bytes: int

    @property
    def wal_per_row(self) -> float:
        return self.wal_bytes / self.run.units


def timed(stand: Stand, work: Callable[[], object], *, units: int) -> Timed:
    """Times the work in this process, on the database as it is; `units` are the rows that it does."""
    server = stand.postgres_child.pid
    with stand.connect() as session:

        def written() -> int:
            row = session.execute("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint").fetchone()
            assert row is not None
            return int(row[0])

        wal, server_cpu, own_cpu = written(), cpu.seconds_of_tree(server), cpu.seconds_of_this_process()
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        run = Run(
            units,
            seconds,
            server_cpu_us=(cpu.seconds_of_tree(server) - server_cpu) / units * 1e6,
            own_cpu_us=(cpu.seconds_of_this_process() - own_cpu) / units * 1e6,
        )
        return Timed(run, written() - wal)
