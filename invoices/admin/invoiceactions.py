"""What can be done about an invoice on its page: each says its effect, and is offered only while it is legal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from invoices.admin.belongings import belongings_of
from invoices.admin.display import OUTCOMES, ZERO, method_title
from invoices.admin.refundwizard import RefundWizard
from invoices.gateways import GatewayRefused
from invoices.methods import find_method
from invoices.models import Credit, Invoice
from invoices.operations.calling import sweep_call
from invoices.operations.cards import check_attempt
from invoices.operations.converting import convert
from invoices.operations.crediting import apply_credit
from invoices.operations.refundplans import plan_refund
from invoices.operations.settling import charge_back
from invoices.operations.standing import standing_of
from invoices.operations.stopping import cancel
from invoices.states import OPEN_STATUSES, UNFINISHED_CALLS, InvoiceStatus, MethodCode
from kernel.adminsite import Confirmation, RecordAdmin, confirmed_action, paged_action
from kernel.errors import PaymentsiteError

# Digits of the largest key.
LONGEST_ID = 18


def _may_cancel(invoice: Invoice) -> bool:
    is_stopped = invoice.cancelled_at or invoice.deleted_at or invoice.abandoned_at
    needs_two = invoice.released_at is not None and invoice.product.refund_approval
    legal = find_method(invoice.payment_method).may_cancel(standing_of(invoice))
    return not is_stopped and not needs_two and not invoice.paid_amount and legal


def _may_refund(invoice: Invoice, *, is_manual: bool = False) -> bool:
    try:
        plan_refund(invoice, None, is_manual=is_manual)
    except PaymentsiteError:
        return False
    return True


def _credit_left(invoice: Invoice) -> Any:
    """What the account has for invoices of this method, as a sum of Decimals."""
    credits = Credit.objects.with_money_left().filter(
        account_id=invoice.account_id, payment_method=invoice.payment_method
    )
    return sum((credit.remaining for credit in credits), ZERO)


def _may_apply_credit(invoice: Invoice) -> bool:
    lends = find_method(invoice.payment_method).lends_credit
    owes = invoice.status in OPEN_STATUSES and invoice.owing > ZERO
    return lends and owes and _credit_left(invoice) > ZERO


def _may_convert(invoice: Invoice) -> bool:
    waits = invoice.status in (InvoiceStatus.CREATED, InvoiceStatus.SETTLEMENT_SCHED)
    return invoice.payment_method == MethodCode.ONLINE_BANKING and waits and not invoice.paid_amount


def _may_charge_back(invoice: Invoice) -> bool:
    method = find_method(invoice.payment_method)
    return method.may_move(InvoiceStatus(invoice.status), InvoiceStatus.CHARGEBACK)


def _asks_something(invoice: Invoice) -> bool:
    found = belongings_of(invoice)
    unpaid_attempt = bool(found.attempts) and invoice.status in OPEN_STATUSES
    return unpaid_attempt or any(call.status in UNFINISHED_CALLS for call in found.calls)


# When an action is legal; the operations refuse the others as well.
POSSIBLE: Mapping[str, Callable[[Invoice], bool]] = {
    "cancel": _may_cancel,
    "refund": _may_refund,
    "record_outside_refund": lambda invoice: _may_refund(invoice, is_manual=True),
    "apply_credit": _may_apply_credit,
    "convert": _may_convert,
    "charge_back": _may_charge_back,
    "ask_outside": _asks_something,
}


def _possible(invoice: Invoice) -> set[str]:
    """Names of the actions that are legal now, worked out once for one page."""
    found: set[str] | None = vars(invoice).get("_possible")
    if found is None:
        found = {name for name, is_legal in POSSIBLE.items() if is_legal(invoice)}
        vars(invoice)["_possible"] = found
    return found


def _cancel_effect(invoice: Invoice) -> str:
    method = find_method(invoice.payment_method)
    if InvoiceStatus.CANCELLED in method.targets(InvoiceStatus(invoice.status)):
        goods = " Its goods are called back." if invoice.released_at is not None else ""
        return (
            f"{invoice.total} {invoice.currency} are not collected any more. The invoice is cancelled for good.{goods}"
        )
    return (
        "The payer cannot pay it any more. The invoice is deleted, as soon as no card payment is under way; money that "
        "comes on a page left open still counts."
    )


def _refund_effect(invoice: Invoice) -> str:
    plan = plan_refund(invoice, None)
    second = " A second person must agree." if plan.needs_approval else ""
    return (
        f"Up to {plan.amount} {plan.invoice.currency}, all or parts of it. {OUTCOMES[plan.outcome]}.{second} You see "
        "what it would do before you confirm."
    )


def _outside_effect(invoice: Invoice) -> str:
    return (
        "Records what finance gave back by cheque or transfer, with its evidence. No bank, gateway or ledger is told; "
        "the partner's share is pulled back."
    )


def _credit_effect(invoice: Invoice) -> str:
    left = _credit_left(invoice)
    used = min(left, invoice.owing)
    rest = invoice.owing - used
    after = "It is paid then" if not rest else f"{rest} {invoice.currency} stay owing"
    return (
        f"{used} of the {left} {invoice.currency} that account {invoice.account.account_number} has in credit pay it, "
        f"the oldest first. {after}, and its goods go out."
    )


def _chargeback_effect(invoice: Invoice) -> str:
    return (
        f"The card issuer has taken {invoice.total} {invoice.currency} back. The invoice is charged back for good, and "
        "other systems are told."
    )


class InvoiceActions(RecordAdmin):
    """The actions of an invoice's page."""

    actions_detail = (
        "refund",
        "record_outside_refund",
        "cancel",
        "apply_credit",
        "convert",
        "ask_outside",
        "charge_back",
    )

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions = super().get_actions_detail(request, object_id)
        invoice = self.get_object(request, str(object_id))
        if invoice is None:
            return actions
        possible = _possible(invoice)
        return [action for action in actions if action.method.original_function_name in possible]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Invoice | None:
        """Read once a request, with all that its page and its actions look at."""
        kept: dict[str, Invoice | None] = vars(request).setdefault("_invoices", {})
        if object_id not in kept:
            kept[object_id] = self.fresh(object_id)
        return kept[object_id]

    def fresh(self, object_id: str) -> Invoice | None:
        """The invoice as it is now; None when there is none."""
        if not object_id.isdecimal() or len(object_id) > LONGEST_ID:
            return None
        found = Invoice.objects.select_related("account", "product")
        return found.prefetch_related("lines", "references", "receipts").filter(pk=int(object_id)).first()

    @paged_action(
        description="Refund",
        permission="invoices.request_refund",
        effect=_refund_effect,
        icon="undo",
    )
    def refund(self, request: HttpRequest, invoice: Invoice) -> HttpResponse:
        return RefundWizard(self, request, invoice, is_manual=False).response()

    @paged_action(
        description="Record a refund made outside",
        permission="invoices.record_manual_refund",
        effect=_outside_effect,
        icon="edit_note",
    )
    def record_outside_refund(self, request: HttpRequest, invoice: Invoice) -> HttpResponse:
        return RefundWizard(self, request, invoice, is_manual=True).response()

    @confirmed_action(
        description="Cancel",
        permission="invoices.cancel_invoice",
        effect=_cancel_effect,
        icon="block",
    )
    def cancel(self, request: HttpRequest, invoice: Invoice, confirmation: Confirmation) -> str:
        stopped = cancel(invoice.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"{stopped} is {stopped.status.lower().replace('_', ' ')}."

    @confirmed_action(
        description="Pay from the account's credit",
        permission="invoices.apply_credit",
        effect=_credit_effect,
        icon="savings",
    )
    def apply_credit(self, request: HttpRequest, invoice: Invoice, confirmation: Confirmation) -> str:
        applied = apply_credit(invoice.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"{applied.amount} {invoice.currency} of credit are applied; {applied.invoice.owing} are still owing."

    @confirmed_action(
        description="Change to card",
        permission="invoices.convert_invoice",
        effect="The payer can pay it by card at once, and not by online banking any more. It cannot be changed back.",
        icon="credit_card",
    )
    def convert(self, request: HttpRequest, invoice: Invoice, confirmation: Confirmation) -> str:
        changed = convert(
            invoice.pk,
            MethodCode.DIRECT_PAY,
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"It is paid by {method_title(changed.payment_method).lower()} now."

    @confirmed_action(
        description="Ask the outside",
        permission="invoices.ask_outside",
        effect="The card gateway or the prepaid mainframe is asked what became of this invoice's payment or refund, "
        "and what it says is noted. No money is taken that was not asked for already.",
        asks_reason=False,
        icon="contact_support",
    )
    def ask_outside(self, request: HttpRequest, invoice: Invoice, confirmation: Confirmation) -> str:
        return asked_outside(request, invoice, confirmation)

    @confirmed_action(
        description="Record a chargeback",
        permission="invoices.record_chargeback",
        effect=_chargeback_effect,
        icon="money_off",
    )
    def charge_back(self, request: HttpRequest, invoice: Invoice, confirmation: Confirmation) -> str:
        charge_back(invoice.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"{invoice} is charged back."


def asked_outside(request: HttpRequest, invoice: Invoice, confirmation: Confirmation) -> str:
    """Asks about every unfinished call and the latest card payment; what one of them answers does not stop the others.

    Raises the first error when nothing at all could be learned.
    """
    found = belongings_of(invoice)
    said: list[str] = []
    errors: list[PaymentsiteError] = []
    asked: list[Callable[[], str]] = [
        lambda call=call: f"{call}: {sweep_call(call.pk, actor=confirmation.actor, clock=timezone.now).status.lower()}."  # type: ignore[misc]
        for call in found.calls
        if call.status in UNFINISHED_CALLS
    ]
    if found.attempts and invoice.status in OPEN_STATUSES:
        attempt = found.attempts[0]
        asked.append(lambda: _attempt_said(attempt.pk, confirmation))
    for ask in asked:
        try:
            said.append(ask())
        except GatewayRefused as refusal:
            said.append(f"It was refused: {refusal.detail}")
        except PaymentsiteError as error:
            errors.append(error)
    if errors and not said:
        raise errors[0]
    for silence in errors:
        messages.warning(request, silence.detail)
    return " ".join(said) or "There is nothing to ask about."


def _attempt_said(attempt_id: Any, confirmation: Confirmation) -> str:
    outcome = check_attempt(attempt_id, actor=confirmation.actor, clock=timezone.now)
    return f"{outcome.attempt}: {outcome.attempt.status.lower()}; {outcome.invoice} is {outcome.invoice.status}."
