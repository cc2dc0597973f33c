"""Credits of an account, and paying an invoice from them."""

from __future__ import annotations

from datetime import datetime

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import account_for
from accounts.scopes import CREDITS_READ, INVOICES_WRITE
from invoices.api.answers import credit_answer
from invoices.api.bodies import EmptyBody
from invoices.api.callers import actor_of, key_of, locked_invoice
from invoices.api.docs import posting, reading
from invoices.api.fields import read
from invoices.api.pages import ByCreation, page_of
from invoices.api.parameters import PAGE_PARAMETERS, NoParameters, read_parameters
from invoices.api.schemas import CreditAnswer, InvoiceAnswer
from invoices.api.views.invoices import answer_of
from invoices.models import Credit
from invoices.operations.crediting import apply_credit_to
from kernel.idempotency.protocol import idempotent

TAG = "credits"


class AccountCreditsView(GenericAPIView[Credit]):
    """What stands to an account's credit, the newest first."""

    required_scopes = CREDITS_READ
    pagination_class = ByCreation
    serializer_class = CreditAnswer
    filter_backends = ()

    @reading("list_credits", "The credits of an account", CreditAnswer(many=True), tag=TAG)
    def get(self, request: Request, account_number: str) -> Response:
        read_parameters(NoParameters, request.query_params, also=PAGE_PARAMETERS)
        account = account_for(key_of(request), account_number)
        return page_of(ByCreation(), Credit.objects.filter(account=account), request, self, credit_answer)


class InvoiceCreditsView(APIView):
    """Pays one invoice from the account's credits."""

    required_scopes = INVOICES_WRITE

    @posting(
        "apply_credit",
        "Pay an invoice from credits",
        EmptyBody,
        {200: (InvoiceAnswer, "The invoice; its receipts name the credits.")},
        tag=TAG,
        # Nothing needs to be sent, so that no body is described; one that is sent is read.
        also=(413, 415),
        description="From the credits of its account and method, the oldest first, as far as they reach.",
    )
    def post(self, request: Request, invoice_id: int) -> HttpResponse:
        at = timezone.now()
        return idempotent(request, lambda: self._apply(request, invoice_id, at), at=at)

    def _apply(self, request: Request, invoice_id: int, at: datetime) -> Response:
        read(EmptyBody, request.data)
        apply_credit_to(locked_invoice(key_of(request), invoice_id), actor=actor_of(request), at=at)
        return Response(answer_of(request, invoice_id, at=at))
