from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Partner
from accounts.operations import PartnerDetails, add_partner, give_product
from tests.accounts.payers import ACTOR, AT, a_product
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/accounts/partner/"
FORM = {
    "name": "Courts",
    "kind": "GOVERNMENT",
    "supplier_number": "",
    "supplier_site": "",
    "active": "on",
    "confirmed": "yes",
    "reason": "Agreement 3",
}


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


def a_partner(code: str = "CSO") -> Partner:
    return add_partner(code, PartnerDetails(name=f"Partner {code}", kind="GOVERNMENT"), actor=ACTOR, at=AT)


def act(client: Client, partner: Partner, action: str, **answers: Any) -> Any:
    return client.post(f"{LIST}{partner.pk}/{action}/", {"confirmed": "yes", "reason": "Agreement 3"} | answers)


def test_an_empty_list_says_what_that_means(administrator: Client) -> None:
    assert "Without one, what is collected stays with us" in administrator.get(LIST).content.decode()


def test_a_partner_is_added_changed_and_given_products(administrator: Client) -> None:
    a_product("CSO")
    answer = administrator.post(f"{LIST}add_partner/", FORM | {"code": "CSO"})
    partner = Partner.objects.get()
    assert answer["Location"] == f"{LIST}{partner.pk}/change/"

    act(administrator, partner, "change_partner", **(FORM | {"name": "Courts of the province"}))
    act(administrator, partner, "give_product", product="CSO")

    partner.refresh_from_db()
    assert partner.name == "Courts of the province"
    page = administrator.get(f"{LIST}{partner.pk}/change/").content.decode()
    assert "Product CSO" in page
    act(administrator, partner, "take_product", product="CSO")
    assert partner.partner_products.count() == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"code": "cso"}, "2 to 10 capital letters"),
        ({"kind": "NON_GOVERNMENT"}, "needs the supplier number and site"),
        ({"name": ""}, "required"),
    ],
)
def test_a_partner_that_could_not_be_paid_is_refused_on_the_page(
    administrator: Client, changes: dict[str, str], said: str
) -> None:
    page = administrator.post(f"{LIST}add_partner/", FORM | {"code": "CSO"} | changes)

    assert said in page.content.decode()
    assert Partner.objects.count() == 0


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_only_administrators_change_partners(role: str) -> None:
    partner = a_partner()
    person = signed_in(role)

    for address in (f"{LIST}add_partner/", f"{LIST}{partner.pk}/change_partner/", f"{LIST}{partner.pk}/give_product/"):
        assert person.post(address, FORM | {"code": "XX", "product": "CSO"}).status_code == 403
    assert person.get(LIST).status_code == person.get(f"{LIST}{partner.pk}/change/").status_code == 200
    assert list(Partner.objects.values_list("code", "name")) == [("CSO", "Partner CSO")]


@pytest.mark.usefixtures("kept_sidebar")
def test_the_list_takes_as_many_queries_for_ten_partners_as_for_one(administrator: Client) -> None:
    counts = []
    for total in (1, 10):
        for number in range(Partner.objects.count(), total):
            a_product(f"P{number}")
            give_product(a_partner(f"P{number}").pk, f"P{number}", actor=ACTOR, at=AT)
        administrator.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            administrator.get(LIST)
        counts.append(len(queries))

    assert counts[0] == counts[1]
