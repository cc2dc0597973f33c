"""The demo shows every method and every stage, in figures that hold."""

from __future__ import annotations

from collections import Counter

import pytest
from django.utils import timezone

from accounts.models import AccountLock
from accounts.seeds import load_accounts
from catalogue.seeds import load_catalogue
from invoices.models import Credit, Invoice, Refund
from invoices.seeds import load_invoices

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_demo_holds_every_stage_that_a_page_shows_and_is_loaded_once() -> None:
    at = timezone.now()
    load_catalogue(at)
    load_accounts(at)

    made = load_invoices(partner="demo-partner", at=at)

    assert made == Invoice.objects.count() == 32
    assert Counter(Invoice.objects.values_list("status", flat=True)) == {
        "PAID": 13,
        "APPROVED": 8,
        "CREATED": 3,
        "SETTLEMENT_SCHED": 2,
        "PARTIAL_PAID": 2,
        "CREDITED": 1,
        "CANCELLED": 1,
        "OVERDUE": 1,
        "MANUALLY_REFUNDED": 1,
    }
    assert Counter(AccountLock.objects.values_list("kind", flat=True)) == {"NSF": 1, "OVERDUE_EFT": 1}
    assert Counter(Refund.objects.values_list("status", flat=True)) == {"PROCESSED": 3, "PENDING_APPROVAL": 1}
    assert Credit.objects.count() == 3
    assert load_invoices(partner="demo-partner", at=at) == 0
