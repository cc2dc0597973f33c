from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from accounts.models import Partner, PartnerProduct
from accounts.operations import (
    NoSuchPartner,
    PartnerDetails,
    PartnerKnown,
    PartnerUnfit,
    ProductTaken,
    ReferenceUnknown,
    add_partner,
    change_partner,
    give_product,
    take_product,
)
from kernel.audit.models import AuditEntry
from tests.accounts.payers import ACTOR, AT, a_product, at_once

pytestmark = pytest.mark.django_db
COURTS = PartnerDetails(name="Courts of the province", kind="GOVERNMENT")
OUTSIDE = PartnerDetails(name="Assessors", kind="NON_GOVERNMENT", supplier_number="700100", supplier_site="001")


def add(code: str = "CSO", details: PartnerDetails = COURTS) -> Partner:
    return add_partner(code, details, actor=ACTOR, reason="Agreement 3", at=AT)


def test_a_partner_is_added_once_and_audited() -> None:
    partner = add()

    with pytest.raises(PartnerKnown):
        add()

    assert (partner.code, partner.kind, partner.active) == ("CSO", "GOVERNMENT", True)
    entry: Any = AuditEntry.objects.get()
    assert (entry.action, entry.after["code"], entry.reason) == ("partner.added", "CSO", "Agreement 3")


@pytest.mark.parametrize(
    ("details", "field"),
    [
        (replace(COURTS, name=" "), "name"),
        (replace(COURTS, kind="OTHER"), "kind"),
        (replace(OUTSIDE, supplier_site=""), "supplier_number"),
    ],
)
def test_a_partner_that_could_not_be_paid_is_not_added(details: PartnerDetails, field: str) -> None:
    with pytest.raises(PartnerUnfit) as refusal:
        add(details=details)

    assert [error.field for error in refusal.value.errors] == [field]
    assert Partner.objects.count() == AuditEntry.objects.count() == 0


def test_a_change_of_a_partner_audits_what_changed() -> None:
    partner = add("BCA", OUTSIDE)

    for _ in range(2):
        change_partner(partner.pk, replace(OUTSIDE, supplier_site="002"), actor=ACTOR, reason="Moved", at=AT)

    entry = AuditEntry.objects.get(action="partner.changed")
    assert (entry.before, entry.after) == ({"supplier_site": "001"}, {"supplier_site": "002"})
    with pytest.raises(PartnerUnfit):
        change_partner(partner.pk, replace(OUTSIDE, supplier_number=""), actor=ACTOR, at=AT)
    with pytest.raises(NoSuchPartner):
        change_partner(404, OUTSIDE, actor=ACTOR, at=AT)


def test_a_product_has_one_partner_at_the_most() -> None:
    courts, other = add(), add("BCA", OUTSIDE)
    a_product("CSO")

    given = give_product(courts.pk, "CSO", actor=ACTOR, at=AT)
    again = give_product(courts.pk, "CSO", actor=ACTOR, at=AT)

    assert given == again
    assert list(Partner.objects.owning(["CSO", "BTR"])) == [courts]
    with pytest.raises(ProductTaken, match="belongs to CSO Courts"):
        give_product(other.pk, "CSO", actor=ACTOR, at=AT)
    with pytest.raises(ReferenceUnknown):
        give_product(other.pk, "XX", actor=ACTOR, at=AT)
    assert PartnerProduct.objects.get().partner == courts
    assert AuditEntry.objects.filter(action="partner.product-given").count() == 1


def test_a_product_that_is_taken_back_can_be_given_to_another() -> None:
    courts, other = add(), add("BCA", OUTSIDE)
    a_product("CSO")
    give_product(courts.pk, "CSO", actor=ACTOR, at=AT)

    for _ in range(2):
        take_product(courts.pk, "CSO", actor=ACTOR, reason="Moved", at=AT)

    assert AuditEntry.objects.filter(action="partner.product-taken").count() == 1
    assert give_product(other.pk, "CSO", actor=ACTOR, at=AT).partner == other


def test_the_database_wants_a_supplier_number_outside_government() -> None:
    with pytest.raises(IntegrityError, match="partner_outside_government_has_supplier"), transaction.atomic():
        Partner.objects.create(code="BCA", name="Assessors", kind="NON_GOVERNMENT")


@pytest.mark.django_db(transaction=True)
def test_of_many_partners_that_want_a_product_at_once_exactly_one_gets_it() -> None:
    a_product("CSO")
    waiting = [add(f"P{number}").pk for number in range(8)]

    outcomes = at_once(lambda: give_product(waiting.pop(), "CSO", actor=ACTOR, at=AT))

    assert sum(isinstance(outcome, PartnerProduct) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ProductTaken) for outcome in outcomes) == 7
    assert PartnerProduct.objects.count() == 1
