"""What a refund would do, worked out before it is asked for: parts, outcome, status, credit, partner's share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from invoices.balances import implied_status
from invoices.methods import find_method
from invoices.models import Invoice, InvoiceLine
from invoices.operations.standing import ZERO, standing_of
from invoices.states import (
    PARTNER_FEE_TYPES,
    FeeType,
    InvoiceStatus,
    MethodCode,
    RefundOutcome,
)
from kernel.errors import Conflict, FieldError, Refused
from kernel.money import AmountInvalid, parse_amount


class RefundNotAllowed(Conflict):
    """This invoice cannot be refunded now."""

    code = "refund-not-allowed"
    title = "Refund not allowed"
    next_step = "Read the invoice: its method, its status and its product say what can be given back."


class NothingLeftToRefund(Conflict):
    """All of this invoice was given back already, or is being given back."""

    code = "nothing-left-to-refund"
    title = "Nothing left to refund"


class RefundPartsUnfit(Refused):
    """Some parts of the refund do not fit the invoice."""

    code = "refund-parts-unfit"
    title = "Parts of the refund do not fit"


class RefundPlanChanged(Conflict):
    """The refund would not do any more what was shown before it was asked for."""

    code = "refund-plan-changed"
    title = "The refund has changed"
    next_step = "Look at what it would do now, and ask again if that is still wanted."


@dataclass(frozen=True, slots=True)
class RefundPart:
    """So much of one part of one line; `amount` is a positive decimal in the invoice's currency."""

    line_id: int
    fee_type: FeeType
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundPlan:
    """All that can be said about a refund before it is asked for. Amounts are of the invoice's currency."""

    invoice: Invoice
    parts: tuple[RefundPart, ...]
    # What can still go back of every part, before this plan.
    left: tuple[RefundPart, ...]
    amount: Decimal
    is_full: bool
    outcome: RefundOutcome
    # While the outside has not confirmed, and when all is done.
    status_at_once: InvoiceStatus
    status_after: InvoiceStatus
    credit: Decimal
    # What the partner got, or will get, of these parts: it is pulled back.
    partner_share: Decimal
    needs_approval: bool

    @property
    def sentences(self) -> tuple[str, ...]:
        """The effects, for a reader."""
        amount = f"{self.amount} {self.invoice.currency}"
        said = {
            RefundOutcome.CANCEL: f"Invoice {self.invoice.pk} is stopped; nothing was taken, so nothing goes back.",
            RefundOutcome.CREDIT: f"{amount} becomes a credit on account {self.invoice.account.account_number}.",
            RefundOutcome.MONEY_BACK: f"{amount} goes back the way it came.",
            RefundOutcome.MANUAL: f"{amount} is recorded as given back outside; no other system is told.",
        }[self.outcome]
        waiting = (
            f"The invoice is {self.status_at_once} until the outside confirms, then {self.status_after}."
            if self.status_at_once != self.status_after
            else f"The invoice is {self.status_after} then."
        )
        share = (
            f"{self.partner_share} {self.invoice.currency} of it is the partner's share and is pulled back from it."
            if self.partner_share
            else "The partner's share does not change."
        )
        return (said, waiting, share)

    @property
    def fingerprint(self) -> str:
        """The same for plans that say the same of the same state: by it a confirmation is bound to what was shown.

        What is left is part of it: else a confirmation that is sent twice would give the same part back twice.
        """
        parts, left = (sorted(_in_words(part) for part in some) for some in (self.parts, self.left))
        said = [self.invoice.pk, self.invoice.status, parts, left, str(self.amount), self.outcome, self.needs_approval]
        after = [self.status_at_once, self.status_after, str(self.credit), str(self.partner_share)]
        return hashlib.sha256(json.dumps([*said, *after]).encode()).hexdigest()


def plan_refund(invoice: Invoice, parts: Sequence[RefundPart] | None, *, is_manual: bool = False) -> RefundPlan:
    """What giving back these parts would do; with None, all that is left.

    `is_manual`: it was given back outside and is only recorded. Raises RefundNotAllowed (method, status or product),
    NothingLeftToRefund, RefundPartsUnfit naming each part by its place: `refundRevenue[1].refundAmount`.
    """
    lines = {line.pk: line for line in invoice.lines.all()}
    left = _left(lines.values())
    wanted = left if parts is None else _checked(parts, lines, currency=invoice.currency)
    amount = sum((part.amount for part in wanted), ZERO)
    is_full = amount == invoice.total
    if invoice.total > ZERO and not left:
        raise NothingLeftToRefund(f"All of {invoice} is given back, or being given back.", ids=[invoice.pk])
    _require_allowed(invoice, is_full=is_full, is_manual=is_manual)
    outcome = RefundOutcome.MANUAL if is_manual else outcome_of(invoice, is_full=is_full)
    at_once, after = _statuses(invoice, amount, outcome)
    return RefundPlan(
        invoice=invoice,
        parts=tuple(wanted),
        left=tuple(left),
        amount=amount,
        is_full=is_full,
        outcome=outcome,
        status_at_once=at_once,
        status_after=after,
        credit=amount if outcome == RefundOutcome.CREDIT else ZERO,
        partner_share=_partner_share(invoice, wanted, lines),
        needs_approval=invoice.product.refund_approval and not is_manual,
    )


def require_same_plan(plan: RefundPlan, expects: str) -> None:
    """Raises RefundPlanChanged unless `expects` is the plan's fingerprint; with '' nothing particular is expected."""
    if expects and expects != plan.fingerprint:
        message = f"{plan.invoice} or what was asked for has changed since this was shown."
        raise RefundPlanChanged(message, ids=[plan.invoice.pk])


def takes_back_money(invoice: Invoice, outcome: RefundOutcome) -> bool:
    """Whether money goes back with this outcome; no, where none has come and the method can stop what is under way."""
    if outcome == RefundOutcome.MONEY_BACK and not invoice.paid_amount:
        return not find_method(invoice.payment_method).may_move(InvoiceStatus.REFUND_REQUESTED, InvoiceStatus.CANCELLED)
    return outcome != RefundOutcome.CANCEL


def is_confirmed_outside(invoice: Invoice, outcome: RefundOutcome) -> bool:
    """Whether somebody outside must say that the money went back."""
    return outcome == RefundOutcome.MONEY_BACK and not (
        invoice.payment_method == MethodCode.EJV and not invoice.account.billable
    )


def is_partners(invoice: Invoice, line: InvoiceLine, fee_type: FeeType) -> bool:
    """Whether the partner of the product gets this part of the line from us (domain.md 3 and 6.2).

    The tax on its fees goes with them only where both are booked to one GL code.
    """
    if not invoice.product.has_partner_disbursements or not find_method(invoice.payment_method).pays_partners:
        return False
    if fee_type == FeeType.STATUTORY_GST:
        return line.statutory_gst_gl == line.fee_gl
    return fee_type in PARTNER_FEE_TYPES


def _in_words(part: RefundPart) -> tuple[int, str, str]:
    return (part.line_id, part.fee_type.value, str(part.amount))


def _left(lines: Iterable[InvoiceLine]) -> list[RefundPart]:
    return [
        RefundPart(line.pk, fee_type, line.refundable(fee_type))
        for line in sorted(lines, key=lambda line: line.pk)
        for fee_type in FeeType
        if line.refundable(fee_type)
    ]


def _checked(parts: Sequence[RefundPart], lines: dict[int, InvoiceLine], *, currency: str) -> list[RefundPart]:
    errors: list[FieldError] = []
    if not parts:
        errors.append(FieldError("refundRevenue", "required", "Name at least one part, or leave it away for all."))
    seen: set[tuple[int, FeeType]] = set()
    checked = []
    for place, part in enumerate(parts):
        problem = _problem(part, lines, seen, place=f"refundRevenue[{place}]", currency=currency)
        if problem is not None:
            errors.append(problem)
            continue
        seen.add((part.line_id, part.fee_type))
        checked.append(RefundPart(part.line_id, FeeType(part.fee_type), parse_amount(part.amount, currency)))
    if errors:
        raise RefundPartsUnfit(errors[0].message, errors=tuple(errors))
    return checked


def _problem(
    part: RefundPart,
    lines: dict[int, InvoiceLine],
    seen: set[tuple[int, FeeType]],
    *,
    place: str,
    currency: str,
) -> FieldError | None:
    line = lines.get(part.line_id)
    if line is None:
        return FieldError(f"{place}.paymentLineItemId", "unknown", f"The invoice has no line {part.line_id}.")
    if (part.line_id, part.fee_type) in seen:
        message = f"Line {part.line_id} names {part.fee_type} twice: name it once with the sum."
        return FieldError(f"{place}.refundType", "repeated", message)
    try:
        amount = parse_amount(part.amount, currency)
    except AmountInvalid as invalid:
        return FieldError(f"{place}.refundAmount", invalid.reason, invalid.detail)
    refundable = line.refundable(FeeType(part.fee_type))
    if amount > refundable:
        message = f"Of {part.fee_type} of line {part.line_id} at most {refundable} is left to refund."
        return FieldError(f"{place}.refundAmount", "too-large", message)
    return None


def _require_allowed(invoice: Invoice, *, is_full: bool, is_manual: bool) -> None:
    method, status = find_method(invoice.payment_method), InvoiceStatus(invoice.status)
    if invoice.total == ZERO:
        raise RefundNotAllowed(f"{invoice} cost nothing, so that nothing can be given back.", ids=[invoice.pk])
    if is_manual:
        # What stays PAID after a part was given back may be given back further.
        if status != InvoiceStatus.PAID:
            raise RefundNotAllowed(f"{invoice} is {status}: only what is PAID was given back.", ids=[invoice.pk])
        return
    if not invoice.product.refund_allowed:
        raise RefundNotAllowed(f"Refunds of {invoice.product_id} are not allowed.", ids=[invoice.pk])
    allowed = method.full_refund_from if is_full else method.partial_refund_from
    if status not in allowed:
        kind = "refunded" if is_full else "refunded in part"
        listed = ", ".join(sorted(allowed)) or "no status"
        raise RefundNotAllowed(
            f"{invoice} is {status}; by {method.code} it can be {kind} from {listed}.",
            ids=[invoice.pk],
            invoice_status=status.value,
            method=method.code,
        )
    if any(reference.is_consolidated for reference in invoice.references.all()):
        raise RefundNotAllowed(f"{invoice} was paid with others as one: refund it outside.", ids=[invoice.pk])


def outcome_of(invoice: Invoice, *, is_full: bool) -> RefundOutcome:
    """What a refund would do with the money now, by the invoice's method."""
    method = find_method(invoice.payment_method)
    return method.undo(standing_of(invoice, is_full=is_full))


def _statuses(invoice: Invoice, amount: Decimal, outcome: RefundOutcome) -> tuple[InvoiceStatus, InvoiceStatus]:
    facts = invoice.facts
    if outcome == RefundOutcome.CANCEL:
        return InvoiceStatus.CANCELLED, InvoiceStatus.CANCELLED
    column = {
        RefundOutcome.CREDIT: "credited",
        RefundOutcome.MONEY_BACK: "refunded",
        RefundOutcome.MANUAL: "manual",
    }[outcome]
    after = implied_status(replace(facts, **{column: getattr(facts, column) + amount}))
    if not takes_back_money(invoice, outcome):
        after = InvoiceStatus.CANCELLED
    if not is_confirmed_outside(invoice, outcome):
        return after, after
    return implied_status(replace(facts, pending=facts.pending + amount)), after


def _partner_share(invoice: Invoice, parts: Sequence[RefundPart], lines: Mapping[int, InvoiceLine]) -> Decimal:
    # Of what was never paid, no partner gets anything.
    if not invoice.paid_amount:
        return ZERO
    return sum((part.amount for part in parts if is_partners(invoice, lines[part.line_id], part.fee_type)), ZERO)
