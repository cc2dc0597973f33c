"""The steps that write credits and their applications; whoever calls them holds the invoice's lock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F

from invoices.models import Credit, CreditApplication, Invoice, Receipt
from invoices.states import CreditKind
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.transactions import inside_unit_of_work


@inside_unit_of_work
def add_credit(
    invoice: Invoice,
    *,
    kind: CreditKind,
    amount: Decimal,
    receipt: Receipt | None = None,
    ledger_identifier: str = "",
    details: str,
    actor: Actor,
    at: datetime,
    origin: Mapping[str, Any] | None = None,
) -> Credit:
    """A credit of `amount` on the account of the invoice that it comes from, for later invoices of its method.

    `receipt` is the one whose money was too much.
    """
    credit = Credit.objects.create(
        account=invoice.account,
        payment_method=invoice.payment_method,
        kind=kind,
        amount=amount,
        currency=invoice.currency,
        ledger_identifier=ledger_identifier,
        source_invoice=invoice,
        receipt=receipt,
        details=details,
        created_at=at,
    )
    after = {"kind": kind, "amount": amount, "invoice": invoice.pk, "ledger_identifier": ledger_identifier}
    record_entry(actor=actor, action="credit.added", subject=credit, after=after, at=at, source=origin)
    return credit


@inside_unit_of_work
def give_back_credit(receipt: Receipt, reversal: Receipt, *, actor: Actor, at: datetime) -> None:
    """Gives what the receipt took of a credit back to it; nothing where the receipt was other money."""
    application = CreditApplication.objects.filter(receipt=receipt, reversed_by=None).select_related("credit").first()
    if application is None:
        return
    CreditApplication.objects.create(
        credit=application.credit,
        invoice_id=application.invoice_id,
        receipt=reversal,
        amount=application.amount,
        reverses=application,
        applied_at=at,
        applied_by=actor.name,
    )
    Credit.objects.filter(pk=application.credit_id).update(applied_amount=F("applied_amount") - application.amount)
    after = {"invoice": application.invoice_id, "amount": application.amount}
    record_entry(actor=actor, action="credit.given-back", subject=application.credit, after=after, at=at)
