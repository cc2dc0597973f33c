"""S4: our ingestion on few and on many existing payments: how much it loses as the tables grow."""

from __future__ import annotations

from datetime import UTC, datetime

from benchmarks.existing import GATE, HISTORY, PREVIOUS, put, twelve_months
from benchmarks.figures import rates, spread, table, verdict
from benchmarks.sizes import Size
from benchmarks.stagedrows import count, counted, duplicates_in, fill
from benchmarks.stand import Stand
from benchmarks.timing import Timed, timed
from payments.ingestion import Pace, ingest

BATCH = 5000
FEW, MANY = "bench_few", "bench_many"


class GrowthBenchmark:
    def __init__(self, stand: Stand, size: Size) -> None:
        self.stand = stand
        self.size = size
        self.distinct = size.staged_rows - duplicates_in(size.staged_rows)
        self.before: dict[str, tuple[int, ...]] = {}

    def prepare(self, template: str, existing: int) -> None:
        def fill_all() -> None:
            put(*twelve_months(existing, at=datetime.now(UTC)))
            fill(existing_payments=0, staged_rows=self.size.staged_rows)
            self.before[template] = counted()
            assert count("payments") == count("outbox_event") == existing
            assert sum(count(table) for table in (GATE, PREVIOUS, HISTORY)) == existing

        self.stand.make_template(fill_all, template=template)

    def ours(self, template: str) -> Timed:
        self.stand.fresh_database(template=template)
        totals = []
        done = timed(self.stand, lambda: totals.append(ingest(Pace(batch_size=BATCH))), units=self.size.staged_rows)
        (total,) = totals
        repeated = self.size.staged_rows - self.distinct
        found = (total.rows, total.recorded, total.duplicates, total.conflicts, total.rejected)
        assert found == (self.size.staged_rows, self.distinct, repeated, 0, 0), total
        expected = tuple(number + self.distinct for number in self.before[template])
        assert counted() == expected, (counted(), expected)
        return done


def measure(stand: Stand, size: Size) -> None:
    benchmark = GrowthBenchmark(stand, size)
    benchmark.prepare(FEW, size.existing_payments)
    benchmark.prepare(MANY, size.many_payments)
    few: list[tuple[Timed, Timed]] = []
    many: list[Timed] = []
    try:
        for repetition in range(size.repetitions):
            first = benchmark.ours(FEW)
            many.append(benchmark.ours(MANY))
            few.append((first, benchmark.ours(FEW)))
            print(
                f"growth, repetition {repetition + 1} of {size.repetitions}: {first.run.rate:,.0f} rows/s on few, "
                f"{many[-1].run.rate:,.0f} on many"
            )
    finally:
        stand.disconnect()
        stand.drop_template(FEW)
        stand.drop_template(MANY)
    _report(size, few, many)


def _report(size: Size, few: list[tuple[Timed, Timed]], many: list[Timed]) -> None:
    means = [(first.run.rate + last.run.rate) / 2 for first, last in few]
    ratios = [done.run.rate / mean for done, mean in zip(many, means, strict=True)]
    both = [done for pair in few for done in pair]
    print(f"\nGrowth: {size.staged_rows:,} staged rows, batch of {BATCH:,}, one worker, n = {size.repetitions}")
    print(
        table(
            ["existing payments", "rows/s", "/ few", "server CPU us/row", "WAL bytes/row"],
            [
                _row(f"{size.existing_payments:,}", both, "1"),
                _row(f"{size.many_payments:,}", many, spread(ratios)),
            ],
        )
    )
    print()
    print(verdict(f"S4 on {size.many_payments:,} / on {size.existing_payments:,}", 0.6, ratios, means) + "\n")


def _row(name: str, done: list[Timed], ratio: str) -> list[str]:
    server_cpu = spread([each.run.server_cpu_us for each in done], digits=1)
    return [
        name,
        rates([each.run for each in done]),
        ratio,
        server_cpu,
        spread([e.wal_per_row for e in done], digits=0),
    ]
