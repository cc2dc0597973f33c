"""M1: memory of all our processes under webhook load, shared pages counted once. M2: ingestion's memory stays flat."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

from django.conf import settings
from django.db import connection

from benchmarks.figures import at_most, table
from benchmarks.load import send_all
from benchmarks.notices import signed_requests
from benchmarks.signedchannel import SignedChannel
from benchmarks.sizes import Size
from benchmarks.stand import Stand
from benchmarks.wholestack import WholeStack, resident_mb

LIMIT_MB = 220
# What may be gained from a tenth of the work to all of it; a leak of a hundred bytes a row would be more.
GROWTH_MB = 8
CONNECTIONS = 32
# Signed just before they are sent, because a signature is only good for some minutes.
CHUNK = 10_000
LOOK_SECONDS = 0.25
BROKER = "broker"


class Watch:
    """Looks at the memory of the stack again and again while it is entered."""

    def __init__(self, stack: WholeStack) -> None:
        self.stack = stack
        self.looks: list[dict[str, float]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.looks.append(self.stack.memory_mb())

    def peak(self) -> dict[str, float]:
        """The look with the largest sum."""
        return max(self.looks, key=ours)

    def _look(self) -> None:
        while not self._done.wait(LOOK_SECONDS):
            self.looks.append(self.stack.memory_mb())


def ours(memory: dict[str, float]) -> float:
    return sum(megabytes for name, megabytes in memory.items() if name != BROKER)


def measure(stand: Stand, size: Size) -> None:
    channel = SignedChannel(stand, existing_payments=size.existing_payments)
    stand.fresh_database()
    _measure_processes(stand, size, channel.secret)
    SignedChannel(stand, existing_payments=0, staged_rows=size.memory_rows)
    stand.fresh_database()
    _measure_ingestion(size)


def _measure_processes(stand: Stand, size: Size, secret: str) -> None:
    chunk = min(CHUNK, size.memory_requests // 10)
    with WholeStack(stand) as stack:
        at_rest = stack.memory_mb()
        after_each = []
        with Watch(stack) as watch:
            for first in range(0, size.memory_requests, chunk):
                signed = signed_requests(chunk, secret=secret, port=settings.PORT, label=f"m{first}")
                outcome = send_all(signed.requests, port=settings.PORT, connections=CONNECTIONS)
                assert outcome.statuses[201] == signed.distinct, outcome.statuses
                after_each.append(stack.memory_mb())
    peak, end = watch.peak(), after_each[-1]
    print(f"\nMemory: {size.memory_requests:,} webhooks over {CONNECTIONS} connections, MB, shared pages counted once")
    rows = [[name, *(f"{memory.get(name, 0):.1f}" for memory in (at_rest, peak, end))] for name in at_rest]
    rows.append(["**ours together**", *(f"{ours(memory):.1f}" for memory in (at_rest, peak, end))])
    print(table(["process", "at rest", "peak under load", "at the end"], rows))
    print("The broker is an embedded server, as PostgreSQL and Valkey are, and not in the sum.\n")
    print(at_most("M1 all processes together, peak under webhook load", LIMIT_MB, ours(peak), "MB"))
    grown = ours(end) - ours(after_each[0])
    print(at_most(f"M2 growth from a tenth to all of {size.memory_requests:,} webhooks", GROWTH_MB, grown, "MB"))


def _measure_ingestion(size: Size) -> None:
    """The command that works a backlog off, in a process of its own; its memory when a tenth, half, all is done."""
    command = [sys.executable, "manage.py", "ingest_staging", "--until-empty", "--batch-size", "5000"]
    popen = subprocess.Popen(command, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, text=True)
    at_share: dict[float, float] = {}
    peak = 0.0
    while popen.poll() is None:
        done, now = _rows_done() / size.memory_rows, resident_mb(popen.pid)
        peak = max(peak, now)
        for share in (0.1, 0.5):
            if done >= share and now:
                at_share.setdefault(share, now)
        if now:
            at_share[1.0] = now
        time.sleep(0.05)
    said = popen.communicate()[0]
    assert popen.returncode == 0, said
    assert _rows_done() == size.memory_rows, (said, _rows_done())
    print(f"\nIngestion of {size.memory_rows:,} staged rows, resident MB, peak {peak:.1f}")
    print(
        table(["done", "MB"], [[f"{share:.0%}", f"{megabytes:.1f}"] for share, megabytes in sorted(at_share.items())])
    )
    print()
    grown = at_share[1.0] - at_share.get(0.1, at_share[1.0])
    print(at_most(f"M3 growth from a tenth to all of {size.memory_rows:,} rows", GROWTH_MB, grown, "MB") + "\n")


def _rows_done() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(sum(total_records), 0) from staging_process_log where status = 'completed'")
        return int(cursor.fetchone()[0])
