"""Every page of the catalogue as people of each role meet it."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate
from catalogue.seeds import load_catalogue
from kernel.audit.models import AuditEntry
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
KINDS = (Product, FilingType, FeeCode, FeeSchedule, GLCode, GLLink, TaxRate)
# Also what the frame of every page asks for: the person, their permissions and what waits for a decision.
QUERIES_OF_A_LIST = 20


def place(kind: type[Any]) -> str:
    return f"/admin/catalogue/{kind._meta.model_name}/"


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_empty_list_says_what_to_do(kind: type[Any], administrator: Client) -> None:
    page = administrator.get(place(kind)).content.decode()

    assert page.count('class="ps-intro"') == 1
    assert " yet" in page


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_everybody_may_look_and_only_administrators_may_change(role: str) -> None:
    load_catalogue(timezone.now())
    client = signed_in(role)
    for kind in KINDS:
        record = kind._default_manager.order_by("pk")[0]
        page = client.get(f"{place(kind)}{record.pk}/change/")
        assert 'name="_save"' not in page.content.decode()
        answers = {
            name: client.get(f"{place(kind)}{name}").status_code
            for name in ("", f"{record.pk}/change/", "export/", "add/", "import/")
        }
        assert list(answers.values()) == [200, 200, 200, 403, 403], kind


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_nobody_without_a_role_sees_or_exports_anything(kind: type[Any]) -> None:
    client = signed_in(None)

    for page in ("", "add/", "export/", "import/"):
        assert client.get(f"{place(kind)}{page}").status_code == 403


def test_nothing_is_deleted(administrator: Client) -> None:
    load_catalogue(timezone.now())
    for kind in KINDS:
        record = kind._default_manager.order_by("pk")[0]
        assert administrator.get(f"{place(kind)}{record.pk}/delete/").status_code == 403
        assert "delete_selected" not in administrator.get(place(kind)).content.decode()


@pytest.mark.usefixtures("kept_sidebar")
def test_a_list_asks_as_often_for_many_rows_as_for_few(administrator: Client) -> None:
    load_catalogue(timezone.now())
    for kind in KINDS:
        administrator.get(place(kind))
        with CaptureQueriesContext(connection) as queries:
            page = administrator.get(place(kind))
        assert len(page.context["cl"].result_list) == kind._default_manager.count()
        assert len(queries) <= QUERIES_OF_A_LIST, kind


def test_lists_are_searched(administrator: Client) -> None:
    load_catalogue(timezone.now())
    searches: list[tuple[type[Any], str, int]] = [
        (Product, "vital", 1),
        (FilingType, "LIEN", 2),
        (FeeCode, "TRF", 2),
        (FeeSchedule, "OTANN", 2),
        (GLCode, "share", 3),
        (GLLink, "RPTCERT", 2),
        (TaxRate, "GST", 1),
    ]

    found = [len(administrator.get(place(kind), {"q": words}).context["cl"].result_list) for kind, words, _ in searches]

    assert found == [count for _, _, count in searches]


def test_prices_are_narrowed_down_to_what_is_in_force_coming_and_of_a_product(administrator: Client) -> None:
    load_catalogue(timezone.now())

    def shown(**filters: str) -> int:
        return len(administrator.get(place(FeeSchedule), filters).context["cl"].result_list)

    today = timezone.now().date()
    coming = FeeSchedule.objects.filter(starts_on__gt=today).count()
    past = FeeSchedule.objects.filter(ends_on__lt=today).count()
    assert (shown(in_force="coming"), shown(in_force="past")) == (coming, past)
    assert shown(in_force="now") == 16 - coming - past
    assert shown(product="RPT") == 2
    assert len(administrator.get(place(GLLink), {"product": "CSO"}).context["cl"].result_list) == 2


class TestForms:
    def test_a_fee_code_is_added_with_a_reason(self, administrator: Client) -> None:
        answer = administrator.post(
            f"{place(FeeCode)}add/", {"code": "EN200", "amount": "42.50", "reason": "Order in council 7"}
        )

        assert answer.status_code == 302
        assert str(FeeCode.objects.get().amount) == "42.50"
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor, entry.reason) == (
            "fee-code.added",
            "pat-administrator",
            "Order in council 7",
        )
        assert entry.after == {"code": "EN200", "amount": "42.50"}

    def test_nothing_is_saved_without_a_reason(self, administrator: Client) -> None:
        page = administrator.post(f"{place(FeeCode)}add/", {"code": "EN200", "amount": "42.50"})

        assert "Say why: the reason is kept in the audit." in page.content.decode()
        assert (FeeCode.objects.count(), AuditEntry.objects.count()) == (0, 0)

    def test_a_change_shows_in_the_story_of_the_record(self, administrator: Client) -> None:
        FilingType.objects.create(code="OTANN", description="Anual report")
        address = f"{place(FilingType)}OTANN/change/"

        administrator.post(address, {"description": "Annual report", "reason": "Spelling"})

        entry = AuditEntry.objects.get()
        assert (entry.before, entry.after) == ({"description": "Anual report"}, {"description": "Annual report"})
        page = administrator.get(address).content.decode()
        assert "Filing type changed" in page
        assert "Reason: Spelling" in page

    def test_a_gl_code_with_the_word_stob_is_refused_at_its_field(self, administrator: Client) -> None:
        page = administrator.post(
            f"{place(GLCode)}add/",
            {
                "name": "Fees",
                "client": "112",
                "responsibility_centre": "32363",
                "service_line": "34725",
                "stob": "stob",
                "project_code": "3200000",
                "starts_on": "2026-01-01",
                "reason": "New code",
            },
        )

        assert page.context["adminform"].form.errors["stob"] == ["STOB is 'stob': it should be 4 digits."]
        assert GLCode.objects.count() == 0

    def test_a_price_that_would_meet_another_is_refused_with_what_to_do(self, administrator: Client) -> None:
        load_catalogue(timezone.now())
        page = administrator.post(
            f"{place(FeeSchedule)}add/",
            {
                "product": "CP",
                "filing_type": "OTANN",
                "fee_code": "EN105",
                "starts_on": "2030-01-01",
                "reason": "Dearer",
            },
        )

        assert "open a new version of it instead" in page.content.decode()
        assert FeeSchedule.objects.count() == 16

    def test_fees_of_a_price_in_force_are_not_offered_for_change(self, administrator: Client) -> None:
        load_catalogue(timezone.now())
        schedule = FeeSchedule.objects.get(product="CP", filing_type="OTANN")
        address = f"{place(FeeSchedule)}{schedule.pk}/change/"

        form = administrator.get(address).context["adminform"].form
        assert set(form.fields) == {"ends_on", "on_price_list", "comments", "reason"}

        administrator.post(address, {"fee_code": "EN113", "comments": "Seen", "on_price_list": "on", "reason": "Try"})
        schedule.refresh_from_db()
        assert (schedule.fee_code_id, schedule.comments) == ("EN101", "Seen")

    def test_a_price_is_not_ended_in_the_past(self, administrator: Client) -> None:
        load_catalogue(timezone.now())
        schedule = FeeSchedule.objects.get(product="CP", filing_type="OTANN")

        page = administrator.post(
            f"{place(FeeSchedule)}{schedule.pk}/change/", {"ends_on": "2020-12-31", "reason": "Too late"}
        )

        assert "days that have passed stay" in page.content.decode()
        schedule.refresh_from_db()
        assert schedule.ends_on is None


class TestPriceList:
    def test_it_says_what_a_filing_costs_today_and_next(self, administrator: Client) -> None:
        load_catalogue(timezone.now())
        # Whatever the day of the test, one version is in force and one is coming.
        old, new = FeeSchedule.objects.filter(product="RPT").order_by("starts_on")
        FeeSchedule.objects.filter(pk=new.pk).update(starts_on=date(2999, 4, 1))
        FeeSchedule.objects.filter(pk=old.pk).update(ends_on=date(2999, 3, 31))

        page = administrator.get(f"{place(Product)}RPT/prices/").content.decode()

        assert "Today until 2999-03-31" in page
        assert "From 2999-04-01" in page
        assert page.count("RPTCERT") == 1
        assert ("10.00" in page, "12.00" in page) == (True, True)

    def test_a_product_without_prices_says_what_to_do(self, administrator: Client) -> None:
        Product.objects.create(code="NEW", description="Nothing yet")

        assert "Add a fee schedule" in administrator.get(f"{place(Product)}NEW/prices/").content.decode()
        assert administrator.get(f"{place(Product)}NONE/prices/").status_code == 404

    def test_it_is_for_those_who_may_see_prices(self) -> None:
        Product.objects.create(code="NEW", description="Nothing yet")

        assert signed_in(None).get(f"{place(Product)}NEW/prices/").status_code == 403
        assert signed_in("viewer").get(f"{place(Product)}NEW/prices/").status_code == 200
