"""Invoices as a file over the API: the conditions of the list, exact amounts, and no cell that a sheet would run."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse

from accounts.scopes import INVOICES_READ
from catalogue.models import Product
from invoices.exports import COLUMNS
from invoices.models import Invoice
from tests.invoices.billed import a_paid_invoice, a_payer, a_priced_filing, an_invoice
from tests.invoices.budgets import queries_of
from tests.invoices.partners import INVOICES, PARTNER_SCOPES, Partner, an_order, answered, refused

pytestmark = pytest.mark.django_db(transaction=True)
EXPORT = f"{INVOICES}/export"
NOON = datetime(2026, 3, 2, 20, 0, tzinfo=UTC)


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def content_of(response: HttpResponse) -> str:
    assert response.streaming
    assert response.status_code == 200
    return b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]


def rows_of(response: HttpResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content_of(response))))


def ids_in(partner: Partner, **query: Any) -> list[int]:
    return [item["id"] for item in json.loads(content_of(partner.get(EXPORT, {"format": "json", **query})))]


def test_a_row_says_the_same_as_csv_as_json_line_by_line_and_in_the_list(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD", at=NOON, folio_number="Folio 7", details=({"label": "Agent", "value": "Å"},))
    csv_answer = partner.get(EXPORT)
    assert csv_answer["Content-Type"] == "text/csv; charset=utf-8"
    assert 'filename="invoices.csv"' in csv_answer["Content-Disposition"]
    [row] = rows_of(csv_answer)
    assert list(row) == [name for name, _, _ in COLUMNS]

    [item] = json.loads(content_of(partner.get(EXPORT, {"format": "json"})))
    assert item == {
        "id": invoice.pk,
        "status": "PAID",
        "accountNumber": "A-PAD",
        "accountName": "Customer A-PAD",
        "product": "CP",
        "paymentMethod": "PAD",
        "businessIdentifier": "",
        "filingIdentifier": "",
        "folioNumber": "Folio 7",
        "currency": "CAD",
        "total": "33.08",
        "serviceFees": "1.50",
        "gst": "1.58",
        "paid": "33.08",
        "refunded": "0.00",
        "credited": "0.00",
        "manual": "0.00",
        "pending": "0.00",
        "createdAt": "2026-03-02T20:00:00Z",
        "createdBy": "partner",
        "paymentDate": "2026-11-24T18:00:00Z",
        "refundDate": None,
        "overdueDate": "2026-05-15T07:00:00Z",
        "details": [{"label": "Agent", "value": "Å"}],
    }
    assert json.loads(row.pop("details")) == item.pop("details")
    assert row == {name: "" if value is None else str(value) for name, value in item.items()}
    [line] = content_of(partner.get(EXPORT, {"format": "ndjson"})).splitlines()
    assert json.loads(line)["total"] == "33.08"
    [listed] = answered(partner.get(INVOICES))["items"]
    for member in ("id", "createdAt", "overdueDate", "paymentDate", "gst", "serviceFees"):
        assert listed[member] == item[member], member


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        ("*/*", "text/csv; charset=utf-8"),
        ("text/csv", "text/csv; charset=utf-8"),
        ("application/json", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
    ],
)
def test_the_type_is_that_of_accept(partner: Partner, accept: str, media_type: str) -> None:
    an_invoice("PAD")
    response = partner.get(EXPORT, Accept=accept)
    assert response["Content-Type"] == media_type
    assert content_of(response)


def test_a_type_that_is_not_written_is_refused(partner: Partner) -> None:
    assert answered(partner.get(EXPORT, Accept="application/pdf"), 406)["code"] == "not-acceptable"
    assert answered(partner.get(EXPORT, {"format": "xlsx"}), 404)["code"] == "not-found"


def test_the_export_meets_the_conditions_of_the_list_in_its_order_and_at_any_length(partner: Partner) -> None:
    made = [an_invoice("PAD", at=NOON + timedelta(hours=number // 2)).pk for number in range(5)]
    transfer = a_paid_invoice("EFT", at=NOON - timedelta(days=1), folio_number="F1", business_identifier="BC1")
    newest_first = [*sorted(made, reverse=True), transfer.pk]
    assert ids_in(partner) == newest_first
    for query in (
        {"status": "PAID"},
        {"status": "COMPLETED"},
        {"paymentMethod": "PAD"},
        {"accountNumber": "A-EFT"},
        {"product": "CP"},
        {"product": "BC"},
        {"lineItem": "otann"},
        {"folioNumber": "F1"},
        {"businessIdentifier": "BC1"},
        {"createdTo": "2026-03-01"},
        {"createdFrom": "2026-03-02"},
        {"totalFrom": "33.09"},
        {"id": made[2]},
    ):
        listed = [item["id"] for item in answered(partner.get(INVOICES, {"limit": 200, **query}))["items"]]
        assert ids_in(partner, **query) == listed, query
    assert [row["id"] for row in rows_of(partner.get(EXPORT))] == [str(pk) for pk in newest_first]


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "＝", "＋"])
def test_a_text_that_a_spreadsheet_would_run_is_made_harmless_in_csv_only(partner: Partner, begins: str) -> None:
    a_payer("PAD")
    order = an_order(businessInfo={"businessIdentifier": "BC1", "corpType": "CP"})
    order["filingInfo"] |= {"folioNumber": f"{begins}cmd|x", "filingIdentifier": f"{begins}1"}
    answered(partner.post(INVOICES, order), 201)
    [row] = rows_of(partner.get(EXPORT))
    assert (row["folioNumber"], row["filingIdentifier"]) == (f"'{begins}cmd|x", f"'{begins}1")
    assert (row["businessIdentifier"], row["total"]) == ("BC1", "33.08")
    [item] = json.loads(content_of(partner.get(EXPORT, {"format": "json"})))
    assert item["folioNumber"] == f"{begins}cmd|x"


def test_nothing_found_is_a_heading_an_empty_array_or_nothing(partner: Partner) -> None:
    a_payer("PAD")
    for query in ({}, {"status": "REFUNDED"}, {"accountNumber": "A-PAD"}):
        assert content_of(partner.get(EXPORT, query)) == ",".join(name for name, _, _ in COLUMNS) + "\n"
        assert json.loads(content_of(partner.get(EXPORT, {**query, "format": "json"}))) == []
        assert content_of(partner.get(EXPORT, {**query, "format": "ndjson"})) == ""
    nobody = Partner("nobody-yet", all_accounts=False, all_products=False)
    assert rows_of(nobody.get(EXPORT)) == []


@pytest.mark.parametrize(
    ("query", "field", "code"),
    [
        ({"colour": "red"}, "colour", "unknown"),
        ({"limit": "5"}, "limit", "unknown"),
        ({"cursor": "x"}, "cursor", "unknown"),
        ({"status": "paid"}, "status", "invalid_choice"),
        ({"totalFrom": "2", "totalTo": "1"}, "totalTo", "before"),
        ({"createdFrom": "2026-02-30"}, "createdFrom", "invalid"),
    ],
)
def test_a_condition_that_cannot_be_used_is_named(
    partner: Partner, query: dict[str, str], field: str, code: str
) -> None:
    assert refused(partner.get(EXPORT, query)) == [(field, code)]


def test_an_export_holds_what_its_key_may_see(partner: Partner) -> None:
    mine, theirs = an_invoice("PAD"), an_invoice("EFT")
    a_priced_filing("OTADD", "BC")
    limited = Partner("limited", all_accounts=False, accounts=[mine.account])
    assert ids_in(limited) == [mine.pk]
    assert ids_in(limited, id=theirs.pk) == []
    assert answered(limited.get(EXPORT, {"accountNumber": "A-EFT"}), 404)["code"] == "account-unknown"
    of_bc = Partner("of-bc", all_products=False, products=[Product.objects.get(pk="BC")])
    assert ids_in(of_bc) == []
    without = Partner("without", scopes=sorted(set(PARTNER_SCOPES) - {INVOICES_READ}))
    assert answered(without.get(EXPORT), 403)["required_scope"] == INVOICES_READ


def test_an_export_costs_the_same_queries_however_many_rows_it_has(partner: Partner) -> None:
    counts = []
    for more in (1, 9):
        for _ in range(more):
            an_invoice("PAD")
        assert len(ids_in(partner)) == Invoice.objects.count()
        counts.append(queries_of(ids_in, partner))
    assert counts[0] == counts[1]
