"""P1: a month leaves by its partition, references by a turn of their generations, beside DELETE and VACUUM of the same.

And what it costs to prune events and receipts, which go row by row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from django.conf import settings
from django.db import connection

from benchmarks.existing import GATE, HISTORY, PREVIOUS, Stretch, put
from benchmarks.figures import rates, spread, table, verdict
from benchmarks.sizes import Size
from benchmarks.stagedrows import count
from benchmarks.stand import Stand
from benchmarks.timing import Timed, timed
from kernel.audit.actors import Actor
from kernel.audit.sealing import seal_all
from kernel.pruning.operations import prune
from kernel.pruning.registry import Pruning, prunables
from kernel.transactions import unit_of_work
from payments.operations.archiving import carry_out, plans
from payments.operations.references import rotate_references
from payments.partitioning import PAYMENT_PARTITIONS, oldest_kept
from payments.recorder import SQL_FOLDER

ACTOR = Actor.command("benchmarks")
DETACHED = "payments_detached_by_benchmark"
# Nothing of ours: all references in one table, as they would lie without generations.
ALL_REFERENCES = "all_references"
MAKE_ALL_REFERENCES = f"""
create table {ALL_REFERENCES} (like payment_references including all);
insert into {ALL_REFERENCES}
select reference_number, payment_id, payment_date, created_at from {HISTORY} union all
select * from {PREVIOUS} union all select * from {GATE} order by 1;
"""
# Nor is this: the gate and the generation before it in one table, out of which rows are moved into the history.
ONE_GATE = "one_gate"
MAKE_ONE_GATE = f"""
create table {ONE_GATE} (like payment_references including all);
insert into {ONE_GATE} select * from {PREVIOUS} union all select * from {GATE} order by 1;
"""
MOVE = f"""
with gone as (
    delete from {ONE_GATE} where created_at < %s returning reference_number, payment_id, payment_date, created_at
),
content as (
    select gone.reference_number, payment.id as payment_id, payment.payment_date, gone.created_at,
        loan_account_number, cif, amount, currency
    from gone join payments payment on payment.id = gone.payment_id and payment.payment_date = gone.payment_date
)
insert into {HISTORY} (reference_number, payment_id, payment_date, created_at, content_digest)
select reference_number, payment_id, payment_date, created_at, {{content_digest}}
from content order by reference_number
"""
RECEIPTS = """
insert into webhook_receipt (
    id, channel_slug, receipt_key, body_digest, outcome, status_code, reference_number, payment_id, payment_date,
    source_address, received_at, duration_ms
)
select gen_random_uuid(), 'generic', 'msg_' || payment.id, md5(payment.id::text) || md5(payment.cif), 'recorded', 201,
    reference_number, payment.id, payment_date, '127.0.0.1', payment.created_at, 4.2
from {month} payment order by payment.created_at
"""


@dataclass(slots=True)
class Found:
    """The runs of each way, in the order of the repetitions; DELETE is run first and last."""

    deletes: list[tuple[Timed, Timed]] = field(default_factory=list)
    partitions: list[Timed] = field(default_factory=list)
    archives: list[Timed] = field(default_factory=list)
    reference_deletes: list[tuple[Timed, Timed]] = field(default_factory=list)
    moves: list[Timed] = field(default_factory=list)
    turns: list[Timed] = field(default_factory=list)
    events: list[Timed] = field(default_factory=list)
    receipts: list[Timed] = field(default_factory=list)


class RetentionBenchmark:
    def __init__(self, stand: Stand, size: Size) -> None:
        self.stand = stand
        self.rows = size.month_rows
        self.at = datetime.now(UTC)
        # The one that is due, and old enough for its events too.
        self.month = oldest_kept(self.at).plus(-2)
        self.table = PAYMENT_PARTITIONS.name_of(self.month)
        stand.make_template(self._fill)

    def _fill(self) -> None:
        kept, hour = timedelta(days=settings.REFERENCE_CACHE_TTL_DAYS), timedelta(hours=1)
        bounds = self.month.bounds()
        put(
            Stretch(self.rows, bounds.start_at, bounds.end_at - hour, HISTORY),
            # What a turn merges, and the gate behind it. A turn reads no events.
            Stretch(self.rows, self.at - 2 * kept, self.at - kept - hour, PREVIOUS, with_events=False),
            Stretch(self.rows, self.at - kept, self.at - 2 * hour, GATE, with_events=False),
        )
        seal_all(at=bounds.end_at)
        with connection.cursor() as cursor:
            cursor.execute(RECEIPTS.format(month=self.table))
            cursor.execute(MAKE_ALL_REFERENCES)
            cursor.execute(MAKE_ONE_GATE)
            cursor.execute("vacuum (analyze)")
        assert count(self.table) == count("outbox_event") == count("webhook_receipt") == self.rows
        assert (count(ALL_REFERENCES), count(ONE_GATE)) == (3 * self.rows, 2 * self.rows)

    def delete_month(self) -> Timed:
        """The limit is the other way round here: what the same costs without partitions."""
        bounds = self.month.bounds()

        def delete() -> None:
            with self.stand.connect() as session:
                # Our triggers would refuse; without them it is only faster.
                session.execute("set session_replication_role = replica")
                session.execute(
                    "delete from payments where payment_date >= %s and payment_date < %s",
                    [bounds.start_at, bounds.end_at],
                )
                session.execute(f"vacuum {self.table}".encode())

        done = self._timed(delete)
        assert count(self.table) == 0
        assert count("payments") == 2 * self.rows
        return done

    def detach_and_drop(self) -> Timed:
        @unit_of_work
        def detach() -> None:
            PAYMENT_PARTITIONS.detach(self.month, new_name=DETACHED)

        @unit_of_work
        def drop() -> None:
            PAYMENT_PARTITIONS.drop_detached(DETACHED)

        done = self._timed(lambda: (detach(), drop()))
        self._check_month_is_gone()
        return done

    def archive(self) -> Timed:
        """As `manage.py partitions` does it: looked through for holds, written, read back, compared, dropped."""

        def clock() -> datetime:
            return datetime.now(UTC)

        def carry_out_all() -> None:
            for plan in plans(month=self.month, clock=clock):
                archive = carry_out(plan, actor=ACTOR, reason="benchmark", clock=clock)
                archive.file_path.unlink()

        done = self._timed(carry_out_all)
        self._check_month_is_gone()
        return done

    def delete_references(self) -> Timed:
        def delete() -> None:
            with self.stand.connect() as session:
                session.execute(
                    f"delete from {ALL_REFERENCES} where created_at >= %s and created_at < %s".encode(),
                    [self.month.bounds().end_at, self.at - timedelta(days=settings.REFERENCE_CACHE_TTL_DAYS)],
                )
                session.execute(f"vacuum {ALL_REFERENCES}".encode())

        done = self._timed(delete)
        assert count(ALL_REFERENCES) == 2 * self.rows
        return done

    def move_references(self) -> Timed:
        """What a turn does, without generations: the same rows in the history in the end."""
        statement = MOVE.format(content_digest=(SQL_FOLDER / "content_digest.sql").read_text())

        def move() -> None:
            with self.stand.connect() as session:
                session.execute(statement.encode(), [self.at - timedelta(days=settings.REFERENCE_CACHE_TTL_DAYS)])
                session.execute(f"vacuum {ONE_GATE}".encode())

        done = self._timed(move)
        assert (count(ONE_GATE), count(HISTORY)) == (self.rows, 2 * self.rows)
        return done

    def turn(self) -> Timed:
        done = self._timed(lambda: rotate_references(at=self.at + timedelta(days=1)))
        found = tuple(count(name) for name in (GATE, PREVIOUS, HISTORY))
        assert found == (0, self.rows, 2 * self.rows), found
        return done

    def prune(self, name: str, name_of_table: str) -> Timed:
        (prunable,) = (prunable for prunable in prunables() if prunable.name == name)
        pruning = Pruning(uuid4(), ACTOR, self.at)
        done = self._timed(lambda: prune(prunable, pruning, pause_seconds=0))
        assert count(name_of_table) == 0, count(name_of_table)
        return done

    def _timed(self, work: Callable[[], object]) -> Timed:
        self.stand.fresh_database()
        return timed(self.stand, work, units=self.rows)

    def _check_month_is_gone(self) -> None:
        assert self.month not in PAYMENT_PARTITIONS.months()
        assert count("payments") == 2 * self.rows


def measure(stand: Stand, size: Size) -> None:
    benchmark = RetentionBenchmark(stand, size)
    found = Found()
    for repetition in range(size.repetitions):
        first, first_of_references = benchmark.delete_month(), benchmark.delete_references()
        found.partitions.append(benchmark.detach_and_drop())
        found.archives.append(benchmark.archive())
        found.moves.append(benchmark.move_references())
        found.turns.append(benchmark.turn())
        found.events.append(benchmark.prune("outbox-events", "outbox_event"))
        found.receipts.append(benchmark.prune("webhook-receipts", "webhook_receipt"))
        found.deletes.append((first, benchmark.delete_month()))
        found.reference_deletes.append((first_of_references, benchmark.delete_references()))
        print(
            f"retention, repetition {repetition + 1} of {size.repetitions}: partition "
            f"{found.partitions[-1].run.seconds * 1000:.1f} ms, delete {first.run.seconds * 1000:.1f} ms"
        )
    _report(size, found)


def _report(size: Size, found: Found) -> None:
    print(f"\nRetention: {size.month_rows:,} payments of one month, n = {size.repetitions}")
    print(
        table(
            ["", "ms", "times as fast as DELETE", "rows/s", "server CPU us/row", "WAL MB", "WAL bytes/row"],
            [
                _row("payments: DELETE + VACUUM", _both(found.deletes), "1"),
                _row("payments: detach + drop", found.partitions, _gains(found.deletes, found.partitions)),
                _row("payments: into an archive file", found.archives, _gains(found.deletes, found.archives)),
                _row("references: DELETE + VACUUM, forgotten", _both(found.reference_deletes), "1"),
                _row(
                    "references: moved row by row + VACUUM", found.moves, _gains(found.reference_deletes, found.moves)
                ),
                _row(
                    "references: a turn, kept in the history", found.turns, _gains(found.reference_deletes, found.turns)
                ),
                _row("events: pruned by seals", found.events, ""),
                _row("receipts: pruned", found.receipts, ""),
            ],
        )
    )
    kept = [move.run.seconds / turn.run.seconds for move, turn in zip(found.moves, found.turns, strict=True)]
    print(f"\nReferences, a turn / moved row by row, with the same outcome: {spread(kept)} times as fast")
    limits = [_mean_seconds(pair) for pair in found.deletes]
    gains = [limit / done.run.seconds for limit, done in zip(limits, found.partitions, strict=True)]
    print(verdict("P1 partition detach + drop / DELETE + VACUUM", 10, gains, limits) + "\n")


def _gains(deletes: list[tuple[Timed, Timed]], done: list[Timed]) -> str:
    ratios = [_mean_seconds(pair) / each.run.seconds for pair, each in zip(deletes, done, strict=True)]
    return spread(ratios, digits=1 if max(ratios) >= 1 else 2)


def _mean_seconds(pair: tuple[Timed, Timed]) -> float:
    return (pair[0].run.seconds + pair[1].run.seconds) / 2


def _both(pairs: list[tuple[Timed, Timed]]) -> list[Timed]:
    return [done for pair in pairs for done in pair]


def _row(name: str, done: list[Timed], ratio: str) -> list[str]:
    return [
        name,
        spread([each.run.seconds * 1000 for each in done], digits=1),
        ratio,
        rates([each.run for each in done]),
        spread([each.run.server_cpu_us for each in done], digits=1),
        spread([each.wal_bytes / 1e6 for each in done], digits=1),
        spread([each.wal_per_row for each in done], digits=0),
    ]
