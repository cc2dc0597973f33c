"""“New version from a date”: a form, a preview, and only then the act."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalogue.models import FeeSchedule, GLCode, GLLink, TaxRate
from catalogue.seeds import load_catalogue
from kernel.audit.models import AuditEntry
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
STARTS_ON = date(2999, 4, 1)


@pytest.fixture(autouse=True)
def _catalogue() -> None:
    load_catalogue(timezone.now())


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


def address(record: Any, action: str) -> str:
    return f"/admin/catalogue/{record._meta.model_name}/{record.pk}/{action}/"


def action_of(client: Client, record: Any, title: str) -> str:
    """The address behind the button of the record's page."""
    page = client.get(address(record, "change")).content.decode()
    before = page[: page.index(title)]
    return before[before.rindex('href="') + 6 :].partition('"')[0]


def filled(page: Any, **answers: str) -> dict[str, Any]:
    """What a browser would send: the values that the form shows, and the answers over them."""
    values = {bound.name: bound.value() for form in page.context["forms"] for bound in form}
    sent = {name: "" if value is None else value for name, value in values.items() if value is not False}
    return {name: "on" if value is True else value for name, value in sent.items()} | answers | {"confirmed": "yes"}


def confirmed(preview: Any) -> dict[str, Any]:
    return dict(preview.context["hidden"])


def price() -> FeeSchedule:
    return FeeSchedule.objects.get(product="CP", filing_type="OTANN")


ANSWERS = {"starts_on": str(STARTS_ON), "fee_code": "EN105", "reason": "Order in council"}


def test_a_price_goes_through_form_and_preview_to_its_next_version(administrator: Client) -> None:
    schedule = price()
    entries = AuditEntry.objects.count()
    where = action_of(administrator, schedule, "New version from a date")

    form = administrator.get(where)
    preview = administrator.post(where, filled(form, **ANSWERS))

    text = preview.content.decode()
    assert "Nothing has been changed yet." in text
    assert "138.08" in text
    assert "211.58" in text
    assert "+73.50" in text
    assert (FeeSchedule.objects.count(), AuditEntry.objects.count()) == (16, entries)

    answer = administrator.post(where, confirmed(preview))

    assert answer.status_code == 302
    schedule.refresh_from_db()
    following = FeeSchedule.objects.get(product="CP", filing_type="OTANN", starts_on=STARTS_ON)
    assert schedule.ends_on == date(2999, 3, 31)
    assert (following.fee_code_id, following.priority_fee_code_id, following.statutory_gst) == ("EN105", "PRI01", True)
    assert following.gl_links.count() == 1
    assert AuditEntry.objects.count() == entries + 4
    assert set(AuditEntry.objects.order_by("-id")[:4].values_list("reason", flat=True)) == {"Order in council"}


def test_answers_that_differ_from_the_preview_are_shown_again_first(administrator: Client) -> None:
    where = action_of(administrator, price(), "New version from a date")
    preview = administrator.post(where, filled(administrator.get(where), **ANSWERS))

    again = administrator.post(where, confirmed(preview) | {"fee_code": "EN113"})

    assert "Nothing has been changed yet." in again.content.decode()
    assert "1,000.00" in again.content.decode()
    assert FeeSchedule.objects.count() == 16


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"starts_on": "2020-01-01"}, "2020-01-01 has passed"),
        ({"starts_on": "2019-04-01", "past_allowed": "on"}, "the next begins on a later day"),
    ],
)
def test_a_day_that_does_not_fit_is_refused_before_the_preview(
    answers: dict[str, str], sentence: str, administrator: Client
) -> None:
    where = action_of(administrator, price(), "New version from a date")

    page = administrator.post(where, filled(administrator.get(where), **(ANSWERS | answers)))

    assert page.status_code == 422
    assert sentence in page.content.decode()
    assert FeeSchedule.objects.count() == 16


def test_a_version_that_somebody_else_opened_meanwhile_is_named(administrator: Client) -> None:
    schedule = price()
    where = action_of(administrator, schedule, "New version from a date")
    preview = administrator.post(where, filled(administrator.get(where), **ANSWERS))
    administrator.post(where, confirmed(preview))
    other = FeeSchedule.objects.get(product="CP", filing_type="OTANN", starts_on=STARTS_ON)

    answer = administrator.post(where, confirmed(preview))

    assert answer.status_code == 409
    assert f"Fee schedule {other.pk} is in force on some of these days." in answer.content.decode()
    assert FeeSchedule.objects.count() == 17


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_only_administrators_open_versions(role: str, administrator: Client) -> None:
    where = {
        record: action_of(administrator, record, title)
        for record, title in (
            (price(), "New version from a date"),
            (GLLink.objects.first(), "New version from a date"),
            (TaxRate.objects.get(), "New version from a date"),
            (GLCode.objects.first(), "Replace from a date"),
        )
    }
    client = signed_in(role)

    assert {client.get(page).status_code for page in where.values()} == {403}
    assert {client.post(page, {"confirmed": "yes"}).status_code for page in where.values()} == {403}


def test_a_price_is_booked_elsewhere_from_a_date(administrator: Client) -> None:
    link = GLLink.objects.get(fee_schedule=price())
    other = GLCode.objects.get(name="Name request fees")
    where = action_of(administrator, link, "New version from a date")
    answers = {"starts_on": str(STARTS_ON), "gl_code": str(other.pk), "reason": "Reorganised"}

    preview = administrator.post(where, filled(administrator.get(where), **answers))
    assert other.dotted in preview.content.decode()
    assert GLLink.objects.count() == 16
    administrator.post(where, confirmed(preview))

    link.refresh_from_db()
    assert link.ends_on == date(2999, 3, 31)
    assert GLLink.objects.get(fee_schedule=price(), starts_on=STARTS_ON).gl_code == other


def test_a_gl_code_is_replaced_on_all_prices_after_a_look_at_them(administrator: Client) -> None:
    old = GLCode.objects.get(name="Court fees")
    other = GLCode.objects.get(name="Name request fees")
    where = action_of(administrator, old, "Replace from a date")
    answers = {"starts_on": str(STARTS_ON), "gl_code": str(other.pk), "reason": "Reorganised"}

    preview = administrator.post(where, filled(administrator.get(where), **answers))
    text = preview.content.decode()
    assert "2 of the prices" in text
    assert ("CSO CSBPDOC" in text, "CSO OLAARTOQ" in text) == (True, True)
    administrator.post(where, confirmed(preview))

    assert GLLink.objects.filter(gl_code=other, starts_on=STARTS_ON).count() == 2
    assert GLLink.objects.count() == 18


def test_a_tax_rate_changes_from_a_date(administrator: Client) -> None:
    rate = TaxRate.objects.get()
    where = action_of(administrator, rate, "New version from a date")
    answers = {"starts_on": str(STARTS_ON), "rate": "0.0600", "reason": "Budget"}

    preview = administrator.post(where, filled(administrator.get(where), **answers))
    assert "6.00 %" in preview.content.decode()
    assert TaxRate.objects.count() == 1
    administrator.post(where, confirmed(preview))

    assert [str(row.rate) for row in TaxRate.objects.order_by("starts_on")] == ["0.0500", "0.0600"]
