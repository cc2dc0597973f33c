"""Refunds that a second person must agree to: what exactly they agree to, and what happens then."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from invoices.models import Invoice, Refund
from invoices.operations.refunding import NoSuchRefund, add_refund, carry_out, decline, lock_refund, note_decision
from invoices.operations.refundplans import RefundPart, outcome_of
from invoices.operations.standing import lock_invoice
from invoices.states import RefundStatus
from kernel.approvals.content import canonical, differences
from kernel.approvals.operations import ApprovalVoid, agree, request_approval
from kernel.approvals.operations import decline as decline_request
from kernel.approvals.registry import ApprovalKind, Execution
from kernel.approvals.states import ApprovalStatus
from kernel.audit.actors import Actor
from kernel.errors import Conflict
from kernel.transactions import inside_unit_of_work, unit_of_work

KIND = "refund"
SCOPE_REQUEST = "refunds:request"
SCOPE_APPROVE = "refunds:approve"


class NoApprovalNeeded(Conflict):
    """Nobody needs to agree to this refund, or somebody has decided about it."""

    code = "refund-needs-no-approval"
    title = "No decision is open"


@unit_of_work
def request_refund(
    invoice_id: int,
    parts: Sequence[RefundPart] | None,
    *,
    reason: str,
    staff_comment: str = "",
    notification_email: str = "",
    expects: str = "",
    actor: Actor,
    scopes: Collection[str] = (),
    at: datetime,
) -> Refund:
    """As one unit of work; see `ask_for_refund`."""
    return ask_for_refund(
        lock_invoice(invoice_id),
        parts,
        reason=reason,
        staff_comment=staff_comment,
        notification_email=notification_email,
        expects=expects,
        actor=actor,
        scopes=scopes,
        at=at,
    )


@inside_unit_of_work
def ask_for_refund(
    invoice: Invoice,
    parts: Sequence[RefundPart] | None,
    *,
    reason: str,
    staff_comment: str = "",
    notification_email: str = "",
    expects: str = "",
    actor: Actor,
    scopes: Collection[str] = (),
    at: datetime,
) -> Refund:
    """Asks for a refund of the locked invoice: all that is left with `parts` None. Carried out at once unless its
    product wants a second person; the gateway is called after the commit, by `make_call` or the sweep.

    Raises what `add_refund` and `request_approval` raise; nothing is kept then.
    """
    refund, plan = add_refund(
        invoice,
        parts,
        reason=reason,
        staff_comment=staff_comment,
        notification_email=notification_email,
        expects=expects,
        actor=actor,
        at=at,
    )
    if plan.needs_approval:
        refund.approval = request_approval(
            KIND, _content(refund), actor=actor, reason=refund.reason, at=at, scopes=scopes
        )
        refund.save(update_fields=["approval"])
        return refund
    carry_out(invoice, refund, actor=actor, at=at)
    return refund


@inside_unit_of_work
def decide_refund(
    refund_id: int,
    *,
    is_approved: bool,
    reason: str,
    actor: Actor,
    scopes: Collection[str] = (),
    at: datetime,
) -> Refund:
    """A second person or API client agrees or declines, as a step. Raises NoApprovalNeeded, and what `agree` raises:
    OwnRequest, NotYours, ApprovalExpired, ApprovalVoid."""
    refund = find_refund(refund_id)
    if refund.status != RefundStatus.PENDING_APPROVAL or refund.approval_id is None:
        raise NoApprovalNeeded(f"{refund} is {refund.status}.", ids=[refund_id], refund_status=refund.status)
    if is_approved:
        agree(refund.approval_id, actor=actor, reason=reason, at=at, scopes=scopes)
    else:
        decline_request(refund.approval_id, actor=actor, reason=reason, at=at, scopes=scopes)
    return find_refund(refund_id)


def find_refund(refund_id: int) -> Refund:
    """Raises NoSuchRefund."""
    found = Refund.objects.filter(pk=refund_id).select_related("invoice").first()
    if found is None:
        raise NoSuchRefund(f"There is no refund {refund_id}.")
    return found


def _content(refund: Refund) -> dict[str, Any]:
    """All that matters about the refund and its invoice: if any of it changes, the approval is void."""
    invoice = refund.invoice
    return {
        "refund": refund.pk,
        "invoice": invoice.pk,
        "account": invoice.account.account_number,
        "amount": refund.amount,
        "currency": refund.currency,
        "outcome": outcome_of(invoice, is_full=refund.is_full),
        "parts": [
            {"line": part.line_id, "fee_type": part.fee_type, "amount": part.amount}
            for part in refund.lines.order_by("line_id", "fee_type")
        ],
        "invoice_status": invoice.status,
        "invoice_paid": invoice.paid_amount,
        "invoice_given_back": invoice.refunded_amount + invoice.credited_amount + invoice.manual_amount,
    }


def _current(content: Mapping[str, Any]) -> dict[str, Any]:
    refund = Refund.objects.filter(pk=content["refund"]).select_related("invoice__account").first()
    return {} if refund is None else _content(refund)


def _summarise(content: Mapping[str, Any]) -> str:
    effects = {
        "CANCEL": "the invoice is stopped, nothing was taken",
        "CREDIT": "it becomes a credit on the account",
        "MONEY_BACK": "it goes back the way it came",
    }
    return (
        f"Refund {content['amount']} {content['currency']} of invoice {content['invoice']} "
        f"(account {content['account']}, {content['invoice_status'].lower().replace('_', ' ')}): "
        f"{effects[content['outcome']]}."
    )


def _execute(content: Mapping[str, Any], execution: Execution) -> dict[str, Any]:
    invoice, refund = lock_refund(content["refund"])
    # What was compared before was read without the invoice's lock: another may have changed it just then.
    now = _content(refund)
    if canonical(now) != canonical(content):
        found = [str(difference) for difference in differences(content, now)]
        raise ApprovalVoid(
            f"Request {execution.request_id} is void: {'; '.join(found)}.",
            ids=[execution.request_id],
            differences=found,
        )
    note_decision(refund, actor=execution.actor, at=execution.at)
    carry_out(invoice, refund, actor=execution.actor, at=execution.at)
    return {"refund": refund.pk, "status": refund.status, "invoice_status": invoice.status}


def _ended(content: Mapping[str, Any], status: ApprovalStatus, actor: Actor, reason: str, at: datetime) -> None:
    invoice, refund = lock_refund(content["refund"])
    said = {
        ApprovalStatus.EXPIRED: "Nobody decided in time.",
        ApprovalStatus.WITHDRAWN: "Taken back by who asked for it.",
    }.get(status, "")
    decider = actor if status == ApprovalStatus.REFUSED else Actor.system("approvals")
    decline(invoice, refund, actor=decider, reason=reason or said, at=at)


REFUND_KIND = ApprovalKind(
    name=KIND,
    title="Refund of an invoice",
    may_request="invoices.request_refund",
    may_approve="invoices.approve_refund",
    current=_current,
    summarise=_summarise,
    execute=_execute,
    api_scope_request=SCOPE_REQUEST,
    api_scope_approve=SCOPE_APPROVE,
    carries_out_at_once=True,
    on_ended=_ended,
)
