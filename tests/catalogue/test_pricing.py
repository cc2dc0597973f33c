from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.glcodes import GLCodeInvalid
from catalogue.models import GLCode
from catalogue.pricing import (
    GLCodeMissing,
    NoFeeSchedule,
    NoTaxRate,
    UnknownProduct,
    gl_codes_on,
    gst_rate_on,
    prices_on,
    quote_on,
)
from catalogue.quote import AccountTerms, Caller, FilingLine
from tests.catalogue.priced import DAY, a_fee, a_gl_code, a_link, a_rate, a_schedule

pytestmark = pytest.mark.django_db
GL_FIELDS = ("service_fee_gl", "disbursement_gl", "statutory_gst_gl", "service_gst_gl")


def test_the_price_of_a_day_is_read_with_all_its_fees_in_one_query() -> None:
    schedule = a_schedule(
        priority_fee_code=a_fee("PRI01", "100.00"),
        future_effective_fee_code=a_fee("FUT01", "100.00"),
        service_fee_code=a_fee("TRF01", "1.50"),
        statutory_gst=True,
    )
    a_schedule("CP", "BCINC", fee_code=a_fee("EN109", "350.00"), variable=True)

    with CaptureQueriesContext(connection) as queries:
        prices = prices_on("CP", {"OTANN", "BCINC"}, on=DAY)

    assert len(queries) == 1
    annual = prices["OTANN"]
    assert (annual.schedule_id, annual.product, annual.description) == (schedule.pk, "CP", "Filing OTANN")
    assert (annual.base, annual.priority, annual.future_effective, annual.service) == (
        Decimal("30.00"),
        Decimal("100.00"),
        Decimal("100.00"),
        Decimal("1.50"),
    )
    assert (annual.statutory_gst, annual.service_gst, annual.variable) == (True, False, False)
    other = prices["BCINC"]
    assert (other.base, other.priority, other.service, other.variable) == (Decimal("350.00"), Decimal(0), None, True)


def test_the_date_chooses_the_version() -> None:
    a_schedule(ends_on=date(2026, 3, 31))
    a_schedule(starts_on=date(2026, 4, 1), fee_code=a_fee("EN105", "100.00"))

    assert prices_on("CP", {"OTANN"}, on=date(2026, 3, 31))["OTANN"].base == 30
    assert prices_on("CP", {"OTANN"}, on=date(2026, 4, 1))["OTANN"].base == 100


def test_filing_types_without_a_price_on_the_day_are_all_named() -> None:
    a_schedule(ends_on=date(2026, 3, 31))

    with CaptureQueriesContext(connection) as queries, pytest.raises(NoFeeSchedule) as refused:
        prices_on("CP", {"OTANN", "NM620"}, on=DAY)

    assert len(queries) == 2
    assert refused.value.detail == "CP has no price for NM620, OTANN on 2026-11-24."
    assert refused.value.context["filing_types"] == ["NM620", "OTANN"]


def test_an_unknown_product_is_named() -> None:
    with pytest.raises(UnknownProduct, match="There is no product 'NONE'"):
        prices_on("NONE", {"OTANN"}, on=DAY)


def test_the_price_of_another_product_is_no_price() -> None:
    a_schedule("VS")
    a_schedule("CP", "BCINC")

    with pytest.raises(NoFeeSchedule):
        prices_on("CP", {"OTANN"}, on=DAY)


def test_the_rate_of_gst_is_the_one_in_force() -> None:
    a_rate("0.0600", starts_on=date(2006, 7, 1), ends_on=date(2007, 12, 31))
    a_rate()

    assert gst_rate_on(date(2007, 12, 31)) == Decimal("0.0600")
    assert gst_rate_on(date(2008, 1, 1)) == Decimal("0.0500")
    with pytest.raises(NoTaxRate, match="No rate of GST is in force on 2006-06-30"):
        gst_rate_on(date(2006, 6, 30))


def test_a_quote_of_a_day_comes_to_what_the_worked_example_says() -> None:
    a_rate()
    a_schedule(
        priority_fee_code=a_fee("PRI01", "100.00"),
        service_fee_code=a_fee("TRF01", "1.50"),
        statutory_gst=True,
        service_gst=True,
    )

    result = quote_on(
        "CP", [FilingLine("OTANN", quantity=2, priority=True)], on=DAY, terms=AccountTerms(), caller=Caller()
    )

    assert str(result.total) == "169.58"


def test_an_order_without_gst_needs_no_rate() -> None:
    a_schedule()

    assert quote_on("CP", [FilingLine("OTANN")], on=DAY, terms=AccountTerms(), caller=Caller()).total == 30


def linked_codes() -> dict[str, GLCode]:
    return {field: a_gl_code(field) for field in GL_FIELDS}


def test_gl_codes_come_with_the_four_that_belong_to_them_in_one_query() -> None:
    linked = linked_codes()
    schedule, other = a_schedule(), a_schedule("VS")
    a_link(schedule, a_gl_code("Fees", **linked))
    a_link(other, a_gl_code("Other fees"))

    with CaptureQueriesContext(connection) as queries:
        codes = gl_codes_on([schedule.pk, other.pk], on=DAY)
        names = [getattr(codes[schedule.pk], field).name for field in GL_FIELDS]

    assert len(queries) == 1
    assert names == list(GL_FIELDS)
    assert codes[other.pk].name == "Other fees"


def test_schedules_without_a_gl_code_on_the_day_are_named() -> None:
    linked, bare, ended = a_schedule(), a_schedule("VS"), a_schedule("PPR")
    gl_code = a_gl_code()
    a_link(linked, gl_code)
    a_link(ended, gl_code, ends_on=date(2026, 3, 31))

    with pytest.raises(GLCodeMissing) as refused:
        gl_codes_on([linked.pk, bare.pk, ended.pk], on=DAY)

    assert refused.value.context["fee_schedules"] == [bare.pk, ended.pk]


@pytest.mark.parametrize("days", [{"starts_on": date(2027, 1, 1)}, {"ends_on": date(2026, 1, 31)}])
def test_a_gl_code_outside_its_days_is_not_used(days: dict[str, Any]) -> None:
    schedule = a_schedule()
    a_link(schedule, a_gl_code("Fees", **days))

    with pytest.raises(GLCodeMissing, match=r"“Fees” is in force from .* and not on 2026-11-24"):
        gl_codes_on([schedule.pk], on=DAY)


@pytest.mark.parametrize("field", ["gl_code", *GL_FIELDS])
def test_a_bad_segment_that_reached_the_table_is_found_before_use(field: str) -> None:
    """A STOB of "stob" once went out with a file. However it came in, it does not go out from here."""
    schedule = a_schedule()
    linked = linked_codes()
    linked["gl_code"] = a_gl_code("Fees", **linked)
    a_link(schedule, linked["gl_code"])
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate; alter table gl_code drop constraint gl_code_stob_fits")
    GLCode.objects.filter(pk=linked[field].pk).update(stob="stob")

    with pytest.raises(GLCodeInvalid) as refused:
        gl_codes_on([schedule.pk], on=DAY)

    assert refused.value.detail == (
        f"GL code {linked[field].pk} “{linked[field].name}” cannot be used. STOB is 'stob': it should be 4 digits."
    )
    assert [error.field for error in refused.value.errors] == ["stob"]
