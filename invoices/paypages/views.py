"""An invoice's payment page, the button that opens the card gateway's, and the payer's way back."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from invoices.methods import Collection, find_method
from invoices.models import CardAttempt, Invoice
from invoices.operations.cards import NotPaidByCard, open_payment, take_return
from invoices.paylinks import PayLinkInvalid, invoice_id_of, public_address
from invoices.paypages.answers import for_payers
from invoices.states import AttemptStatus, InvoiceStatus
from kernel.audit.actors import Actor

PAYER = Actor.system("payment page")
SEE_OTHER = 303
# How the invoice stands for its payer.
PAYABLE, PAID, STOPPED, BY_OTHER_MEANS = "payable", "paid", "stopped", "by-other-means"


# Whoever holds the signed link may do what the button does: there is no session that another site could borrow.
@csrf_exempt
@require_http_methods(["GET", "POST"])
@for_payers
def pay_page(request: HttpRequest, token: str) -> HttpResponse:
    """What is owed and the button; a POST opens a card payment and leads to the card gateway's page."""
    at = timezone.now()
    invoice = _find(token, at)
    if request.method == "POST":
        return _open(request, invoice, token, at)
    content = {
        "invoice": invoice,
        "lines": [line for line in invoice.lines.all() if line.status == "ACTIVE"],
        "standing": _standing(invoice),
        "was_declined": request.GET.get("status") == AttemptStatus.FAILED,
        "next_step": "",
    }
    return render(request, "invoices/pay/invoice.html", content)


@require_GET
@for_payers
def pay_return(request: HttpRequest, attempt_id: UUID) -> HttpResponse:
    """The payer comes back from the card gateway: what was paid is verified and noted, then they go on to the partner.

    Nothing is believed of the address but its signature; the gateway itself is asked.
    """
    outcome = take_return(attempt_id, request.META.get("QUERY_STRING", ""), actor=PAYER, clock=timezone.now)
    onward = _with_status(outcome.attempt.client_url, outcome.attempt.status)
    if outcome.attempt.status == AttemptStatus.CREATED:
        return render(request, "invoices/pay/waiting.html", {"invoice": outcome.invoice, "onward": onward})
    return _redirect(onward)


def _find(token: str, at: datetime) -> Invoice:
    invoice = (
        Invoice.objects.select_related("product", "account")
        .prefetch_related("lines")
        .filter(pk=invoice_id_of(token, at=at))
        .first()
    )
    if invoice is None:
        raise PayLinkInvalid
    return invoice


def _open(request: HttpRequest, invoice: Invoice, token: str, at: datetime) -> HttpResponse:
    page = public_address(request, f"/pay/{token}")
    # Pressing the button twice leads to the same payment.
    opened = CardAttempt.objects.open().filter(invoice=invoice, client_url=page).first()
    if opened is not None:
        return _redirect(opened.pay_url)
    try:
        base = public_address(request, "/pay/return")
        attempt = open_payment(invoice.pk, client_url=page, return_base=base, actor=PAYER, at=at)
    except NotPaidByCard:
        # It was paid or stopped meanwhile: the page says so.
        return _redirect(page)
    return _redirect(attempt.pay_url)


def _standing(invoice: Invoice) -> str:
    # What the card issuer took back has a payment date still.
    if invoice.cancelled_at or invoice.deleted_at or invoice.abandoned_at or invoice.charged_back_at:
        return STOPPED
    if invoice.payment_date is not None:
        return PAID
    by_card = find_method(invoice.payment_method).collection == Collection.CARD
    return PAYABLE if by_card and invoice.status == InvoiceStatus.CREATED else BY_OTHER_MEANS


def _with_status(address: str, status: str) -> str:
    parts = urlsplit(address)
    query = [*((name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "status")]
    return urlunsplit(parts._replace(query=urlencode([*query, ("status", status)])))


def _redirect(address: str) -> HttpResponse:
    response = HttpResponseRedirect(address)
    response.status_code = SEE_OTHER
    return response
