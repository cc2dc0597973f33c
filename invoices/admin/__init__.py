"""The console's pages of invoices, refunds, credits and what is said to the outside about them."""

from __future__ import annotations

from invoices.admin import accountpanels, refundrequests
from invoices.admin.credits import CreditAdmin
from invoices.admin.invoices import InvoiceAdmin
from invoices.admin.outside import CardAttemptAdmin, OutsideCallAdmin
from invoices.admin.refunds import RefundAdmin

__all__ = ["CardAttemptAdmin", "CreditAdmin", "InvoiceAdmin", "OutsideCallAdmin", "RefundAdmin"]

accountpanels.register()
refundrequests.register()
