"""Tables as files: what goes out comes in again, problems are named by line, and all or nothing is saved."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from tablib import Dataset

from catalogue.exchange import RESOURCES, Importer, SafeCSV, harmless, problems_of
from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate, UploadedTable
from catalogue.seeds import load_catalogue
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.restapi.exportcolumns import FORMULA_STARTS
from tests.console.people import signed_in

KINDS = (FeeCode, FilingType, Product, GLCode, FeeSchedule, GLLink, TaxRate)


def place(kind: type[Any], page: str) -> str:
    return f"/admin/catalogue/{kind._meta.model_name}/{page}/"


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


def upload(client: Client, kind: type[Any], text: str, *, format_index: int = 0, **more: Any) -> Any:
    file = SimpleUploadedFile("fees.csv", text.encode())
    answers = {"import_file": file, "format": str(format_index), "reason": "Fees of 2027", **more}
    return client.post(place(kind, "import"), answers)


def confirm(client: Client, kind: type[Any], preview: Any) -> Any:
    form = preview.context["confirm_form"]
    return client.post(place(kind, "process_import"), form.initial, follow=True)


class TestSafeCSV:
    @pytest.mark.parametrize("start", FORMULA_STARTS)
    def test_a_cell_that_a_spreadsheet_would_run_is_marked_as_text(self, start: str) -> None:
        assert harmless(f"{start}HYPERLINK(0)") == f"'{start}HYPERLINK(0)"

    @pytest.mark.parametrize("cell", ["EN101", "100.00", "", "'quoted", "a=b", 5, None])
    def test_what_is_harmless_stays_as_it_is(self, cell: Any) -> None:
        assert harmless(cell) == cell

    @given(
        st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=20),
        st.sampled_from((*FORMULA_STARTS, "x", "'", "'=", "''+")),
    )
    def test_what_goes_out_comes_in_again(self, text: str, start: str) -> None:
        cell = start + text
        written = SafeCSV().export_data(Dataset([cell, "end"], headers=["a", "b"]))
        row = next(iter(csv.DictReader(io.StringIO(written))))

        assert not row["a"].startswith(tuple(FORMULA_STARTS))
        assert SafeCSV().create_dataset(written)[0] == (cell, "end")


@pytest.mark.django_db(transaction=True)
class TestRoundTrip:
    @pytest.mark.parametrize("format_index", [0, 1], ids=["csv", "json"])
    def test_all_that_is_exported_is_imported_as_it_was(self, format_index: int, administrator: Client) -> None:
        load_catalogue(timezone.now())
        files = {
            kind: administrator.post(place(kind, "export"), {"format": str(format_index)}).content.decode()
            for kind in KINDS
        }
        stored = {kind: list(kind._default_manager.order_by("pk").values()) for kind in KINDS}

        for kind in KINDS:
            preview = upload(administrator, kind, files[kind], format_index=format_index)
            counts = preview.context["result"].totals
            assert (counts["new"], counts["update"], counts["skip"]) == (0, 0, len(stored[kind])), kind

        assert {kind: list(kind._default_manager.order_by("pk").values()) for kind in KINDS} == stored

    def test_an_empty_catalogue_is_filled_from_the_files_of_another(self, administrator: Client) -> None:
        load_catalogue(timezone.now())
        files = {kind: administrator.post(place(kind, "export"), {"format": "0"}).content.decode() for kind in KINDS}
        counts = {kind: kind._default_manager.count() for kind in KINDS}
        for kind in reversed(KINDS):
            if kind is GLCode:
                GLCode.objects.update(
                    service_fee_gl=None, disbursement_gl=None, statutory_gst_gl=None, service_gst_gl=None
                )
            kind._default_manager.all().delete()

        for kind in KINDS:
            confirm(administrator, kind, upload(administrator, kind, files[kind]))

        assert {kind: kind._default_manager.count() for kind in KINDS} == counts

    def test_formulas_leave_as_text(self, administrator: Client) -> None:
        FilingType.objects.create(code="OTANN", description="=cmd|'/c calc'!A1")

        as_csv = administrator.post(place(FilingType, "export"), {"format": "0"}).content.decode()
        as_json = administrator.post(place(FilingType, "export"), {"format": "1"}).content

        assert list(csv.reader(io.StringIO(as_csv)))[1] == ["OTANN", "'=cmd|'/c calc'!A1"]
        assert json.loads(as_json)[0]["description"] == "=cmd|'/c calc'!A1"


@pytest.mark.django_db(transaction=True)
class TestImport:
    def test_the_preview_saves_nothing_and_the_confirmation_everything(self, administrator: Client) -> None:
        FeeCode.objects.create(code="EN101", amount=30)
        FeeCode.objects.create(code="EN105", amount=100)

        preview = upload(administrator, FeeCode, "code,amount\nEN101,30.00\nEN105,110.00\nEN120,55.00\n")

        text = preview.content.decode()
        assert "<b>1</b> new, <b>1</b> changed, <b>1</b> as they are" in text
        assert (FeeCode.objects.count(), AuditEntry.objects.count()) == (2, 0)

        page = confirm(administrator, FeeCode, preview)

        assert "The file is imported: 1 new, 1 changed, 1 as they were." in page.content.decode()
        assert dict(FeeCode.objects.values_list("code", "amount")) == {"EN101": 30, "EN105": 110, "EN120": 55}
        assert UploadedTable.objects.count() == 0

    def test_the_audit_names_the_person_the_file_the_lines_and_the_counts(self, administrator: Client) -> None:
        confirm(administrator, FeeCode, upload(administrator, FeeCode, "code,amount\nEN101,30.00\nEN120,55.00\n"))

        entries = list(AuditEntry.objects.order_by("id"))
        assert [entry.action for entry in entries] == ["fee-code.added", "fee-code.added", "catalogue.imported"]
        assert {(entry.actor, entry.reason) for entry in entries} == {("pat-administrator", "Fees of 2027")}
        assert [entry.source for entry in entries[:2]] == [
            {"file": "fees.csv", "line": 2},
            {"file": "fees.csv", "line": 3},
        ]
        assert entries[2].after == {"file": "fees.csv", "rows": 2, "new": 2, "changed": 0, "unchanged": 0}
        assert len({entry.change_set for entry in entries}) == 1

    def test_what_is_wrong_is_named_by_line_and_nothing_can_be_confirmed(self, administrator: Client) -> None:
        page = upload(administrator, FeeCode, "code,amount\nEN101,30.00\nEN120,1 000\nEN121,-4\nen,1\nEN122,\n")

        assert problems_of(page.context["result"]) == [
            (3, "amount: '1 000' should be a number such as 125.50."),
            (4, "An amount is zero or more."),
            (5, "Constraint “fee_code_written” is violated."),
            (6, "amount: This field cannot be null."),
        ]
        assert "confirm_form" not in page.context
        assert FeeCode.objects.count() == 0

    def test_what_has_gone_wrong_since_the_preview_takes_the_whole_file_back(self, administrator: Client) -> None:
        load_catalogue(timezone.now())
        preview = upload(administrator, FeeCode, "code,amount\nEN200,1.00\nEN106,260.00\n")
        schedule = FeeSchedule.objects.get(product="BCR")
        FeeSchedule.objects.filter(pk=schedule.pk).update(fee_code="EN106")
        entries = AuditEntry.objects.count()

        page = confirm(administrator, FeeCode, preview)

        text = page.content.decode()
        assert "Nothing was imported: the catalogue has changed since the preview." in text
        assert "Line 3: EN106 (250.00) is in use" in text
        assert not FeeCode.objects.filter(code="EN200").exists()
        assert AuditEntry.objects.count() == entries

    def test_a_row_that_somebody_else_changed_since_the_preview_is_not_put_back_unseen(
        self, administrator: Client
    ) -> None:
        FeeCode.objects.create(code="EN101", amount=30)
        FeeCode.objects.create(code="EN105", amount=100)
        preview = upload(administrator, FeeCode, "code,amount\nEN101,30.00\nEN105,110.00\n")
        FeeCode.objects.filter(pk="EN101").update(amount=35)

        text = confirm(administrator, FeeCode, preview).content.decode()

        assert "Nothing was imported: the catalogue has changed since the preview." in text
        assert "The file would change other rows, or from other values, than its preview showed." in text
        assert dict(FeeCode.objects.values_list("code", "amount")) == {"EN101": 35, "EN105": 100}
        assert AuditEntry.objects.count() == 0
        again = upload(administrator, FeeCode, "code,amount\nEN101,30.00\nEN105,110.00\n")
        confirm(administrator, FeeCode, again)
        assert dict(FeeCode.objects.values_list("code", "amount")) == {"EN101": 30, "EN105": 110}

    @pytest.mark.parametrize(
        ("kind", "text", "problem"),
        [
            (
                FeeSchedule,
                "product,filing_type,starts_on,fee_code,variable\nNONE,OTANN,2027-01-01,EN101,false",
                "product: There is no product 'NONE'.",
            ),
            (
                FeeSchedule,
                "product,filing_type,starts_on,fee_code,variable\nPPR,OTANN,01/04/2027,EN101,false",
                "starts_on: '01/04/2027' should be a date such as 2026-04-01.",
            ),
            (
                FeeSchedule,
                "product,filing_type,starts_on,fee_code,variable\nPPR,OTANN,2027-01-01,EN101,maybe",
                "variable: 'maybe' should be true or false.",
            ),
            (
                GLLink,
                "fee_schedule,gl_code,starts_on\nCP/OTANN,Court fees,2027-01-01",
                "fee_schedule: There is no fee schedule 'CP/OTANN'; write it as CP/OTANN/2026-04-01.",
            ),
            (
                GLCode,
                "name,client,responsibility_centre,service_line,stob,project_code,starts_on\n"
                "New,112,32363,34725,stob,3200000,2027-01-01",
                "stob: STOB is 'stob': it should be 4 digits.",
            ),
        ],
        ids=["product", "date", "flag", "schedule", "stob"],
    )
    def test_a_problem_says_what_it_should_be(
        self, kind: type[Any], text: str, problem: str, administrator: Client
    ) -> None:
        load_catalogue(timezone.now())

        page = upload(administrator, kind, text)

        assert problems_of(page.context["result"]) == [(2, problem)]

    def test_columns_that_the_file_leaves_out_stay(self, administrator: Client) -> None:
        load_catalogue(timezone.now())

        confirm(administrator, Product, upload(administrator, Product, "code,description\nVS,Births and deaths\n"))

        product = Product.objects.get(pk="VS")
        assert (product.description, product.refund_approval, len(product.payment_methods)) == (
            "Births and deaths",
            True,
            6,
        )

    @pytest.mark.parametrize("text", ["", "amount\n1.00\n", "\x00\x01"])
    def test_a_file_that_is_no_table_is_refused(self, text: str, administrator: Client) -> None:
        page = upload(administrator, FeeCode, text)

        assert page.status_code == 200
        assert "confirm_form" not in page.context
        assert FeeCode.objects.count() == 0

    def test_a_file_without_a_reason_or_too_large_is_refused(self, administrator: Client) -> None:
        text = "code,amount\nEN120,55.00\n"

        assert "confirm_form" not in upload(administrator, FeeCode, text, reason="").context
        assert "confirm_form" not in upload(administrator, FeeCode, text + " " * 2 * 1024 * 1024).context
        assert UploadedTable.objects.count() == 0

    def test_an_upload_is_confirmed_once_and_only_by_its_key(self, administrator: Client) -> None:
        preview = upload(administrator, FeeCode, "code,amount\nEN120,55.00\n")
        confirm(administrator, FeeCode, preview)

        page = confirm(administrator, FeeCode, preview)
        assert "The uploaded file is no longer here" in page.content.decode()

        initial = preview.context["confirm_form"].initial | {"import_file_name": "../../etc/passwd"}
        page = administrator.post(place(FeeCode, "process_import"), initial, follow=True)
        assert "The uploaded file is no longer here" in page.content.decode()

    @pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
    def test_only_administrators_import(self, role: str, administrator: Client) -> None:
        preview = upload(administrator, FeeCode, "code,amount\nEN120,55.00\n")
        client = signed_in(role)

        assert upload(client, FeeCode, "code,amount\nEN121,55.00\n").status_code == 403
        assert confirm(client, FeeCode, preview).status_code == 403
        assert FeeCode.objects.count() == 0


@pytest.mark.django_db(transaction=True)
def test_who_imports_has_to_be_said() -> None:
    with pytest.raises(ValueError, match="Say who imports"):
        _ = RESOURCES[0]().importer
    assert RESOURCES[0](importer=Importer(Actor.command("test"), timezone.now(), "")).importer.reason == ""
