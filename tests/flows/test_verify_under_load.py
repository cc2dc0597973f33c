"""Verifying while payments come in by every door and go out again: never a false alarm."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone

from kernel.audit.sealing import seal_all
from kernel.invariants.operations import verify
from kernel.outbox.relay import Relay
from payments.ingestion import Pace, ingest
from payments.models import Payment
from payments.operations.staging_table import create_staging_table
from payments.partitioning import ensure_partitions_ahead, known_months
from payments.recorder import staging_table
from tests.payments.webhooks import body_of, make_channel, post

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 20
STAGE = """
insert into {table} (reference_number, loan_account_number, cif, amount, payment_date, payment_channel)
select 'LOAD-' || (%s + n) %% 2000, 'LN' || n %% 7, 'CIF1', 1 + (n %% 50 = 0)::int, date_trunc('day', now())::timestamp,
       'branch'
from generate_series(1, 60) n
"""


@pytest.fixture(autouse=True)
def _ground() -> Iterator[None]:
    create_staging_table()
    known_months.refresh()
    ensure_partitions_ahead(at=timezone.now())
    known_months.refresh()
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"truncate {staging_table()} restart identity")


@contextmanager
def going_on(*works: Callable[[int], object]) -> Iterator[None]:
    """Each work in a thread of its own, again and again with a counting number; its error is the test's."""
    stop, errors = threading.Event(), []

    def repeat(work: Callable[[int], object]) -> None:
        try:
            for number in itertools.count():
                if stop.is_set():
                    return
                work(number)
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []


def _send(sender: int) -> Callable[[int], object]:
    # Senders share references: most come twice or more, every ninth time with another amount.
    paid_at = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()

    def send(number: int) -> object:
        amount = 2 if number % 9 == 0 else 1
        body = body_of(reference_number=f"LOAD-{number}", amount=amount, payment_date=paid_at)
        status = post(body, webhook_id=f"{sender}-{number}").status_code
        assert status in (200, 201, 409)
        return status

    return send


def _stage_and_take_in(number: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(STAGE.format(table=staging_table()), [number * 25])
    ingest(Pace(batch_size=20, workers=2))


def test_a_running_system_is_never_accused() -> None:
    make_channel(rate_limit_per_minute=10_000_000)
    counts: list[int] = []
    accused: list[tuple[str, object]] = []
    works = (_send(1), _send(2), _stage_and_take_in, lambda _: Relay().drain(), lambda _: seal_all(at=timezone.now()))
    with going_on(*works):
        while len(counts) < ROUNDS:
            counts.append(Payment.objects.count())
            for outcome in verify(at=timezone.now()):
                if outcome.is_broken or outcome.look.unresolved:
                    accused.append((outcome.invariant.name, outcome.look.breaches))
    assert accused == []
    # It was a running system all the while.
    assert len(set(counts)) > ROUNDS // 2
    assert counts[-1] > counts[0] + ROUNDS
