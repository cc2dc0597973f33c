from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, connection
from structlog.contextvars import bound_contextvars

from kernel.audit.actors import Actor, ActorKind
from kernel.audit.models import AuditEntry
from kernel.audit.operations import record_entry
from kernel.transactions import TransactionMisuse, unit_of_work

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@unit_of_work
def record(**changes: Any) -> AuditEntry:
    subject = ("demo.thing", "7")
    given: dict[str, Any] = {"actor": Actor.system("test"), "action": "thing.changed", "subject": subject, "at": AT}
    return record_entry(**(given | changes))


def test_an_entry_keeps_who_what_why_before_and_after() -> None:
    change_set = uuid4()
    with bound_contextvars(request_id="req-1"):
        entry = record(
            actor=Actor(ActorKind.STAFF, "mira", 5),
            reason="typed twice",
            before={"amount": Decimal("1.10")},
            after={"amount": Decimal("1.20")},
            change_set=change_set,
            source={"file": "a.csv", "line": 3},
        )

    entry.refresh_from_db()
    assert (entry.actor, entry.actor_kind, entry.user_id, entry.reason) == ("mira", "staff", 5, "typed twice")
    assert (entry.before, entry.after) == ({"amount": "1.10"}, {"amount": "1.20"})
    assert (entry.request_id, entry.change_set, entry.recorded_at) == ("req-1", change_set, AT)
    assert entry.source == {"file": "a.csv", "line": 3}


def test_a_record_as_subject_is_named_by_its_model_its_key_and_its_own_words() -> None:
    user = User.objects.create(username="jonas")

    entry = record(subject=user)

    assert (entry.object_type, entry.object_id, entry.object_label) == ("auth.user", str(user.pk), "jonas")
    assert list(AuditEntry.objects.about(user)) == [entry]


def test_the_name_of_the_actor_outlives_the_user() -> None:
    user = User.objects.create(username="leaver")
    entry = record(actor=Actor.staff(user))
    user.delete()

    entry.refresh_from_db()

    assert (entry.actor, entry.user_id is not None) == ("leaver", True)


def test_nobody_who_is_not_signed_in_can_be_a_staff_actor() -> None:
    with pytest.raises(ValueError, match="signed in"):
        Actor.staff(AnonymousUser())


def test_an_entry_outside_a_unit_of_work_is_refused() -> None:
    with pytest.raises(TransactionMisuse):
        record_entry(actor=Actor.system("test"), action="thing.changed", subject=("demo.thing", "7"), at=AT)

    assert AuditEntry.objects.count() == 0


def test_an_entry_without_an_action_is_refused_by_the_database() -> None:
    with pytest.raises(IntegrityError, match="audit_entry_says_who_and_what"):
        record(action="")

    assert AuditEntry.objects.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "statement",
    [
        "update audit_entry set reason = 'other'",
        "delete from audit_entry",
        "truncate audit_entry",
        "truncate audit_seal",
    ],
)
def test_the_database_refuses_to_change_what_is_recorded(statement: str) -> None:
    entry = record(reason="first")

    with pytest.raises(IntegrityError, match="only ever added"), connection.cursor() as cursor:
        cursor.execute(statement)

    assert AuditEntry.objects.get().reason == "first"
    assert AuditEntry.objects.get() == entry
