from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiClient, ApiKey
from accounts.operations import Reach, add_client
from accounts.scopes import SCOPES
from kernel.audit.models import AuditEntry
from tests.accounts.payers import ACTOR, AT, a_product, an_account
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/accounts/apiclient/"


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


@pytest.fixture
def partner() -> ApiClient:
    return add_client(name="Partner", slug="partner", actor=ACTOR, at=AT)


def act(client: Client, record: ApiClient, action: str, **answers: Any) -> Any:
    return client.post(f"{LIST}{record.pk}/{action}/", {"confirmed": "yes", "reason": "Contract 7"} | answers)


def test_every_scope_is_offered_with_what_it_allows_when_a_key_is_issued(
    administrator: Client, partner: ApiClient
) -> None:
    page = administrator.get(f"{LIST}{partner.pk}/issue_key/").content.decode()

    assert all(f"{scope}: {meaning}" in page for scope, meaning in SCOPES.items())
    act(administrator, partner, "issue_key", scopes=["fees:read", "invoices:write"])
    assert ApiKey.objects.get().scopes == ["fees:read", "invoices:write"]


def test_what_a_client_may_reach_is_set_and_shown(administrator: Client, partner: ApiClient) -> None:
    an_account("A-1")
    an_account("A-2")
    a_product("BTR")

    act(administrator, partner, "set_reach", accounts=" A-1 \nA-2\n", products=["BTR"])

    partner.refresh_from_db()
    assert Reach.of(partner) == Reach(accounts=frozenset({"A-1", "A-2"}), products=frozenset({"BTR"}))
    assert "A-1, A-2" in administrator.get(f"{LIST}{partner.pk}/change/").content.decode()
    filled = administrator.get(f"{LIST}{partner.pk}/set_reach/").context["forms"][0]
    assert (filled["accounts"].value(), filled["products"].value()) == ("A-1\nA-2", ["BTR"])


def test_an_account_that_is_not_there_is_named_and_nothing_changes(administrator: Client, partner: ApiClient) -> None:
    page = act(administrator, partner, "set_reach", accounts="A-9", all_products="on")

    assert (page.status_code, "There are no accounts A-9." in page.content.decode()) == (422, True)
    assert Reach.of(partner).accounts == frozenset()
    assert AuditEntry.objects.filter(action="api-client.reach-set").count() == 0


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_only_administrators_set_what_a_client_may_reach(role: str, partner: ApiClient) -> None:
    assert act(signed_in(role), partner, "set_reach", all_accounts="on", all_products="on").status_code == 403
    partner.refresh_from_db()
    assert partner.all_accounts is False
