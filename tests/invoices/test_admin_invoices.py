"""The list of invoices and the page of one: found, understood, and linked in both directions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.quote import FilingLine
from invoices.models import Invoice
from invoices.operations.settling import settle
from tests.console.people import signed_in
from tests.invoices.billed import STAFF, an_invoice, evidence_of

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/invoices/invoice/"


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def page_of(invoice: Invoice) -> str:
    return f"{LIST}{invoice.pk}/change/"


def ids_on(page: Any) -> list[int]:
    return [invoice.pk for invoice in page.context["cl"].result_list]


def test_an_empty_list_says_how_invoices_come_about(operator: Client) -> None:
    assert "No invoice yet. Partners create invoices over the API" in operator.get(LIST).content.decode()
    print(operator.get(page_of(an_invoice())).status_code)
