"""The pages of invoices, accounts and the catalogue in a real browser: jobs done by hand, screens, keys, names."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache

from catalogue.models import FeeSchedule
from invoices.models import Refund
from kernel.adminsite import record_address
from kernel.savedviews.models import SavedView
from tests.console.furnished import Furniture, deepen, furnish
from tests.flows.browsing import DESK, IN_A_BROWSER, PHONE, UNNAMED, Visit, staff

pytestmark = IN_A_BROWSER
LIST = "/admin/invoices/invoice/"

# Texts that stand out from their ground less than WCAG AA asks for; what is switched off is not meant to.
FAINT = """
    () => {
        const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
        const paint = (...colours) => {
            pen.clearRect(0, 0, 1, 1);
            for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
            return [...pen.getImageData(0, 0, 1, 1).data];
        };
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, at) => sum + v * [0.2126, 0.7152, 0.0722][at], 0);
        const ground_of = element => getComputedStyle(element).backgroundColor;
        const grounds = element => element ? [...grounds(element.parentElement), ground_of(element)] : ['white'];
        const texts = document.createTreeWalker(document.querySelector('#main'), NodeFilter.SHOW_TEXT);
        const found = new Set();
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            const holder = text.parentElement;
            if (!text.data.trim() || holder.closest('script, style, [disabled], .material-symbols-outlined')) continue;
            if (!holder.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
            const ground = paint(...grounds(holder));
            const ink = paint(...grounds(holder), getComputedStyle(holder).color);
            const [high, low] = [light(ground), light(ink)].sort((a, b) => b - a);
            const ratio = (high + 0.05) / (low + 0.05);
            if (ratio < 4.5) found.add(`${ratio.toFixed(2)} ${text.data.trim().slice(0, 40)}`);
        }
        return [...found];
    }
"""
# Tables of a page that a phone shows only in part.
CUT_OFF = """
    () => [...document.querySelectorAll('.ps-scroll')].filter(box => box.scrollWidth > box.clientWidth + 1)
        .map(box => box.innerText.slice(0, 80))
"""


@pytest.fixture
def house() -> Furniture:
    """A household of accounts, invoices and what became of them; pat, who operates, and kim, who approves."""
    cache.clear()
    staff("pat", "operator")
    staff("kim", "approver")
    return furnish(1)


def pages_of(household: Furniture) -> list[str]:
    """The lists, the record pages and the forms that an operator opens."""
    records = [
        household.paid,
        household.owing,
        household.by_two,
        household.refund,
        household.credit,
        household.attempt,
        household.call,
        household.account,
        household.locked,
        household.asked,
        FeeSchedule.objects.order_by("pk")[0],
    ]
    paid, account = f"{LIST}{household.paid.pk}", f"/admin/accounts/paymentaccount/{household.account.pk}"
    return [
        LIST,
        "/admin/invoices/refund/",
        "/admin/invoices/credit/",
        "/admin/invoices/cardattempt/",
        "/admin/invoices/outsidecall/",
        "/admin/accounts/paymentaccount/",
        "/admin/approvals/approvalrequest/",
        "/admin/savedviews/savedview/",
        "/admin/catalogue/product/",
        "/admin/catalogue/product/CP/prices/",
        "/admin/catalogue/feeschedule/",
        "/admin/catalogue/feecode/export/",
        *(record_address(type(record), record.pk) for record in records),
        f"{paid}/refund/",
        f"{paid}/record_outside_refund/",
        f"{LIST}{household.owing.pk}/cancel/",
        f"{account}/lock/",
        f"/admin/notes/note/about/invoices/invoice/{household.paid.pk}/",
        "/admin/savedviews/savedview/add/?list_name=invoices.invoice&query=status%3DPAID",
    ]


def test_a_part_goes_back_in_three_steps_once_a_second_person_agrees(
    visit: Visit, house: Furniture, browser: Any
) -> None:
    page = visit.page
    visit.open(record_address(type(house.by_two), house.by_two.pk))
    page.click(".ps-actions a:text-is('Refund')")
    page.fill("input[aria-label^='WILLS'] >> nth=0", "5.00")
    assert page.inner_text("[data-sum]") == "Goes back: 5.00 CAD"
    assert page.is_checked("[name=scope][value=parts]")
    page.click("text=Show what it would do")
    page.wait_for_selector("text=Say why: the reason is kept with the refund.")
    # What cannot be used is answered 422.
    assert visit.errors == [f"{visit.address}{LIST}{house.by_two.pk}/refund/"]
    visit.errors.clear()
    page.fill("[name=reason]", "Ordered twice")
    page.click("text=Show what it would do")
    page.wait_for_selector("text=A second person must agree")
    assert Refund.objects.count() == 2
    page.click("text=Ask for the refund")
    page.wait_for_selector("text=Nothing moves until a second person agrees")
    page.click("text=Open the request")
    page.wait_for_selector("text=You asked for this yourself")
    assert page.locator(".ps-actions a:text-is('Approve')").count() == 0
    request_page = page.url.removeprefix(visit.address)

    second = Visit(browser, visit.address, name="kim", **DESK)
    second.open(request_page)
    assert "Filing fee: 5.00" in second.page.inner_text(".ps-comparison")
    second.page.keyboard.press("a")
    second.page.fill("[name=reason]", "Seen in the ticket")
    second.page.click("button:has-text('Approve')")
    second.page.wait_for_selector("text=is approved and carried out")
    second.page.click(".ps-related a:has-text('Refund')")
    second.page.wait_for_selector("text=Agreed by kim")

    refund = Refund.objects.latest("pk")
    assert (refund.decided_by, refund.status, str(refund.amount)) == ("kim", "PROCESSED", "5.00")
    assert [(one.errors, one.outside) for one in (visit, second)] == [([], [])] * 2
    second.context.close()


def test_the_search_finds_an_invoice_by_what_is_printed_on_it(visit: Visit, house: Furniture) -> None:
    page = visit.page
    for term in ("reg00000001", "HARPER-1", "CP0000001"):
        visit.open(LIST)
        page.keyboard.press("/")
        page.keyboard.type(term)
        page.keyboard.press("Enter")
        page.wait_for_url("**q=**")
        assert page.locator("#result_list tr.data-row").count() == 1, term
        assert page.locator(f"#result_list a[href*='/{house.paid.pk}/change']").count() == 1, term
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{house.paid.pk}/change/**")
    assert (visit.errors, visit.outside) == ([], [])


def test_chosen_filters_are_kept_under_a_name_as_a_tab(visit: Visit) -> None:
    page = visit.page
    visit.open(LIST)
    page.keyboard.press("f")
    page.check("label:has-text('Approved')")
    page.check("label:has-text('Pre-authorised debit')")
    page.click("text=Apply Filters")
    page.wait_for_url("**status=APPROVED**")
    shown = page.locator("#result_list tr.data-row").count()
    page.click("text=Save this view")
    assert "method: PAD; status: APPROVED" in page.inner_text("#main")
    page.fill("[name=name]", "Debits to collect")
    page.click("button:text-is('Save')")
    page.wait_for_selector("text=it is a tab above the list now")

    assert SavedView.objects.get().owner.get_username() == "pat"
    visit.open(LIST)
    page.click(".ps-tabs >> text=Debits to collect")
    page.wait_for_selector(".ps-tabs .ps-chosen >> text=Debits to collect")
    assert page.locator("#result_list tr.data-row").count() == shown
    assert page.locator("text=Save this view").count() == 0
    assert (visit.errors, visit.outside) == ([], [])


def test_keys_lead_from_the_list_to_an_invoice_and_to_a_note_on_it(visit: Visit) -> None:
    page = visit.page
    visit.open(LIST)
    page.keyboard.press("?")
    assert page.locator("dialog.ps-keys kbd").all_inner_texts() == ["j", "k", "Enter", "e", "/", "f", "?"]
    page.keyboard.press("Escape")
    for key in "jjk":
        page.keyboard.press(key)
    first = page.locator("#result_list tr.data-row >> nth=0")
    assert first.evaluate("row => row.classList.contains('ps-row-chosen') && row.contains(document.activeElement)")
    page.keyboard.press("e")
    page.wait_for_url("**/change/**")
    page.keyboard.press("n")
    page.fill("[name=body]", "j/k?")
    page.click("button:has-text('Write a note')")
    page.wait_for_selector(".ps-notes >> text=j/k?")
    assert (visit.errors, visit.outside) == ([], [])


@pytest.mark.parametrize(
    "visit",
    [{**PHONE, "color_scheme": "light"}, {**PHONE, "color_scheme": "dark"}],
    indirect=True,
    ids=["phone, light", "phone, dark"],
)
def test_every_page_fits_a_phone_names_its_controls_can_be_read_and_asks_nobody_else(
    visit: Visit, house: Furniture
) -> None:
    deepen(house, 2)
    for path in pages_of(house):
        visit.open(path)
        width, screen = visit.page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width <= screen, path
        assert visit.page.evaluate(CUT_OFF) == [], path
        assert visit.page.evaluate(FAINT) == [], path
        assert visit.page.evaluate(UNNAMED) == [], path
        assert (visit.errors, visit.outside) == ([], []), path


def test_the_keyboard_leads_through_the_wizard_and_shows_where_it_is(visit: Visit, house: Furniture) -> None:
    unseen = """
        () => { const style = getComputedStyle(document.activeElement);
                return style.outlineStyle === 'none' && style.boxShadow === 'none'; }
    """
    visit.open(f"{LIST}{house.paid.pk}/refund/")
    visit.page.focus("[name=scope]")
    met = []
    for _ in range(12):
        visit.page.keyboard.press("Tab")
        met.append(visit.page.evaluate("document.activeElement.name || document.activeElement.innerText.trim()"))
        assert not visit.page.evaluate(unseen), met

    assert [name for name in met if not name.startswith(("part", "amount"))] == [
        "reason",
        "staff_comment",
        "notification_email",
        "Back to the invoice",
    ]
