"""The invariants when months of payments lie in archives."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from kernel.audit.sealing import seal_all
from kernel.invariants.operations import Outcome, verify
from payments.models import Payment
from payments.operations.archiving import detach_month
from payments.partitioning import ensure_partitions_ahead
from tests.payments.archives import ACTOR, LEAP_DAY, an_old_month, archive_it, record_at, the_plan

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive_folder")]


def execute(statement: str) -> None:
    """Goes around the triggers that protect evidence."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement)


def looked() -> dict[str, Outcome]:
    ensure_partitions_ahead(at=timezone.now())
    # These payments are two years old and their queue was emptied by hand.
    not_concerned = ("events-published-or-queued",)
    outcomes = verify(at=timezone.now())
    return {outcome.invariant.name: outcome for outcome in outcomes if outcome.invariant.name not in not_concerned}


def broken() -> set[str]:
    return {name for name, outcome in looked().items() if outcome.is_broken}


def test_every_invariant_holds_when_a_month_is_archived_and_payments_of_it_came_later(archive_folder: Path) -> None:
    an_old_month(5)
    archive_it()
    record_at("LATE", LEAP_DAY - timedelta(days=3))
    seal_all(at=timezone.now())
    assert Payment.objects.count() == 1
    outcomes = looked()
    assert {name: outcome.look.breaches for name, outcome in outcomes.items() if outcome.is_broken} == {}
    assert [name for name, outcome in outcomes.items() if outcome.look.unresolved] == []
    assert outcomes["archives-match-references"].look.looked_at == 1
    assert outcomes["payments-match-events"].look.looked_at == 6


def test_a_month_that_waits_to_be_written_cannot_be_counted_yet_and_breaks_nothing(archive_folder: Path) -> None:
    an_old_month(3)
    detach_month(the_plan(), actor=ACTOR, clock=timezone.now)
    outcomes = looked()
    assert {name for name, outcome in outcomes.items() if outcome.is_broken} == set()
    assert [name for name, outcome in outcomes.items() if outcome.look.unresolved] == ["archives-match-references"]


def test_an_archive_that_holds_other_payments_than_the_references_say_is_found(archive_folder: Path) -> None:
    an_old_month(4)
    archive_it()
    execute("delete from payment_references_history where reference_number = 'OLD-2'")
    (breach,) = looked()["archives-match-references"].look.breaches
    assert (breach.id, breach.sentence) == (
        "2024-02",
        "The archive of 2024-02 holds 4 payments, and 3 references point into it.",
    )
    assert broken() == {"archives-match-references"}


def test_an_archive_covers_its_own_month_alone(archive_folder: Path) -> None:
    an_old_month(3)
    archive_it()
    record_at("NEXT", LEAP_DAY + timedelta(days=20))
    seal_all(at=timezone.now())
    execute(
        "insert into payment_references_history select reference_number, payment_id, payment_date, created_at, 'x'"
        " from payment_references where reference_number = 'NEXT'"
    )
    execute("delete from payment_references where reference_number = 'NEXT'")
    assert broken() == set()
    execute("delete from payments where reference_number = 'NEXT'")
    assert broken() == {"payments-match-references", "payments-match-events"}
