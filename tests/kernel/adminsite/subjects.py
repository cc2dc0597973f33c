"""Records that the pages of actions are shown for: real ones where a page reads what belongs to them, else imagined."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models import PaymentAccount
from invoices.models import CardAttempt, Invoice
from tests.accounts.payers import a_pad_account
from tests.invoices.billed import a_credit, a_paid_invoice, an_invoice

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def imagined(model: type[models.Model], depth: int = 0) -> models.Model:
    """A record of the model with something plausible in every field, which is in no table."""
    record = model()
    for field in model._meta.concrete_fields:
        if field.related_model is not None:
            if not field.null and depth < 3:
                setattr(record, field.name, imagined(field.related_model, depth + 1))
        elif getattr(record, field.attname) in (None, ""):
            setattr(record, field.attname, plausible(field))
    return record


def known(label: str, name: str) -> models.Model:
    """A record as the action's page meets it: a real one where the page reads the rows that belong to it."""
    if label == "accounts.PaymentAccount":
        a_pad_account("1001")
        return PaymentAccount.objects.with_state().get()
    if label == "invoices.Invoice":
        return LEGAL_FOR[name]()
    return imagined(apps.get_model(label))


def _with_credit() -> Invoice:
    a_credit("EFT", "10.00")
    return an_invoice("EFT")


def _being_paid_by_card() -> Invoice:
    invoice = an_invoice("DIRECT_PAY")
    CardAttempt.objects.create(
        pk=uuid.uuid4(), invoice=invoice, amount=invoice.total, status="CREATED", status_since=AT, started_at=AT
    )
    return invoice


# An invoice for which the action is legal; else its page says so and leads back.
LEGAL_FOR: dict[str, Callable[[], Invoice]] = {
    "cancel": partial(an_invoice, "PAD"),
    "refund": partial(a_paid_invoice, "PAD"),
    "record_outside_refund": partial(a_paid_invoice, "PAD"),
    "apply_credit": _with_credit,
    "convert": partial(an_invoice, "ONLINE_BANKING"),
    "charge_back": partial(a_paid_invoice, "DIRECT_PAY"),
    "ask_outside": _being_paid_by_card,
}
# These ask on pages of their own, whose last one confirms (tests/invoices/test_admin_refundwizard.py).
WIZARDS = ("refund", "record_outside_refund")


def plausible(field: models.Field[Any, Any]) -> Any:
    if field.choices:
        return field.choices[0][0]
    for kind, value in {
        models.UUIDField: uuid.UUID(int=7),
        models.DateTimeField: AT,
        models.DateField: AT.date().replace(day=1),
        models.DecimalField: Decimal("1.00"),
        models.JSONField: {},
        ArrayField: [],
        models.BooleanField: True,
        models.IntegerField: 7,
        models.FloatField: 1.0,
        models.DurationField: timedelta(1),
        models.BinaryField: b"x",
        models.CharField: "x",
        models.TextField: "x",
    }.items():
        if isinstance(field, kind):
            return value
    return None
