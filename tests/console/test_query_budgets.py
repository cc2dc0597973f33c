"""How often each list and each record's page asks the database: seldom, and no more often when there is more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext

from catalogue.models import FeeCode, FeeSchedule, FilingType, GLCode, GLLink, Product, TaxRate
from console import overview
from kernel.adminsite import record_address
from kernel.notes.models import Attachment, Note
from kernel.savedviews.models import SavedView
from tests.console.furnished import Furniture, deepen, furnish, save_a_view
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
# With what the frame of every page asks for: the person and their rights.
BUDGET = 30
LISTS = (
    "invoices/invoice/",
    "invoices/invoice/?status=open&account=A-001",
    "invoices/refund/",
    "invoices/credit/",
    "invoices/cardattempt/?status=all",
    "invoices/outsidecall/?status=all",
    "accounts/paymentaccount/",
    "accounts/partner/",
    "approvals/approvalrequest/",
    "notes/note/",
    "notes/attachment/",
    "savedviews/savedview/",
    "catalogue/product/",
    "catalogue/filingtype/",
    "catalogue/feecode/",
    "catalogue/feeschedule/",
    "catalogue/glcode/",
    "catalogue/gllink/",
    "catalogue/taxrate/",
)
RECORDS: dict[str, Callable[[Furniture], Model]] = {
    "a paid invoice": lambda household: household.paid,
    "an open invoice": lambda household: household.owing,
    "an invoice with a refund that waits": lambda household: household.by_two,
    "a refund": lambda household: household.refund,
    "a credit": lambda household: household.credit,
    "a card payment": lambda household: household.attempt,
    "a call to the outside": lambda household: household.call,
    "an account": lambda household: household.account,
    "a locked account": lambda household: household.locked,
    "a request for approval": lambda household: household.asked,
    "a note": lambda household: Note.objects.order_by("pk")[0],
    "a file": lambda household: Attachment.objects.order_by("pk")[0],
    "a saved view": lambda household: SavedView.objects.order_by("pk")[0],
}
CATALOGUE = (Product, FilingType, FeeCode, FeeSchedule, GLCode, GLLink, TaxRate)


@pytest.fixture
def everybody(monkeypatch: pytest.MonkeyPatch) -> Client:
    """Somebody with every role, who is shown all that there is."""
    # The counts of the sidebar are asked for every five seconds, whatever the page: here once.
    monkeypatch.setattr(overview, "KEPT_SECONDS", 600)
    client = signed_in("operator")
    person = User.objects.get(username="pat-operator")
    person.groups.set(Group.objects.all())
    save_a_view(person, "Paid ones")
    return client


def queries_of(client: Client, address: str) -> list[str]:
    """What is asked for the page, the second time: what a process remembers of the first is not counted."""
    assert client.get(address).status_code == 200, address
    with CaptureQueriesContext(connection) as captured:
        client.get(address)
    return [query["sql"] for query in captured]


def grow(first: int, last: int) -> None:
    for number in range(first, last):
        furnish(number)
        save_a_view(User.objects.get(), f"View {number}")


def test_no_list_asks_more_often_for_more_rows(everybody: Client) -> None:
    grow(1, 3)
    few = {place: queries_of(everybody, f"/admin/{place}") for place in LISTS}
    grow(3, 8)

    for place in LISTS:
        many = queries_of(everybody, f"/admin/{place}")
        assert len(many) == len(few[place]), (place, _more(few[place], many))
        assert len(many) <= BUDGET, place


def test_no_page_of_a_record_asks_more_often_for_what_hangs_on_it(everybody: Client) -> None:
    household = furnish(1)
    # Of each at least two, so that a table which asks only when it has rows does so from the start.
    deepen(household, 1)
    records = [which(household) for which in RECORDS.values()]
    records += [kind._default_manager.order_by("pk")[0] for kind in CATALOGUE]
    few = [queries_of(everybody, _address(record)) for record in records]
    for number in range(2, 6):
        deepen(household, number)

    for record, before in zip(records, few, strict=True):
        many = queries_of(everybody, _address(record))
        assert len(many) == len(before), (_address(record), _more(before, many))
        assert len(many) <= BUDGET, (_address(record), len(many))


def _address(record: Any) -> str:
    return record_address(type(record), record.pk)


def _more(few: list[str], many: list[str]) -> list[str]:
    """The beginnings of what was asked beyond the first time, for whoever reads the failure."""
    left = [sql[:160] for sql in few]
    return [start for start in (sql[:160] for sql in many) if not _taken(left, start)]


def _taken(left: list[str], start: str) -> bool:
    if start in left:
        left.remove(start)
        return True
    return False
