"""Payments for tests, recorded the way that every payment is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from payments.notices import PaymentNotice
from payments.operations.recording import Recording, record_notice
from payments.states import PaymentSource

AT = datetime(2026, 11, 5, 12, tzinfo=UTC)


def notice(reference: str, **changes: Any) -> PaymentNotice:
    values: dict[str, Any] = {
        "reference_number": reference,
        "loan_account_number": "LN1",
        "cif": "CIF1",
        "amount": Decimal("12.30"),
        "currency": "CAD",
        "payment_date": AT,
        "payment_channel": "branch",
    }
    return PaymentNotice(**(values | changes))


def record(reference: str, *, source: PaymentSource = PaymentSource.MANUAL, **changes: Any) -> Recording:
    return record_notice(notice(reference, **changes), source=source, at=AT + timedelta(seconds=1))
