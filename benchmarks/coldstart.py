"""C1: the first seconds of a web process, under the full rate from the moment on at which its port listens."""

from __future__ import annotations

from django.conf import settings

from benchmarks.figures import at_most, table
from benchmarks.notices import signed_requests
from benchmarks.openloop import Sent, begin_sending
from benchmarks.signedchannel import SignedChannel
from benchmarks.sizes import Size
from benchmarks.stagedrows import counted
from benchmarks.stand import Stand
from benchmarks.webserver import WebServer

P99_MS = 100.0
SECONDS = 10
CONNECTIONS = 64
# The first second is where anything cold would show.
SHOWN_SECONDS = (1, 2, 5, 10)


def measure(stand: Stand, size: Size) -> None:
    channel = SignedChannel(stand, existing_payments=size.existing_payments)
    runs = [first_seconds(stand, size, channel, label=f"c{run}") for run in range(size.repetitions)]
    seconds = min(SECONDS, size.seconds)
    print(f"\nCold start: {size.rate:,} requests/s from the first moment on, on {size.existing_payments:,} payments")
    rows = []
    for shown in (shown for shown in SHOWN_SECONDS if shown <= seconds):
        found = [_percentiles(sent, shown * size.rate) for sent in runs]
        rows.append([f"first {shown} s", *(" / ".join(f"{run[place]:.1f}" for run in found) for place in range(3))])
    print(table(["", "p50 ms of each start", "p99 ms", "slowest ms"], rows))
    waited = ", ".join(f"{sent.waited_seconds:.1f}" for sent in runs)
    print(f"Seconds from the start of the process until its port listened: {waited}\n")
    worst = sorted(_percentiles(sent, seconds * size.rate)[1] for sent in runs)[len(runs) // 2]
    print(at_most(f"C1 p99 of the first {seconds} s", P99_MS, worst, "ms") + "\n")


def first_seconds(stand: Stand, size: Size, channel: SignedChannel, *, label: str) -> Sent:
    """The generator waits for the port before the process is started, so that no moment is missed."""
    stand.fresh_database()
    count = size.rate * min(SECONDS, size.seconds)
    signed = signed_requests(count, secret=channel.secret, port=settings.PORT, label=label)
    server = WebServer(settings.STATE)
    sending = begin_sending(
        signed.requests, port=settings.PORT, rate=size.rate, connections=CONNECTIONS, folder=stand.folder
    )
    # Not asked whether it lives, as a start does: that would be the first request, and warm what should be found cold.
    child = server.program.spawn()
    try:
        sent = sending.result()
    finally:
        child.ask_to_stop()
        child.wait_until_stopped(seconds=10)
    assert sent.statuses == {201: signed.distinct, 200: count - signed.distinct}, sent.statuses
    expected = tuple(number + signed.distinct for number in channel.before)
    assert counted() == expected, (counted(), expected)
    return sent


def _percentiles(sent: Sent, first: int) -> tuple[float, float, float]:
    ordered = sorted(sent.latencies_ms[:first])
    p50, p99 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in (0.5, 0.99))
    return p50, p99, ordered[-1]
