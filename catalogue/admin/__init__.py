"""The pages of the catalogue: what is charged, and where it is booked."""

from __future__ import annotations

from catalogue.admin.ledger import GLCodeAdmin, GLLinkAdmin, TaxRateAdmin
from catalogue.admin.prices import FeeCodeAdmin, FeeScheduleAdmin
from catalogue.admin.products import FilingTypeAdmin, ProductAdmin

__all__ = [
    "FeeCodeAdmin",
    "FeeScheduleAdmin",
    "FilingTypeAdmin",
    "GLCodeAdmin",
    "GLLinkAdmin",
    "ProductAdmin",
    "TaxRateAdmin",
]
