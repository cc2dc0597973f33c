from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.models import FeeSchedule
from catalogue.operations import new_schedule_version
from catalogue.operations.records import NoSuchRecord, RecordInvalid
from catalogue.previews import EXAMPLE_FEE, price_list, price_preview
from catalogue.pricing import quote_on
from catalogue.quote import AccountTerms, Caller, FilingLine
from kernel.audit.actors import Actor
from tests.catalogue.priced import DAY, a_fee, a_product, a_rate, a_schedule

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 24, 20, tzinfo=UTC)
NEXT_YEAR = date(2027, 4, 1)


def test_a_preview_says_what_each_fee_is_before_and_after() -> None:
    a_rate()
    schedule = a_schedule(
        priority_fee_code=a_fee("PRI01", "100.00"),
        service_fee_code=a_fee("TRF01", "1.50"),
        statutory_gst=True,
        service_gst=True,
    )
    a_fee("EN105", "100.00")

    preview = price_preview(schedule.pk, fee_code="EN105", starts_on=NEXT_YEAR, priority_fee_code=None)

    assert [(amount.label, str(amount.before), str(amount.after)) for amount in preview.amounts] == [
        ("Filing fee", "30.00", "100.00"),
        ("Priority fee", "100.00", "0.00"),
        ("Future-effective fee", "0.00", "0.00"),
        ("Service fee", "1.50", "1.50"),
        ("GST on the statutory fees", "6.50", "5.00"),
        ("GST on the service fee", "0.08", "0.08"),
        ("To be paid", "138.08", "106.58"),
    ]
    assert str(preview.total.difference) == "-31.50"
    assert not preview.is_example
    assert FeeSchedule.objects.count() == 1


def test_each_day_is_shown_with_its_own_rate_of_gst() -> None:
    a_rate(ends_on=NEXT_YEAR - timedelta(days=1))
    a_rate("0.0700", starts_on=NEXT_YEAR)
    schedule = a_schedule(statutory_gst=True)
    a_fee("EN105", "100.00")

    preview = price_preview(schedule.pk, fee_code="EN105", starts_on=NEXT_YEAR)

    assert (str(preview.total.before), str(preview.total.after)) == ("31.50", "107.00")


@pytest.mark.parametrize("variable", [False, True])
def test_what_the_preview_says_is_what_is_charged_the_day_before_and_on_the_day(variable: bool) -> None:
    a_rate(ends_on=NEXT_YEAR - timedelta(days=1))
    a_rate("0.0650", starts_on=NEXT_YEAR)
    schedule = a_schedule(
        priority_fee_code=a_fee("PRI01", "33.33"),
        future_effective_fee_code=a_fee("FUT01", "50.00"),
        service_fee_code=a_fee("TRF01", "1.50"),
        statutory_gst=True,
    )
    a_fee("EN105", "100.10")
    changes: Any = {"fee_code": "EN105", "starts_on": NEXT_YEAR, "service_gst": True, "variable": variable}

    preview = price_preview(schedule.pk, **changes)
    new_schedule_version(schedule.pk, **changes, actor=Actor.command("test"), reason="Fees go up", at=AT)

    for amount_of, on in (("before", NEXT_YEAR - timedelta(days=1)), ("after", NEXT_YEAR)):
        line = FilingLine("OTANN", priority=True, future_effective=True)
        if variable and on == NEXT_YEAR:
            line = replace(line, fee=EXAMPLE_FEE)
        charged = quote_on("CP", [line], on=on, terms=AccountTerms(), caller=Caller())
        [only] = charged.lines
        assert [getattr(amount, amount_of) for amount in preview.amounts] == [
            only.base_fees,
            only.priority_fees,
            only.future_effective_fees,
            only.service_fees,
            only.statutory_gst,
            only.service_gst,
            charged.total,
        ]


def test_a_variable_price_is_shown_with_an_example() -> None:
    schedule = a_schedule()

    preview = price_preview(schedule.pk, fee_code="EN101", starts_on=NEXT_YEAR, variable=True)

    assert (str(preview.total.before), str(preview.total.after), preview.is_example) == ("30.00", "100.00", True)


def test_a_preview_of_what_is_not_there_is_refused() -> None:
    schedule = a_schedule()

    with pytest.raises(NoSuchRecord):
        price_preview(0, fee_code="EN101", starts_on=NEXT_YEAR)
    with pytest.raises(RecordInvalid, match="There is no fee code NONE"):
        price_preview(schedule.pk, fee_code="NONE", starts_on=NEXT_YEAR)


def test_the_price_list_says_today_and_next() -> None:
    a_schedule("CP", "OTANN", ends_on=date(2027, 3, 31))
    a_schedule("CP", "OTANN", starts_on=NEXT_YEAR, fee_code=a_fee("EN105", "100.00"))
    a_schedule("CP", "BCINC", starts_on=date(2027, 1, 1))
    a_schedule("CP", "NM620")
    a_schedule("CP", "GONE", ends_on=date(2026, 10, 31))
    a_schedule("VS", "OTANN")
    product = a_product("CP")

    with CaptureQueriesContext(connection) as queries:
        listed = price_list(product, on=DAY)

    assert len(queries) == 1
    shown = [
        (price.filing_type, price.today and price.today.base, price.next and price.next.base, price.next_from)
        for price in listed
    ]
    assert shown == [
        ("BCINC", None, Decimal("30.00"), date(2027, 1, 1)),
        ("NM620", Decimal("30.00"), None, None),
        ("OTANN", Decimal("30.00"), Decimal("100.00"), NEXT_YEAR),
    ]
