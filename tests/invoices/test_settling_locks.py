"""Debits that bounce and transfers that are overdue: what becomes of the invoice, and the lock on its account."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import AccountLock, PaymentAccount
from invoices.models import Invoice, Receipt
from invoices.operations.creating import AccountMayNotOrder
from invoices.operations.settling import NothingToTakeBack, bounce, mark_overdue, schedule, settle
from invoices.operations.stopping import cancel
from invoices.states import ReceiptSource
from kernel.audit.models import AuditEntry
from tests.invoices.billed import AT, CLIENT, STAFF, a_paid_invoice, a_part, an_invoice, evidence_of, refund, stored
from tests.invoices.traces import breaches, everything, refused

pytestmark = pytest.mark.django_db(transaction=True)
REASON = "Funds not cleared"


def live_locks(invoice: Invoice) -> list[str]:
    return [lock.kind for lock in AccountLock.objects.live().filter(account_id=invoice.account_id).order_by("kind")]


def test_a_returned_debit_takes_back_its_money_and_its_payment_date() -> None:
    invoice = an_invoice("PAD")
    schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
    settle(invoice.pk, evidence_of(invoice), actor=STAFF, at=AT)
    assert stored(invoice).payment_date == AT

    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT + timedelta(days=3), origin={"file": "S2", "line": 4})

    now = stored(invoice)
    assert (now.status, now.payment_date, now.paid_amount) == ("SETTLEMENT_SCHED", None, Decimal("0.00"))
    assert (now.owing, now.bounced_at) == (Decimal("33.08"), AT + timedelta(days=3))
    assert [reference.status for reference in invoice.references.all()] == ["ACTIVE"]
    assert AuditEntry.objects.get(action="invoice.bounced").source == {"file": "S2", "line": 4}
    assert breaches() == {}


def test_a_debit_that_was_never_reported_as_paid_is_unpaid_in_the_ledger_too() -> None:
    invoice = an_invoice("PAD")
    schedule(invoice.pk, invoice_number="L1", actor=STAFF, at=AT)
    assert stored(invoice).status == "APPROVED"

    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)

    assert (stored(invoice).status, stored(invoice).payment_date) == ("SETTLEMENT_SCHED", None)
    assert live_locks(invoice) == ["NSF"]


def test_a_returned_debit_locks_its_account_with_the_cause_and_freezes_its_bank_account() -> None:
    invoice = a_paid_invoice("PAD")

    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)

    lock = AccountLock.objects.get()
    assert (lock.kind, lock.cause, lock.invoice_id, lock.locked_at) == ("NSF", REASON, invoice.pk, AT)
    assert [identity.status for identity in invoice.account.ledger_identities.all()] == ["FREEZE"]
    with refused(AccountMayNotOrder) as refusal:
        an_invoice("PAD")
    assert [gate["code"] for gate in refusal.value.context["gates"]] == ["PAD_CURRENTLY_NSF"]


def test_the_same_bounce_reported_twice_changes_nothing() -> None:
    invoice = a_paid_invoice("PAD")
    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)
    before = everything()

    bounce(invoice.pk, reason="Once more", actor=STAFF, at=AT + timedelta(days=1))

    assert everything() == before


def test_a_second_invoice_that_bounces_is_unpaid_too_and_the_lock_keeps_its_first_cause() -> None:
    first, second = a_paid_invoice("PAD"), a_paid_invoice("PAD", number="R2")

    for place, invoice in enumerate((first, second), start=1):
        bounce(invoice.pk, reason=f"Bounce {place}", actor=STAFF, at=AT)

    assert [stored(invoice).status for invoice in (first, second)] == ["SETTLEMENT_SCHED", "SETTLEMENT_SCHED"]
    assert [lock.cause for lock in AccountLock.objects.all()] == ["Bounce 1"]


def test_the_line_of_an_old_file_pays_nothing_again_after_the_bounce() -> None:
    invoice = a_paid_invoice("PAD", number="OLD")
    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)
    before = everything()

    again = settle(invoice.pk, evidence_of(invoice, "OLD"), actor=STAFF, at=AT + timedelta(days=1))

    assert (again.is_new, everything() == before) == (False, True)
    assert (stored(invoice).status, live_locks(invoice)) == ("SETTLEMENT_SCHED", ["NSF"])


def test_what_bounced_is_paid_by_card_with_a_payment_date_of_its_own() -> None:
    invoice = a_paid_invoice("PAD")
    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)

    paid_at = AT + timedelta(days=5)
    settle(invoice.pk, evidence_of(invoice, "C1", source=ReceiptSource.CARD, final_at=paid_at), actor=STAFF, at=paid_at)

    assert (stored(invoice).status, stored(invoice).payment_date, stored(invoice).bounced_at) == ("PAID", paid_at, None)
    assert Receipt.objects.live().filter(invoice=invoice).count() == 1
    assert breaches() == {}


def test_what_was_credited_of_a_debit_that_bounces_stays_with_the_payer_who_owes_all_of_it() -> None:
    invoice = a_paid_invoice("PAD")
    refund(invoice, a_part(invoice, "10"))

    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)

    now = stored(invoice)
    assert (now.status, now.owing, now.credited_amount) == ("SETTLEMENT_SCHED", Decimal("33.08"), Decimal("10.00"))
    settle(invoice.pk, evidence_of(invoice, "C1"), actor=STAFF, at=AT)
    assert (stored(invoice).status, stored(invoice).payment_date) == ("PAID", AT)
    assert breaches() == {}


@pytest.mark.parametrize("method", ["EFT", "EJV", "DIRECT_PAY", "ONLINE_BANKING"])
def test_only_debits_bounce(method: str) -> None:
    invoice = a_paid_invoice(method)
    with refused(NothingToTakeBack):
        bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)


def test_what_was_stopped_does_not_bounce() -> None:
    invoice = an_invoice("PAD")
    cancel(invoice.pk, actor=CLIENT, reason="Twice", at=AT)
    with refused(NothingToTakeBack):
        bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)


def test_the_bounce_of_a_closed_account_is_recorded_without_a_lock() -> None:
    invoice = a_paid_invoice("PAD")
    PaymentAccount.objects.filter(pk=invoice.account_id).update(closed_at=AT)

    bounce(invoice.pk, reason=REASON, actor=STAFF, at=AT)

    assert (stored(invoice).status, AccountLock.objects.count()) == ("SETTLEMENT_SCHED", 0)


def test_a_transfer_is_overdue_from_the_very_moment_of_its_date_and_not_before() -> None:
    invoice = an_invoice("EFT")
    assert stored(invoice).overdue_date.isoformat() == "2027-01-15T07:00:00+00:00"
    before = everything()

    mark_overdue(invoice.pk, at=invoice.overdue_date - timedelta(microseconds=1))
    assert everything() == before
    mark_overdue(invoice.pk, at=invoice.overdue_date)
    marked = everything()
    mark_overdue(invoice.pk, at=invoice.overdue_date + timedelta(days=1))

    assert (stored(invoice).status, stored(invoice).overdue_at) == ("OVERDUE", invoice.overdue_date)
    assert (live_locks(invoice), everything() == marked) == (["OVERDUE_EFT"], True)
    with refused(AccountMayNotOrder) as refusal:
        an_invoice("EFT")
    assert [gate["code"] for gate in refusal.value.context["gates"]] == ["EFT_INVOICES_OVERDUE"]


@pytest.mark.parametrize("method", ["PAD", "EJV", "ONLINE_BANKING", "DIRECT_PAY"])
def test_nothing_but_a_transfer_is_ever_overdue(method: str) -> None:
    invoice = an_invoice(method)
    before = everything()
    mark_overdue(invoice.pk, at=AT + timedelta(days=900))
    assert everything() == before


def test_the_account_is_free_again_when_the_last_overdue_transfer_is_paid() -> None:
    first, second = an_invoice("EFT"), an_invoice("EFT")
    late = AT + timedelta(days=90)
    for invoice in (first, second):
        mark_overdue(invoice.pk, at=late)

    settle(first.pk, evidence_of(first, "D1", amount="10"), actor=STAFF, at=late)
    assert (stored(first).status, live_locks(first)) == ("OVERDUE", ["OVERDUE_EFT"])
    settle(first.pk, evidence_of(first, "D2", amount="23.08"), actor=STAFF, at=late)
    assert (stored(first).status, live_locks(first)) == ("PAID", ["OVERDUE_EFT"])
    settle(second.pk, evidence_of(second, "D3"), actor=STAFF, at=late)

    assert (stored(second).status, live_locks(second)) == ("PAID", [])
    lock = AccountLock.objects.get()
    assert (lock.lifted_at, lock.lifted_by) == (late, STAFF.name)
    assert stored(second).payment_date == AT
