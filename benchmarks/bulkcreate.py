"""S5: our ingestion beside the same work done with Django's bulk_create, a thousand rows at a time."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import orjson
from django.conf import settings
from django.db import transaction

from benchmarks.figures import rates, spread, table, verdict
from benchmarks.sizes import Size
from benchmarks.stagedrows import counted, duplicates_in, fill
from benchmarks.stand import Stand
from benchmarks.timing import Timed, timed
from kernel.outbox.models import OutboxDelivery, OutboxEvent
from kernel.uuids import uuid7
from payments.ingestion import Pace, ingest
from payments.models import Payment, PaymentReference, PaymentStaging
from payments.recorder import EVENT_SOURCE
from payments.states import PaymentSource

CHUNK = 1000
BATCH = 5000


def ingest_by_bulk_create(*, at: datetime) -> int:
    """Records every staged row as a careful use of the ORM would; gives how many payments there are more.

    It does less than ours: nothing is validated, no repetition is compared or kept, no batch is logged, and whoever
    records the same reference at the same moment makes it fail.
    """
    recorded, after = 0, 0
    while True:
        found, after = _chunk(after, at)
        if not after:
            return recorded
        recorded += found


@transaction.atomic
def _chunk(after: int, at: datetime) -> tuple[int, int]:
    """(payments recorded, last id looked at); the latter is 0 when nothing was left."""
    rows = list(PaymentStaging.objects.filter(id__gt=after).exclude(processed=True).order_by("id")[:CHUNK])
    if not rows:
        return 0, 0
    numbers = [row.reference_number for row in rows]
    known = set(
        PaymentReference.objects.filter(reference_number__in=numbers).values_list("reference_number", flat=True)
    )
    fresh = {row.reference_number: row for row in reversed(rows) if row.reference_number not in known}
    batch_id = uuid7(at)
    payments = [_payment(row, batch_id, at) for row in rows if fresh.get(row.reference_number) is row]
    Payment.objects.bulk_create(payments, batch_size=CHUNK)
    PaymentReference.objects.bulk_create(
        [
            PaymentReference(
                reference_number=payment.reference_number,
                payment_id=payment.pk,
                payment_date=payment.payment_date,
                created_at=at,
            )
            for payment in payments
        ],
        batch_size=CHUNK,
    )
    events = OutboxEvent.objects.bulk_create([_event(payment, at) for payment in payments], batch_size=CHUNK)
    OutboxDelivery.objects.bulk_create(
        [OutboxDelivery(position=event.position, key=event.key) for event in events], batch_size=CHUNK
    )
    PaymentStaging.objects.filter(id__in=[row.pk for row in rows]).update(
        processed=True, processed_at=at.replace(tzinfo=None)
    )
    return len(payments), rows[-1].pk


def _payment(row: PaymentStaging, batch_id: uuid.UUID, at: datetime) -> Payment:
    return Payment(
        id=uuid7(at),
        reference_number=row.reference_number,
        loan_account_number=row.loan_account_number,
        cif=row.cif,
        amount=row.amount,
        currency=settings.STAGING_CURRENCY,
        payment_date=row.payment_date.replace(tzinfo=UTC),
        payment_channel=row.payment_channel,
        source=PaymentSource.STAGING.value,
        metadata=row.metadata,
        source_batch_id=batch_id,
        source_row_id=row.pk,
        created_at=at,
    )


def _event(payment: Payment, at: datetime) -> OutboxEvent:
    content = {
        "event_id": payment.pk,
        "event_type": "payment.recorded",
        "timestamp": at,
        "payment": {
            "id": payment.pk,
            "reference_number": payment.reference_number,
            "loan_account_number": payment.loan_account_number,
            "cif": payment.cif,
            "amount": orjson.Fragment(str(payment.amount)),
            "payment_date": payment.payment_date,
            "payment_channel": payment.payment_channel,
            "source": payment.source,
            "metadata": payment.metadata,
        },
    }
    return OutboxEvent(
        event_id=payment.pk,
        event_type="payment.recorded",
        source=EVENT_SOURCE,
        subject=str(payment.pk),
        topic=settings.KAFKA_TOPIC,
        key=payment.loan_account_number,
        body=orjson.dumps(content).decode(),
        occurred_at=at,
    )


class BulkCreateBenchmark:
    def __init__(self, stand: Stand, size: Size) -> None:
        self.stand = stand
        self.rows = size.bulk_rows
        self.distinct = self.rows - duplicates_in(self.rows)

        def fill_all() -> None:
            fill(existing_payments=size.existing_payments, staged_rows=self.rows)
            self.before = counted()

        stand.make_template(fill_all)

    def ours(self) -> Timed:
        self.stand.fresh_database()
        done = timed(self.stand, lambda: ingest(Pace(batch_size=BATCH)), units=self.rows)
        self._check()
        return done

    def django(self) -> Timed:
        self.stand.fresh_database()
        done = timed(self.stand, lambda: ingest_by_bulk_create(at=datetime.now(UTC)), units=self.rows)
        self._check()
        return done

    def _check(self) -> None:
        expected = tuple(number + self.distinct for number in self.before)
        assert counted() == expected, (counted(), expected)


def measure(stand: Stand, size: Size) -> None:
    benchmark = BulkCreateBenchmark(stand, size)
    django: list[tuple[Timed, Timed]] = []
    ours: list[Timed] = []
    for repetition in range(size.repetitions):
        first = benchmark.django()
        ours.append(benchmark.ours())
        django.append((first, benchmark.django()))
        print(
            f"bulkcreate, repetition {repetition + 1} of {size.repetitions}: {ours[-1].run.rate:,.0f} rows/s, "
            f"bulk_create {first.run.rate:,.0f}"
        )
    _report(size, django, ours)


def _report(size: Size, django: list[tuple[Timed, Timed]], ours: list[Timed]) -> None:
    means = [(first.run.rate + last.run.rate) / 2 for first, last in django]
    ratios = [done.run.rate / mean for done, mean in zip(ours, means, strict=True)]
    both = [done for pair in django for done in pair]
    print(f"\nbulk_create: {size.bulk_rows:,} staged rows on {size.existing_payments:,}, n = {size.repetitions}")
    print(
        table(
            ["", "rows/s", "/ bulk_create", "server CPU us/row", "client CPU us/row", "WAL bytes/row"],
            [
                _row(f"Django, bulk_create of {CHUNK:,}", both, "1"),
                _row(f"ours, batch of {BATCH:,}", ours, spread(ratios, digits=1)),
            ],
        )
    )
    print()
    print(verdict("S5 ingestion / bulk_create", 5, ratios, means) + "\n")


def _row(name: str, done: list[Timed], ratio: str) -> list[str]:
    return [
        name,
        rates([each.run for each in done]),
        ratio,
        spread([each.run.server_cpu_us for each in done], digits=1),
        spread([each.run.own_cpu_us for each in done], digits=1),
        spread([each.wal_per_row for each in done], digits=0),
    ]
