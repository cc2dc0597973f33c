"""What the database itself refuses of the catalogue, whoever writes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, OperationalError, connection, transaction
from django.db.models import ProtectedError

from accounts.states import Method
from catalogue.glcodes import SEGMENTS
from catalogue.models import FeeCode, FeeSchedule, GLCode, GLLink, Product, TaxRate
from catalogue.paymentmethods import PAYMENT_METHODS
from tests.catalogue.priced import a_fee, a_filing_type, a_gl_code, a_link, a_product, a_rate, a_schedule

NEW_YEAR = date(2026, 1, 1)
CONCURRENT = 8


def refused_by(name: str, write: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError) as refused, transaction.atomic():
        write()
    assert refused.value.__cause__.diag.constraint_name == name  # type: ignore[union-attr]


def test_a_product_knows_the_methods_that_accounts_know() -> None:
    assert set(PAYMENT_METHODS) == {method.value for method in Method}


@pytest.mark.django_db
class TestTheDatabase:
    def test_no_amount_is_negative(self) -> None:
        refused_by("fee_code_not_negative", lambda: FeeCode.objects.create(code="EN1", amount=Decimal("-0.01")))
        assert FeeCode.objects.create(code="EN2", amount=Decimal(0)).amount == 0

    @pytest.mark.parametrize("code", ["en101", "EN 1", "", "EN-1"])
    def test_codes_are_capitals_and_digits(self, code: str) -> None:
        refused_by("fee_code_written", lambda: FeeCode.objects.create(code=code, amount=1))
        refused_by("product_code_written", lambda: Product.objects.create(code=code))

    def test_a_product_is_paid_in_known_ways_only(self) -> None:
        refused_by("product_methods_known", lambda: Product.objects.create(code="CP", payment_methods=["PAD", "GOLD"]))

    @pytest.mark.parametrize(("field", "text"), [("stob", "stob"), ("client", "11"), ("project_code", "abcdefg")])
    def test_no_segment_is_stored_that_the_ledger_would_send_back(self, field: str, text: str) -> None:
        refused_by(f"gl_code_{field}_fits", lambda: a_gl_code(**{field: text}))
        assert GLCode.objects.count() == 0

    def test_every_segment_has_its_constraint(self) -> None:
        names = {constraint.name for constraint in GLCode._meta.constraints}
        assert {f"gl_code_{segment.field}_fits" for segment in SEGMENTS} <= names

    def test_a_form_says_which_segment_is_wrong(self) -> None:
        code = GLCode(name="Fees", client="112", stob="stob", project_code="3200000", starts_on=NEW_YEAR)
        with pytest.raises(ValidationError) as refused:
            code.full_clean()
        assert "it should be 4 digits" in refused.value.message_dict["stob"][0]
        assert {"responsibility_centre", "service_line", "stob"} == set(refused.value.message_dict)

    def test_nothing_ends_before_it_starts(self) -> None:
        the_day_before: dict[str, Any] = {"starts_on": NEW_YEAR, "ends_on": NEW_YEAR - timedelta(days=1)}
        schedule, gl_code = a_schedule(), a_gl_code()
        refused_by("fee_schedule_ends_after_it_starts", lambda: a_schedule("VS", **the_day_before))
        refused_by("gl_link_ends_after_it_starts", lambda: a_link(schedule, gl_code, **the_day_before))
        refused_by("tax_rate_ends_after_it_starts", lambda: a_rate(**the_day_before))
        refused_by("gl_code_ends_after_it_starts", lambda: a_gl_code(**the_day_before))

    def test_two_prices_of_one_filing_never_meet(self) -> None:
        a_schedule(starts_on=NEW_YEAR, ends_on=date(2026, 6, 30))
        for starts_on, ends_on in [
            (NEW_YEAR, NEW_YEAR),
            (date(2026, 6, 30), None),
            (date(2025, 1, 1), NEW_YEAR),
            (date(2025, 1, 1), None),
            (date(2026, 3, 1), date(2026, 3, 1)),
        ]:
            refused_by(
                "fee_schedule_one_at_a_time",
                partial(a_schedule, starts_on=starts_on, ends_on=ends_on),
            )
        assert FeeSchedule.objects.count() == 1

    def test_prices_of_neighbouring_days_and_of_other_filings_stand_beside_each_other(self) -> None:
        a_schedule(starts_on=NEW_YEAR, ends_on=date(2026, 6, 30))
        a_schedule(starts_on=date(2026, 7, 1))
        a_schedule(starts_on=date(2025, 1, 1), ends_on=date(2025, 12, 31))
        a_schedule("VS", starts_on=NEW_YEAR)
        a_schedule("CP", "BCINC", starts_on=NEW_YEAR)
        assert FeeSchedule.objects.count() == 5

    def test_a_price_is_booked_to_one_gl_code_at_a_time(self) -> None:
        schedule, one, other = a_schedule(), a_gl_code("One"), a_gl_code("Other")
        a_link(schedule, one)
        refused_by("gl_link_one_at_a_time", lambda: a_link(schedule, other, starts_on=NEW_YEAR))
        assert GLLink.objects.count() == 1

    def test_a_tax_has_one_rate_at_a_time_which_is_a_share_of_one(self) -> None:
        a_rate()
        refused_by("tax_rate_one_at_a_time", lambda: a_rate("0.0700", starts_on=NEW_YEAR))
        refused_by("tax_rate_below_one", lambda: a_rate("5.0000", starts_on=date(2000, 1, 1), ends_on=NEW_YEAR))
        assert TaxRate.objects.count() == 1

    def test_what_is_used_cannot_be_deleted(self) -> None:
        schedule = a_schedule()
        a_link(schedule, a_gl_code())
        for used in (schedule, schedule.fee_code, schedule.product, schedule.filing_type, GLCode.objects.get()):
            with pytest.raises(ProtectedError):
                used.delete()

    def test_a_form_says_that_another_price_is_in_force(self) -> None:
        a_schedule()
        second = FeeSchedule(product=a_product(), filing_type=a_filing_type(), fee_code=a_fee(), starts_on=NEW_YEAR)
        with pytest.raises(ValidationError, match="Another one is in force on some of these days"):
            second.full_clean()


@pytest.mark.django_db
def test_the_days_of_a_price_are_read_with_both_ends() -> None:
    old = a_schedule(starts_on=date(2025, 1, 1), ends_on=date(2025, 12, 31))
    new = a_schedule(starts_on=NEW_YEAR)

    assert list(FeeSchedule.objects.on(date(2025, 12, 31))) == [old]
    assert list(FeeSchedule.objects.on(NEW_YEAR)) == [new]
    assert list(FeeSchedule.objects.on(date(2024, 12, 31))) == []
    assert list(FeeSchedule.objects.after(date(2025, 12, 31))) == [new]
    assert list(FeeSchedule.objects.after(NEW_YEAR)) == []
    assert list(FeeSchedule.objects.meeting(date(2025, 12, 31), NEW_YEAR)) == [old, new]
    assert list(FeeSchedule.objects.meeting(NEW_YEAR, None)) == [new]
    assert [row.is_in_force(date(2025, 12, 31)) for row in (old, new)] == [True, False]


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_open_the_same_price_at_once_one_succeeds() -> None:
    product, filing_type, fee = a_product(), a_filing_type(), a_fee()
    together = Barrier(CONCURRENT)

    def open_one(number: int) -> str:
        try:
            together.wait()
            starts_on = NEW_YEAR + timedelta(days=number)
            values: dict[str, Any] = {"product": product, "filing_type": filing_type, "fee_code": fee}
            FeeSchedule.objects.create(**values, starts_on=starts_on)
        except (IntegrityError, OperationalError) as refused:
            return type(refused.__cause__).__name__
        finally:
            connection.close()
        return "opened"

    with ThreadPoolExecutor(CONCURRENT) as pool:
        outcomes = sorted(pool.map(open_one, range(CONCURRENT)))

    # Two that wait for each other's insert are told of a deadlock; operations take turns, and so never are.
    assert outcomes.count("opened") == 1
    assert set(outcomes) <= {"opened", "ExclusionViolation", "DeadlockDetected"}
    assert FeeSchedule.objects.count() == 1
