from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate
from catalogue.pricing import gl_codes_on, prices_on, quote_on
from catalogue.quote import AccountTerms, Caller, FilingLine
from catalogue.seeds import SeedRefused, load_catalogue
from kernel.audit.models import AuditEntry
from tests.catalogue.priced import a_schedule

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 24, 20, tzinfo=UTC)
TODAY = date(2026, 11, 24)
COUNTS = {FeeCode: 17, FilingType: 14, Product: 11, GLCode: 17, FeeSchedule: 16, GLLink: 16, TaxRate: 1}


def test_the_invented_catalogue_is_loaded_whole_and_audited() -> None:
    assert load_catalogue(AT) == sum(COUNTS.values())

    assert {kind: kind._default_manager.count() for kind in COUNTS} == COUNTS
    # One entry a record, and one a table.
    assert AuditEntry.objects.count() == sum(COUNTS.values()) + len(COUNTS)
    assert AuditEntry.objects.filter(action="catalogue.imported").count() == len(COUNTS)


def test_loading_it_again_changes_nothing_that_has_been_changed_since() -> None:
    load_catalogue(AT)
    Product.objects.filter(pk="VS").update(description="Our own words")
    entries = AuditEntry.objects.count()

    assert load_catalogue(AT) == 0

    assert Product.objects.get(pk="VS").description == "Our own words"
    assert AuditEntry.objects.exclude(action="catalogue.imported").count() + len(COUNTS) == entries


def test_every_price_of_it_can_be_quoted_and_booked() -> None:
    load_catalogue(AT)
    schedules = FeeSchedule.objects.on(TODAY)

    codes = gl_codes_on([schedule.pk for schedule in schedules], on=TODAY)

    assert len(codes) == 15
    totals = {}
    for schedule in schedules:
        line = FilingLine(schedule.filing_type_id, fee=Decimal("20.00") if schedule.variable else None)
        quoted = quote_on(schedule.product_id, [line], on=TODAY, terms=AccountTerms(), caller=Caller())
        totals[f"{schedule.product_id} {schedule.filing_type_id}"] = str(quoted.total)
    assert totals["CP OTANN"] == "33.08"
    assert totals["CP OTADD"] == "0.00"
    assert totals["CSO OLAARTOQ"] == "22.58"
    assert totals["BCR NSF"] == "30.00"
    assert totals["BTR BTRSEARCH"] == "6.05"


def test_one_price_has_a_next_version() -> None:
    load_catalogue(AT)

    assert prices_on("RPT", {"RPTCERT"}, on=TODAY)["RPTCERT"].base == 10
    assert prices_on("RPT", {"RPTCERT"}, on=date(2027, 4, 1))["RPTCERT"].base == 12


def test_a_line_that_does_not_fit_names_its_file_and_line() -> None:
    a_schedule("CP", "OTANN", starts_on=date(2018, 1, 1))

    with pytest.raises(SeedRefused, match=r"^fee_schedules.csv, line 2: .*is in force on some of these days"):
        load_catalogue(AT)

    assert FeeSchedule.objects.count() == 1
    assert GLLink.objects.count() == 0
