"""Every reason for which an account may not order: 422 with a stable code, and nothing is there afterwards."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import PaymentAccount
from accounts.operations import lock_by_hand
from catalogue.quote import Caller
from invoices.models import Invoice, InvoiceLine
from kernel.audit.models import AuditEntry
from kernel.outbox.models import OutboxEvent
from tests.accounts.payers import ACTOR
from tests.invoices.billed import a_payer, a_priced_filing, an_invoice
from tests.invoices.partners import INVOICES, Partner, an_order, answered

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.now(UTC)
SOON = NOW + timedelta(days=2)


def changed(**fields: Any) -> Callable[[PaymentAccount], object]:
    return lambda account: PaymentAccount.objects.filter(pk=account.pk).update(**fields)


def identity(status: str) -> Callable[[PaymentAccount], object]:
    return lambda account: account.ledger_identities.update(status=status)


def locked(kind: str) -> Callable[[PaymentAccount], object]:
    return lambda account: lock_by_hand(account.pk, kind=kind, cause="Bounced", actor=ACTOR, at=NOW)


GATES: dict[str, tuple[str, Callable[[PaymentAccount], object], list[str]]] = {
    "a bounced debit": ("PAD", locked("NSF"), ["PAD_CURRENTLY_NSF"]),
    "a bounced debit, another method": ("ONLINE_BANKING", locked("NSF"), ["PAD_CURRENTLY_NSF"]),
    "an overdue invoice": ("EFT", locked("OVERDUE_EFT"), ["EFT_INVOICES_OVERDUE"]),
    "a first day that is to come": ("PAD", changed(pad_activates_at=SOON), ["PAD_NOT_ACTIVE"]),
    "an identity that waits": ("PAD", identity("PENDING_PAD_ACTIVATION"), ["PAD_NOT_ACTIVE"]),
    "terms that nobody accepted": ("PAD", changed(pad_activates_at=None), ["PAD_NOT_ACTIVE"]),
    "no bank details": ("PAD", identity("INACTIVE"), ["PAD_NOT_ACTIVE"]),
    "frozen debits": ("PAD", identity("FREEZE"), ["PAD_CURRENTLY_NSF"]),
    "transfers that are not enabled": ("EFT", changed(eft_enabled=False, payment_method="PAD"), ["EFT_NOT_ENABLED"]),
    "restricted journals": ("EJV", changed(journal_restricted=True), ["JOURNAL_RESTRICTED"]),
    "a closed account": ("DIRECT_PAY", changed(closed_at=NOW), ["ACCOUNT_CLOSED"]),
}


@pytest.mark.parametrize("case", GATES)
def test_an_order_that_a_gate_refuses_is_told_why_and_leaves_nothing(case: str) -> None:
    method, shut, codes = GATES[case]
    a_priced_filing()
    account = a_payer(method)
    partner = Partner()
    order = an_order(f"A-{method}", paymentInfo={"methodOfPayment": method})
    answered(partner.post(INVOICES, order), 201)
    shut(account)
    before = counts()

    told = answered(partner.post(INVOICES, order, key="shut"), 422)

    assert told["code"] == "account-may-not-order"
    assert [gate["code"] for gate in told["gates"]] == codes
    assert all(gate["message"] and gate["next_step"] for gate in told["gates"])
    assert counts() == before
    # The refusal is kept: the same key hears it again when the gate is open.
    assert answered(partner.post(INVOICES, order, key="shut"), 422)["gates"] == told["gates"]


@pytest.mark.parametrize("kind", ["NSF", "OVERDUE_EFT"])
def test_staff_order_for_an_account_that_is_locked(kind: str) -> None:
    a_priced_filing()
    account = a_payer("PAD")
    locked(kind)(account)

    assert an_invoice("INTERNAL", account=account, caller=Caller(is_staff=True)).payment_method == "INTERNAL"


def counts() -> list[int]:
    kinds: tuple[Any, ...] = (Invoice, InvoiceLine, AuditEntry, OutboxEvent)
    return [kind.objects.count() for kind in kinds]
