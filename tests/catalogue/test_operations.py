from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from catalogue.models import FeeCode, FeeSchedule, GLCode, GLLink, Product, TaxRate
from catalogue.operations import (
    new_link_version,
    new_rate_version,
    new_schedule_version,
    replace_gl_code,
    save_alone,
)
from catalogue.operations.records import DatesOverlap, NoSuchRecord, RecordInUse, RecordInvalid, RecordKnown
from catalogue.operations.versions import GLCodeNotInForce, NothingBooked, NothingChanges, StartUnfit
from catalogue.pricing import prices_on
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.errors import PaymentsiteError
from tests.catalogue.priced import DAY, a_fee, a_gl_code, a_link, a_product, a_rate, a_schedule

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


def is_refused(error: type[PaymentsiteError], act: Callable[[], object]) -> PaymentsiteError:
    """The refusal; nothing in the catalogue or the audit may be different after it."""
    kinds = (Product, FeeCode, FeeSchedule, GLCode, GLLink, TaxRate, AuditEntry)
    before = [list(kind._default_manager.order_by("pk").values()) for kind in kinds]
    with pytest.raises(error) as refused:
        act()
    assert [list(kind._default_manager.order_by("pk").values()) for kind in kinds] == before
    return refused.value


class TestRecords:
    def test_a_new_record_is_audited_with_all_its_values(self) -> None:
        saved = save_alone(FeeCode(code="EN105", amount=Decimal("100.00")), **TRAIL)

        entry = AuditEntry.objects.get()
        assert (saved.is_new, saved.changed) == (True, ("code", "amount"))
        assert (entry.action, entry.object_id, entry.reason) == ("fee-code.added", "EN105", "Fees go up")
        assert (entry.before, entry.after) == (None, {"code": "EN105", "amount": "100.00"})

    def test_a_change_is_audited_with_what_was_before_and_what_is_after(self) -> None:
        product = a_product("VS")
        product.refund_approval = True

        saved = save_alone(product, **TRAIL)

        entry = AuditEntry.objects.get()
        assert (saved.is_new, saved.changed) == (False, ("refund_approval",))
        assert (entry.action, entry.before, entry.after) == (
            "product.changed",
            {"refund_approval": False},
            {"refund_approval": True},
        )
        assert Product.objects.get().refund_approval

    def test_saving_a_record_as_it_is_leaves_no_trace(self) -> None:
        product = a_product("VS")

        assert save_alone(product, **TRAIL).changed == ()
        assert AuditEntry.objects.count() == 0

    def test_a_code_is_given_once(self) -> None:
        a_fee("EN105", "100.00")

        refusal = is_refused(RecordKnown, lambda: save_alone(FeeCode(code="EN105", amount=Decimal(1)), **TRAIL))
        assert refusal.context["ids"] == ["EN105"]

    def test_a_gl_code_whose_stob_is_the_word_is_refused(self) -> None:
        code = GLCode(
            name="Fees",
            client="112",
            responsibility_centre="32363",
            service_line="34725",
            stob="stob",
            project_code="3200000",
            starts_on=DAY,
        )

        refusal = is_refused(RecordInvalid, lambda: save_alone(code, **TRAIL))
        assert [(error.field, error.message) for error in refusal.errors] == [
            ("stob", "STOB is 'stob': it should be 4 digits.")
        ]

    def test_an_amount_that_has_been_charged_stays(self) -> None:
        schedule = a_schedule()
        fee = schedule.fee_code
        fee.amount = Decimal("31.00")

        refusal = is_refused(RecordInUse, lambda: save_alone(fee, **TRAIL))
        assert f"in use (fee schedule {schedule.pk}): its amount cannot change any more" in refusal.detail

    def test_an_amount_of_a_price_that_has_not_begun_may_change(self) -> None:
        fee = a_schedule(starts_on=NEXT_YEAR).fee_code
        fee.amount = Decimal("31.00")

        save_alone(fee, **TRAIL)
        assert FeeCode.objects.get().amount == 31

    def test_segments_that_have_been_booked_to_stay(self) -> None:
        taxes = a_gl_code("Taxes")
        link = a_link(a_schedule(), a_gl_code("Fees", statutory_gst_gl=taxes))
        for code in (taxes, link.gl_code):
            code.stob = "9999"
            refusal = is_refused(RecordInUse, lambda code=code: save_alone(code, **TRAIL))
            assert f"GL link {link.pk}" in refusal.detail

        link.gl_code.refresh_from_db()
        link.gl_code.stop_journal = True
        save_alone(link.gl_code, **TRAIL)
        assert GLCode.objects.get(name="Fees").stop_journal

    def test_a_price_in_force_changes_by_a_new_version_only(self) -> None:
        schedule = a_schedule()
        schedule.variable = True

        is_refused(RecordInUse, lambda: save_alone(schedule, **TRAIL))

        schedule.refresh_from_db()
        schedule.on_price_list = False
        save_alone(schedule, **TRAIL)
        assert not FeeSchedule.objects.get().on_price_list

    def test_a_price_ends_in_the_future_or_today_but_not_in_the_past(self) -> None:
        schedule = a_schedule()
        schedule.ends_on = DAY - timedelta(days=2)
        is_refused(RecordInUse, lambda: save_alone(schedule, **TRAIL))

        schedule.ends_on = DAY
        save_alone(schedule, **TRAIL)
        assert FeeSchedule.objects.get().ends_on == DAY

    def test_a_price_that_has_ended_does_not_come_back_by_its_date(self) -> None:
        schedule = a_schedule(ends_on=date(2025, 12, 31))
        schedule.ends_on = None

        is_refused(RecordInUse, lambda: save_alone(schedule, **TRAIL))

    def test_the_other_price_of_the_same_days_is_named(self) -> None:
        first = a_schedule()
        second = FeeSchedule(
            product=first.product, filing_type=first.filing_type, fee_code=first.fee_code, starts_on=NEXT_YEAR
        )

        refusal = is_refused(DatesOverlap, lambda: save_alone(second, **TRAIL))
        assert refusal.context["ids"] == [first.pk]
        assert refusal.detail == f"Fee schedule {first.pk} is in force on some of these days."

    def test_a_negative_amount_and_a_rate_of_five_are_refused_by_field(self) -> None:
        is_refused(RecordInvalid, lambda: save_alone(FeeCode(code="EN1", amount=Decimal("-1")), **TRAIL))
        is_refused(RecordInvalid, lambda: save_alone(TaxRate(rate=Decimal(5), starts_on=DAY), **TRAIL))

    def test_a_record_that_is_gone_cannot_be_changed(self) -> None:
        product = a_product("VS")
        Product.objects.all().delete()

        is_refused(NoSuchRecord, lambda: save_alone(product, **TRAIL))


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
                lambda code=code: new_link_version(link.pk, gl_code_id=code.pk, starts_on=NEXT_YEAR, **TRAIL),
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
