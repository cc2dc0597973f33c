"""Prices and catalogue rows that the tests of the catalogue are made with."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate
from catalogue.quote import SchedulePrice

DAY = date(2026, 11, 24)


def a_price(**changes: Any) -> SchedulePrice:
    """A filing of 30.00, 100.00 with priority, 50.00 when it takes effect later, 1.50 for us, GST on both."""
    amounts = {
        name: value if value is None or not isinstance(value, str) else Decimal(value)
        for name, value in changes.items()
        if name in ("base", "priority", "future_effective", "service")
    }
    return SchedulePrice(
        **{
            "schedule_id": 1,
            "product": "CP",
            "filing_type": "OTANN",
            "description": "Annual report",
            "base": Decimal("30.00"),
            "priority": Decimal("100.00"),
            "future_effective": Decimal("50.00"),
            "service": Decimal("1.50"),
            "variable": False,
            "statutory_gst": True,
            "service_gst": True,
            **changes,
            **amounts,
        }
    )


def a_fee(code: str = "EN101", amount: str = "30.00") -> FeeCode:
    return FeeCode.objects.get_or_create(code=code, defaults={"amount": Decimal(amount)})[0]


def a_product(code: str = "CP", **changes: Any) -> Product:
    values = {"description": f"Product {code}", "payment_methods": ["PAD"], **changes}
    return Product.objects.get_or_create(code=code, defaults=values)[0]


def a_filing_type(code: str = "OTANN") -> FilingType:
    return FilingType.objects.get_or_create(code=code, defaults={"description": f"Filing {code}"})[0]


def a_schedule(product: str = "CP", filing_type: str = "OTANN", **changes: Any) -> FeeSchedule:
    """In force since 2020 without an end, 30.00, unless told otherwise."""
    return FeeSchedule.objects.create(
        product=a_product(product),
        filing_type=a_filing_type(filing_type),
        **{"fee_code": changes.pop("fee_code", None) or a_fee(), "starts_on": date(2020, 1, 1), **changes},
    )


def a_gl_code(name: str = "Registry revenue", **changes: Any) -> GLCode:
    return GLCode.objects.create(
        **{
            "name": name,
            "client": "112",
            "responsibility_centre": "32363",
            "service_line": "34725",
            "stob": "4375",
            "project_code": "3200000",
            "starts_on": date(2020, 1, 1),
            **changes,
        }
    )


def a_link(schedule: FeeSchedule, gl_code: GLCode, **changes: Any) -> GLLink:
    return GLLink.objects.create(fee_schedule=schedule, gl_code=gl_code, **{"starts_on": date(2020, 1, 1), **changes})


def a_rate(rate: str = "0.0500", **changes: Any) -> TaxRate:
    return TaxRate.objects.create(**{"rate": Decimal(rate), "starts_on": date(2008, 1, 1), **changes})
