"""W1: the real endpoint (signature, limits, validation, de-duplication, outbox) beside pgbench with its statement."""

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
from benchmarks.webserver import WebServer
from kernel.audit.actors import Actor
from payments.operations.channels import create_channel

CONNECTIONS = 32


@dataclass(frozen=True, slots=True)
class Measured:
    run: Run
    p50_ms: float
    p95_ms: float
    p99_ms: float
    client_cpu_us: float | None = None


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

    def limit(self) -> Measured:
        self.stand.fresh_database()
        server = self._server_cpu()
        done = run_pgbench(self.pgbench, self.stand, transactions=self.size.requests)
        used = self._server_cpu() - server
        self._check(done.transactions)
        run = Run(
            done.transactions,
            done.transactions / done.rate,
            server_cpu_us=used / done.transactions * 1e6,
            own_cpu_us=0.0,
        )
        return Measured(run, done.p50_ms, done.p95_ms, done.p99_ms)

    def ours(self) -> Measured:
        self.stand.fresh_database()
        with WebServer(settings.STATE) as web:
            warm_up = self._send("warm", self.size.warm_up_requests)
            server, app, client = self._server_cpu(), cpu.seconds_of_tree(web.pid), cpu.seconds_of_this_process()
            outcome, distinct = self._send("run", self.size.requests)
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
        return Measured(run, p50, p95, p99, client / self.size.requests * 1e6)

    def _send(self, label: str, count: int) -> tuple[Outcome, int]:
        """Every answer is 201 for a new reference and 200 for a repeated one, and nothing else."""
        signed = signed_requests(count, secret=self.secret, port=settings.PORT, label=label)
        outcome = send_all(signed.requests, port=settings.PORT, connections=CONNECTIONS)
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


def _report(size: Size, limits: list[tuple[Measured, Measured]], ours: list[Measured]) -> None:
    means = [(first.run.rate + last.run.rate) / 2 for first, last in limits]
    both = [measured for pair in limits for measured in pair]
    ratios = [measured.run.rate / mean for measured, mean in zip(ours, means, strict=True)]
    header = [
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
    print(f"\nWebhook: {size.requests:,} requests over {CONNECTIONS} connections, n = {size.repetitions}")
    own_cpu = [
        spread([measured.run.own_cpu_us for measured in ours], digits=0),
        # Signing is in it, which a partner does on machines of their own.
        spread([measured.client_cpu_us or 0.0 for measured in ours], digits=0),
    ]
    rows = [
        _row(f"limit: pgbench, {CLIENTS} clients", both, "1", ["", ""]),
        _row("POST /api/v1/payments/webhook", ours, spread(ratios), own_cpu),
    ]
    print(table(header, rows))
    print()
    print(verdict("W1 webhook / pgbench", 0.30, ratios, means) + "\n")


def _row(name: str, runs: list[Measured], ratio: str, web_cpu: list[str]) -> list[str]:
    latencies = [
        spread([getattr(measured, percentile) for measured in runs], digits=1)
        for percentile in ("p50_ms", "p95_ms", "p99_ms")
    ]
    server_cpu = spread([measured.run.server_cpu_us for measured in runs], digits=0)
    return [name, rates([measured.run for measured in runs]), ratio, *latencies, server_cpu, *web_cpu]
