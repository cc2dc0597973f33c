"""What can be done with an invoice now, each with its address and its effect in a sentence."""

from __future__ import annotations

from dataclasses import dataclass

from accounts import scopes
from invoices.api.addresses import invoice_path
from invoices.methods import find_method
from invoices.models import Credit, Invoice
from invoices.operations.cards import may_pay_by_card
from invoices.operations.standing import standing_of
from invoices.states import OPEN_STATUSES, FeeType, InvoiceStatus, MethodCode, ReferenceStatus

CONVERTIBLE = frozenset({InvoiceStatus.CREATED, InvoiceStatus.SETTLEMENT_SCHED})


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that may be asked for, and what it does."""

    name: str
    method: str
    href: str
    scope: str
    effect: str

    def as_dict(self) -> dict[str, str]:
        return {
            "name": self.name,
            "method": self.method,
            "href": self.href,
            "scope": self.scope,
            "effect": self.effect,
        }


def allowed_actions(invoice: Invoice) -> list[dict[str, str]]:
    """Of an invoice with its account, product, lines and references; one query where credits could pay it."""
    path = invoice_path(invoice.pk)
    found = [*_paying(invoice, path), *_stopping(invoice, path), *_giving_back(invoice, path)]
    return [action.as_dict() for action in found]


def has_receipt(invoice: Invoice) -> bool:
    """Whether it was paid whole, so that there is a receipt to print."""
    return invoice.payment_date is not None


def _paying(invoice: Invoice, path: str) -> list[Action]:
    found = []
    if may_pay_by_card(invoice):
        effect = f"Opens a card payment of {invoice.owing} {invoice.currency}; an earlier open one is cancelled."
        found.append(Action("pay", "POST", f"{path}/transactions", scopes.INVOICES_WRITE, effect))
    if _may_convert(invoice):
        effect = "The invoice is paid by card then, and no longer from the payer's bank."
        found.append(Action("changeMethod", "PATCH", path, scopes.INVOICES_WRITE, effect))
    if _has_credit(invoice):
        effect = "Pays the invoice from the account's credits, the oldest first, as far as they reach."
        found.append(Action("applyCredit", "POST", f"{path}/credits", scopes.INVOICES_WRITE, effect))
    return found


def _may_convert(invoice: Invoice) -> bool:
    if invoice.payment_method != MethodCode.ONLINE_BANKING or invoice.status not in CONVERTIBLE:
        return False
    in_ledger = any(reference.status == ReferenceStatus.ACTIVE for reference in invoice.references.all())
    return in_ledger or MethodCode.DIRECT_PAY.value in invoice.product.payment_methods


def _has_credit(invoice: Invoice) -> bool:
    lends = find_method(invoice.payment_method).lends_credit
    if not lends or invoice.status not in OPEN_STATUSES or not invoice.owing:
        return False
    credits = Credit.objects.with_money_left()
    return credits.filter(account_id=invoice.account_id, payment_method=invoice.payment_method).exists()


def _stopping(invoice: Invoice, path: str) -> list[Action]:
    if invoice.cancelled_at or invoice.deleted_at or invoice.abandoned_at or invoice.paid_amount:
        return []
    if not find_method(invoice.payment_method).may_cancel(standing_of(invoice)):
        return []
    if invoice.released_at is not None and invoice.product.refund_approval:
        return []
    effect = "Stops the invoice; nothing was taken, so nothing goes back."
    return [Action("cancel", "DELETE", path, scopes.INVOICES_WRITE, effect)]


def _giving_back(invoice: Invoice, path: str) -> list[Action]:
    found = []
    if has_receipt(invoice):
        effect = "The receipt as a PDF."
        found.append(Action("receipt", "GET", f"{path}/receipt.pdf", scopes.INVOICES_READ, effect))
    method, status = find_method(invoice.payment_method), InvoiceStatus(invoice.status)
    is_from = status in method.full_refund_from or status in method.partial_refund_from
    if is_from and invoice.total and invoice.product.refund_allowed and _has_money_left(invoice):
        agreed = "a second person must agree" if invoice.product.refund_approval else "nobody else must agree"
        effect = f"Gives back all that is left, or parts: refunds/preview shows what would happen; {agreed}."
        found.append(Action("refund", "POST", f"{path}/refunds", scopes.REFUNDS_REQUEST, effect))
    return found


def _has_money_left(invoice: Invoice) -> bool:
    return any(line.refundable(fee_type) for line in invoice.lines.all() for fee_type in FeeType)
