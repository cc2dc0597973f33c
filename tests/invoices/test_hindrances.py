"""An account with invoices under way, credits left or recent orders is not closed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import PaymentAccount
from accounts.operations import AccountNotClosable, close_account
from invoices.hindrances import of_invoices_and_credits
from invoices.operations.refundapprovals import request_refund
from invoices.operations.settling import settle
from tests.invoices.billed import AT, CLIENT, STAFF, a_payer, an_invoice, evidence_of

pytestmark = pytest.mark.django_db(transaction=True)

LATER = AT + timedelta(days=30)


def test_an_open_invoice_keeps_its_account_open() -> None:
    invoice = an_invoice("EFT")

    with pytest.raises(AccountNotClosable) as refusal:
        close_account(invoice.account_id, actor=STAFF, reason="Moved away", at=LATER)

    assert refusal.value.context["hindrances"] == ["Invoices that are not finished: 1."]
    assert PaymentAccount.objects.get(pk=invoice.account_id).closed_at is None


def test_a_credit_that_is_left_keeps_its_account_open() -> None:
    invoice = an_invoice("EFT")
    settle(invoice.pk, evidence_of(invoice, amount="50.00"), actor=STAFF, at=AT)

    assert of_invoices_and_credits(invoice.account, LATER) == ["Credits of 16.92 are left on it."]


def test_an_order_of_the_last_ten_business_days_keeps_its_account_open() -> None:
    invoice = an_invoice("EFT")
    request_refund(invoice.pk, None, reason="Twice", actor=CLIENT, scopes=["refunds:request"], at=AT)

    within = of_invoices_and_credits(invoice.account, AT + timedelta(days=14))
    after = of_invoices_and_credits(invoice.account, AT + timedelta(days=15))

    assert within == ["Invoices were made for it within the last 10 business days."]
    assert after == []


def test_an_account_without_any_is_closed() -> None:
    account = a_payer("EFT")
    close_account(account.pk, actor=STAFF, reason="Moved away", at=LATER)
    assert PaymentAccount.objects.get(pk=account.pk).closed_at == LATER
