"""A second client decides about refunds over the API: never one's own, never what has changed since."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.http import HttpResponse

from accounts.models import ApiKey
from accounts.operations import issue_key
from accounts.scopes import REFUNDS_APPROVE, REFUNDS_REQUEST
from catalogue.models import Product
from invoices.models import Credit, Invoice, Refund
from invoices.operations.cards import check_attempt
from kernel.approvals.models import ApprovalRequest
from kernel.audit.models import AuditEntry
from tests.accounts.payers import at_once
from tests.invoices.billed import a_paid_invoice, a_priced_filing, an_invoice, stored
from tests.invoices.partners import ACTOR, INVOICES, PARTNER_SCOPES, Partner, answered, refused
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
REFUNDS = "/api/v1/refunds"
YES = {"status": "APPROVED"}
NO = {"status": "DECLINED", "declineReason": "Already filed"}


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    Product.objects.update(refund_approval=True)
    return Partner()


@pytest.fixture
def second(partner: Partner) -> Partner:
    return Partner("second")


def asked(partner: Partner, invoice: Invoice, *parts: dict[str, Any]) -> dict[str, Any]:
    body = {"reason": "Not wanted"} | ({"refundRevenue": list(parts)} if parts else {})
    return answered(partner.post(f"{INVOICES}/{invoice.pk}/refunds", body), 202)


def part_of(invoice: Invoice, amount: str) -> dict[str, Any]:
    return {"paymentLineItemId": invoice.lines.get().pk, "refundType": "BASE_FEES", "refundAmount": amount}


def path_of(refund: dict[str, Any]) -> str:
    path: str = refund["links"]["self"]
    return path


def test_what_a_second_client_approves_is_carried_out_at_once(partner: Partner, second: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    refund = asked(partner, invoice)
    approved = answered(second.patch(path_of(refund), YES))
    assert (approved["status"], approved["decidedBy"]) == ("PROCESSED", "second")
    assert approved["decidedAt"] == approved["finishedAt"]
    assert answered(partner.get(path_of(refund))) == approved
    assert (stored(invoice).status, Credit.objects.get().amount) == ("CREDITED", stored(invoice).total)
    request = ApprovalRequest.objects.get()
    assert (request.requested_by, request.decided_by, request.status) == ("partner", "second", "executed")

    problem = answered(second.patch(path_of(refund), YES), 409)
    assert (problem["code"], problem["ids"]) == ("refund-needs-no-approval", [refund["id"]])
    assert problem["refund_status"] == "PROCESSED"
    assert Credit.objects.count() == 1


def test_a_refusal_needs_a_reason_and_leaves_the_invoice_as_it_was(partner: Partner, second: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    refund = asked(partner, invoice, part_of(invoice, "30.00"))
    for body in ({"status": "DECLINED"}, {"status": "DECLINED", "declineReason": "  "}):
        assert refused(second.patch(path_of(refund), body)) == [("declineReason", "required")]
    assert Refund.objects.get().status == "PENDING_APPROVAL"

    declined = answered(second.patch(path_of(refund), NO))
    assert (declined["status"], declined["declineReason"], declined["decidedBy"]) == (
        "DECLINED",
        "Already filed",
        "second",
    )
    after = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (after["status"], after["statusDisplay"], after["money"]["credited"]) == ("PAID", "COMPLETED", "0.00")
    assert after["lines"][0]["refundable"]["BASE_FEES"] == "30.00"
    assert asked(partner, invoice, part_of(invoice, "30.00"))["status"] == "PENDING_APPROVAL"
    assert AuditEntry.objects.get(action="refund.declined").reason == "Already filed"


@pytest.mark.parametrize("body", [YES, NO])
def test_nobody_decides_about_their_own_request_whatever_key_they_use(partner: Partner, body: dict[str, str]) -> None:
    invoice = a_paid_invoice("PAD")
    refund = asked(partner, invoice)
    assert answered(partner.patch(path_of(refund), body), 403)["code"] == "approval-own-request"
    at = datetime.now(UTC)
    other_key = issue_key(
        partner.row.pk,
        scopes=[REFUNDS_APPROVE],
        expires_at=at + timedelta(days=1),
        actor=ACTOR,
        at=at,
        reason="Test",
    )
    partner.key = other_key.text.reveal()
    assert ApiKey.objects.filter(client=partner.row).count() == 2
    assert answered(partner.patch(path_of(refund), body), 403)["code"] == "approval-own-request"
    assert (Refund.objects.get().status, stored(invoice).status) == ("PENDING_APPROVAL", "PAID")


def test_deciding_takes_the_scope_of_an_approver(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    refund = asked(partner, invoice)
    asker = Partner("asker", scopes=sorted(set(PARTNER_SCOPES) - {REFUNDS_APPROVE}))
    problem = answered(asker.patch(path_of(refund), YES), 403)
    assert (problem["code"], problem["required_scope"]) == ("scope-missing", REFUNDS_APPROVE)
    approver = Partner("approver", scopes=[REFUNDS_APPROVE])
    problem = answered(approver.post(f"{INVOICES}/{invoice.pk}/refunds", {"reason": "x"}), 403)
    assert (problem["code"], problem["required_scope"]) == ("scope-missing", REFUNDS_REQUEST)
    assert (Refund.objects.get().status, stored(invoice).status) == ("PENDING_APPROVAL", "PAID")
    assert answered(approver.patch(path_of(refund), YES))["status"] == "PROCESSED"


def test_an_approval_is_void_when_the_invoice_has_changed_since(partner: Partner, second: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    first = asked(partner, invoice, part_of(invoice, "5.00"))
    other = asked(partner, invoice, part_of(invoice, "7.00"))
    assert answered(second.patch(path_of(other), YES))["status"] == "PROCESSED"

    problem = answered(second.patch(path_of(first), YES), 409)
    assert problem["code"] == "approval-void"
    assert any("invoice_given_back" in difference for difference in problem["differences"])
    assert Refund.objects.get(pk=first["id"]).status == "PENDING_APPROVAL"
    assert str(stored(invoice).credited_amount) == "7.00"
    assert answered(second.patch(path_of(first), NO))["status"] == "DECLINED"


def test_of_clients_that_decide_at_once_one_is_heard(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    refund = asked(partner, invoice)
    waiting = [(Partner(f"decider-{number}"), YES if number % 2 else NO) for number in range(8)]

    answers = at_once(lambda: decide_next(waiting, refund))

    assert sorted(answer.status_code for answer in answers) == [200, *[409] * 7]
    [heard] = [answered(answer) for answer in answers if answer.status_code == 200]
    assert answered(partner.get(path_of(refund))) == heard
    assert Credit.objects.count() == (1 if heard["status"] == "PROCESSED" else 0)
    assert stored(invoice).status == ("CREDITED" if heard["status"] == "PROCESSED" else "PAID")


def decide_next(waiting: list[tuple[Partner, dict[str, str]]], refund: dict[str, Any]) -> HttpResponse:
    who, body = waiting.pop()
    return who.patch(path_of(refund), body)


def test_what_nobody_needs_to_agree_to_cannot_be_decided(partner: Partner, second: Partner) -> None:
    Product.objects.update(refund_approval=False)
    refund = asked(partner, a_paid_invoice("PAD"))
    assert answered(second.patch(path_of(refund), NO), 409)["code"] == "refund-needs-no-approval"
    assert Refund.objects.get().status == "PROCESSED"


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("status", "required")]),
        ({"status": "MAYBE"}, [("status", "invalid_choice")]),
        ({"status": "DECLINED", "declineReason": "x" * 1001}, [("declineReason", "max_length")]),
        ({"status": "APPROVED", "colour": "red"}, [("colour", "unknown")]),
    ],
)
def test_what_is_wrong_with_a_decision_is_named_and_nothing_is_decided(
    partner: Partner, second: Partner, body: dict[str, str], errors: list[tuple[str, str]]
) -> None:
    refund = asked(partner, a_paid_invoice("PAD"))
    assert refused(second.patch(path_of(refund), body)) == errors
    assert Refund.objects.get().status == "PENDING_APPROVAL"


def test_a_refund_that_is_out_of_reach_does_not_exist(partner: Partner) -> None:
    refund = asked(partner, a_paid_invoice("PAD"))
    theirs = an_invoice("EFT")
    others = Partner("others", all_accounts=False, accounts=[theirs.account])
    a_priced_filing("OTADD", "BC")
    of_bc = Partner("of-bc", all_products=False, products=[Product.objects.get(pk="BC")])
    for who in (others, of_bc):
        assert answered(who.get(path_of(refund)), 404)["code"] == "refund-not-found"
        assert answered(who.patch(path_of(refund), YES), 404)["code"] == "refund-not-found"
        assert answered(who.get(REFUNDS))["items"] == []
    for number in ("0", "9" * 30):
        assert answered(partner.get(f"{REFUNDS}/{number}"), 404)["code"] == "refund-not-found"
        assert answered(partner.patch(f"{REFUNDS}/{number}", YES), 404)["code"] == "refund-not-found"
    assert Refund.objects.get().status == "PENDING_APPROVAL"


@pytest.mark.parametrize(("fault", "status"), [("", "PROCESSING"), ("down", "PROCESSING"), ("declined", "REFUSED")])
def test_an_approved_refund_to_a_card_goes_to_the_gateway_which_may_be_away_or_refuse(
    partner: Partner, second: Partner, simulators: RunningSimulators, fault: str, status: str
) -> None:
    invoice = an_invoice("DIRECT_PAY")
    opened = answered(
        partner.post(f"{INVOICES}/{invoice.pk}/transactions", {"clientSystemUrl": "https://shop.test/"}), 201
    )
    simulators.decide(opened["payUrl"])
    check_attempt(opened["id"], clock=lambda: datetime.now(UTC))
    refund = asked(partner, invoice)
    assert simulators.calls("card", method="POST") == []
    if fault:
        simulators.fault("card", fault, times=3)

    approved = answered(second.patch(path_of(refund), YES))

    assert (approved["status"], approved["decidedBy"]) == (status, "second")
    assert bool(approved["error"]) == (status == "REFUSED")
    assert stored(invoice).status == ("PAID" if status == "REFUSED" else "REFUND_REQUESTED")
    assert [len(order["refunds"]) for order in simulators.orders()] == [0 if fault else 1]
