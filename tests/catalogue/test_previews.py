from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalogue.models import FeeSchedule
from catalogue.operations.records import NoSuchRecord, RecordInvalid
from catalogue.previews import price_list, price_preview
from tests.catalogue.priced import DAY, a_fee, a_product, a_rate, a_schedule

pytestmark = pytest.mark.django_db
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
