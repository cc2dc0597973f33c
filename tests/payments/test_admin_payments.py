from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from kernel.audit.models import AuditEntry
from kernel.outbox.models import OutboxEvent
from kernel.periods import Month
from payments.admin import PaymentAdmin
from payments.models import Payment
from payments.partitioning import ensure_partitions_ahead, ensure_partitions_for, known_months
from payments.states import PaymentSource
from tests.console.people import signed_in
from tests.payments.recorded import AT, record

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/payments/payment/"
BY_HAND = "/admin/payments/payment/record_by_hand/"
ENTRY: dict[str, str] = {
    "reference_number": "HAND-1",
    "loan_account_number": "LN100",
    "cif": "CIF7",
    "amount": "1200.50",
    "currency": "CAD",
    "payment_date": "2026-11-05 09:00",
    "payment_channel": "",
    "note": "Slip 12",
    "reason": "The branch sent a slip",
    "confirmed": "yes",
}


@pytest.fixture(autouse=True)
def _months() -> None:
    known_months.refresh()
    ensure_partitions_ahead(at=AT)
    known_months.refresh()


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def references_on(page: Any) -> list[str]:
    return [payment.reference_number for payment in page.context["cl"].result_list]


@pytest.mark.parametrize("term", ["REF-A", " REF-A ", "LN-A", "CIF-A"])
def test_search_finds_by_the_whole_reference_account_or_cif(operator: Client, term: str) -> None:
    record("REF-A", loan_account_number="LN-A", cif="CIF-A")
    record("REF-B", loan_account_number="LN-B", cif="CIF-B")

    assert references_on(operator.get(LIST, {"q": term})) == ["REF-A"]


def test_search_finds_by_the_payments_own_id(operator: Client) -> None:
    wanted = record("REF-A")
    record("REF-B")

    assert references_on(operator.get(LIST, {"q": str(wanted.payment_id)})) == ["REF-A"]


def test_a_part_of_a_reference_finds_nothing_and_the_page_says_how_to_search(operator: Client) -> None:
    record("REF-A")

    page = operator.get(LIST, {"q": "REF"})

    assert references_on(page) == []
    assert "Search takes a whole reference number" in page.content.decode()


def test_an_accounts_payments_come_by_the_moment_of_payment_and_others_by_recording(operator: Client) -> None:
    record("LATE", payment_date=datetime(2026, 11, 4, tzinfo=UTC))
    record("EARLY", payment_date=datetime(2026, 11, 3, tzinfo=UTC))

    assert references_on(operator.get(LIST, {"q": "LN1"})) == ["LATE", "EARLY"]


def test_the_drill_down_keeps_to_the_ledgers_day(operator: Client) -> None:
    # Six in the morning UTC on the third is still the evening of the second in Vancouver.
    record("SECOND", payment_date=datetime(2026, 11, 3, 6, tzinfo=UTC))
    record("THIRD", payment_date=datetime(2026, 11, 3, 20, tzinfo=UTC))

    assert references_on(operator.get(LIST, {"paid": "2026-11-02"})) == ["SECOND"]
    assert references_on(operator.get(LIST, {"paid": "2026-11-03"})) == ["THIRD"]
    assert sorted(references_on(operator.get(LIST, {"paid": "2026-11"}))) == ["SECOND", "THIRD"]
    assert references_on(operator.get(LIST, {"paid": "2026-10"})) == []


def test_a_month_that_another_process_made_is_offered_at_once(operator: Client) -> None:
    known_months.refresh()
    ensure_partitions_for([Month.parse("2026_03")])

    assert "March 2026" in operator.get(LIST).content.decode()


@pytest.mark.parametrize("paid", ["2026-13", "2026-02-30", "yesterday", "2026-1"])
def test_a_date_that_is_none_leads_back_to_the_list(operator: Client, paid: str) -> None:
    assert operator.get(LIST, {"paid": paid}).status_code == 302


def test_filters_by_source_and_channel_combine(operator: Client) -> None:
    record("A", payment_channel="branch")
    record("B", payment_channel="phone")
    record("C", payment_channel="branch", source=PaymentSource.STAGING)

    assert references_on(operator.get(LIST, {"channel": "branch", "source__exact": "manual"})) == ["A"]


def test_the_list_neither_counts_nor_sorts_the_whole_table(operator: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PaymentAdmin, "list_per_page", 2)
    for number in range(3):
        record(f"REF-{number}")
    operator.get(LIST)

    with CaptureQueriesContext(connection) as queries:
        page = operator.get(LIST, {"_facets": "True"})

    assert page.status_code == 200
    assert len(queries) <= 30
    about_payments = [query["sql"] for query in queries if 'FROM "payments"' in query["sql"]]
    assert about_payments
    assert all("LIMIT" in sql for sql in about_payments)
    assert not any("DISTINCT" in sql or "FILTER (WHERE" in sql for sql in about_payments)


def test_a_payment_shows_who_what_when_with_zone_and_its_event(operator: Client) -> None:
    recorded = record("REF-A", amount=Decimal("1234.50"), metadata={"note": "<b>x</b>"})

    page = operator.get(reverse("admin:payments_payment_change", args=[recorded.payment_id])).content.decode()

    event = OutboxEvent.objects.get()
    assert "1,234.50" in page
    assert "2026-11-05 0" in page
    assert "Waits for delivery" in page
    assert f"Event {event.pk}" in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x</b>" not in page


def test_a_payment_can_be_neither_changed_nor_deleted_nor_added_by_the_plain_forms() -> None:
    recorded = record("REF-A")
    root = signed_in("administrator")

    for name in ("change", "delete"):
        address = reverse(f"admin:payments_payment_{name}", args=[recorded.payment_id])
        assert root.post(address, {"amount": "1"}).status_code == 403
    assert root.get("/admin/payments/payment/add/").status_code == 403
    assert Payment.objects.get().amount == Decimal("12.30")


def test_an_entry_by_hand_is_recorded_with_its_reason(operator: Client) -> None:
    answer = operator.post(BY_HAND, ENTRY)

    payment = Payment.objects.get()
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:payments_payment_change", args=[payment.pk])
    assert (payment.reference_number, payment.amount, payment.source) == ("HAND-1", Decimal("1200.50"), "manual")
    assert payment.payment_date == datetime(2026, 11, 5, 9, tzinfo=ZoneInfo("America/Vancouver"))
    assert payment.metadata == {"note": "Slip 12"}
    entry = AuditEntry.objects.get(action="payment.recorded-by-hand")
    assert (entry.actor, entry.reason) == ("pat-operator", "The branch sent a slip")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("reference_number", "", "Give the reference number."),
        ("loan_account_number", "L" * 21, "at most 20 characters"),
        ("amount", "-5", "more than zero"),
        ("amount", "1,200.50", "The amount must be a number."),
        ("amount", "1.005", "more decimals"),
        ("payment_date", "5 November", "Write date and time as"),
        ("payment_date", "2026-03-08 02:30", "there was no such hour"),
        ("payment_date", "2999-01-01 10:00", "lies in the future"),
        ("reason", "", "Say why"),
    ],
)
def test_what_is_wrong_stands_at_its_field_and_nothing_is_recorded(
    operator: Client, field: str, value: str, said: str
) -> None:
    page = operator.post(BY_HAND, ENTRY | {field: value})

    assert page.status_code == 200
    errors = {name: messages for form in page.context["forms"] for name, messages in form.errors.items()}
    assert list(errors) == [field]
    assert said in errors[field][0]
    assert Payment.objects.count() == 0


def test_the_same_entry_twice_is_one_payment_and_other_content_is_refused(operator: Client) -> None:
    operator.post(BY_HAND, ENTRY)

    again = operator.post(BY_HAND, ENTRY)
    other = operator.post(BY_HAND, ENTRY | {"amount": "7.00"})

    assert again.status_code == 302
    assert other.status_code == 409
    assert "recorded 1200.50, given 7.00" in other.content.decode()
    assert Payment.objects.count() == 1


def test_get_only_asks(operator: Client) -> None:
    page = operator.get(BY_HAND, ENTRY)

    assert page.status_code == 200
    assert Payment.objects.count() == 0


@pytest.mark.parametrize("role", ["viewer", "approver", "administrator", "auditor"])
def test_only_operators_see_the_button_and_may_record(role: str) -> None:
    client = signed_in(role)

    assert BY_HAND not in client.get(LIST).content.decode()
    assert client.post(BY_HAND, ENTRY).status_code == 403
    assert Payment.objects.count() == 0
