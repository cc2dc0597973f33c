"""Card payments of an invoice: a link for the payer, and what became of each."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.scopes import INVOICES_READ, INVOICES_WRITE
from invoices.api.addresses import invoice_path, return_base
from invoices.api.answers import attempt_answer
from invoices.api.bodies import TransactionBody
from invoices.api.callers import actor_of, key_of, locked_invoice, require_invoice
from invoices.api.docs import posting, reading
from invoices.api.fields import read
from invoices.api.parameters import NoParameters, read_parameters
from invoices.api.schemas import TransactionAnswer
from invoices.models import CardAttempt
from invoices.operations.cards import NoSuchAttempt, open_attempt
from kernel.idempotency.protocol import idempotent

TAG = "card payments"


class TransactionListView(APIView):
    """The card payments of one invoice, and a new one."""

    required_scopes = {"GET": INVOICES_READ, "POST": INVOICES_WRITE}

    @reading("list_transactions", "The card payments of one invoice", TransactionAnswer(many=True), tag=TAG)
    def get(self, request: Request, invoice_id: int) -> Response:
        read_parameters(NoParameters, request.query_params)
        require_invoice(key_of(request), invoice_id)
        attempts = CardAttempt.objects.filter(invoice_id=invoice_id).order_by("started_at", "pk")
        return Response([attempt_answer(attempt) for attempt in attempts])

    @posting(
        "create_transaction",
        "Open a card payment",
        TransactionBody,
        {201: (TransactionAnswer, "The card payment; send the payer to payUrl.")},
        tag=TAG,
        description="An earlier open one is cancelled. The payer comes back to clientSystemUrl with ?status=COMPLETED, "
        "FAILED, CANCELLED or CREATED (not known yet) added; believe the invoice, not the address.",
    )
    def post(self, request: Request, invoice_id: int) -> HttpResponse:
        at = timezone.now()
        return idempotent(request, lambda: self._open(request, invoice_id, at), at=at)

    def _open(self, request: Request, invoice_id: int, at: datetime) -> Response:
        asked = read(TransactionBody, request.data)
        attempt = open_attempt(
            locked_invoice(key_of(request), invoice_id),
            client_url=asked["clientSystemUrl"],
            return_base=return_base(request),
            actor=actor_of(request),
            at=at,
        )
        answer = Response(attempt_answer(attempt), status=201)
        answer["Location"] = f"{invoice_path(invoice_id)}/transactions/{attempt.pk}"
        return answer


class TransactionView(APIView):
    """One card payment."""

    required_scopes = INVOICES_READ

    @reading("get_transaction", "Get one card payment", TransactionAnswer, tag=TAG)
    def get(self, request: Request, invoice_id: int, attempt_id: UUID) -> Response:
        read_parameters(NoParameters, request.query_params)
        require_invoice(key_of(request), invoice_id)
        attempt = CardAttempt.objects.filter(invoice_id=invoice_id, pk=attempt_id).first()
        if attempt is None:
            raise NoSuchAttempt(f"There is no card payment {attempt_id} of invoice {invoice_id}.")
        return Response(attempt_answer(attempt))
