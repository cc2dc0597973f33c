"""Invoices as a file of any size: a row each, written by the database as it reads them."""

from __future__ import annotations

from django.db.models import F

from invoices.querysets import InvoiceQuerySet
from kernel.restapi.exportcolumns import Column, Kind
from kernel.restapi.exports import Export

# The heading and the kind of each column, and what it is read from.
COLUMNS: tuple[tuple[str, Kind, str], ...] = (
    ("id", Kind.INTEGER, "id"),
    ("status", Kind.TEXT, "status"),
    ("accountNumber", Kind.TEXT, "account__account_number"),
    ("accountName", Kind.TEXT, "account__name"),
    ("product", Kind.TEXT, "product_id"),
    ("paymentMethod", Kind.TEXT, "payment_method"),
    ("businessIdentifier", Kind.TEXT, "business_identifier"),
    ("filingIdentifier", Kind.TEXT, "filing_id"),
    ("folioNumber", Kind.TEXT, "folio_number"),
    ("currency", Kind.TEXT, "currency"),
    ("total", Kind.DECIMAL, "total"),
    ("serviceFees", Kind.DECIMAL, "service_fees"),
    ("gst", Kind.DECIMAL, "gst"),
    ("paid", Kind.DECIMAL, "paid_amount"),
    ("refunded", Kind.DECIMAL, "refunded_amount"),
    ("credited", Kind.DECIMAL, "credited_amount"),
    ("manual", Kind.DECIMAL, "manual_amount"),
    ("pending", Kind.DECIMAL, "pending_amount"),
    ("createdAt", Kind.MOMENT, "created_at"),
    ("createdBy", Kind.TEXT, "created_by"),
    ("paymentDate", Kind.MOMENT, "payment_date"),
    ("refundDate", Kind.MOMENT, "refund_date"),
    ("overdueDate", Kind.MOMENT, "overdue_date"),
    ("details", Kind.JSON, "details"),
)


def invoices_export(invoices: InvoiceQuerySet) -> Export:
    """The invoices, newest first."""
    columns = [Column(name, kind) for name, kind, _ in COLUMNS]
    sources = [F(source) for _, _, source in COLUMNS]
    return Export.of(invoices.order_by("-created_at", "-pk").values_list(*sources), columns)
