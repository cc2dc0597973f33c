"""Card payments: a link for the payer, what they come back with, and what the gateway itself says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from invoices.events import announce_failure
from invoices.gateways import CardOrder, CardOrderState, CardOrderStatus, card_gateway
from invoices.methods import Collection, find_method
from invoices.models import CardAttempt, Invoice
from invoices.operations.callrows import number_of, revenue_of
from invoices.operations.settling import SYSTEM, TAKES_MONEY, Evidence, apply_evidence
from invoices.operations.standing import lock_invoice
from invoices.operations.stopping import delete_when_free
from invoices.states import AttemptStatus, InvoiceStatus, ReceiptSource
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.errors import Conflict, FieldError, NotFound, Refused
from kernel.transactions import inside_unit_of_work, own_statements, unit_of_work

URL_LIMIT = 500
# A page that was never paid is looked at for so long (domain.md 4.4).
GIVEN_UP_AFTER = timedelta(days=2)


class NoSuchAttempt(NotFound):
    """There is no card payment of this id."""

    code = "card-payment-not-found"


class NotPaidByCard(Conflict):
    """This invoice is not paid by card, or not any more."""

    code = "not-paid-by-card"
    title = "Not paid by card"


class ClientUrlUnfit(Refused):
    """The address to which the payer goes back is not usable."""

    code = "client-url-unfit"


class CardAmountDiffers(Conflict):
    """The card gateway charged another amount than the invoice's."""

    code = "card-amount-differs"
    next_step = "Compare the order at the card gateway with the invoice; nothing was booked."


@dataclass(frozen=True, slots=True)
class CardOutcome:
    """The attempt and its invoice as they are now."""

    attempt: CardAttempt
    invoice: Invoice


@unit_of_work
def open_payment(invoice_id: int, *, client_url: str, return_base: str, actor: Actor, at: datetime) -> CardAttempt:
    """As one unit of work; see `open_attempt`."""
    return open_attempt(lock_invoice(invoice_id), client_url=client_url, return_base=return_base, actor=actor, at=at)


def may_pay_by_card(invoice: Invoice) -> bool:
    """Whether the payer can open the card gateway's page now."""
    collection = find_method(invoice.payment_method).collection
    return collection == Collection.CARD and invoice.status == InvoiceStatus.CREATED


@inside_unit_of_work
def open_attempt(invoice: Invoice, *, client_url: str, return_base: str, actor: Actor, at: datetime) -> CardAttempt:
    """A new link to the gateway's page for the locked invoice; an earlier open one is cancelled.

    The gateway sends the payer back to `<return_base>/<attempt>`, and we from there to `client_url`. Raises
    NotPaidByCard, ClientUrlUnfit, GatewayNotConfigured.
    """
    if not may_pay_by_card(invoice):
        raise NotPaidByCard(f"{invoice} ({invoice.payment_method}) is {invoice.status}.", ids=[invoice.pk])
    _check_client_url(client_url)
    _cancel_open(invoice, at=at)
    attempt_id = uuid4()
    order = CardOrder(
        reference=number_of(invoice),
        transaction_id=attempt_id,
        amount=invoice.total - invoice.paid_amount,
        currency=invoice.currency,
        description=f"{invoice.product_id} invoice {invoice.pk}",
        revenue_lines=revenue_of(invoice.lines.all()),
        return_url=f"{return_base.rstrip('/')}/{attempt_id}",
    )
    attempt = CardAttempt.objects.create(
        id=attempt_id,
        invoice=invoice,
        status=AttemptStatus.CREATED,
        status_since=at,
        amount=order.amount,
        client_url=client_url,
        pay_url=card_gateway().payment_link(order),
        started_at=at,
    )
    after = {"attempt": str(attempt_id), "amount": order.amount}
    record_entry(actor=actor, action="invoice.card-payment-opened", subject=invoice, after=after, at=at)
    return attempt


@own_statements
def take_return(attempt_id: UUID, query: str, *, actor: Actor, clock: Callable[[], datetime]) -> CardOutcome:
    """The payer came back with `query`: its hash is verified, and the gateway itself is asked what was paid.

    Raises ReturnMalformed or HashWrong, and then nothing changes; NoSuchAttempt; GatewayDown when the gateway cannot
    say now: the sweep asks again.
    """
    returned = card_gateway().verify_return(query)
    attempt = find_attempt(attempt_id)
    if returned.transaction_id != attempt_id:
        raise NoSuchAttempt("The return is of another card payment.")
    _keep_return(attempt_id, query, reason=returned.reason)
    return check_attempt(attempt.pk, actor=actor, clock=clock)


@own_statements
def check_attempt(attempt_id: UUID, *, actor: Actor = SYSTEM, clock: Callable[[], datetime]) -> CardOutcome:
    """Asks the gateway what became of the card payment and notes it. Raises GatewayDown, CardAmountDiffers."""
    attempt = find_attempt(attempt_id)
    state = card_gateway().find_order(number_of(attempt.invoice))
    return _note(attempt_id, state, actor=actor, at=clock())


def find_attempt(attempt_id: UUID) -> CardAttempt:
    """Raises NoSuchAttempt."""
    found = CardAttempt.objects.filter(pk=attempt_id).select_related("invoice").first()
    if found is None:
        raise NoSuchAttempt(f"There is no card payment {attempt_id}.")
    return found


@unit_of_work
def _keep_return(attempt_id: UUID, query: str, *, reason: str) -> None:
    attempt = CardAttempt.objects.lock([attempt_id])[0]
    attempt.response, attempt.reason_code = query[:2000], reason[:50]
    attempt.save(update_fields=["response", "reason_code"])


@unit_of_work
def _note(attempt_id: UUID, state: CardOrderState, *, actor: Actor, at: datetime) -> CardOutcome:
    invoice = lock_invoice(find_attempt(attempt_id).invoice_id)
    attempt = CardAttempt.objects.lock([attempt_id])[0]
    attempt.checked_at = at
    if state.status.has_money:
        _note_paid(invoice, attempt, state, actor=actor, at=at)
    elif attempt.status == AttemptStatus.CREATED:
        if state.status == CardOrderStatus.DECLINED and state.transaction_id in (None, attempt_id):
            attempt._move_to(AttemptStatus.FAILED, at=at)
            attempt.ended_at = at
            announce_failure(invoice, reason=attempt.reason_code, at=at)
        elif at - attempt.started_at > GIVEN_UP_AFTER:
            attempt._move_to(AttemptStatus.CANCELLED, at=at)
            attempt.ended_at = at
    attempt.save()
    delete_when_free(invoice, actor=actor, at=at)
    return CardOutcome(attempt, invoice)


@inside_unit_of_work
def _note_paid(invoice: Invoice, attempt: CardAttempt, state: CardOrderState, *, actor: Actor, at: datetime) -> None:
    takes_money = InvoiceStatus(invoice.status) in TAKES_MONEY
    if takes_money and state.amount != invoice.total - invoice.paid_amount:
        raise CardAmountDiffers(
            f"The gateway charged {state.amount} for {invoice}, which owes {invoice.owing}.",
            ids=[invoice.pk],
            charged=str(state.amount),
        )
    evidence = Evidence(
        receipt_number=state.receipt_number,
        amount=state.amount,
        receipt_date=state.paid_at or at,
        source=ReceiptSource.CARD,
        final_at=at,
        origin={"card_attempt": str(attempt.pk)},
    )
    apply_evidence(invoice, evidence, actor=actor, at=at)
    paid = _paying(invoice, attempt, state)
    if paid.status != AttemptStatus.COMPLETED:
        paid._move_to(AttemptStatus.COMPLETED, at=at)
        paid.ended_at = at
        paid.save()
    if attempt.status == AttemptStatus.CREATED:
        attempt._move_to(AttemptStatus.CANCELLED, at=at)
        attempt.ended_at = at
    _cancel_open(invoice, at=at, but=attempt)


def _paying(invoice: Invoice, attempt: CardAttempt, state: CardOrderState) -> CardAttempt:
    """The page on which it was paid, which may be an earlier one than that which was asked about."""
    if state.transaction_id in (None, attempt.pk):
        return attempt
    known = invoice.card_attempts.filter(pk=state.transaction_id).values_list("pk", flat=True)
    return next(iter(CardAttempt.objects.lock(known)), attempt)


def _cancel_open(invoice: Invoice, *, at: datetime, but: CardAttempt | None = None) -> None:
    for attempt in invoice.card_attempts.open():
        if but is not None and attempt.pk == but.pk:
            continue
        attempt._move_to(AttemptStatus.CANCELLED, at=at)
        attempt.ended_at = at
        attempt.save()


def _check_client_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username
    except ValueError:
        usable = False
    if not usable or len(url) > URL_LIMIT or any(ord(character) <= 32 for character in url):
        message = f"Give an absolute http or https address of at most {URL_LIMIT} characters, without a login in it."
        raise ClientUrlUnfit(message, errors=(FieldError("clientSystemUrl", "invalid", message),))
