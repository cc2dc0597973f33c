from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts.models import AccountFee
from catalogue.models import FeeCode, FeeSchedule, GLCode, GLLink, Product, TaxRate
from catalogue.operations import save_alone
from catalogue.operations.records import DatesOverlap, NoSuchRecord, RecordInUse, RecordInvalid, RecordKnown
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from tests.accounts.payers import an_account
from tests.catalogue.priced import DAY, a_fee, a_filing_type, a_gl_code, a_link, a_product, a_schedule
from tests.catalogue.refusals import is_refused
from tests.invoices.billed import a_priced_filing, an_invoice

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 24, 20, tzinfo=UTC)
NEXT_YEAR = date(2027, 4, 1)
KIM = Actor.command("test")
TRAIL: dict[str, Any] = {"actor": KIM, "reason": "Fees go up", "at": AT}
CONCURRENT = 6


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

    def test_the_amount_of_an_account_s_own_service_fee_stays(self) -> None:
        fee = a_fee("TRF02", "1.00")
        AccountFee.objects.create(account=an_account(), product=a_product(), service_fee_code=fee)
        fee.amount = Decimal("1.05")

        refusal = is_refused(RecordInUse, lambda: save_alone(fee, **TRAIL))
        assert "in use (account fee): its amount cannot change any more" in refusal.detail

    def test_a_price_that_an_order_named_before_its_first_day_stays(self) -> None:
        schedule = a_priced_filing(starts_on=NEXT_YEAR)
        GLLink.objects.update(starts_on=NEXT_YEAR)
        an_invoice("EFT", priced_on=NEXT_YEAR)
        fee = schedule.fee_code
        fee.amount = Decimal("31.00")
        schedule.statutory_gst = False

        refusal = is_refused(RecordInUse, lambda: save_alone(fee, **TRAIL))
        assert f"in use (fee schedule {schedule.pk})" in refusal.detail
        refusal = is_refused(RecordInUse, lambda: save_alone(schedule, **TRAIL))
        assert "in use (invoice line): its GST on the statutory fees cannot change" in refusal.detail

    def test_the_segments_of_a_ministry_s_own_code_stay(self) -> None:
        code = a_gl_code("A ministry")
        an_account(method="EJV", journal_gl_id=code.pk)
        code.client = "999"

        refusal = is_refused(RecordInUse, lambda: save_alone(code, **TRAIL))
        assert "its client cannot change any more" in refusal.detail

    def test_segments_that_have_been_booked_to_stay(self) -> None:
        taxes = a_gl_code("Taxes")
        link = a_link(a_schedule(), a_gl_code("Fees", statutory_gst_gl=taxes))
        for code in (taxes, link.gl_code):
            code.stob = "9999"
            refusal = is_refused(RecordInUse, partial(save_alone, code, **TRAIL))
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


def test_of_six_who_add_the_same_price_at_once_one_succeeds_and_five_are_told_which() -> None:
    product, filing_type, fee = a_product(), a_filing_type(), a_fee()
    together = Barrier(CONCURRENT)

    def add(number: int) -> str:
        record = FeeSchedule(
            product=product, filing_type=filing_type, fee_code=fee, starts_on=NEXT_YEAR + timedelta(days=number)
        )
        try:
            together.wait()
            save_alone(record, **TRAIL)
        except DatesOverlap as refused:
            return f"overlaps {refused.context['ids']}"
        finally:
            connection.close()
        return "added"

    with ThreadPoolExecutor(CONCURRENT) as pool:
        outcomes = sorted(pool.map(add, range(CONCURRENT)))

    added = FeeSchedule.objects.get()
    assert outcomes == ["added"] + [f"overlaps [{added.pk}]"] * (CONCURRENT - 1)
    assert AuditEntry.objects.count() == 1
