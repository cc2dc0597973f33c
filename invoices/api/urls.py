"""Addresses below /api/v1."""

from __future__ import annotations

from django.urls import URLPattern, path, register_converter
from django.urls.converters import StringConverter

from invoices.api.views.accounts import AccountListView, AccountView
from invoices.api.views.cards import TransactionListView, TransactionView
from invoices.api.views.codes import CodesView
from invoices.api.views.credits import AccountCreditsView, InvoiceCreditsView
from invoices.api.views.fees import PriceListView, QuoteLinesView, QuoteView
from invoices.api.views.invoices import InvoiceListView, InvoiceView
from invoices.api.views.receipts import InvoiceExportView, ReceiptListView, ReceiptPdfView
from invoices.api.views.refunds import InvoiceRefundsView, RefundListView, RefundPreviewView, RefundView


class CodeConverter(StringConverter):
    """A part of an address that names something: no control character, which no name in the database can hold."""

    regex = r"[^/\x00-\x1f\x7f]+"


register_converter(CodeConverter, "code")

INVOICE = "invoices/<int:invoice_id>"

urlpatterns: list[URLPattern] = [
    path("fees", PriceListView.as_view(), name="fee-list"),
    path("fees/quote", QuoteLinesView.as_view(), name="fee-quote-lines"),
    path("fees/<code:product>/<code:filing_type>", QuoteView.as_view(), name="fee-quote"),
    path("invoices", InvoiceListView.as_view(), name="invoice-list"),
    path("invoices/export", InvoiceExportView.as_view(), name="invoice-export"),
    path(INVOICE, InvoiceView.as_view(), name="invoice"),
    path(f"{INVOICE}/receipts", ReceiptListView.as_view(), name="invoice-receipts"),
    path(f"{INVOICE}/receipt.pdf", ReceiptPdfView.as_view(), name="invoice-receipt-pdf"),
    path(f"{INVOICE}/transactions", TransactionListView.as_view(), name="invoice-transactions"),
    path(f"{INVOICE}/transactions/<uuid:attempt_id>", TransactionView.as_view(), name="invoice-transaction"),
    path(f"{INVOICE}/credits", InvoiceCreditsView.as_view(), name="invoice-credits"),
    path(f"{INVOICE}/refunds", InvoiceRefundsView.as_view(), name="invoice-refunds"),
    path(f"{INVOICE}/refunds/preview", RefundPreviewView.as_view(), name="invoice-refund-preview"),
    path("refunds", RefundListView.as_view(), name="refund-list"),
    path("refunds/<int:refund_id>", RefundView.as_view(), name="refund"),
    path("accounts", AccountListView.as_view(), name="account-list"),
    path("accounts/<code:account_number>", AccountView.as_view(), name="account"),
    path("accounts/<code:account_number>/credits", AccountCreditsView.as_view(), name="account-credits"),
    path("codes/<slug:code_type>", CodesView.as_view(), name="codes"),
]
