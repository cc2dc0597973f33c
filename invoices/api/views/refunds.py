"""Refunds: what one would do, asking for one, deciding about it, and what became of it."""

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

from accounts.scopes import INVOICES_READ, REFUNDS_APPROVE, REFUNDS_REQUEST
from invoices.api.addresses import refund_path
from invoices.api.answers import refund_answer
from invoices.api.callers import (
    account_named,
    actor_of,
    key_of,
    locked_invoice,
    refunds_of,
    require_invoice,
    require_refund,
)
from invoices.api.docs import ACCOUNT_ID, changing, posting, reading
from invoices.api.fields import read
from invoices.api.pages import ByRequest, page_of
from invoices.api.parameters import PAGE_PARAMETERS, NoParameters, RefundFilters, filtered_refunds, read_parameters
from invoices.api.refundbodies import DecisionBody, RefundBody, RefundPreviewBody, parts_of
from invoices.api.schemas import RefundAnswer, RefundPreview
from invoices.gateways import GatewayRefused
from invoices.models import Invoice, OutsideCall, Refund
from invoices.operations.calling import make_call
from invoices.operations.refundapprovals import ask_for_refund, decide_refund
from invoices.operations.refunding import NoSuchRefund
from invoices.operations.refundplans import RefundPlan, plan_refund
from invoices.states import UNFINISHED_CALLS
from kernel.audit.actors import Actor
from kernel.errors import Unavailable
from kernel.idempotency.protocol import idempotent
from kernel.transactions import unit_of_work

TAG = "refunds"


class InvoiceRefundsView(APIView):
    """The refunds of one invoice, and another one."""

    required_scopes = {"GET": INVOICES_READ, "POST": REFUNDS_REQUEST}

    @reading("list_invoice_refunds", "The refunds of one invoice", RefundAnswer(many=True), tag=TAG)
    def get(self, request: Request, invoice_id: int) -> Response:
        read_parameters(NoParameters, request.query_params)
        require_invoice(key_of(request), invoice_id)
        refunds = Refund.objects.filter(invoice_id=invoice_id).prefetch_related("lines").order_by("pk")
        return Response([refund_answer(refund, list(refund.lines.all())) for refund in refunds])

    @posting(
        "request_refund",
        "Ask for a refund",
        RefundBody,
        {202: (RefundAnswer, "The refund: status says whether it is done, under way, or waits for a second person.")},
        tag=TAG,
        description="Of all that is left, or of parts. Where the product asks for two people, it waits for PATCH "
        "/refunds/{id} by another client. Money to a card is given back by the gateway: while that is not confirmed, "
        "the status is PROCESSING, and the platform goes on by itself.",
    )
    def post(self, request: Request, invoice_id: int) -> HttpResponse:
        at = timezone.now()
        return idempotent(
            request,
            lambda: self._ask(request, invoice_id, at),
            finish=lambda subject: self._call(request, subject),
            at=at,
        )

    def _ask(self, request: Request, invoice_id: int, at: datetime) -> HttpResponse | dict[str, Any]:
        asked = read(RefundBody, request.data)
        refund = ask_for_refund(
            locked_invoice(key_of(request), invoice_id),
            parts_of(asked),
            reason=asked["reason"],
            staff_comment=asked["staffComment"],
            notification_email=asked["notificationEmail"],
            actor=actor_of(request),
            scopes=key_of(request).scopes,
            at=at,
        )
        call = OutsideCall.objects.filter(refund=refund).first()
        if call is not None:
            return {"refund": refund.pk, "call": str(call.pk)}
        return _accepted(refund.pk)

    def _call(self, request: Request, subject: dict[str, Any]) -> HttpResponse:
        """The second phase. The refund is committed: whatever the gateway says, the answer is the refund as it is."""
        try_call(UUID(subject["call"]), actor=actor_of(request))
        return _accepted(subject["refund"])


class RefundPreviewView(APIView):
    """What a refund would do; nothing is changed."""

    required_scopes = REFUNDS_REQUEST

    @posting(
        "preview_refund",
        "What a refund would do",
        RefundPreviewBody,
        {200: (RefundPreview, "What would happen.")},
        tag=TAG,
        description="Status, credit and the partner's share, worked out without changing anything. As with every POST, "
        "the same key gives the same answer: look again under a new key.",
    )
    def post(self, request: Request, invoice_id: int) -> HttpResponse:
        return idempotent(request, lambda: self._preview(request, invoice_id), at=timezone.now())

    def _preview(self, request: Request, invoice_id: int) -> Response:
        asked = read(RefundPreviewBody, request.data)
        require_invoice(key_of(request), invoice_id)
        invoices = Invoice.objects.select_related("account", "product").prefetch_related("lines", "references")
        return Response(_preview_answer(plan_refund(invoices.get(pk=invoice_id), parts_of(asked))))


class RefundListView(GenericAPIView[Refund]):
    """Refunds, the newest request first."""

    required_scopes = INVOICES_READ
    pagination_class = ByRequest
    serializer_class = RefundAnswer
    filter_backends = ()

    @reading(
        "list_refunds",
        "Find refunds",
        RefundAnswer(many=True),
        tag=TAG,
        parameters=[RefundFilters, ACCOUNT_ID],
        description="Refunds that meet every condition, newest first, a page at a time; nothing is counted.",
    )
    def get(self, request: Request) -> Response:
        found = read_parameters(RefundFilters, request.query_params, also=PAGE_PARAMETERS)
        account = account_named(request, found.get("accountNumber", ""), field="accountNumber")
        rows = filtered_refunds(refunds_of(key_of(request)), found).prefetch_related("lines")
        if account is not None:
            rows = rows.filter(invoice__account=account)
        return page_of(ByRequest(), rows, request, self, lambda refund: refund_answer(refund, list(refund.lines.all())))


class RefundView(APIView):
    """One refund."""

    required_scopes = {"GET": INVOICES_READ, "PATCH": REFUNDS_APPROVE}

    @reading("get_refund", "Get one refund", RefundAnswer, tag=TAG)
    def get(self, request: Request, refund_id: int) -> Response:
        read_parameters(NoParameters, request.query_params)
        require_refund(key_of(request), refund_id)
        return Response(_refund(refund_id))

    @changing(
        "decide_refund",
        "Approve or decline a refund",
        DecisionBody,
        RefundAnswer,
        tag=TAG,
        description="By another client than the one that asked for it. When something of the invoice changed since, "
        "the approval is void and nothing goes back.",
    )
    def patch(self, request: Request, refund_id: int) -> Response:
        asked = read(DecisionBody, request.data)
        require_refund(key_of(request), refund_id)
        self._decide(request, refund_id, asked, timezone.now())
        call = OutsideCall.objects.filter(refund_id=refund_id, status__in=sorted(UNFINISHED_CALLS)).first()
        if call is not None:
            try_call(call.pk, actor=actor_of(request))
        return Response(_refund(refund_id))

    @unit_of_work
    def _decide(self, request: Request, refund_id: int, asked: dict[str, Any], at: datetime) -> None:
        decide_refund(
            refund_id,
            is_approved=asked["status"] == "APPROVED",
            reason=asked["declineReason"],
            actor=actor_of(request),
            scopes=key_of(request).scopes,
            at=at,
        )


def try_call(call_id: UUID, *, actor: Actor) -> None:
    """Tells the gateway now if it can be told; what came of it is noted, and the sweep goes on with the rest."""
    try:
        make_call(call_id, actor=actor, clock=timezone.now)
    except (GatewayRefused, Unavailable):
        return


def _accepted(refund_id: int) -> Response:
    answer = Response(_refund(refund_id), status=202)
    answer["Location"] = refund_path(refund_id)
    return answer


def _refund(refund_id: int) -> dict[str, Any]:
    refund = Refund.objects.prefetch_related("lines").filter(pk=refund_id).first()
    if refund is None:
        raise NoSuchRefund(f"There is no refund {refund_id}.")
    return refund_answer(refund, list(refund.lines.all()))


def _preview_answer(plan: RefundPlan) -> dict[str, Any]:
    return {
        "invoiceId": plan.invoice.pk,
        "amount": plan.amount,
        "currency": plan.invoice.currency,
        "isFull": plan.is_full,
        "outcome": plan.outcome,
        "statusAtOnce": plan.status_at_once,
        "statusAfter": plan.status_after,
        "credit": plan.credit,
        "partnerShare": plan.partner_share,
        "needsApproval": plan.needs_approval,
        "effects": list(plan.sentences),
        "refundRevenue": [
            {"paymentLineItemId": part.line_id, "refundType": part.fee_type, "refundAmount": part.amount}
            for part in plan.parts
        ],
    }
