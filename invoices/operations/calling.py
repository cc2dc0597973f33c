"""Calls to the card gateway and the prepaid mainframe: from committed rows, outside of transactions, noted afterwards.

The sweep asks what became of calls without an answer. It repeats refunds, which somebody waits for. It never takes
money that nobody asks for any more: a debit that has not happened within a quarter of an hour is given up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from invoices.events import announce_failure
from invoices.gateways import (
    CardRefund,
    CardRefundState,
    GatewayDown,
    GatewayRefused,
    OutcomeUnknown,
    PrepaidDebit,
    PrepaidReceipt,
    RevenueLine,
    card_gateway,
    prepaid_gateway,
)
from invoices.gateways.errors import KeyUsedOtherwise
from invoices.models import Invoice, OutsideCall, Refund
from invoices.operations.refunding import finish_locked, lock_refund, refuse_locked
from invoices.operations.settling import SYSTEM, Evidence, apply_evidence
from invoices.operations.standing import lock_invoice
from invoices.operations.stopping import stop
from invoices.states import UNFINISHED_CALLS, CallKind, CallStatus, InvoiceStatus, ReceiptSource, RefundStatus
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import NotFound, Unavailable
from kernel.transactions import inside_unit_of_work, own_statements, unit_of_work

logger = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
DEBIT_PATIENCE = timedelta(minutes=15)
LINE_REJECTED = "A revenue line was rejected."
# After so many attempts, how long until the next.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 300, 900, 3600))


class NoSuchCall(NotFound):
    """There is no call to the outside of this id."""

    code = "unknown-outside-call"


class CallUnderWay(Unavailable):
    """Another process is making this call right now."""

    code = "outside-call-under-way"
    title = "Call under way"


@dataclass(frozen=True, slots=True)
class Taken:
    """A call that this process may make. `may_have_happened`: an earlier attempt may have reached the other side."""

    call: OutsideCall
    may_have_happened: bool


@own_statements
def make_call(call_id: UUID, *, actor: Actor = SYSTEM, clock: Callable[[], datetime]) -> OutsideCall:
    """Makes the call, or learns what became of it, and notes the outcome; gives the call as it is then.

    A call that is done is given as it is. Raises CallUnderWay while another process makes it, GatewayRefused when the
    other side refused, GatewayDown and OutcomeUnknown when it is not known or not done yet; all of that is noted.
    """
    taken = _take(call_id, at=clock())
    if isinstance(taken, OutsideCall):
        return taken
    return _attempt(taken, actor=actor, clock=clock, may_write=True)


@own_statements
def ask_about_refund(refund_id: int, *, actor: Actor = SYSTEM, clock: Callable[[], datetime]) -> Refund:
    """Asks the card gateway what became of a refund, telling it of the refund first where that has not succeeded yet.

    Raises NoSuchCall where the refund is none to a card, and what `make_call` raises.
    """
    found = OutsideCall.objects.filter(refund_id=refund_id, kind=CallKind.CARD_REFUND).first()
    if found is None:
        raise NoSuchCall(f"No gateway was told of refund {refund_id}.")
    call = make_call(found.pk, actor=actor, clock=clock)
    state = card_gateway().find_refund(call.request["reference"], str(call.pk))
    if call.status != CallStatus.SUCCEEDED or state is None:
        return Refund.objects.get(pk=refund_id)
    return note_card_refund(refund_id, state, actor=actor, at=clock())


def sweep_call(call_id: UUID, *, actor: Actor = SYSTEM, clock: Callable[[], datetime]) -> OutsideCall:
    """As make_call, for the sweep and for staff who ask: a debit is only asked for, and given up when its patience is
    over."""
    taken = _take(call_id, at=clock())
    if isinstance(taken, OutsideCall):
        return taken
    may_write = taken.call.kind != CallKind.PREPAID_DEBIT
    return _attempt(taken, actor=actor, clock=clock, may_write=may_write)


@unit_of_work
def _take(call_id: UUID, *, at: datetime) -> Taken | OutsideCall:
    calls = OutsideCall.objects.lock([call_id])
    if not calls:
        raise NoSuchCall(f"There is no call {call_id}.")
    call = calls[0]
    if call.status not in UNFINISHED_CALLS:
        return call
    if call.status == CallStatus.SENT and call.next_attempt_at > at:
        raise CallUnderWay(f"{call} is being made.", retry_after_seconds=2)
    may_have_happened = call.status != CallStatus.PENDING
    call._move_to(CallStatus.SENT, at=at)
    call.attempts += 1
    call.next_attempt_at = at + LEASE
    call.save()
    return Taken(call, may_have_happened)


def _attempt(taken: Taken, *, actor: Actor, clock: Callable[[], datetime], may_write: bool) -> OutsideCall:
    call = taken.call
    try:
        done = _said(call, asks_first=taken.may_have_happened, may_write=may_write)
    except GatewayRefused as refusal:
        _note_refused(call.pk, refusal, actor=actor, at=clock())
        raise
    except OutcomeUnknown as unknown:
        _put_off(call.pk, CallStatus.UNKNOWN, unknown, at=clock())
        raise
    except GatewayDown as down:
        status = CallStatus.UNKNOWN if taken.may_have_happened else CallStatus.PENDING
        _put_off(call.pk, status, down, at=clock())
        raise
    if done is None:
        return _give_up_or_wait(call.pk, at=clock())
    return _note_done(call.pk, done, actor=actor, at=clock())


def _said(call: OutsideCall, *, asks_first: bool, may_write: bool) -> PrepaidReceipt | CardRefundState | None:
    """What the other side did; None when it did nothing and may not be told to."""
    request: dict[str, Any] = call.request
    if call.kind == CallKind.PREPAID_DEBIT:
        found = prepaid_gateway().find_debit(request["key"]) if asks_first else None
        if found is not None:
            _require_ours(call, found.amount, request["amount"], found.prepaid_account, request["prepaid_account"])
        return found if found is not None or not may_write else prepaid_gateway().debit(_debit(request))
    known = card_gateway().find_refund(request["reference"], str(call.pk)) if asks_first else None
    if known is not None:
        _require_ours(call, known.amount, request["amount"])
    return known or card_gateway().refund(_card_refund(call))


def _require_ours(call: OutsideCall, amount: Decimal, asked: str, account: str = "", asked_account: str = "") -> None:
    """Raises KeyUsedOtherwise when what was done under our key is not what we asked for: staff must compare."""
    if amount != Decimal(asked) or account != asked_account:
        raise KeyUsedOtherwise(f"{call}: {asked} was asked for, and {amount} is recorded under its key.")


def _debit(request: dict[str, Any]) -> PrepaidDebit:
    return PrepaidDebit(
        key=request["key"],
        prepaid_user_id=request["prepaid_user_id"],
        prepaid_account=request["prepaid_account"],
        amount=Decimal(request["amount"]),
        fee_code=request["fee_code"],
        remarks=request["remarks"],
        folio=request["folio"],
    )


def _card_refund(call: OutsideCall) -> CardRefund:
    request: dict[str, Any] = call.request
    lines = tuple(RevenueLine(line["number"], line["gl"], Decimal(line["amount"])) for line in request["lines"])
    return CardRefund(request["reference"], str(call.pk), Decimal(request["amount"]), lines)


def _note_done(call_id: UUID, done: PrepaidReceipt | CardRefundState, *, actor: Actor, at: datetime) -> OutsideCall:
    if isinstance(done, PrepaidReceipt):
        return _note_debited(call_id, done, actor=actor, at=at)
    return _note_accepted(call_id, done, actor=actor, at=at)


@unit_of_work
def put_off_question(call_id: UUID, *, until: datetime) -> None:
    """Lets nobody ask about an accepted refund again before `until`: it takes the gateway days to pay one back."""
    for call in OutsideCall.objects.lock([call_id]):
        call.next_attempt_at = until
        call.save(update_fields=["next_attempt_at"])


@unit_of_work
def note_card_refund(refund_id: int, state: CardRefundState, *, actor: Actor, at: datetime) -> Refund:
    """What the gateway says of a refund: rejected lines refuse it, paid ones finish it, others leave it under way.

    Of one that is finished, whether its lines were booked; a line that is rejected then is its `gl_error`.
    """
    invoice, refund = lock_refund(refund_id)
    _follow_gateway(invoice, refund, state, actor=actor, at=at)
    return refund


@unit_of_work
def _note_accepted(call_id: UUID, state: CardRefundState, *, actor: Actor, at: datetime) -> OutsideCall:
    invoice, call = _locked(call_id)
    call._move_to(CallStatus.SUCCEEDED, at=at)
    call.answer = {"refund_number": state.refund_number}
    call.next_attempt_at = at
    call.save()
    _follow_gateway(invoice, _refund_of(call), state, actor=actor, at=at)
    return call


@inside_unit_of_work
def _follow_gateway(invoice: Invoice, refund: Refund, state: CardRefundState, *, actor: Actor, at: datetime) -> None:
    if refund.status != RefundStatus.PROCESSED:
        if state.is_rejected:
            refuse_locked(invoice, refund, error=state.error or LINE_REJECTED, actor=actor, at=at)
            return
        if not state.is_paid:
            return
        evidence = f"Card refund {state.refund_number}"
        finish_locked(invoice, refund, evidence=evidence, final_at=at, actor=actor, at=at)
    _follow_booking(refund, state, actor=actor, at=at)


@inside_unit_of_work
def _follow_booking(refund: Refund, state: CardRefundState, *, actor: Actor, at: datetime) -> None:
    """The payer has the money; the gateway books its revenue lines afterwards, or rejects one (domain.md 4.3)."""
    if refund.gl_posted_at is not None or refund.gl_error:
        return
    if state.is_complete:
        refund.gl_posted_at = at
        refund.save(update_fields=["gl_posted_at"])
    elif state.is_rejected:
        refund.gl_error = (state.error or LINE_REJECTED)[:250]
        refund.save(update_fields=["gl_error"])
        after = {"gl_error": refund.gl_error}
        record_entry(actor=actor, action="refund.booking-rejected", subject=refund, after=after, at=at)


@unit_of_work
def _note_debited(call_id: UUID, done: PrepaidReceipt, *, actor: Actor, at: datetime) -> OutsideCall:
    invoice, call = _locked(call_id)
    call._move_to(CallStatus.SUCCEEDED, at=at)
    call.answer = {"receipt_number": done.receipt_number, "debited_at": done.debited_at.isoformat()}
    call.save()
    # The mainframe took the service fee as well, by the fee code: the invoice is paid whole.
    evidence = Evidence(
        receipt_number=done.receipt_number,
        amount=invoice.total,
        receipt_date=done.debited_at,
        source=ReceiptSource.PREPAID,
        final_at=at,
        origin={"outside_call": str(call.pk)},
    )
    apply_evidence(invoice, evidence, actor=actor, at=at)
    return call


@unit_of_work
def _note_refused(call_id: UUID, refusal: GatewayRefused, *, actor: Actor, at: datetime) -> OutsideCall:
    invoice, call = _locked(call_id)
    call._move_to(CallStatus.REFUSED, at=at)
    call.error_code, call.error_detail = refusal.code, refusal.detail[:500]
    call.save()
    if call.kind == CallKind.PREPAID_DEBIT:
        announce_failure(invoice, reason=refusal.detail, at=at)
        _stop_unpaid(invoice, actor=actor, reason=refusal.detail, at=at)
        return call
    refuse_locked(invoice, _refund_of(call), error=refusal.detail, actor=actor, at=at)
    return call


@unit_of_work
def _put_off(call_id: UUID, status: CallStatus, error: Unavailable, *, at: datetime) -> None:
    call = OutsideCall.objects.lock([call_id])[0]
    call._move_to(status, at=at)
    call.error_code, call.error_detail = error.code, error.detail[:500]
    call.next_attempt_at = at + PAUSES[min(call.attempts, len(PAUSES)) - 1]
    call.save()
    logger.warning("A call to the outside has no answer", extra={"action": "call_outside", "call_id": str(call_id)})


@unit_of_work
def _give_up_or_wait(call_id: UUID, *, at: datetime) -> OutsideCall:
    """A debit that has certainly not happened: nobody asks for it any more after its patience, so it is stopped."""
    invoice, call = _locked(call_id)
    if at - call.created_at < DEBIT_PATIENCE:
        call._move_to(CallStatus.UNKNOWN, at=at)
        call.next_attempt_at = call.created_at + DEBIT_PATIENCE
        call.save()
        return call
    call._move_to(CallStatus.REFUSED, at=at)
    call.error_code, call.error_detail = "given-up", "The prepaid account was not debited, and nobody asked again."
    call.save()
    announce_failure(invoice, reason=call.error_detail, at=at)
    _stop_unpaid(invoice, actor=SYSTEM, reason=call.error_detail, at=at)
    return call


@inside_unit_of_work
def _stop_unpaid(invoice: Invoice, *, actor: Actor, reason: str, at: datetime) -> None:
    # Staff may have recorded other money for it meanwhile: then it stays paid.
    if invoice.status == InvoiceStatus.CREATED:
        stop(invoice, actor=actor, reason=reason, at=at)


def _refund_of(call: OutsideCall) -> Refund:
    # A constraint keeps a card refund's call from being without it.
    return Refund.objects.lock([call.refund_id] if call.refund_id else [])[0]


def _locked(call_id: UUID) -> tuple[Invoice, OutsideCall]:
    # The invoice first, as in every other write.
    invoice = lock_invoice(OutsideCall.objects.values_list("invoice_id", flat=True).get(pk=call_id))
    return invoice, OutsideCall.objects.lock([call_id])[0]
