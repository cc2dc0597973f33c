"""What is repaired without anybody asking: calls and card payments without an answer, refunds that wait for a word."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Q

from invoices.gateways import GatewayDown, PrepaidReversal, card_gateway, prepaid_gateway
from invoices.models import CardAttempt, Invoice, OutsideCall, Refund
from invoices.operations.calling import note_card_refund, put_off_question, sweep_call
from invoices.operations.callrows import number_of
from invoices.operations.cards import check_attempt
from invoices.operations.refunding import finish_refund
from invoices.operations.settling import SYSTEM, TAKES_MONEY, mark_overdue
from invoices.querysets import CardAttemptQuerySet, OutsideCallQuerySet
from invoices.states import AttemptStatus, CallStatus, MethodCode, RefundStatus
from kernel.errors import PaymentsiteError

logger = logging.getLogger(__name__)

Clock = Callable[[], datetime]
T = TypeVar("T")

# A payer is given half an hour before the gateway is asked; then it is asked so often (domain.md 4.4).
ATTEMPT_PATIENCE = timedelta(minutes=30)
ATTEMPT_EVERY = timedelta(minutes=10)
# What was declined, replaced or given up may have been paid on a page that was left open: asked often at first, and
# then once a day.
LATE_PAYMENT_WITHIN = timedelta(days=2)
LATE_PAYMENT_EVERY = timedelta(hours=6)
DIRECT_SALE_WITHIN = timedelta(days=30)
LEDGER_INVOICE_WITHIN = timedelta(days=90)
OLD_PAYMENT_EVERY = timedelta(days=1)
REFUND_EVERY = timedelta(minutes=10)
# What is paid back is booked by the gateway in the night after.
BOOKING_EVERY = timedelta(hours=2)
BOOKED_WITHIN = timedelta(days=30)
MOST_AT_ONCE = 500


@dataclass(slots=True)
class Swept:
    """How many were looked at, how many of them have moved on, and what went wrong with which."""

    looked_at: int = 0
    moved_on: int = 0
    failures: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        shown = self.failures[:20]
        return {"looked_at": self.looked_at, "moved_on": self.moved_on, "failed": len(self.failures), "failures": shown}


def sweep_calls(*, clock: Clock) -> Swept:
    """Asks what became of calls to the outside whose answer never came."""
    due = OutsideCall.objects.due(clock()).order_by("next_attempt_at").values_list("pk", flat=True)[:MOST_AT_ONCE]

    def look(call_id: Any) -> bool:
        return sweep_call(call_id, clock=clock).status in (CallStatus.SUCCEEDED, CallStatus.REFUSED)

    return _each(due, look)


def sweep_attempts(*, clock: Clock) -> Swept:
    """Asks the card gateway about payments whose payer never came back, and about late ones on pages left open."""
    return _ask_about(waiting_attempts(clock()), late_attempts(clock()), clock=clock)


def sweep_old_attempts(*, clock: Clock) -> Swept:
    """Asks once a day about card payments that were given up, for as long as their payer may still pay."""
    return _ask_about(old_attempts(clock()), clock=clock)


def waiting_attempts(at: datetime) -> CardAttemptQuerySet:
    """Card payments whose payer has had their time, and about which the gateway was not asked just now."""
    return CardAttempt.objects.open().filter(_not_asked_for(ATTEMPT_EVERY, at), started_at__lt=at - ATTEMPT_PATIENCE)


def late_attempts(at: datetime) -> CardAttemptQuerySet:
    """Card payments that ended lately without money, and whose invoice would take it."""
    return _without_money().filter(_not_asked_for(LATE_PAYMENT_EVERY, at), started_at__gt=at - LATE_PAYMENT_WITHIN)


def old_attempts(at: datetime) -> CardAttemptQuerySet:
    """The same of those that ended earlier: a month of a direct sale, three of an invoice that the ledger has."""
    direct = Q(invoice__payment_method=MethodCode.DIRECT_PAY, started_at__gt=at - DIRECT_SALE_WITHIN)
    on_ledger = Q(invoice__payment_method=MethodCode.CC, started_at__gt=at - LEDGER_INVOICE_WITHIN)
    return _without_money().filter(
        direct | on_ledger,
        _not_asked_for(OLD_PAYMENT_EVERY, at),
        started_at__gt=at - LEDGER_INVOICE_WITHIN,
        started_at__lte=at - LATE_PAYMENT_WITHIN,
    )


def _without_money() -> CardAttemptQuerySet:
    ended = [AttemptStatus.CANCELLED, AttemptStatus.FAILED]
    return CardAttempt.objects.filter(status__in=ended, invoice__status__in=sorted(TAKES_MONEY))


def _not_asked_for(pause: timedelta, at: datetime) -> Q:
    return Q(checked_at__isnull=True) | Q(checked_at__lte=at - pause)


def _ask_about(*attempts: CardAttemptQuerySet, clock: Clock) -> Swept:
    def look(attempt_id: Any) -> bool:
        return check_attempt(attempt_id, clock=clock).attempt.status == AttemptStatus.COMPLETED

    found = [some.order_by("started_at").values_list("pk", flat=True)[:MOST_AT_ONCE] for some in attempts]
    return _each([attempt_id for ids in found for attempt_id in ids], look)


def sweep_card_refunds(*, clock: Clock) -> Swept:
    """Asks the card gateway about refunds that it accepted: paid back, rejected, or still on their way."""
    accepted = OutsideCall.objects.awaiting_money_back(clock()).order_by("next_attempt_at")

    def look(call: OutsideCall) -> bool:
        return _asked_refund(call, every=REFUND_EVERY, clock=clock).status != RefundStatus.PROCESSING

    return _each(accepted[:MOST_AT_ONCE], look)


def sweep_bookings(*, clock: Clock) -> Swept:
    """Asks the card gateway whether it has booked what it paid back; a line that it rejects is kept for staff."""
    paid = unbooked_refunds(clock()).order_by("next_attempt_at")

    def look(call: OutsideCall) -> bool:
        refund = _asked_refund(call, every=BOOKING_EVERY, clock=clock)
        return refund.gl_posted_at is not None or bool(refund.gl_error)

    return _each(paid[:MOST_AT_ONCE], look)


def _asked_refund(call: OutsideCall, *, every: timedelta, clock: Clock) -> Refund:
    """The refund as the gateway's answer leaves it. Raises RefundLost."""
    put_off_question(call.pk, until=clock() + every)
    state = card_gateway().find_refund(call.request["reference"], str(call.pk))
    if state is None or call.refund_id is None:
        raise RefundLost(f"The card gateway accepted {call} and does not know it any more.")
    return note_card_refund(call.refund_id, state, actor=SYSTEM, at=clock())


def unbooked_refunds(at: datetime) -> OutsideCallQuerySet:
    """Card refunds of the last 30 days that are paid back and not known to be booked."""
    return OutsideCall.objects.awaiting_booking(at, since=at - BOOKED_WITHIN)


def sweep_drawdown_refunds(*, clock: Clock) -> Swept:
    """Looks into the mainframe's records for debits that the help desk has reversed, and finishes their refunds.

    A reversal of another amount than the debit's is left for staff and named among the failures (domain.md 4).
    """
    waiting = Refund.objects.processing().filter(invoice__payment_method=MethodCode.DRAWDOWN)
    refunds = list(waiting.select_related("invoice").prefetch_related("invoice__references").order_by("pk"))
    if not refunds:
        return Swept()
    numbers = {refund.pk: number_of(refund.invoice) for refund in refunds}
    try:
        reversals = {found.key: found for found in prepaid_gateway().find_reversals(list(numbers.values()))}
    except GatewayDown as down:
        return Swept(looked_at=len(refunds), failures=[down.detail])

    def look(refund: Refund) -> bool:
        found = reversals.get(numbers[refund.pk])
        if found is None:
            return False
        _require_same_amount(refund.invoice, found)
        at = clock()
        finish_refund(refund.pk, evidence=f"Reversal of {found.key}", final_at=at, actor=SYSTEM, at=at)
        return True

    return _each(refunds, look)


def sweep_overdue(*, clock: Clock) -> Swept:
    """Marks transfers that are past their overdue date, which locks their accounts."""
    past_due = Invoice.objects.past_due(clock()).order_by("pk").values_list("pk", flat=True)

    def look(invoice_id: int) -> bool:
        return mark_overdue(invoice_id, at=clock()).overdue_at is not None

    return _each(past_due, look)


class ReversalDiffers(ValueError):
    """The mainframe reversed another amount than it debited."""


class RefundLost(ValueError):
    """The card gateway has forgotten what it accepted."""


def _require_same_amount(invoice: Invoice, found: PrepaidReversal) -> None:
    debited = sum(line.total for line in invoice.lines.all())
    if abs(found.amount) != debited:
        raise ReversalDiffers(f"{found.key}: {debited} was debited, and {abs(found.amount)} reversed.")


def _each(items: Iterable[T], look: Callable[[T], bool]) -> Swept:
    """Looks at each; what goes wrong with one does not hold back the others."""
    swept = Swept()
    for item in items:
        swept.looked_at += 1
        try:
            swept.moved_on += look(item)
        except (PaymentsiteError, ReversalDiffers, RefundLost) as error:
            detail = error.detail if isinstance(error, PaymentsiteError) else str(error)
            swept.failures.append(f"{item}: {detail}")
            logger.warning("A sweep could not finish one", extra={"action": "sweep", "cause": type(error).__name__})
    return swept
