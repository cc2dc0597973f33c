from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import LedgerIdentity
from accounts.operations import accept_pad_terms, record_ledger_numbers, set_bank_details
from accounts.tasks import activate_pads
from kernel.audit.models import AuditEntry
from kernel.jobs.models import JobRun
from tests.accounts.payers import ACTOR, DETAILS, an_account

pytestmark = pytest.mark.django_db(transaction=True)


def waiting(number: str, *, accepted_days_ago: int) -> LedgerIdentity:
    """Known to the ledger on the day of acceptance, so many days ago."""
    at = timezone.now() - timedelta(days=accepted_days_ago)
    account = an_account(number, "PAD")
    identity = set_bank_details(account.pk, DETAILS, actor=ACTOR, at=at)
    accept_pad_terms(account.pk, accepted_by="A. Customer", actor=ACTOR, at=at)
    numbers: dict[str, Any] = {"party": "P", "ledger_account": "L", "site": "S"}
    return record_ledger_numbers(identity.pk, **numbers, actor=ACTOR, at=at)


def test_debits_whose_waiting_time_has_passed_become_active_and_the_others_wait() -> None:
    due, not_due = waiting("A-1", accepted_days_ago=9), waiting("A-2", accepted_days_ago=1)

    activate_pads()

    due.refresh_from_db()
    not_due.refresh_from_db()
    assert (due.status, not_due.status) == ("ACTIVE", "PENDING_PAD_ACTIVATION")
    assert JobRun.objects.get().result == {"activated": 1, "refused": {}}
    entry = AuditEntry.objects.get(action="account.debits-activated")
    assert (entry.object_id, entry.actor) == (str(due.account_id), "activation of debits")


def test_without_anything_due_no_run_begins() -> None:
    waiting("A-2", accepted_days_ago=1)

    activate_pads()

    assert JobRun.objects.count() == 0
