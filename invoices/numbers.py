"""The number that an invoice has in the external ledger and at the gateways."""

from __future__ import annotations

from django.conf import settings

DIGITS = 8


def invoice_number_of(invoice_id: int) -> str:
    """INVOICE_NUMBER_PREFIX and the id with zeros in front, to eight digits: REG00000042 (domain.md 1.3)."""
    return f"{settings.INVOICE_NUMBER_PREFIX}{invoice_id:0{DIGITS}d}"
