"""The list of invoices and the page of one: found, understood, and linked in both directions."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.html import escape

from catalogue.quote import FilingLine
from invoices.models import Invoice
from invoices.operations.crediting import apply_credit
from invoices.operations.refundapprovals import request_refund
from invoices.operations.refundplans import RefundPart
from invoices.operations.settling import schedule, settle
from invoices.states import FeeType
from tests.console.people import signed_in
from tests.invoices.billed import STAFF, a_priced_filing, an_invoice, evidence_of

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/invoices/invoice/"


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def page_of(invoice: Invoice) -> str:
    return f"{LIST}{invoice.pk}/change/"


def ids_on(page: Any) -> list[int]:
    assert page.status_code == 200
    return [invoice.pk for invoice in page.context["cl"].result_list]


def found(client: Client, **parameters: Any) -> set[int]:
    return set(ids_on(client.get(LIST, parameters)))


def paid(method: str = "PAD", **changes: Any) -> Invoice:
    invoice = an_invoice(method, **changes)
    settle(invoice.pk, evidence_of(invoice, f"R{invoice.pk}"), actor=STAFF, at=timezone.now())
    return Invoice.objects.get(pk=invoice.pk)


def refunded_in_part(invoice: Invoice, amount: str = "10.00") -> None:
    part = RefundPart(invoice.lines.get().pk, FeeType.BASE_FEES, Decimal(amount))
    request_refund(invoice.pk, [part], reason="Filed twice", actor=STAFF, at=timezone.now())


def test_an_empty_list_says_how_invoices_come_about(operator: Client) -> None:
    page = operator.get(LIST).content.decode()

    assert "No invoice yet. Partners create invoices over the API" in page


def test_the_latest_come_first_with_what_they_are_for_and_what_they_owe(operator: Client) -> None:
    a_priced_filing()
    a_priced_filing("OTADD")
    early = an_invoice("PAD", at=timezone.now() - timedelta(days=12))
    late = an_invoice("EFT", at=timezone.now(), lines=(FilingLine("OTANN"), FilingLine("OTADD"), FilingLine("OTADD")))

    page = operator.get(LIST)
    text = " ".join(page.content.decode().split())

    assert ids_on(page) == [late.pk, early.pk]
    assert "+ 2 more" in text
    assert "12 days" in text
    assert text.count(">33.08<") == 2
    assert '<abbr title="Pre-authorised debit">PAD</abbr>' in text


def test_several_statuses_and_methods_are_chosen_at_once(operator: Client) -> None:
    debit, transfer, card, done = an_invoice("PAD"), an_invoice("EFT"), an_invoice("DIRECT_PAY"), paid("ONLINE_BANKING")

    assert found(operator, status=["CREATED", "PAID"]) == {card.pk, done.pk}
    assert found(operator, status="open") == {debit.pk, transfer.pk, card.pk}
    assert found(operator, status=["open", "PAID"]) == {debit.pk, transfer.pk, card.pk, done.pk}
    assert found(operator, method=["PAD", "EFT"]) == {debit.pk, transfer.pk}
    assert found(operator, method="DIRECT_PAY", status="PAID") == set()
    assert found(operator, status="NO_SUCH") == set()


def test_no_fee_is_what_costs_nothing_and_credit_what_a_credit_has_paid(operator: Client) -> None:
    a_priced_filing()
    first = paid("PAD")
    request_refund(first.pk, None, reason="Filed twice", actor=STAFF, at=timezone.now())
    second = an_invoice("PAD", account=first.account)
    apply_credit(second.pk, actor=STAFF, at=timezone.now())
    other = an_invoice("EFT")
    Invoice.objects.filter(pk=other.pk).update(total=0)

    assert found(operator, method="CREDIT") == {second.pk}
    assert found(operator, method="NO_FEE") == {other.pk}
    assert found(operator, method=["NO_FEE", "CREDIT"]) == {second.pk, other.pk}


def test_the_list_is_narrowed_down_by_age_days_product_and_account(operator: Client) -> None:
    now = timezone.now()
    ages = {days: an_invoice("PAD", at=now - timedelta(days=days, hours=1)).pk for days in (0, 3, 7, 20, 60)}

    assert found(operator, age="new") == {ages[0]}
    assert found(operator, age="3") == {ages[3], ages[7], ages[20], ages[60]}
    assert found(operator, age="20") == {ages[20], ages[60]}
    assert found(operator, age="60") == {ages[60]}
    day = (now - timedelta(days=7, hours=1)).astimezone(timezone.get_default_timezone()).date()
    span = {"created_from": str(day - timedelta(days=1)), "created_to": str(day + timedelta(days=1))}
    assert found(operator, **span) == {ages[7]}
    assert found(operator, created_from="no day") == set(ages.values())
    assert found(operator, product="CP") == set(ages.values())
    assert found(operator, product="BTR") == set()
    assert found(operator, account="A-PAD") == set(ages.values())
    assert found(operator, account="A-P") == set()


def test_a_day_is_one_of_the_ledgers_zone_and_both_ends_count(operator: Client, settings: Any) -> None:
    late_evening = datetime(2026, 11, 20, 23, 59, tzinfo=settings.LEDGER_ZONE)
    invoice = an_invoice("PAD", at=late_evening)

    assert found(operator, created_from="2026-11-20", created_to="2026-11-20") == {invoice.pk}
    assert found(operator, created_from="2026-11-21") == set()
    assert found(operator, created_to="2026-11-19") == set()


@pytest.mark.parametrize(
    "term",
    ["{id}", "REG{id:08d}", "reg{id:08d}", "R77", "CP0001234", "HARPER-1", "A-PAD", "33.08", " $33.08 "],
)
def test_search_finds_by_every_whole_term_that_is_printed(operator: Client, settings: Any, term: str) -> None:
    invoice = an_invoice("PAD", business_identifier="CP0001234", folio_number="HARPER-1")
    number = f"REG{invoice.pk:08d}"
    schedule(invoice.pk, invoice_number=number, actor=STAFF, at=timezone.now())
    settle(invoice.pk, evidence_of(invoice, "R77"), actor=STAFF, at=timezone.now())
    other = an_invoice("EFT", lines=(FilingLine("OTANN", priority=True),))

    hits = found(operator, q=term.format(id=invoice.pk))

    assert hits == {invoice.pk}
    assert other.pk not in hits


@pytest.mark.parametrize("term", ["CP000", "HARPER", "33.0", "A-", "'; drop table invoice", "\u0660\u0661", "9" * 40])
def test_parts_of_a_term_and_nonsense_find_nothing(operator: Client, term: str) -> None:
    an_invoice("PAD", business_identifier="CP0001234", folio_number="HARPER-1")

    assert found(operator, q=term) == set()


@pytest.mark.usefixtures("kept_sidebar")
def test_the_list_asks_as_often_for_twenty_invoices_as_for_two_and_counts_nothing_exactly(operator: Client) -> None:
    counts = []
    for total in (2, 20):
        for _ in range(Invoice.objects.count(), total):
            an_invoice("PAD")
        operator.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            operator.get(LIST, {"status": "open", "account": "A-PAD"})
        counts.append(len(queries))
        assert not any("count(*)" in q["sql"].lower() and "limit" not in q["sql"].lower() for q in queries)

    assert counts[0] == counts[1]
    assert counts[0] <= 20


def test_the_page_says_who_what_when_and_what_happens_next(operator: Client) -> None:
    invoice = an_invoice("PAD", business_identifier="CP0001234", folio_number="<b>F</b>")

    page = operator.get(page_of(invoice))
    text = page.content.decode()

    assert page.context["guidance"]["sentence"].startswith("What happens next: In the evening it joins")
    assert [group.title for group in page.context["fact_groups"]] == ["Who", "What", "When"]
    assert "A-PAD" in text
    assert "CP0001234" in text
    assert escape("<b>F</b>") in text
    assert "<b>F</b>" not in text
    assert invoice.lines.get().fee_gl in text
    assert "No money has come for it yet" in text


def test_the_money_box_adds_up_after_a_payment_and_a_partial_refund(operator: Client) -> None:
    invoice = paid("PAD")
    refunded_in_part(invoice)

    box = operator.get(page_of(invoice)).context["money_box"]

    assert [(line.label, line.amount) for line in box.lines] == [
        ("Total", Decimal("33.08")),
        ("Paid", Decimal("33.08")),
        ("Owing", Decimal("0.00")),
        ("Refunded", Decimal("0.00")),
        ("Credited", Decimal("10.00")),
        ("Given back outside", Decimal("0.00")),
        ("Being given back", Decimal("0.00")),
        ("Kept of what was paid", Decimal("23.08")),
    ]


def test_the_money_box_of_a_stopped_invoice_says_what_is_no_longer_owed(operator: Client) -> None:
    invoice = an_invoice("PAD")
    request_refund(invoice.pk, None, reason="Not wanted", actor=STAFF, at=timezone.now())

    lines = {line.label: line.amount for line in operator.get(page_of(invoice)).context["money_box"].lines}

    assert lines["No longer owed"] == Decimal("33.08")
    assert lines["Total"] == lines["Paid"] + lines["No longer owed"] + lines["Owing"]
    assert "Kept of what was paid" not in lines


def test_everything_that_belongs_to_it_is_linked_in_both_directions(operator: Client) -> None:
    invoice = paid("PAD")
    refunded_in_part(invoice)
    refund, credit = invoice.refunds.get(), invoice.credits.get()
    later = an_invoice("PAD", account=invoice.account)
    apply_credit(later.pk, actor=STAFF, at=timezone.now())

    there = operator.get(page_of(invoice)).content.decode()
    refund_page, credit_page = (
        f"/admin/invoices/refund/{refund.pk}/change/",
        f"/admin/invoices/credit/{credit.pk}/change/",
    )
    assert f'href="{refund_page}"' in there
    assert f'href="{credit_page}"' in there
    assert f"/admin/accounts/paymentaccount/{invoice.account_id}/change/" in there

    assert f'href="{page_of(invoice)}"' in operator.get(refund_page).content.decode()
    from_credit = operator.get(credit_page).content.decode()
    assert f'href="{page_of(invoice)}"' in from_credit
    assert f'href="{page_of(later)}"' in from_credit
    assert f'href="{credit_page}"' in operator.get(page_of(later)).content.decode()


def test_the_story_tells_of_the_invoice_its_refunds_its_credits_and_the_events(operator: Client) -> None:
    invoice = paid("PAD")
    refunded_in_part(invoice)

    titles = [step.title for step in operator.get(page_of(invoice)).context["story"]]

    for told in ("Invoice created", "Invoice money received", "Refund requested", "Refund processed", "Credit added"):
        assert told in titles
    assert any(title.startswith("Event invoice.released") for title in titles)
    assert any(title.startswith("Event invoice.partially-reversed") for title in titles)


@pytest.mark.usefixtures("kept_sidebar")
def test_the_page_of_a_full_invoice_takes_a_bounded_number_of_queries(operator: Client) -> None:
    invoice = paid("PAD")
    for amount in ("1.00", "2.00", "3.00", "4.00"):
        refunded_in_part(invoice, amount)
    operator.get(page_of(invoice))

    with CaptureQueriesContext(connection) as queries:
        page = operator.get(page_of(invoice))

    assert len(page.context["story"]) > 15
    assert len(queries) <= 30


def test_what_was_overpaid_is_shown_with_the_credit_that_holds_it(operator: Client) -> None:
    invoice = an_invoice("PAD")
    settle(invoice.pk, evidence_of(invoice, amount="40.00"), actor=STAFF, at=timezone.now())

    text = operator.get(page_of(invoice)).content.decode()

    assert "6.92" in text
    assert "Credits that came of it" in text


def test_a_page_that_is_not_there_leads_back_to_the_list(operator: Client) -> None:
    for name in ("99999", "abc", "1_2F", "9" * 30):
        answer = operator.get(f"{LIST}{name}/change/")
        assert (answer.status_code, answer["Location"]) == (302, "/admin/")


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "administrator", "auditor"])
def test_every_role_may_look(role: str) -> None:
    invoice = an_invoice("PAD")
    person = signed_in(role)

    assert person.get(LIST).status_code == person.get(page_of(invoice)).status_code == 200


def test_somebody_without_a_role_sees_nothing_of_invoices() -> None:
    invoice = paid("PAD")
    refunded_in_part(invoice)
    person = signed_in(None)
    places = ("invoice", "refund", "credit", "cardattempt", "outsidecall")

    assert [person.get(f"/admin/invoices/{place}/").status_code for place in places] == [403] * 5
    assert person.get(page_of(invoice)).status_code == 403
    assert person.get(f"/admin/invoices/refund/{invoice.refunds.get().pk}/change/").status_code == 403


def test_nobody_edits_or_deletes_an_invoice_by_form(operator: Client) -> None:
    invoice = an_invoice("PAD")

    assert operator.post(page_of(invoice), {"total": "1.00"}).status_code == 403
    assert operator.post(f"{LIST}{invoice.pk}/delete/", {"post": "yes"}).status_code == 403
    assert operator.get(f"{LIST}add/").status_code == 403
    invoice.refresh_from_db()
    assert invoice.total == Decimal("33.08")


def test_staff_find_the_payment_page_of_an_open_card_invoice_and_of_no_other(operator: Client) -> None:
    card, debit, done = an_invoice("DIRECT_PAY"), an_invoice("PAD"), paid("ONLINE_BANKING")

    [(link, said)] = operator.get(page_of(card)).context["guidance"]["choices"]

    address = str(link).split('href="')[1].split('"')[0]
    assert address.startswith("http://testserver/pay/")
    assert operator.get(address).status_code == 200
    assert "Copy this link for the payer" in said
    for other in (debit, done):
        assert operator.get(page_of(other)).context["guidance"]["choices"] == []
