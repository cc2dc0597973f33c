from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.access import AccountUnknown, ProductNotPermitted, account_for, accounts_of, products_of, require_product
from accounts.models import ApiKey
from accounts.operations import Reach, ReachUnfit, add_client, issue_key, set_reach
from accounts.scopes import INVOICES_WRITE
from kernel.audit.models import AuditEntry
from tests.accounts.payers import ACTOR, AT, a_product, an_account

pytestmark = pytest.mark.django_db


def a_key(reach: Reach) -> ApiKey:
    client = add_client(name="Partner", slug="partner", actor=ACTOR, at=AT)
    set_reach(client.pk, reach, actor=ACTOR, at=AT)
    key = issue_key(client.pk, scopes=[INVOICES_WRITE], actor=ACTOR, at=AT).key
    return ApiKey.objects.select_related("client").get(pk=key.pk)


def test_a_key_finds_the_accounts_of_its_client_and_does_not_learn_of_others() -> None:
    ours, other = an_account("A-1"), an_account("A-2")
    key = a_key(Reach(accounts=frozenset({"A-1"}), products=None))

    assert account_for(key, "A-1") == ours
    with pytest.raises(AccountUnknown) as forbidden:
        account_for(key, other.account_number)
    with pytest.raises(AccountUnknown) as missing:
        account_for(key, "A-3")
    assert forbidden.value.detail.replace("A-2", "…") == missing.value.detail.replace("A-3", "…")
    assert forbidden.value.status == 404
    reachable = accounts_of(key)
    assert reachable is not None
    assert list(reachable) == [ours]


def test_a_new_client_reaches_no_account_and_every_product() -> None:
    an_account("A-1")
    client = add_client(name="Partner", slug="partner", actor=ACTOR, at=AT)
    key = issue_key(client.pk, scopes=[INVOICES_WRITE], actor=ACTOR, at=AT).key

    with pytest.raises(AccountUnknown):
        account_for(key, "A-1")
    require_product(key, "BTR")
    assert products_of(key) is None


def test_a_client_of_ours_may_reach_every_account() -> None:
    account = an_account("A-1")
    key = a_key(Reach(accounts=None, products=None))

    assert accounts_of(key) is None
    with CaptureQueriesContext(connection) as queries:
        assert account_for(key, "A-1") == account
    assert len(queries) == 1


def test_a_product_outside_the_reach_is_refused() -> None:
    a_product("BTR")
    a_product("CSO")
    key = a_key(Reach(accounts=None, products=frozenset({"BTR"})))

    require_product(key, "BTR")
    with pytest.raises(ProductNotPermitted, match="CSO") as refusal:
        require_product(key, "CSO")
    assert refusal.value.status == 403
    assert products_of(key) == frozenset({"BTR"})


def test_a_reach_names_what_exists_or_changes_nothing() -> None:
    an_account("A-1")
    client = add_client(name="Partner", slug="partner", actor=ACTOR, at=AT)

    with pytest.raises(ReachUnfit, match=r"no accounts A-8, A-9") as accounts:
        set_reach(client.pk, Reach(accounts=frozenset({"A-1", "A-9", "A-8"}), products=None), actor=ACTOR, at=AT)
    with pytest.raises(ReachUnfit, match=r"no products XX"):
        set_reach(client.pk, Reach(accounts=None, products=frozenset({"XX"})), actor=ACTOR, at=AT)

    assert accounts.value.errors[0].field == "accounts"
    client.refresh_from_db()
    assert Reach.of(client) == Reach(accounts=frozenset(), products=None)
    assert AuditEntry.objects.filter(action="api-client.reach-set").count() == 0


def test_a_change_of_reach_is_audited_once() -> None:
    an_account("A-1")
    client = add_client(name="Partner", slug="partner", actor=ACTOR, at=AT)
    reach = Reach(accounts=frozenset({"A-1"}), products=None)

    for _ in range(2):
        set_reach(client.pk, reach, actor=ACTOR, reason="Contract 7", at=AT)

    entry = AuditEntry.objects.get(action="api-client.reach-set")
    assert (entry.before, entry.after, entry.reason) == (
        {"accounts": [], "products": "all"},
        {"accounts": ["A-1"], "products": "all"},
        "Contract 7",
    )
