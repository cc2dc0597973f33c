from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from catalogue.models import FeeSchedule, GLLink, TaxRate
from catalogue.operations import (
    new_link_version,
    new_rate_version,
    new_schedule_version,
    replace_gl_code,
)
from catalogue.operations.records import DatesOverlap, NoSuchRecord, RecordInvalid
from catalogue.operations.versions import GLCodeNotInForce, NothingBooked, NothingChanges, StartUnfit
from catalogue.pricing import prices_on
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.errors import PaymentsiteError
from tests.catalogue.priced import DAY, a_fee, a_gl_code, a_link, a_rate, a_schedule
from tests.catalogue.refusals import is_refused

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 24, 20, tzinfo=UTC)
# In Vancouver it is still the day before.
LATE = datetime(2026, 11, 25, 6, tzinfo=UTC)
NEXT_YEAR = date(2027, 4, 1)
KIM = Actor.command("test")
TRAIL: dict[str, Any] = {"actor": KIM, "reason": "Fees go up", "at": AT}
CONCURRENT = 6


def dates(rows: Any) -> list[tuple[date, date | None]]:
    return list(rows.order_by("starts_on").values_list("starts_on", "ends_on"))


class TestNewScheduleVersion:
    def test_it_closes_the_old_price_and_opens_the_next_with_its_links_in_one_act(self) -> None:
        old = a_schedule(priority_fee_code=a_fee("PRI01", "100.00"), statutory_gst=True, comments="As agreed")
        link = a_link(old, a_gl_code())
        a_fee("EN105", "100.00")

        version = new_schedule_version(old.pk, fee_code="EN105", starts_on=NEXT_YEAR, **TRAIL)

        assert dates(FeeSchedule.objects) == [(date(2020, 1, 1), date(2027, 3, 31)), (NEXT_YEAR, None)]
        opened = version.opened
        assert (opened.fee_code_id, opened.priority_fee_code_id, opened.statutory_gst, opened.comments) == (
            "EN105",
            "PRI01",
            True,
            "As agreed",
        )
        assert dates(old.gl_links) == [(date(2020, 1, 1), date(2027, 3, 31))]
        assert dates(opened.gl_links) == [(NEXT_YEAR, None)]
        assert opened.gl_links.get().gl_code_id == link.gl_code_id
        entries = list(AuditEntry.objects.order_by("id"))
        assert [entry.action for entry in entries] == [
            "fee-schedule.changed",
            "fee-schedule.added",
            "gl-link.changed",
            "gl-link.added",
        ]
        assert len({entry.change_set for entry in entries}) == 1
        assert entries[0].after == {"ends_on": "2027-03-31"}

    def test_other_fees_and_flags_change_with_it(self) -> None:
        old = a_schedule(priority_fee_code=a_fee("PRI01", "100.00"))
        a_fee("TRF01", "1.50")

        new_schedule_version(
            old.pk,
            fee_code="EN101",
            starts_on=NEXT_YEAR,
            priority_fee_code=None,
            service_fee_code="TRF01",
            service_gst=True,
            **TRAIL,
        )

        price = prices_on("CP", {"OTANN"}, on=NEXT_YEAR)["OTANN"]
        assert (price.priority, price.service, price.service_gst) == (Decimal(0), Decimal("1.50"), True)
        assert prices_on("CP", {"OTANN"}, on=DAY)["OTANN"].priority == 100

    def test_a_version_between_two_ends_where_the_first_would_have(self) -> None:
        first = a_schedule(ends_on=date(2027, 12, 31))
        a_schedule(starts_on=date(2028, 1, 1))
        a_fee("EN105", "100.00")

        new_schedule_version(first.pk, fee_code="EN105", starts_on=NEXT_YEAR, **TRAIL)

        assert dates(FeeSchedule.objects) == [
            (date(2020, 1, 1), date(2027, 3, 31)),
            (NEXT_YEAR, date(2027, 12, 31)),
            (date(2028, 1, 1), None),
        ]

    def test_a_version_right_after_the_last_day_goes_on(self) -> None:
        old = a_schedule(ends_on=NEXT_YEAR - timedelta(days=1))
        a_fee("EN105", "100.00")

        new_schedule_version(old.pk, fee_code="EN105", starts_on=NEXT_YEAR, **TRAIL)

        assert dates(FeeSchedule.objects) == [(date(2020, 1, 1), date(2027, 3, 31)), (NEXT_YEAR, None)]

    def test_a_version_that_would_meet_the_next_names_it(self) -> None:
        old = a_schedule(ends_on=NEXT_YEAR - timedelta(days=1))
        following = a_schedule(starts_on=NEXT_YEAR)
        a_fee("EN105", "100.00")

        refusal = is_refused(
            DatesOverlap, lambda: new_schedule_version(old.pk, fee_code="EN105", starts_on=NEXT_YEAR, **TRAIL)
        )
        assert refusal.context["ids"] == [following.pk]

    def test_a_gap_is_not_left_by_accident(self) -> None:
        old = a_schedule(ends_on=date(2027, 1, 31))
        a_fee("EN105", "100.00")

        refusal = is_refused(
            StartUnfit, lambda: new_schedule_version(old.pk, fee_code="EN105", starts_on=NEXT_YEAR, **TRAIL)
        )
        assert "the next begins on 2027-02-01 at the latest" in refusal.detail

    @pytest.mark.parametrize("starts_on", [date(2020, 1, 1), date(2019, 12, 31)])
    def test_it_begins_after_the_one_before(self, starts_on: date) -> None:
        old = a_schedule()
        a_fee("EN105", "100.00")

        is_refused(
            StartUnfit,
            lambda: new_schedule_version(old.pk, fee_code="EN105", starts_on=starts_on, past_allowed=True, **TRAIL),
        )

    def test_a_day_that_has_passed_is_taken_only_when_asked_for(self) -> None:
        old = a_schedule()
        a_link(old, a_gl_code())
        a_fee("EN105", "100.00")
        yesterday = DAY - timedelta(days=1)

        refusal = is_refused(
            StartUnfit, lambda: new_schedule_version(old.pk, fee_code="EN105", starts_on=yesterday, **TRAIL)
        )
        assert [error.field for error in refusal.errors] == ["starts_on"]

        new_schedule_version(old.pk, fee_code="EN105", starts_on=date(2026, 1, 1), past_allowed=True, **TRAIL)
        assert dates(FeeSchedule.objects) == [(date(2020, 1, 1), date(2025, 12, 31)), (date(2026, 1, 1), None)]

    def test_today_is_the_day_of_the_ledger(self) -> None:
        old = a_schedule()
        a_fee("EN105", "100.00")
        late = TRAIL | {"at": LATE}

        version = new_schedule_version(old.pk, fee_code="EN105", starts_on=DAY, **late)

        assert version.closed.ends_on == DAY - timedelta(days=1)

    def test_a_version_that_changes_nothing_is_refused(self) -> None:
        old = a_schedule()

        is_refused(NothingChanges, lambda: new_schedule_version(old.pk, fee_code="EN101", starts_on=NEXT_YEAR, **TRAIL))

    def test_an_unknown_price_and_an_unknown_fee_are_refused(self) -> None:
        old = a_schedule()

        is_refused(NoSuchRecord, lambda: new_schedule_version(0, fee_code="EN101", starts_on=NEXT_YEAR, **TRAIL))
        refusal = is_refused(
            RecordInvalid, lambda: new_schedule_version(old.pk, fee_code="NONE", starts_on=NEXT_YEAR, **TRAIL)
        )
        assert [error.field for error in refusal.errors] == ["fee_code"]

    def test_links_that_would_begin_later_move_to_the_new_version(self) -> None:
        old = a_schedule()
        now, later = a_gl_code("Now"), a_gl_code("Later")
        a_link(old, now, ends_on=date(2027, 6, 30))
        a_link(old, later, starts_on=date(2027, 7, 1))
        a_fee("EN105", "100.00")

        opened = new_schedule_version(old.pk, fee_code="EN105", starts_on=NEXT_YEAR, **TRAIL).opened

        assert dates(old.gl_links) == [(date(2020, 1, 1), date(2027, 3, 31))]
        assert list(opened.gl_links.order_by("starts_on").values_list("gl_code__name", "starts_on", "ends_on")) == [
            ("Now", NEXT_YEAR, date(2027, 6, 30)),
            ("Later", date(2027, 7, 1), None),
        ]

    def test_of_six_who_open_the_next_version_at_once_one_succeeds(self) -> None:
        old = a_schedule()
        a_link(old, a_gl_code())
        a_fee("EN105", "100.00")
        together = Barrier(CONCURRENT)

        def open_version(_: int) -> str:
            try:
                together.wait()
                new_schedule_version(old.pk, fee_code="EN105", starts_on=NEXT_YEAR, **TRAIL)
            except PaymentsiteError as refused:
                return type(refused).__name__
            finally:
                connection.close()
            return "opened"

        with ThreadPoolExecutor(CONCURRENT) as pool:
            outcomes = sorted(pool.map(open_version, range(CONCURRENT)))

        assert outcomes == ["DatesOverlap"] * (CONCURRENT - 1) + ["opened"]
        assert (FeeSchedule.objects.count(), GLLink.objects.count(), AuditEntry.objects.count()) == (2, 2, 4)


class TestGLLinks:
    def test_a_price_is_booked_elsewhere_from_a_date(self) -> None:
        link = a_link(a_schedule(), a_gl_code("Old"))
        new = a_gl_code("New")

        version = new_link_version(link.pk, gl_code_id=new.pk, starts_on=NEXT_YEAR, **TRAIL)

        assert dates(GLLink.objects) == [(date(2020, 1, 1), date(2027, 3, 31)), (NEXT_YEAR, None)]
        assert (version.opened.gl_code_id, version.opened.fee_schedule_id) == (new.pk, link.fee_schedule_id)

    def test_a_gl_code_that_is_not_in_force_then_is_refused(self) -> None:
        link = a_link(a_schedule(), a_gl_code("Old"))
        ended, coming = a_gl_code("Ended", ends_on=DAY), a_gl_code("Coming", starts_on=date(2028, 1, 1))

        for code in (ended, coming):
            is_refused(
                GLCodeNotInForce,
                partial(new_link_version, link.pk, gl_code_id=code.pk, starts_on=NEXT_YEAR, **TRAIL),
            )
        is_refused(NoSuchRecord, lambda: new_link_version(link.pk, gl_code_id=0, starts_on=NEXT_YEAR, **TRAIL))
        is_refused(
            NothingChanges,
            lambda: new_link_version(link.pk, gl_code_id=link.gl_code_id, starts_on=NEXT_YEAR, **TRAIL),
        )

    def test_a_gl_code_is_replaced_on_all_its_links_at_once(self) -> None:
        old, new = a_gl_code("Old"), a_gl_code("New")
        a_link(a_schedule("CP"), old)
        a_link(a_schedule("VS"), old, starts_on=date(2027, 7, 1))
        a_link(a_schedule("PPR"), old, ends_on=date(2026, 12, 31))
        other = a_link(a_schedule("RPT"), a_gl_code("Other"))

        opened = replace_gl_code(old.pk, by_gl_code_id=new.pk, starts_on=NEXT_YEAR, **TRAIL)

        assert len(opened) == 2
        assert sorted(GLLink.objects.filter(gl_code=new).values_list("fee_schedule__product", "starts_on")) == [
            ("CP", NEXT_YEAR),
            ("VS", date(2027, 7, 1)),
        ]
        assert sorted(GLLink.objects.filter(gl_code=old).values_list("fee_schedule__product", "ends_on")) == [
            ("CP", date(2027, 3, 31)),
            ("PPR", date(2026, 12, 31)),
        ]
        other.refresh_from_db()
        assert (other.gl_code.name, other.ends_on) == ("Other", None)
        assert len(set(AuditEntry.objects.values_list("change_set", flat=True))) == 1

    def test_replacing_is_all_or_nothing(self) -> None:
        old, new = a_gl_code("Old"), a_gl_code("New", ends_on=date(2027, 6, 30))
        a_link(a_schedule("CP"), old)
        a_link(a_schedule("VS"), old, starts_on=date(2027, 7, 1))

        is_refused(
            GLCodeNotInForce,
            lambda: replace_gl_code(old.pk, by_gl_code_id=new.pk, starts_on=NEXT_YEAR, **TRAIL),
        )

    def test_a_gl_code_without_links_has_nothing_to_replace(self) -> None:
        old, new = a_gl_code("Old"), a_gl_code("New")

        is_refused(NothingBooked, lambda: replace_gl_code(old.pk, by_gl_code_id=new.pk, starts_on=NEXT_YEAR, **TRAIL))


class TestTaxRates:
    def test_the_rate_changes_from_a_date(self) -> None:
        rate = a_rate()

        new_rate_version(rate.pk, rate=Decimal("0.0600"), starts_on=NEXT_YEAR, **TRAIL)

        assert list(TaxRate.objects.order_by("starts_on").values_list("rate", "starts_on", "ends_on")) == [
            (Decimal("0.0500"), date(2008, 1, 1), date(2027, 3, 31)),
            (Decimal("0.0600"), NEXT_YEAR, None),
        ]

    def test_the_same_rate_and_an_impossible_one_are_refused(self) -> None:
        rate = a_rate()

        is_refused(
            NothingChanges, lambda: new_rate_version(rate.pk, rate=Decimal("0.05"), starts_on=NEXT_YEAR, **TRAIL)
        )
        is_refused(RecordInvalid, lambda: new_rate_version(rate.pk, rate=Decimal("5"), starts_on=NEXT_YEAR, **TRAIL))
