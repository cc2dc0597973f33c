from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.audit.sealing import seal_all
from kernel.invariants.operations import Outcome, verify
from kernel.invariants.registry import invariants
from payments.ingestion import Pace, ingest
from payments.models import Payment, ReferenceConflict, StagingRejection
from payments.operations.reviews import correct_conflict, correct_rejection, dismiss_rejection
from payments.operations.staging_table import create_staging_table
from payments.partitioning import ensure_partitions_ahead, known_months
from payments.recorder import staging_table
from tests.payments.webhooks import body_of, make_channel, post

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = Actor.system("tests")
COLUMNS = "reference_number, loan_account_number, cif, amount, payment_date, payment_channel"


@pytest.fixture(autouse=True)
def _staging() -> Iterator[None]:
    create_staging_table()
    execute(f"truncate {staging_table()} restart identity")
    known_months.refresh()
    ensure_partitions_ahead(at=timezone.now())
    known_months.refresh()
    yield
    execute(f"truncate {staging_table()} restart identity")


def execute(statement: str, *parameters: Any) -> None:
    """Goes around the triggers that protect evidence, as a hand at the database's own console could."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local session_replication_role = replica")
        cursor.execute(statement, parameters)


def stage(reference: str, amount: str = "12.30", hours_ago: int = 2) -> None:
    moment = (datetime.now(UTC) - timedelta(hours=hours_ago)).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    execute(
        f"insert into {staging_table()} ({COLUMNS}) values (%s, 'LN1', 'CIF1', %s, %s, 'branch')",
        reference,
        Decimal(amount),
        moment,
    )


def send(reference: str, *, amount: float = 5.5, webhook_id: str | None = None) -> int:
    sent_at = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).isoformat()
    body = body_of(reference_number=reference, amount=amount, payment_date=sent_at)
    return post(body, webhook_id=webhook_id or f"{reference}-{amount}").status_code


@pytest.fixture
def recorded() -> None:
    """Payments by every way in, with every outcome: recorded, known, in conflict, rejected, corrected."""
    make_channel()
    assert [send("WEB-1"), send("WEB-2"), send("WEB-1", webhook_id="again"), send("WEB-2", amount=6)] == [
        201,
        201,
        200,
        409,
    ]
    for reference in ("ROW-1", "ROW-2", "ROW-2", "ROW-3"):
        stage(reference)
    stage("ROW-1", "99")
    stage("ROW-1", "99")
    stage("ROW-1", "98")
    stage("BAD-1", "-1")
    stage("BAD-2", "-1")
    totals = ingest(Pace(batch_size=4))
    assert (totals.recorded, totals.duplicates, totals.conflicts, totals.rejected) == (3, 1, 3, 2)
    stage("ROW-1", "99")
    assert ingest(Pace(batch_size=4)).conflicts == 1
    _correct_one_of_each()
    seal_all(at=timezone.now())


def _correct_one_of_each() -> None:
    at = timezone.now()
    corrected = body_of(
        reference_number="BAD-1", amount=1, payment_date=(at - timedelta(hours=3)).isoformat(), payment_channel="branch"
    )
    first, second = StagingRejection.objects.order_by("pk")
    correct_rejection(first.pk, corrected=corrected, reason="A typing error.", actor=PEOPLE, at=at)
    dismiss_rejection(second.pk, reason="Never happened.", actor=PEOPLE, at=at)
    conflict = ReferenceConflict.objects.filter(source="staging").order_by("pk")[0]
    anew = corrected | {"reference_number": "ROW-1-B"}
    correct_conflict(conflict.pk, corrected=anew, reason="Two payments.", actor=PEOPLE, at=at)


def look(name: str) -> Outcome:
    (outcome,) = verify(only=[name], at=timezone.now())
    return outcome


def broken(name: str) -> list[tuple[str, str]]:
    """(id, sentence) of what breaks it, after all others are seen to hold that do not have to break with it."""
    return [(breach.id, breach.sentence) for breach in look(name).look.breaches]


def test_every_invariant_holds_after_payments_of_every_kind(recorded: None) -> None:
    outcomes = verify(at=timezone.now())
    assert [outcome.invariant.name for outcome in outcomes] == [invariant.name for invariant in invariants()]
    assert {outcome.invariant.name: outcome.look.breaches for outcome in outcomes if outcome.look.breaches} == {}
    assert {outcome.invariant.name: outcome.look.unresolved for outcome in outcomes if outcome.look.unresolved} == {}
    looked_at = {outcome.invariant.name: outcome.look.looked_at for outcome in outcomes}
    # Two webhooks, three rows, two corrections.
    assert looked_at["payments-match-references"] == looked_at["payments-match-events"] == 7
    assert looked_at["references-unique"] == 7
    assert looked_at["recent-payments-complete"] == 7
    assert looked_at["staged-rows-accounted"] == 10
    assert looked_at["staging-batches-add-up"] == 4
    assert looked_at["receipts-have-payments"] == 2
    assert looked_at["events-published-or-queued"] == looked_at["queue-is-sound"] == 7
    assert looked_at["audit-chain-unbroken"] > 7


def test_every_invariant_holds_on_an_empty_database() -> None:
    outcomes = verify(at=timezone.now())
    assert len(outcomes) == len(invariants()) >= 13
    assert [outcome.invariant.name for outcome in outcomes if outcome.is_broken or outcome.look.unresolved] == []


def payment(reference: str) -> Payment:
    return Payment.objects.get(reference_number=reference)


@pytest.mark.parametrize("table", ["payment_references_previous", "payment_references_history"])
def test_a_pruned_reference_still_belongs_to_its_payment(recorded: None, table: str) -> None:
    _move_reference("ROW-2", table)
    assert [o.invariant.name for o in verify(at=timezone.now()) if o.is_broken or o.look.unresolved] == []


def test_a_reference_on_its_way_into_the_history_stands_in_both_and_breaks_nothing(recorded: None) -> None:
    _move_reference("ROW-2", "payment_references_previous")
    execute(
        "insert into payment_references_history select reference_number, payment_id, payment_date, created_at, 'x'"
        " from payment_references_previous"
    )
    assert [o.invariant.name for o in verify(at=timezone.now()) if o.is_broken] == []


def _move_reference(reference: str, table: str) -> None:
    digest = ", 'x'" if table.endswith("history") else ""
    execute(
        f"insert into {table} select reference_number, payment_id, payment_date, created_at{digest}"
        " from payment_references where reference_number = %s",
        reference,
    )
    execute("delete from payment_references where reference_number = %s", reference)


def test_a_payment_without_its_reference_is_found(recorded: None) -> None:
    lost = payment("ROW-2")
    execute("delete from payment_references where reference_number = 'ROW-2'")
    assert broken("payments-match-references") == [
        (str(lost.pk), f"Payment {lost.pk} (ROW-2) has no reference that points at it.")
    ]
    assert broken("recent-payments-complete") == [
        (str(lost.pk), f"Payment {lost.pk} has no reference that points at it.")
    ]


def test_a_reference_that_points_at_another_moment_is_found_from_both_sides(recorded: None) -> None:
    execute("update payment_references set payment_date = payment_date - interval '1 s' where reference_number='ROW-2'")
    found = look("payments-match-references").look
    assert found.broken == 2
    assert {breach.id for breach in found.breaches} == {str(payment("ROW-2").pk)}


def test_a_reference_without_its_payment_is_found(recorded: None) -> None:
    lost = payment("ROW-3")
    execute("delete from payments where reference_number = 'ROW-3'")
    (breach,) = broken("payments-match-references")
    assert breach[0] == str(lost.pk)
    assert breach[1].startswith(f"Reference ROW-3 points at payment {lost.pk} of ")
    assert breach[1].endswith(", which is not there.")
    assert [identity for identity, _ in broken("payments-match-events")] == [str(lost.pk)]
    assert look("staged-rows-accounted").look.broken == 1
    assert look("staging-batches-add-up").look.broken == 1


def test_a_pruned_reference_whose_payment_is_in_no_archive_is_found(recorded: None) -> None:
    _move_reference("WEB-1", "payment_references_history")
    lost = payment("WEB-1")
    execute("delete from payments where reference_number = 'WEB-1'")
    assert [identity for identity, _ in broken("payments-match-references")] == [str(lost.pk)]


def test_two_references_of_one_payment_are_found(recorded: None) -> None:
    execute(
        "insert into payment_references select 'ROW-2-AGAIN', payment_id, payment_date, created_at"
        " from payment_references where reference_number = 'ROW-2'"
    )
    sentences = [sentence for _, sentence in broken("payments-match-references")]
    identity = payment("ROW-2").pk
    assert sentences == [
        f"Payment {identity} says ROW-2, its reference ROW-2-AGAIN.",
        f"Payment {identity} has 2 references, ROW-2 and ROW-2-AGAIN among them.",
    ]


def test_a_reference_in_two_generations_is_found(recorded: None) -> None:
    execute("insert into payment_references_previous select * from payment_references where reference_number = 'ROW-1'")
    assert broken("references-unique") == [("ROW-1", "Reference ROW-1 stands 2 times in the tables of references.")]


def test_two_payments_of_one_reference_are_found(recorded: None) -> None:
    execute("update payments set reference_number = 'ROW-1' where reference_number = 'ROW-2'")
    ((reference, sentence),) = broken("references-unique")
    assert reference == "ROW-1"
    assert sentence.startswith("2 payments have the reference ROW-1, ")


def test_a_payment_without_its_event_is_found(recorded: None) -> None:
    lost = str(payment("WEB-1").pk)
    execute("delete from outbox_event where subject = %s", lost)
    assert broken("payments-match-events") == [(lost, f"Payment {lost} has no event.")]
    assert broken("recent-payments-complete") == [(lost, f"Payment {lost} has no event.")]
    assert look("queue-is-sound").look.broken == 1


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("amount = amount + 0.01", None),
        ("cif = %s", "CIF2"),
        ("loan_account_number = %s", "LN2"),
        ("currency = %s", "USD"),
        ("payment_channel = %s", "elsewhere"),
        ("source = %s", "manual"),
        ("metadata = %s", '{"note": "new"}'),
    ],
)
def test_a_payment_that_was_edited_no_longer_matches_its_event(recorded: None, change: str, value: str | None) -> None:
    execute(f"update payments set {change} where reference_number = 'WEB-1'", *([] if value is None else [value]))
    edited = str(payment("WEB-1").pk)
    assert [identity for identity, _ in broken("payments-match-events")] == [edited]


@pytest.mark.parametrize("body", ["{}", "not JSON", "[1]"])
def test_an_event_with_another_body_is_found_whatever_it_is(recorded: None, body: str) -> None:
    execute("update outbox_event set body = %s where subject = %s", body, str(payment("WEB-1").pk))
    assert [identity for identity, _ in broken("payments-match-events")] == [str(payment("WEB-1").pk)]
    assert look("audit-chain-unbroken").look.broken == 1


def test_a_second_event_of_a_payment_is_found(recorded: None) -> None:
    twice = str(payment("WEB-1").pk)
    execute(
        "insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)"
        " select gen_random_uuid(), event_type, source, subject, topic, key, body, occurred_at"
        " from outbox_event where subject = %s",
        twice,
    )
    assert (twice, f"2 events announce payment {twice}.") in broken("payments-match-events")
    assert look("events-published-or-queued").look.broken == 1


def test_an_event_that_was_lost_on_its_way_is_found(recorded: None) -> None:
    execute("delete from outbox_delivery where position = (select min(position) from outbox_event)")
    ((_, sentence),) = broken("events-published-or-queued")
    assert sentence.endswith(" (payment.recorded) was never published and is not queued.")


def test_a_delivery_that_stayed_after_its_publication_is_found_and_a_replay_is_not(recorded: None) -> None:
    execute(
        "insert into outbox_publication (published_at, topic, events, positions)"
        " select clock_timestamp(), 'payments', 1, int8multirange(int8range(min(position), min(position), '[]'))"
        " from outbox_event"
    )
    ((_, sentence),) = broken("queue-is-sound")
    assert sentence.endswith(" was published and is still queued since before.")
    execute("update outbox_delivery set queued_at = clock_timestamp() + interval '1 s'")
    assert broken("queue-is-sound") == []


def test_a_publication_that_counts_wrongly_is_found(recorded: None) -> None:
    execute(
        "insert into outbox_publication (published_at, topic, events, positions)"
        " values (now(), 'payments', 3, '{[1000000,1000002)}')"
    )
    ((_, sentence),) = broken("events-published-or-queued")
    assert sentence.endswith(" says 3 events and names 2.")


def test_a_batch_that_counts_wrongly_is_found(recorded: None) -> None:
    execute(
        "update staging_process_log set processed_records = processed_records + 1, total_records = total_records + 1"
    )
    assert look("staging-batches-add-up").look.broken == 4


@pytest.mark.parametrize("table", ["staging_duplicate", "staging_rejection"])
def test_a_lost_outcome_of_a_staged_row_is_found(recorded: None, table: str) -> None:
    execute(f"delete from {table}")
    assert look("staged-rows-accounted").look.broken >= 1
    assert look("staging-batches-add-up").look.broken >= 1


def test_a_staged_row_with_two_outcomes_is_found(recorded: None) -> None:
    execute(
        "insert into staging_duplicate (batch_id, staging_id, reference_number, payment_id, payment_date, detected_at)"
        " select source_batch_id, source_row_id, reference_number, id, payment_date, created_at"
        " from payments where reference_number = 'ROW-2'"
    )
    ((_, sentence),) = broken("staged-rows-accounted")
    assert sentence.endswith("(ROW-2) is marked and has 2 outcomes.")
    assert look("staging-batches-add-up").look.broken == 1


def test_a_conflict_that_came_again_is_accounted_for_by_its_content_whatever_its_last_look(recorded: None) -> None:
    execute("update reference_conflict set last_seen_at = detected_at - interval '1 hour'")
    assert broken("staged-rows-accounted") == []
    execute('update reference_conflict set received = received || \'{"amount": "99.01"}\' where staging_id is not null')
    # Two rows brought 99 once more: they have no line of their own, and now none with their content either.
    assert look("staged-rows-accounted").look.broken == 2


def test_rows_that_the_etl_removed_or_numbered_anew_break_nothing(recorded: None) -> None:
    execute(f"truncate {staging_table()} restart identity")
    stage("ROW-9")
    assert ingest(Pace(batch_size=4)).recorded == 1
    assert [o.invariant.name for o in verify(at=timezone.now()) if o.is_broken] == []


def test_a_batch_that_is_not_in_the_log_is_found(recorded: None) -> None:
    stage("ROW-8")
    stage("ROW-9")
    assert ingest(Pace(batch_size=4)).recorded == 2
    execute("delete from staging_process_log where started_at = (select max(started_at) from staging_process_log)")
    batch_id = payment("ROW-8").source_batch_id
    assert broken("staging-batches-add-up") == [
        (str(batch_id), f"2 payments name the batch {batch_id}, which is not in the process log.")
    ]


def test_a_receipt_without_its_payment_is_found(recorded: None) -> None:
    execute("delete from payments where reference_number = 'WEB-2'")
    ((_, sentence),) = broken("receipts-have-payments")
    assert "(generic, WEB-2) says that it created payment " in sentence


def test_a_missing_month_and_a_stray_payment_are_found() -> None:
    known_months.refresh()
    far = timezone.now() + timedelta(days=400)
    outcomes = verify(only=["months-prepared"], at=far)
    assert outcomes[0].look.broken == outcomes[0].look.looked_at
    execute(
        "insert into payments (id, reference_number, loan_account_number, cif, amount, currency, payment_date, source)"
        " values (gen_random_uuid(), 'STRAY', 'LN1', 'CIF1', 1, 'CAD', '1999-01-01T00:00:00Z', 'manual')"
    )
    assert look("default-partition-empty").look.broken == 1
