"""The real endpoint (signature, limits, validation, de-duplication, outbox) beside pgbench with its statement.

W1 at 32 connections; W3 at 128, where requests that wait at the same moment share a statement and its commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings

from benchmarks import cpu
from benchmarks.figures import Run, rates, spread, table, verdict
from benchmarks.load import Outcome, send_all
from benchmarks.notices import signed_requests
from benchmarks.pgbench import CLIENTS, pgbench_program, run_pgbench
from benchmarks.sizes import Size
from benchmarks.stagedrows import counted, fill
from benchmarks.stand import Stand
from benchmarks.webserver import PRODUCT, WebServer
from kernel.audit.actors import Actor
from payments.operations.channels import create_channel

CONNECTIONS = 32
CROWD = 128
UNSHARED = "benchmarks.unsharedwsgi:application"
# A statement is a transaction here, and its rows bear its number. Those of the warm-up are among them.
NOTICES_PER_STATEMENT = """
select count(*)::float8 / greatest(count(distinct xmin::text), 1) from payments where source = 'webhook'
"""
HEADER = [
    "",
    "requests/s",
    "/ limit",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "PostgreSQL us/request",
    "web us/request",
    "client us/request",
]


@dataclass(frozen=True, slots=True)
class Measured:
    run: Run
    p50_ms: float
    p95_ms: float
    p99_ms: float
    client_cpu_us: float | None = None
    notices_per_statement: float = 1.0


class WebhookBenchmark:
    def __init__(self, stand: Stand, size: Size, pgbench: Path) -> None:
        self.stand = stand
        self.size = size
        self.pgbench = pgbench
        self.secret = ""

    def prepare(self) -> None:
        def fill_all() -> None:
            fill(existing_payments=self.size.existing_payments, staged_rows=0)
            issued = create_channel(
                slug="generic",
                name="Benchmark",
                rate_limit_per_minute=2_000_000_000,
                actor=Actor.command("benchmarks"),
                at=datetime.now(UTC),
            )
            self.secret = issued.secret
            self.before = counted()

        self.stand.make_template(fill_all)

    def limit(self, *, clients: int = CLIENTS) -> Measured:
        self.stand.fresh_database()
        server = self._server_cpu()
        done = run_pgbench(self.pgbench, self.stand, transactions=self.size.requests, clients=clients)
        used = self._server_cpu() - server
        self._check(done.transactions)
        run = Run(
            done.transactions,
            done.transactions / done.rate,
            server_cpu_us=used / done.transactions * 1e6,
            own_cpu_us=0.0,
        )
        return Measured(run, done.p50_ms, done.p95_ms, done.p99_ms)

    def ours(self, *, connections: int = CONNECTIONS, application: str = PRODUCT) -> Measured:
        self.stand.fresh_database()
        with WebServer(settings.STATE, application=application) as web:
            warm_up = self._send("warm", self.size.warm_up_requests, connections)
            server, app, client = self._server_cpu(), cpu.seconds_of_tree(web.pid), cpu.seconds_of_this_process()
            outcome, distinct = self._send("run", self.size.requests, connections)
            server, app = self._server_cpu() - server, cpu.seconds_of_tree(web.pid) - app
            client = cpu.seconds_of_this_process() - client
        self._check(warm_up[1] + distinct)
        run = Run(
            self.size.requests,
            outcome.seconds,
            server_cpu_us=server / self.size.requests * 1e6,
            own_cpu_us=app / self.size.requests * 1e6,
        )
        p50, p95, p99 = (outcome.percentile(share) for share in (0.5, 0.95, 0.99))
        return Measured(run, p50, p95, p99, client / self.size.requests * 1e6, self._notices_per_statement())

    def _notices_per_statement(self) -> float:
        with self.stand.connect() as session:
            row = session.execute(NOTICES_PER_STATEMENT).fetchone()
        assert row is not None
        return float(row[0])

    def _send(self, label: str, count: int, connections: int) -> tuple[Outcome, int]:
        """Every answer is 201 for a new reference and 200 for a repeated one, and nothing else."""
        signed = signed_requests(count, secret=self.secret, port=settings.PORT, label=label)
        outcome = send_all(signed.requests, port=settings.PORT, connections=connections)
        expected = {201: signed.distinct, 200: count - signed.distinct}
        assert dict(outcome.statuses) == {status: number for status, number in expected.items() if number}, (
            outcome.statuses
        )
        return outcome, signed.distinct

    def _check(self, recorded: int) -> None:
        expected = tuple(number + recorded for number in self.before)
        assert counted() == expected, (counted(), expected)

    def _server_cpu(self) -> float:
        return cpu.seconds_of_tree(self.stand.postgres_child.pid)


def measure(stand: Stand, size: Size) -> None:
    program = pgbench_program(stand)
    if program is None:
        print("webhook: no pgbench on this machine (it comes with PostgreSQL), so there is no limit to compare with.")
        return
    benchmark = WebhookBenchmark(stand, size, program)
    benchmark.prepare()
    limits: list[tuple[Measured, Measured]] = []
    ours: list[Measured] = []
    for repetition in range(size.repetitions):
        first = benchmark.limit()
        ours.append(benchmark.ours())
        limits.append((first, benchmark.limit()))
        print(
            f"webhook, repetition {repetition + 1} of {size.repetitions}: "
            f"{ours[-1].run.rate:,.0f} requests/s, limit {first.run.rate:,.0f}"
        )
    _report(size, limits, ours)
    _measure_crowd(benchmark, size)


def _measure_crowd(benchmark: WebhookBenchmark, size: Size) -> None:
    limits: list[tuple[Measured, Measured]] = []
    shared: list[Measured] = []
    alone: list[Measured] = []
    for repetition in range(size.repetitions):
        first = benchmark.limit(clients=CROWD)
        # Every second time in the opposite order, so that neither always has the same neighbour.
        for runs, application in [(shared, PRODUCT), (alone, UNSHARED)][:: -1 if repetition % 2 else 1]:
            runs.append(benchmark.ours(connections=CROWD, application=application))
        limits.append((first, benchmark.limit(clients=CROWD)))
        print(
            f"webhook in a crowd, repetition {repetition + 1} of {size.repetitions}: {shared[-1].run.rate:,.0f} "
            f"requests/s, not shared {alone[-1].run.rate:,.0f}, limit {first.run.rate:,.0f}"
        )
    _report_crowd(size, limits, shared, alone)


def _report(size: Size, limits: list[tuple[Measured, Measured]], ours: list[Measured]) -> None:
    means = [(first.run.rate + last.run.rate) / 2 for first, last in limits]
    both = [measured for pair in limits for measured in pair]
    ratios = [measured.run.rate / mean for measured, mean in zip(ours, means, strict=True)]
    print(f"\nWebhook: {size.requests:,} requests over {CONNECTIONS} connections, n = {size.repetitions}")
    rows = [
        _row(f"limit: pgbench, {CLIENTS} clients", both, "1", ["", ""]),
        _row("POST /api/v1/payments/webhook", ours, spread(ratios), _own_cpu(ours)),
    ]
    print(table(HEADER, rows))
    print()
    print(verdict("W1 webhook / pgbench", 0.30, ratios, means) + "\n")


def _report_crowd(
    size: Size, limits: list[tuple[Measured, Measured]], shared: list[Measured], alone: list[Measured]
) -> None:
    means = [(first.run.rate + last.run.rate) / 2 for first, last in limits]
    both = [measured for pair in limits for measured in pair]

    def row(name: str, runs: list[Measured]) -> list[str]:
        ratios = [measured.run.rate / mean for measured, mean in zip(runs, means, strict=True)]
        notices = spread([measured.notices_per_statement for measured in runs], digits=1)
        return [*_row(name, runs, spread(ratios), _own_cpu(runs)), notices]

    print(f"\nWebhook in a crowd: {size.requests:,} requests over {CROWD} connections, n = {size.repetitions}")
    rows = [
        [*_row(f"limit: pgbench, {CROWD} clients", both, "1", ["", ""]), "1"],
        row("statements shared, as the product runs", shared),
        row("a statement for each request", alone),
    ]
    print(table([*HEADER, "notices/statement"], rows))
    print()
    ratios = [measured.run.rate / mean for measured, mean in zip(shared, means, strict=True)]
    print(verdict(f"W3 webhook / pgbench, {CROWD} connections", 0.45, ratios, means))
    gain = [with_it.run.rate / without.run.rate for with_it, without in zip(shared, alone, strict=True)]
    print(f"Shared / not shared: {spread(gain)}\n")


def _own_cpu(runs: list[Measured]) -> list[str]:
    return [
        spread([measured.run.own_cpu_us for measured in runs], digits=0),
        # Signing is in it, which a partner does on machines of their own.
        spread([measured.client_cpu_us or 0.0 for measured in runs], digits=0),
    ]


def _row(name: str, runs: list[Measured], ratio: str, web_cpu: list[str]) -> list[str]:
    latencies = [
        spread([getattr(measured, percentile) for measured in runs], digits=1)
        for percentile in ("p50_ms", "p95_ms", "p99_ms")
    ]
    server_cpu = spread([measured.run.server_cpu_us for measured in runs], digits=0)
    return [name, rates([measured.run for measured in runs]), ratio, *latencies, server_cpu, *web_cpu]
