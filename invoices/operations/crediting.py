"""Credits of an account, applied to its invoices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import F

from invoices.methods import find_method
from invoices.models import Credit, CreditApplication, Invoice
from invoices.operations.settling import Evidence, apply_evidence
from invoices.operations.standing import lock_invoice
from invoices.states import OPEN_STATUSES, ReceiptSource
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work


class CreditNotForMethod(Refused):
    """Invoices of this method are not paid by credits."""

    code = "credit-not-for-method"


class NoCreditLeft(Conflict):
    """The account has no credit left for invoices of this method."""

    code = "no-credit-left"
    next_step = "Pay the invoice by its method; GET /api/v1/accounts/{accountNumber}/credits lists what is left."


class InvoiceOwesNothing(Conflict):
    """Nothing is owed on this invoice, so that no credit can pay it."""

    code = "invoice-owes-nothing"


@dataclass(frozen=True, slots=True)
class AppliedCredit:
    """The invoice as it is now, and which credits paid how much of it."""

    invoice: Invoice
    applications: tuple[CreditApplication, ...]

    @property
    def amount(self) -> Decimal:
        return sum((application.amount for application in self.applications), Decimal("0.00"))


@unit_of_work
def apply_credit(invoice_id: int, *, actor: Actor, reason: str = "", at: datetime) -> AppliedCredit:
    """As one unit of work; see `apply_credit_to`."""
    return apply_credit_to(lock_invoice(invoice_id), actor=actor, reason=reason, at=at)


@inside_unit_of_work
def apply_credit_to(invoice: Invoice, *, actor: Actor, reason: str = "", at: datetime) -> AppliedCredit:
    """Pays the invoice from the account's credits of its method, the oldest first, as far as they reach.

    Its goods are released when nothing is owed any more. Raises CreditNotForMethod, InvoiceOwesNothing, NoCreditLeft.
    """
    if not find_method(invoice.payment_method).lends_credit:
        raise CreditNotForMethod(f"Invoices by {invoice.payment_method} are not paid by credits.")
    if invoice.status not in OPEN_STATUSES or not invoice.owing:
        raise InvoiceOwesNothing(f"{invoice} is {invoice.status} and owes {invoice.owing}.", ids=[invoice.pk])
    credits = Credit.objects.lock_with_money_left(invoice.account_id, method=invoice.payment_method)
    if not credits:
        raise NoCreditLeft(f"The account {invoice.account.account_number} has no credit left.", ids=[invoice.pk])
    applications = []
    for credit in credits:
        amount = min(credit.remaining, invoice.owing)
        if not amount:
            break
        applications.append(_apply(invoice, credit, amount, actor=actor, reason=reason, at=at))
    return AppliedCredit(invoice, tuple(applications))


def _apply(
    invoice: Invoice, credit: Credit, amount: Decimal, *, actor: Actor, reason: str, at: datetime
) -> CreditApplication:
    number = f"CREDIT{credit.pk}-{credit.applications.count() + 1}"
    evidence = Evidence(receipt_number=number, amount=amount, receipt_date=at, source=ReceiptSource.CREDIT, final_at=at)
    settled = apply_evidence(invoice, evidence, actor=actor, at=at)
    application = CreditApplication.objects.create(
        credit=credit,
        invoice=invoice,
        receipt=settled.receipt,
        amount=amount,
        applied_at=at,
        applied_by=actor.name,
    )
    Credit.objects.filter(pk=credit.pk).update(applied_amount=F("applied_amount") + amount)
    after = {"invoice": invoice.pk, "amount": amount, "receipt": number}
    record_entry(actor=actor, action="credit.applied", subject=credit, after=after, reason=reason, at=at)
    return application
