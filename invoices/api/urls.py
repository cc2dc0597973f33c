"""Addresses below /api/v1."""

from __future__ import annotations

from django.urls import URLPattern, path

from invoices.api.views.fees import PriceListView, QuoteLinesView, QuoteView
from invoices.api.views.invoices import InvoiceListView, InvoiceView

urlpatterns: list[URLPattern] = [
    path("fees", PriceListView.as_view(), name="fee-list"),
    path("fees/quote", QuoteLinesView.as_view(), name="fee-quote-lines"),
    path("fees/<str:product>/<str:filing_type>", QuoteView.as_view(), name="fee-quote"),
    path("invoices", InvoiceListView.as_view(), name="invoice-list"),
    path("invoices/<int:invoice_id>", InvoiceView.as_view(), name="invoice"),
]
