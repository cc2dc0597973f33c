"""An order of the card gateway that tests pay, give up or refund."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from urllib.parse import urlsplit
from uuid import uuid4

from invoices.gateways import CardOrder, RevenueLine

REFERENCE = "REG00000042"
FEES = RevenueLine(1, "112.32041.35301.1278.3200000.000000.0000", Decimal("20.00"))
SERVICE = RevenueLine(2, "112.32041.35301.1278.3200009.000000.0000", Decimal("1.50"))


def an_order(**changes: object) -> CardOrder:
    order = CardOrder(
        reference=REFERENCE,
        transaction_id=uuid4(),
        amount=Decimal("21.50"),
        currency="CAD",
        description="Annual report",
        revenue_lines=(FEES, SERVICE),
        return_url="http://127.0.0.1:9/card/return",
    )
    return dataclasses.replace(order, **changes)  # type: ignore[arg-type]


def query_of(address: str) -> str:
    return urlsplit(address).query
