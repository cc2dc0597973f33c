"""Staging beside a plain insert into the same tables: S1 (one worker), S2 (size of a batch), S3 (two workers)."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from django.db import connection

from benchmarks import cpu
from benchmarks.figures import Run, rates, spread, table, verdict
from benchmarks.sizes import Size
from benchmarks.stagedrows import count, counted, duplicates_in, fill
from benchmarks.stand import Stand
from payments.ingestion import Pace, ingest
from payments.recorder import staging_table

BATCH_SIZES = (1000, 5000, 10_000, 50_000)
CHOSEN = 5000

# The limit "raw-3": what PostgreSQL needs for the same rows in the same tables when nothing has to be decided. Ids are
# made before the clock runs; nothing is checked, de-duplicated or marked, and all is one transaction.
PREPARE_RAW = """
create table raw_source as
select distinct on (reference_number)
    gen_random_uuid() as payment_id, gen_random_uuid() as event_id, id as row_id, reference_number,
    loan_account_number, cif, amount, payment_date at time zone 'UTC' as payment_date, payment_channel, metadata
from {staging_table}
order by reference_number, id
"""
RAW = (
    """
    insert into payment_references (reference_number, payment_id, payment_date, created_at)
    select reference_number, payment_id, payment_date, now() from raw_source
    """,
    """
    insert into payments (
        id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel, source,
        metadata, source_batch_id, source_row_id, created_at
    )
    select payment_id, reference_number, loan_account_number, cif, amount, 'CAD', payment_date, payment_channel,
           'staging', metadata, '00000000-0000-7000-8000-000000000001', row_id, now()
    from raw_source
    """,
    """
    with announced as (
        insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)
        select event_id, 'payment.recorded', '/paymentsite/payments', payment_id::text, 'payment.events',
            loan_account_number,
            json_build_object('event_id', event_id, 'event_type', 'payment.recorded', 'timestamp', now(), 'payment',
                json_build_object(
                    'id', payment_id, 'reference_number', reference_number, 'loan_account_number', loan_account_number,
                    'cif', cif, 'amount', amount, 'payment_date', payment_date, 'payment_channel', payment_channel,
                    'source', 'staging', 'metadata', metadata
                )
            )::text,
            now()
        from raw_source
        returning position, key
    )
    insert into outbox_delivery (position, key) select position, key from announced
    """,
)


class StagingBenchmark:
    def __init__(self, stand: Stand, size: Size) -> None:
        self.stand = stand
        self.size = size
        self.distinct = size.staged_rows - duplicates_in(size.staged_rows)

    def prepare(self) -> None:
        def fill_all() -> None:
            fill(existing_payments=self.size.existing_payments, staged_rows=self.size.staged_rows)
            with connection.cursor() as cursor:
                cursor.execute(PREPARE_RAW.format(staging_table=staging_table()))
                cursor.execute("analyze raw_source")
            self.before = counted()
            assert count("raw_source") == self.distinct

        self.stand.make_template(fill_all)

    def raw(self) -> Run:
        """The limit. Its rate is that of rows inserted."""
        with self.stand.connect() as session:

            def insert() -> None:
                with session.transaction():
                    for statement in RAW:
                        session.execute(statement)

            run = self._timed(insert, units=self.distinct, with_fresh=False)
        self._check()
        return run

    def ours(self, *, batch_size: int, workers: int = 1) -> Run:
        """Our ingestion. Its rate is that of staged rows that are done with, repetitions included."""
        totals = []
        run = self._timed(
            lambda: totals.append(ingest(Pace(batch_size=batch_size, workers=workers))), units=self.size.staged_rows
        )
        (total,) = totals
        assert (total.rows, total.recorded) == (self.size.staged_rows, self.distinct), total
        assert (total.duplicates, total.conflicts, total.rejected) == (self.size.staged_rows - self.distinct, 0, 0), (
            total
        )
        self._check()
        return run

    def fresh(self) -> None:
        self.stand.fresh_database()

    def _timed(self, work: Callable[[], object], *, units: int, with_fresh: bool = True) -> Run:
        if with_fresh:
            self.fresh()
        server = self.stand.postgres_child.pid
        server_before, own_before, started = (
            cpu.seconds_of_tree(server),
            cpu.seconds_of_this_process(),
            time.perf_counter(),
        )
        work()
        seconds = time.perf_counter() - started
        return Run(
            units,
            seconds,
            server_cpu_us=(cpu.seconds_of_tree(server) - server_before) / units * 1e6,
            own_cpu_us=(cpu.seconds_of_this_process() - own_before) / units * 1e6,
        )

    def _check(self) -> None:
        """Nothing lost, nothing doubled: payments = references = events, and each of them waits to be delivered."""
        expected = tuple(number + self.distinct for number in self.before)
        assert counted() == expected, (counted(), expected)


def measure(stand: Stand, size: Size) -> None:
    benchmark = StagingBenchmark(stand, size)
    benchmark.prepare()
    raw: list[tuple[Run, Run]] = []
    by_batch: dict[int, list[Run]] = {batch_size: [] for batch_size in BATCH_SIZES if batch_size <= size.staged_rows}
    chosen = CHOSEN if CHOSEN in by_batch else min(by_batch)
    two_workers: list[Run] = []
    for repetition in range(size.repetitions):
        benchmark.fresh()
        first = benchmark.raw()
        # Every second time in the opposite order, so that no size always has the same neighbour.
        for batch_size in sorted(by_batch, reverse=repetition % 2 == 1):
            by_batch[batch_size].append(benchmark.ours(batch_size=batch_size))
        two_workers.append(benchmark.ours(batch_size=chosen, workers=2))
        benchmark.fresh()
        raw.append((first, benchmark.raw()))
        print(f"staging, repetition {repetition + 1} of {size.repetitions}: limit {first.rate:,.0f} rows/s")
    _report(size, raw, by_batch, two_workers, chosen)


def _report(
    size: Size, raw: list[tuple[Run, Run]], by_batch: dict[int, list[Run]], two_workers: list[Run], chosen: int
) -> None:
    limits = [(first.rate + last.rate) / 2 for first, last in raw]
    both = [run for pair in raw for run in pair]

    def row(name: str, runs: list[Run]) -> list[str]:
        ratios = [run.rate / limit for run, limit in zip(runs, limits, strict=True)]
        return [name, rates(runs), spread(ratios), *_cpu(runs)]

    print(f"\nStaging: {size.staged_rows:,} rows on {size.existing_payments:,} payments, n = {size.repetitions}")
    print(
        table(
            ["", "rows/s", "/ limit", "server CPU us/row", "client CPU us/row"],
            [
                ["limit raw-3", rates(both), "1", *_cpu(both)],
                *(row(f"batch of {batch_size:,}", runs) for batch_size, runs in by_batch.items()),
                row(f"two workers, batch of {chosen:,}", two_workers),
            ],
        )
    )
    one = by_batch[chosen]
    print()
    print(verdict("S1 one worker / raw-3", 0.75, [a.rate / b for a, b in zip(one, limits, strict=True)], limits))
    smallest, largest = by_batch[min(by_batch)], by_batch[max(by_batch)]
    growth = [a.rate / b.rate for a, b in zip(largest, smallest, strict=True)]
    print(verdict(f"S2 batch of {max(by_batch):,} / {min(by_batch):,}", 0.9, growth, limits))
    together = [a.rate / b.rate for a, b in zip(two_workers, one, strict=True)]
    print(verdict("S3 two workers / one", 1.4, together, limits))
    work = median(run.server_cpu_us for run in one) / median(run.server_cpu_us for run in both)
    print(f"Server CPU a row, one worker / raw-3: {work:.2f}\n")


def _cpu(runs: list[Run]) -> tuple[str, str]:
    return spread([run.server_cpu_us for run in runs], digits=1), spread([run.own_cpu_us for run in runs], digits=1)
