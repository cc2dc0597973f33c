"""Receipts, as data and as a PDF for the payer; and invoices as a file."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.scopes import INVOICES_READ
from invoices.api.answers import for_one, receipt_answer
from invoices.api.callers import invoices_of, key_of, require_invoice
from invoices.api.docs import ACCOUNT_ID, READ_PROBLEMS, reading
from invoices.api.parameters import InvoiceFilters, NoParameters, read_parameters
from invoices.api.schemas import ExportRow, ReceiptAnswer
from invoices.api.views.invoices import TAG, found_invoices
from invoices.documents.facts import receipt_facts
from invoices.documents.receiptpdf import receipt_pdf
from invoices.exports import invoices_export
from invoices.models import Receipt
from invoices.operations.standing import NoSuchInvoice
from kernel.restapi import ExactJSONRenderer, problem_responses
from kernel.restapi.exportviews import EXPORT_RENDERERS, export_response, export_responses

FORMAT = frozenset({"format"})


class PDFRenderer(BaseRenderer):
    """Lets Accept name the type; the file is made by the view."""

    media_type = "application/pdf"
    format = "pdf"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return ExactJSONRenderer().render(data)


class ReceiptListView(APIView):
    """The receipts of one invoice, those that were taken back too."""

    required_scopes = INVOICES_READ

    @reading("list_receipts", "The receipts of an invoice", ReceiptAnswer(many=True), tag=TAG)
    def get(self, request: Request, invoice_id: int) -> Response:
        read_parameters(NoParameters, request.query_params)
        require_invoice(key_of(request), invoice_id)
        receipts = Receipt.objects.filter(invoice_id=invoice_id).select_related("reversed_by").order_by("pk")
        return Response([receipt_answer(receipt) for receipt in receipts])


class ReceiptPdfView(APIView):
    """The receipt of one invoice as a PDF."""

    required_scopes = INVOICES_READ
    renderer_classes = (PDFRenderer, ExactJSONRenderer)

    @extend_schema(
        operation_id="get_receipt_pdf",
        summary="The receipt as a PDF",
        description="Of a paid invoice; the same bytes as long as nothing about it changes. Unpaid: receipt-not-ready.",
        tags=[TAG],
        responses={
            (200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY, "The receipt."),
            **problem_responses(*sorted({409, *READ_PROBLEMS})),
        },
    )
    def get(self, request: Request, invoice_id: int) -> HttpResponse:
        read_parameters(NoParameters, request.query_params, also=FORMAT)
        invoice = for_one(invoices_of(key_of(request))).filter(pk=invoice_id).first()
        if invoice is None:
            raise NoSuchInvoice(f"There is no invoice {invoice_id}.")
        answer = HttpResponse(receipt_pdf(receipt_facts(invoice)), content_type="application/pdf")
        answer["Content-Disposition"] = f'inline; filename="receipt-{invoice_id}.pdf"'
        return answer


class InvoiceExportView(APIView):
    """Invoices as a file of any size."""

    required_scopes = INVOICES_READ
    renderer_classes = EXPORT_RENDERERS

    @extend_schema(
        operation_id="export_invoices",
        summary="Export invoices",
        description="Every invoice that meets the conditions, newest first, streamed. The type is that of Accept or of "
        "?format=csv, json or ndjson. In CSV a text that a spreadsheet would run as a formula has ' before it.",
        tags=[TAG],
        parameters=[InvoiceFilters, ACCOUNT_ID],
        responses={
            **export_responses(ExportRow(many=True), "The invoices."),
            **problem_responses(*READ_PROBLEMS),
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        rows = found_invoices(request, also=FORMAT)
        return export_response(request, invoices_export(rows), "invoices")
