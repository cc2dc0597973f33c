"""What the invoices app keeps."""

from __future__ import annotations

from invoices.models.calls import CardAttempt, IllegalAttemptMove, IllegalCallMove, OutsideCall
from invoices.models.invoices import FEE_COLUMNS, IllegalInvoiceMove, Invoice, InvoiceLine, InvoiceReference
from invoices.models.receipts import Credit, CreditApplication, Receipt
from invoices.models.refunds import IllegalRefundMove, Refund, RefundLine

__all__ = [
    "FEE_COLUMNS",
    "CardAttempt",
    "Credit",
    "CreditApplication",
    "IllegalAttemptMove",
    "IllegalCallMove",
    "IllegalInvoiceMove",
    "IllegalRefundMove",
    "Invoice",
    "InvoiceLine",
    "InvoiceReference",
    "OutsideCall",
    "Receipt",
    "Refund",
    "RefundLine",
]
