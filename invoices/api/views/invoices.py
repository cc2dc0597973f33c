"""Invoices: created once, read, listed, stopped, and moved from the payer's bank to a card."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import require_product
from accounts.scopes import INVOICES_READ, INVOICES_WRITE
from invoices.api.addresses import invoice_path
from invoices.api.answers import for_list, for_one, invoice_answer, summary_answer
from invoices.api.bodies import InvoiceBody, InvoiceChangeBody, lines_of
from invoices.api.callers import (
    account_named,
    actor_of,
    caller_of,
    invoices_of,
    key_of,
    locked_invoice,
    paying_account,
)
from invoices.api.docs import ACCOUNT_ID, changing, posting, reading
from invoices.api.fields import read
from invoices.api.methods import require_method_for_partners
from invoices.api.naming import named_as_in_the_body
from invoices.api.pages import ByCreation, page_of
from invoices.api.parameters import PAGE_PARAMETERS, InvoiceFilters, NoParameters, filtered, read_parameters
from invoices.api.schemas import InvoiceAnswer, InvoiceSummary
from invoices.gateways import GatewayRefused
from invoices.models import Invoice, OutsideCall
from invoices.operations.calling import make_call
from invoices.operations.converting import convert_to_card
from invoices.operations.creating import Created, NewInvoice, add_invoice
from invoices.operations.standing import NoSuchInvoice
from invoices.operations.stopping import cancel_invoice
from invoices.querysets import InvoiceQuerySet
from invoices.states import CallKind, CallStatus
from kernel.errors import Refused
from kernel.idempotency.protocol import idempotent
from kernel.transactions import unit_of_work

TAG = "invoices"


class PrepaidRefused(Refused):
    """The prepaid account was not debited; the invoice, named in ids, is cancelled."""

    code = "prepaid-refused"
    title = "Prepaid account refused"
    next_step = "Read the reason; order again under a new Idempotency-Key once it is settled, or by another method."


class InvoiceListView(GenericAPIView[Invoice]):
    """Invoices, newest first, and new ones."""

    required_scopes = {"GET": INVOICES_READ, "POST": INVOICES_WRITE}
    pagination_class = ByCreation
    serializer_class = InvoiceSummary
    filter_backends = ()

    @reading(
        "list_invoices",
        "Find invoices",
        InvoiceSummary(many=True),
        tag=TAG,
        parameters=[InvoiceFilters, ACCOUNT_ID],
        description="Invoices that meet every condition, newest first, a page at a time; nothing is counted.",
    )
    def get(self, request: Request) -> Response:
        rows = for_list(found_invoices(request, also=PAGE_PARAMETERS))
        return page_of(ByCreation(), rows, request, self, summary_answer)

    @posting(
        "create_invoice",
        "Create an invoice",
        InvoiceBody,
        {
            201: (InvoiceAnswer, "The invoice."),
            200: (InvoiceAnswer, "The invoice that was there under the same businessKey."),
        },
        tag=TAG,
        parameters=(ACCOUNT_ID,),
        description="Prices, GL codes and taxes are those of the day. What happens next depends on the method: "
        "nextStep says it. A DRAWDOWN is debited at once: when the prepaid account refuses, the answer is "
        "prepaid-refused with the cancelled invoice in ids; when it is silent, 503, and the same request goes on.",
    )
    def post(self, request: Request) -> HttpResponse:
        at = timezone.now()
        return idempotent(
            request,
            lambda: self._create(request, at),
            finish=lambda subject: self._debit(request, subject),
            at=at,
        )

    def _create(self, request: Request, at: datetime) -> HttpResponse | dict[str, Any]:
        asked = read(InvoiceBody, request.data)
        new = _new_invoice(request, asked)
        with named_as_in_the_body(new.lines):
            created = add_invoice(new, caller=caller_of(key_of(request)), actor=actor_of(request), at=at)
        call = _open_debit(created)
        if call is not None:
            return {"invoice": created.invoice.pk, "call": str(call.pk)}
        return _created(request, created.invoice.pk, is_new=created.is_new, at=at)

    def _debit(self, request: Request, subject: dict[str, Any]) -> HttpResponse:
        """The second phase: debits the prepaid account, once. Raises PrepaidRefused and what make_call raises."""
        ids = [subject["invoice"]]
        try:
            call = make_call(UUID(subject["call"]), actor=actor_of(request), clock=timezone.now)
        except GatewayRefused as refused:
            raise PrepaidRefused(refused.detail, ids=ids, fault=refused.fault) from refused
        if call.status == CallStatus.REFUSED:
            raise PrepaidRefused(call.error_detail, ids=ids)
        return _created(request, subject["invoice"], is_new=True, at=timezone.now())


class InvoiceView(APIView):
    """One invoice."""

    required_scopes = {"GET": INVOICES_READ, "PATCH": INVOICES_WRITE, "DELETE": INVOICES_WRITE}

    @reading("get_invoice", "Get one invoice", InvoiceAnswer, tag=TAG)
    def get(self, request: Request, invoice_id: int) -> Response:
        read_parameters(NoParameters, request.query_params)
        return Response(answer_of(request, invoice_id, at=timezone.now()))

    @changing(
        "change_invoice",
        "Pay by card instead",
        InvoiceChangeBody,
        InvoiceAnswer,
        tag=TAG,
        description="Only an unpaid ONLINE_BANKING invoice: it becomes DIRECT_PAY, or CC where the external ledger has "
        "it already. The same change again changes nothing.",
    )
    def patch(self, request: Request, invoice_id: int) -> Response:
        at = timezone.now()
        self._convert(request, invoice_id, read(InvoiceChangeBody, request.data)["paymentInfo"]["methodOfPayment"], at)
        return Response(answer_of(request, invoice_id, at=at))

    @changing(
        "cancel_invoice",
        "Cancel an unpaid invoice",
        None,
        InvoiceAnswer,
        tag=TAG,
        status=202,
        description="Before any money was taken. One whose payer may be on the card page becomes DELETE_ACCEPTED and "
        "is deleted once that is certain. Cancelling what is cancelled changes nothing.",
    )
    def delete(self, request: Request, invoice_id: int) -> Response:
        at = timezone.now()
        self._cancel(request, invoice_id, at)
        return Response(answer_of(request, invoice_id, at=at), status=202)

    @unit_of_work
    def _convert(self, request: Request, invoice_id: int, target: str, at: datetime) -> None:
        convert_to_card(locked_invoice(key_of(request), invoice_id), target, actor=actor_of(request), at=at)

    @unit_of_work
    def _cancel(self, request: Request, invoice_id: int, at: datetime) -> None:
        actor = actor_of(request)
        cancel_invoice(locked_invoice(key_of(request), invoice_id), actor=actor, reason="Cancelled by the API", at=at)


def answer_of(request: Request, invoice_id: int, *, at: datetime) -> dict[str, Any]:
    """The invoice as it is now. Raises NoSuchInvoice."""
    invoice = for_one(invoices_of(key_of(request))).filter(pk=invoice_id).first()
    if invoice is None:
        raise NoSuchInvoice(f"There is no invoice {invoice_id}.")
    return invoice_answer(invoice, request, at=at)


def found_invoices(request: Request, *, also: frozenset[str] = frozenset()) -> InvoiceQuerySet:
    """The invoices that the query asks for, among those that the caller may see."""
    found = read_parameters(InvoiceFilters, request.query_params, also=also)
    account = account_named(request, found.get("accountNumber", ""), field="accountNumber")
    rows = invoices_of(key_of(request))
    if account is not None:
        rows = rows.filter(account=account)
    return filtered(rows, found)


def _new_invoice(request: Request, asked: dict[str, Any]) -> NewInvoice:
    business, filing, account = asked["businessInfo"], asked["filingInfo"], asked.get("accountInfo", {})
    method = asked.get("paymentInfo", {}).get("methodOfPayment", "")
    require_product(key_of(request), business["corpType"])
    require_method_for_partners(key_of(request), method)
    return NewInvoice(
        account=paying_account(request, account.get("accountNumber", "")),
        product=business["corpType"],
        lines=lines_of(filing),
        method=method,
        priced_on=filing.get("date"),
        business_identifier=business["businessIdentifier"],
        filing_id=filing["filingIdentifier"],
        folio_number=filing["folioNumber"],
        dat_number=account.get("datNumber", ""),
        prepaid_account=account.get("bcolAccountNumber", ""),
        routing_slip=account.get("routingSlip", ""),
        details=asked.get("details", []),
        business_key=asked["businessKey"],
    )


def _open_debit(created: Created) -> OutsideCall | None:
    """The debit that is to be made now; None where the method needs none."""
    if not created.is_new:
        return None
    return OutsideCall.objects.filter(invoice=created.invoice, kind=CallKind.PREPAID_DEBIT).first()


def _created(request: Request, invoice_id: int, *, is_new: bool, at: datetime) -> Response:
    answer = Response(answer_of(request, invoice_id, at=at), status=201 if is_new else 200)
    answer["Location"] = invoice_path(invoice_id)
    return answer
