"""Money that arrives for an invoice, and money that is taken off it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from accounts.operations import lock_account, locked_account, release_account
from accounts.states import LockKind
from invoices.methods import Collection, find_method
from invoices.models import Credit, IllegalInvoiceMove, Invoice, InvoiceReference, Receipt
from invoices.operations.creditrows import add_credit, give_back_credit
from invoices.operations.standing import ZERO, follow, lock_invoice, turn_references
from invoices.states import (
    OPEN_STATUSES,
    CreditKind,
    InvoiceStatus,
    MethodCode,
    ReceiptSource,
    ReferenceStatus,
    Trigger,
)
from kernel.audit.actors import Actor
from kernel.errors import Conflict, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work

REOPEN_WITHIN = timedelta(days=60)
SYSTEM = Actor.system("invoices")
# Money may still come for what the payer had given up: on a card page that was left open.
TAKES_MONEY = OPEN_STATUSES | {InvoiceStatus.DELETE_ACCEPTED, InvoiceStatus.DELETED}
# And for what was given back while its debit, voucher or transfer was under way: that pays it, and is no second credit.
GIVEN_BACK = frozenset(
    {
        InvoiceStatus.REFUND_REQUESTED,
        InvoiceStatus.REFUNDED,
        InvoiceStatus.CREDITED,
        InvoiceStatus.MANUALLY_REFUNDED,
    }
)
# From these, money can be taken off again; what was given back by then stays given back.
REOPENED_FROM = frozenset({InvoiceStatus.PAID, InvoiceStatus.PARTIAL_PAID, InvoiceStatus.OVERDUE})
GL_MATTERS_IN = frozenset({InvoiceStatus.PAID, InvoiceStatus.REFUNDED})


class ReceiptDiffers(Conflict):
    """This receipt is recorded already, with another amount."""

    code = "receipt-differs"
    next_step = "Compare the two amounts: one of them is not what the outside says."


class ReceiptAmountUnfit(Refused):
    """A receipt of an invoice has an amount above zero."""

    code = "receipt-amount-unfit"


class NothingToTakeBack(Conflict):
    """No money stands on this invoice, so none can be taken off it."""

    code = "nothing-to-take-back"


class TooLateToReopen(Refused):
    """A payment by transfer is taken off its invoice within 60 days only."""

    code = "too-late-to-reopen"


class NotScheduled(Conflict):
    """The external ledger cannot have an invoice of this one now."""

    code = "invoice-not-for-the-ledger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What proves that money came: the outside's number and day of it, and where it is written (`origin`).

    `final_at` is what payment_date becomes when this completes the invoice (domain.md 2.4): the application date of a
    settlement line, the effective date of a feedback line, otherwise the moment at which we learned it.
    """

    receipt_number: str
    amount: Decimal
    receipt_date: datetime
    source: ReceiptSource
    final_at: datetime
    payment_id: UUID | None = None
    origin: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """The invoice as it is now, the receipt, whether it is new, and the credit that held what was too much."""

    invoice: Invoice
    receipt: Receipt
    is_new: bool
    credit: Credit | None = None


@unit_of_work
def settle(invoice_id: int, evidence: Evidence, *, actor: Actor, at: datetime) -> Settled:
    """Applies the money to the invoice as one unit of work; see `apply_evidence`."""
    return apply_evidence(lock_invoice(invoice_id), evidence, actor=actor, at=at)


@inside_unit_of_work
def apply_evidence(invoice: Invoice, evidence: Evidence, *, actor: Actor, at: datetime) -> Settled:
    """Applies the money to the locked invoice, once for each (source, receipt number). Nothing is ever lost.

    What is above the owing becomes a credit on the account, also all of it, when nothing is owed any more. The same
    evidence again gives `is_new` False. Raises ReceiptDiffers when it came with another amount before.
    """
    if evidence.amount < ZERO or (evidence.amount == ZERO and invoice.total > ZERO):
        raise ReceiptAmountUnfit(f"The receipt {evidence.receipt_number} is of {evidence.amount}.")
    applied = _applicable(invoice, evidence.amount)
    receipt = _claim_receipt(invoice, evidence, applied=applied, actor=actor, at=at)
    if receipt is None:
        return _known(invoice, evidence)
    credit = _keep_excess(invoice, evidence, receipt, actor=actor, at=at)
    was_overdue = invoice.overdue_at is not None
    if (
        invoice.payment_date is None
        and (applied or not invoice.total)
        and invoice.paid_amount + applied >= invoice.total
    ):
        _complete(invoice, final_at=evidence.final_at, at=at)
    change = {"receipt": receipt.receipt_number, "applied": applied, "credited": evidence.amount - applied}
    action = "invoice.money-received"
    follow(invoice, action, actor=actor, at=at, change=change, source=evidence.origin)
    if was_overdue and invoice.overdue_at is None:
        _unlock_when_nothing_is_overdue(invoice, actor=actor, at=at)
    return Settled(invoice, receipt, is_new=True, credit=credit)


@unit_of_work
def schedule(
    invoice_id: int, *, invoice_number: str, reference_number: str = "", actor: Actor, at: datetime
) -> InvoiceReference:
    """Notes that the external ledger has an invoice of this number for it; of a method whose payer acts then, the
    invoice waits for the settlement from now on.

    The same number again changes nothing. Raises NotScheduled when it is not open, or is there under another number.
    """
    invoice = lock_invoice(invoice_id)
    active = invoice.references.active().first()
    if active is not None and active.invoice_number == invoice_number:
        return active
    if active is not None or InvoiceStatus(invoice.status) not in OPEN_STATUSES:
        under = f" under {active.invoice_number}" if active else ""
        raise NotScheduled(f"{invoice} is {invoice.status}{under}.", ids=[invoice.pk])
    reference = InvoiceReference.objects.create(
        invoice=invoice,
        invoice_number=invoice_number,
        reference_number=reference_number,
        status=ReferenceStatus.ACTIVE,
        created_at=at,
        status_since=at,
    )
    if find_method(invoice.payment_method).collection == Collection.PAYER:
        invoice.scheduled_at = at
    follow(invoice, "invoice.sent-to-ledger", actor=actor, at=at, change={"invoice_number": invoice_number})
    return reference


@unit_of_work
def bounce(
    invoice_id: int, *, reason: str, actor: Actor, at: datetime, origin: Mapping[str, Any] | None = None
) -> Invoice:
    """The bank returned the debit: what was paid is taken off, the number in the ledger is unpaid again, the account
    is locked (domain.md 9.2). A second report of the same bounce changes nothing.

    Raises NothingToTakeBack for an invoice that was stopped, or that is not paid by a debit.
    """
    invoice = lock_invoice(invoice_id)
    if invoice.status == InvoiceStatus.SETTLEMENT_SCHED and invoice.bounced_at is not None:
        return invoice
    if not find_method(invoice.payment_method).allows(InvoiceStatus(invoice.status), Trigger.BOUNCED):
        raise NothingToTakeBack(f"{invoice} ({invoice.payment_method}) is {invoice.status}.", ids=[invoice.pk])
    _take_back_all(invoice, actor=actor, at=at)
    turn_references(invoice, ReferenceStatus.ACTIVE, among=ReferenceStatus.COMPLETED, at=at)
    invoice.payment_date = None
    invoice.bounced_at = at
    follow(invoice, "invoice.bounced", actor=actor, at=at, reason=reason, source=origin)
    _lock_payer(invoice, LockKind.NSF, reason, actor=actor, at=at)
    return invoice


@unit_of_work
def reopen(invoice_id: int, *, reason: str, actor: Actor, at: datetime) -> Invoice:
    """Takes a transfer's money off its invoice again (domain.md 2.2, EFT), which clears payment_date.

    Raises NothingToTakeBack, also when the money is given back already, TooLateToReopen after 60 days,
    IllegalInvoiceMove for a method that does not know it.
    """
    invoice = lock_invoice(invoice_id)
    if InvoiceStatus(invoice.status) not in REOPENED_FROM:
        raise NothingToTakeBack(f"{invoice} is {invoice.status}.", ids=[invoice.pk])
    if invoice.payment_date is not None and at - invoice.payment_date > REOPEN_WITHIN:
        raise TooLateToReopen(f"{invoice} was paid on {invoice.payment_date:%Y-%m-%d}.", ids=[invoice.pk])
    if not _take_back_all(invoice, actor=actor, at=at):
        raise NothingToTakeBack(f"No money stands on {invoice}.", ids=[invoice.pk])
    turn_references(invoice, ReferenceStatus.ACTIVE, among=ReferenceStatus.COMPLETED, at=at)
    invoice.payment_date = None
    follow(invoice, "invoice.reopened", actor=actor, at=at, reason=reason)
    return invoice


@unit_of_work
def mark_overdue(invoice_id: int, *, actor: Actor = SYSTEM, at: datetime) -> Invoice:
    """Notes that the overdue date has come and locks the account. Changes nothing before that date, or when it is
    marked or paid already."""
    invoice = lock_invoice(invoice_id)
    is_due = invoice.overdue_date <= at and invoice.status in OPEN_STATUSES and invoice.overdue_at is None
    if invoice.payment_method != MethodCode.EFT or not is_due:
        return invoice
    invoice.overdue_at = at
    follow(invoice, "invoice.overdue", actor=actor, at=at)
    cause = f"{invoice} is not paid by its overdue date."
    _lock_payer(invoice, LockKind.OVERDUE_EFT, cause, actor=actor, at=at)
    return invoice


@unit_of_work
def charge_back(invoice_id: int, *, reason: str, actor: Actor, at: datetime) -> Invoice:
    """The card issuer took the money back. Raises IllegalInvoiceMove when it was not paid by card."""
    invoice = lock_invoice(invoice_id)
    if invoice.charged_back_at is None:
        invoice.charged_back_at = at
        follow(invoice, "invoice.charged-back", actor=actor, at=at, reason=reason)
    return invoice


@unit_of_work
def note_gl_change(invoice_id: int, *, is_posted: bool, actor: Actor, at: datetime) -> Invoice:
    """A GL code of its lines was changed after the payment, or (`is_posted`) the gateway has the changed lines.

    The same again changes nothing. Raises IllegalInvoiceMove for what is neither paid nor refunded, by card.
    """
    invoice = lock_invoice(invoice_id)
    if is_posted == (invoice.gl_changed_at is None):
        return invoice
    if not is_posted and InvoiceStatus(invoice.status) not in GL_MATTERS_IN:
        # Kept on an unpaid invoice, it would be in the way of its payment.
        raise IllegalInvoiceMove(
            f"{invoice} is {invoice.status}: the gateway has no revenue lines of it to change.", ids=[invoice.pk]
        )
    invoice.gl_changed_at = None if is_posted else at
    follow(invoice, "invoice.gl-posted" if is_posted else "invoice.gl-changed", actor=actor, at=at)
    return invoice


def _applicable(invoice: Invoice, amount: Decimal) -> Decimal:
    """How much of the money pays the invoice; the rest is the account's."""
    missing = invoice.total - invoice.paid_amount
    status = InvoiceStatus(invoice.status)
    if status in OPEN_STATUSES:
        return min(amount, missing)
    # What is not open any more is paid whole or not at all: a part of it would stand on it for ever.
    revivable = status in TAKES_MONEY and find_method(invoice.payment_method).may_move(status, InvoiceStatus.PAID)
    return missing if (revivable or status in GIVEN_BACK) and amount >= missing else ZERO


def _claim_receipt(
    invoice: Invoice, evidence: Evidence, *, applied: Decimal, actor: Actor, at: datetime
) -> Receipt | None:
    """The new receipt; None when this evidence has been applied before."""
    receipt = Receipt(
        invoice=invoice,
        receipt_number=evidence.receipt_number,
        amount=applied,
        excess=evidence.amount - applied,
        currency=invoice.currency,
        receipt_date=evidence.receipt_date,
        source=evidence.source,
        payment_id=evidence.payment_id,
        created_at=at,
        created_by=actor.name,
    )
    try:
        with transaction.atomic():
            receipt.save(force_insert=True)
    except IntegrityError as taken:
        if "receipt_once" not in str(taken):
            raise
        return None
    return receipt


def _known(invoice: Invoice, evidence: Evidence) -> Settled:
    receipt = Receipt.objects.get(
        invoice=invoice, source=evidence.source, receipt_number=evidence.receipt_number, reverses=None
    )
    recorded = receipt.amount + receipt.excess
    if recorded != evidence.amount:
        raise ReceiptDiffers(
            f"Receipt {receipt} of {invoice} is recorded with {recorded}, and came with {evidence.amount}.",
            ids=[receipt.pk],
            recorded=str(recorded),
            came=str(evidence.amount),
        )
    return Settled(invoice, receipt, is_new=False, credit=Credit.objects.filter(receipt=receipt).first())


def _keep_excess(
    invoice: Invoice, evidence: Evidence, receipt: Receipt, *, actor: Actor, at: datetime
) -> Credit | None:
    if not receipt.excess:
        return None
    return add_credit(
        invoice,
        kind=CreditKind.ON_ACCOUNT,
        amount=receipt.excess,
        receipt=receipt,
        ledger_identifier=receipt.receipt_number,
        details=f"More came than {invoice} owed",
        actor=actor,
        at=at,
        origin=evidence.origin,
    )


def _complete(invoice: Invoice, *, final_at: datetime, at: datetime) -> None:
    invoice.payment_date = final_at
    if invoice.deleted_at is not None:
        # Its number was cancelled with it, and counts again.
        turn_references(invoice, ReferenceStatus.COMPLETED, among=ReferenceStatus.CANCELLED, at=at)
    invoice.overdue_at = invoice.bounced_at = invoice.abandoned_at = invoice.deleted_at = None
    turn_references(invoice, ReferenceStatus.COMPLETED, among=ReferenceStatus.ACTIVE, at=at)


def _take_back_all(invoice: Invoice, *, actor: Actor, at: datetime) -> list[Receipt]:
    live = list(Receipt.objects.live().filter(invoice=invoice).order_by("pk"))
    for receipt in live:
        reversal = Receipt.objects.create(
            invoice=invoice,
            receipt_number=receipt.receipt_number,
            amount=receipt.amount,
            currency=receipt.currency,
            receipt_date=at,
            source=receipt.source,
            payment_id=receipt.payment_id,
            reverses=receipt,
            created_at=at,
            created_by=actor.name,
        )
        give_back_credit(receipt, reversal, actor=actor, at=at)
    return live


@inside_unit_of_work
def _unlock_when_nothing_is_overdue(invoice: Invoice, *, actor: Actor, at: datetime) -> None:
    # Of two that are paid at once, the later one must see the other as paid.
    locked_account(invoice.account_id)
    others = Invoice.objects.filter(account_id=invoice.account_id, status=InvoiceStatus.OVERDUE)
    if not others.exclude(pk=invoice.pk).exists():
        reason = f"{invoice} was the last one overdue, and is paid."
        release_account(invoice.account_id, kind=LockKind.OVERDUE_EFT, actor=actor, reason=reason, at=at)


@inside_unit_of_work
def _lock_payer(invoice: Invoice, kind: LockKind, cause: str, *, actor: Actor, at: datetime) -> None:
    # A closed account orders nothing anyway, and what happened to its invoice must be recorded all the same.
    if not invoice.account.is_closed:
        lock_account(invoice.account_id, kind=kind, cause=cause, invoice_id=invoice.pk, actor=actor, at=at)
