"""The console's pages of invoices, refunds, credits and what is said to the outside about them."""

from __future__ import annotations

from invoices.admin.invoices import InvoiceAdmin

__all__ = ["InvoiceAdmin"]
