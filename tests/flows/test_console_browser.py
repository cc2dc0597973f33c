"""The console in a real browser: what only JavaScript and a screen can show."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.cache import cache
from django.utils import timezone

from kernel.notes.models import Attachment, Note
from payments.models import Payment, StagingRejection
from payments.operations.staging import record_chunk
from tests.flows.browsing import IN_A_BROWSER, PHONE, UNNAMED, Visit, staff
from tests.payments.staged import a_row, prepare_staging, stage

pytestmark = IN_A_BROWSER


@pytest.fixture
def house() -> None:
    """One payment, one rejection and one conflict, and an operator."""
    cache.clear()
    prepare_staging()
    stage(a_row("A"), a_row("A", amount="9.00"), a_row("B", amount="-75.00"))
    record_chunk(batch_size=100, after_id=-1, attempt=1, at=timezone.now())
    staff("pat", "operator")


def test_the_overview_draws_both_charts_and_asks_nobody_else(visit: Visit) -> None:
    visit.page.wait_for_function("document.querySelectorAll('canvas.chart').length == 2")
    drawn = visit.page.evaluate(
        "[...document.querySelectorAll('canvas.chart')].map(c => Chart.getChart(c).data.labels.length)"
    )

    assert drawn == [24, 24]
    assert visit.page.locator(".ps-card").count() == 13
    visit.page.click("summary >> nth=0")
    assert visit.page.locator("table.ps-figures >> nth=0").locator("tbody tr").count() == 24
    assert (visit.errors, visit.outside) == ([], [])


@pytest.mark.parametrize("visit", [{**PHONE, "color_scheme": "dark"}], indirect=True, ids=["phone, dark"])
@pytest.mark.parametrize("path", ["/admin/", "/admin/payments/payment/", "/admin/payments/referenceconflict/"])
def test_no_page_is_wider_than_a_phone(visit: Visit, path: str) -> None:
    visit.open(path)

    width, screen = visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert width <= screen
    assert visit.page.evaluate("document.documentElement.classList.contains('dark')")
    assert visit.errors == []


def test_an_operator_corrects_a_rejection_from_the_overview(visit: Visit) -> None:
    page = visit.page
    page.click(".ps-card:has-text('Open rejections')")
    page.click("text=Row 3")
    page.click("a:has-text('Correct and record')")
    page.fill("[name=reason]", "The sign was turned")
    page.click("button:has-text('Correct and record')")
    page.wait_for_selector("text=The amount must be more than zero")
    page.fill("[name=amount]", "75.00")
    page.click("button:has-text('Correct and record')")
    page.wait_for_selector("text=The payment is recorded")
    page.click("text=Open the payment")
    page.wait_for_selector("text=was corrected")

    assert page.url.endswith(f"/admin/payments/payment/{Payment.objects.get(reference_number='B').pk}/change/")
    assert StagingRejection.objects.get().status == "recorded"
    assert (visit.errors, visit.outside) == ([], [])


def test_every_control_of_the_pages_has_a_name(visit: Visit) -> None:
    rejection = StagingRejection.objects.get().pk
    for path in ("/admin/", "/admin/payments/payment/", f"/admin/payments/stagingrejection/{rejection}/correct/"):
        visit.open(path)
        assert visit.page.evaluate(UNNAMED) == [], path


def test_keys_lead_through_a_list_and_open_a_row(visit: Visit) -> None:
    visit.open("/admin/payments/stagingrejection/")
    page = visit.page
    rows = page.locator("#result_list tr.data-row")
    table = "[...document.querySelectorAll('#result_list tr.data-row')]"
    chosen = f"{table}.findIndex(row => row.contains(document.activeElement))"
    stage(a_row("C", amount="-1.00"))
    record_chunk(batch_size=100, after_id=-1, attempt=1, at=timezone.now())
    page.reload()
    assert rows.count() == 2
    page.keyboard.press("j")
    assert page.evaluate(chosen) == 0
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate(chosen) == 1
    page.keyboard.press("k")
    assert page.evaluate(chosen) == 0
    assert page.locator("tr.ps-row-chosen").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url("**/change/")
    assert (visit.errors, visit.outside) == ([], [])


def test_keys_rest_while_something_is_typed(visit: Visit) -> None:
    visit.open("/admin/payments/payment/")
    page = visit.page
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "searchbar"
    page.keyboard.type("jk?ae")
    assert page.input_value("#searchbar") == "jk?ae"
    assert page.locator("dialog[open]").count() == 0
    assert page.locator("tr.ps-row-chosen").count() == 0
    assert visit.errors == []


def test_the_help_names_the_keys_of_the_page_and_can_switch_them_off(visit: Visit) -> None:
    visit.open("/admin/payments/payment/")
    page = visit.page
    page.keyboard.press("?")
    assert page.locator("dialog.ps-keys kbd").all_inner_texts() == ["j", "k", "Enter", "e", "/", "f", "?"]
    page.uncheck("dialog.ps-keys input")
    page.keyboard.press("Escape")
    # The browser tells of the closing a moment later, and only then is the dialog taken away.
    page.locator("dialog.ps-keys").wait_for(state="detached")
    page.keyboard.press("j")
    page.keyboard.press("?")
    assert page.locator("dialog.ps-keys, tr.ps-row-chosen").count() == 0
    page.click(".ps-keys-button")
    page.check("dialog.ps-keys input")
    page.click("dialog.ps-keys button")
    page.keyboard.press("j")
    assert page.locator("tr.ps-row-chosen").count() == 1
    assert visit.errors == []


def test_a_note_and_a_file_come_to_a_record_by_key_and_by_hand(visit: Visit, tmp_path: Path) -> None:
    page = visit.page
    payment = Payment.objects.get()
    visit.open(f"/admin/payments/payment/{payment.pk}/change/")
    page.keyboard.press("n")
    page.fill("[name=body]", "The payer called")
    page.click("button:has-text('Write a note')")
    page.wait_for_selector(".ps-notes >> text=The payer called")
    letter = tmp_path / "letter.pdf"
    letter.write_bytes(b"%PDF-1.4 x")
    page.click("text=Attach a file")
    page.set_input_files("[name=file]", letter)
    page.click("button:has-text('Attach a file')")
    with page.expect_download() as download:
        page.click(".ps-notes >> text=letter.pdf")

    assert download.value.suggested_filename == "letter.pdf"
    assert download.value.path().read_bytes() == b"%PDF-1.4 x"
    assert (Note.objects.get().author, Attachment.objects.get().uploaded_by) == ("pat", "pat")
    assert (visit.errors, visit.outside) == ([], [])
