"""W2: webhooks at a steady rate, beside pgbench's statement at the same rate on the same database."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from benchmarks.figures import at_most, table
from benchmarks.notices import signed_requests
from benchmarks.openloop import Sent, send_at_rate
from benchmarks.pgbench import PgbenchRun, pgbench_program, run_pgbench
from benchmarks.signedchannel import SignedChannel
from benchmarks.sizes import Size
from benchmarks.stagedrows import counted
from benchmarks.stand import Stand
from benchmarks.webserver import WebServer

P95_MS, P99_MS = 15.0, 25.0
CONNECTIONS = 64


def measure(stand: Stand, size: Size) -> None:
    program = pgbench_program(stand)
    channel = SignedChannel(stand, existing_payments=size.existing_payments)
    first = limit(stand, size, program)
    ours, recorded = steady(stand, size, channel)
    last = limit(stand, size, program)
    expected = tuple(number + recorded for number in channel.before)
    print(f"\nSteady rate: {size.rate:,} requests/s for {size.seconds} s, open loop over {CONNECTIONS} connections")
    rows = [_row("limit: pgbench at this rate", done) for done in (first, last) if done is not None]
    rows.insert(len(rows) // 2, _row("POST /api/v1/payments/webhook", ours))
    print(table(["", "answered/s", "p50 ms", "p95 ms", "p99 ms", "slowest ms"], rows))
    print(f"The generator was at most {ours.late_ms:.1f} ms late itself (p99). Every answer 201 or 200: {expected}.\n")
    limits = [done for done in (first, last) if done is not None]
    for name, goal, reached, of_limit in (
        ("W2 p95 at a steady rate", P95_MS, ours.percentile(0.95), [done.p95_ms for done in limits]),
        ("W2 p99 at a steady rate", P99_MS, ours.percentile(0.99), [done.p99_ms for done in limits]),
    ):
        missed = max(of_limit, default=0.0)
        print(at_most(name, goal, reached, "ms", unless=f"pgbench needed {missed:.1f} ms" if missed > goal else ""))
    print()


def steady(stand: Stand, size: Size, channel: SignedChannel) -> tuple[Sent, int]:
    """The answers, and how many payments they recorded, warm-up included. Every count is checked."""
    stand.fresh_database()
    with WebServer(settings.STATE):
        recorded = 0
        for label, count in (("warm", size.rate), ("run", size.rate * size.seconds)):
            signed = signed_requests(count, secret=channel.secret, port=settings.PORT, label=label)
            sent = send_at_rate(
                signed.requests, port=settings.PORT, rate=size.rate, connections=CONNECTIONS, folder=stand.folder
            )
            assert sent.statuses == {201: signed.distinct, 200: count - signed.distinct}, sent.statuses
            recorded += signed.distinct
    expected = tuple(number + recorded for number in channel.before)
    assert counted() == expected, (counted(), expected)
    return sent, recorded


def limit(stand: Stand, size: Size, program: Path | None) -> PgbenchRun | None:
    if program is None:
        print("steadyrate: no pgbench on this machine, so there is no limit to compare with.")
        return None
    stand.fresh_database()
    return run_pgbench(program, stand, transactions=size.rate * size.seconds, rate=size.rate)


def _row(name: str, done: Sent | PgbenchRun) -> list[str]:
    if isinstance(done, PgbenchRun):
        figures = [done.rate, done.p50_ms, done.p95_ms, done.p99_ms, done.slowest_ms]
    else:
        rate = len(done.latencies_ms) / done.seconds
        figures = [rate, *(done.percentile(share) for share in (0.5, 0.95, 0.99, 1.0))]
    return [name, f"{figures[0]:,.0f}", *(f"{figure:.1f}" for figure in figures[1:])]
