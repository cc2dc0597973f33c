"""Refunds asked for over the API: whole, in parts, several of one invoice, looked at first, and through the gateway."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from catalogue.models import Product
from invoices.models import Credit, Invoice, OutsideCall, Refund
from invoices.operations.calling import sweep_call
from invoices.operations.cards import check_attempt
from invoices.operations.refundapprovals import request_refund
from kernel.approvals.models import ApprovalRequest
from tests.invoices.billed import AT, STAFF, a_paid_invoice, a_priced_filing, an_invoice, stored
from tests.invoices.budgets import queries_of
from tests.invoices.partners import INVOICES, Partner, answered, refused
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
MOST_QUERIES = 8
# The six parts of an invoice of 33.08, of which two are nothing.
WHOLE = [("BASE_FEES", "30.00"), ("SERVICE_FEES", "1.50"), ("STATUTORY_GST", "1.50"), ("SERVICE_GST", "0.08")]


@pytest.fixture
def partner() -> Partner:
    a_priced_filing()
    return Partner()


def path_of(invoice: Invoice, *more: str) -> str:
    return "/".join([INVOICES, str(invoice.pk), "refunds", *more])


def a_part(invoice: Invoice, amount: str, refund_type: str = "BASE_FEES") -> dict[str, Any]:
    return {"paymentLineItemId": invoice.lines.get().pk, "refundType": refund_type, "refundAmount": amount}


def asked_for(*parts: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"reason": "Not wanted", **({"refundRevenue": list(parts)} if parts else {}), **more}


def parts_in(refund: dict[str, Any]) -> list[tuple[str, str]]:
    return [(part["refundType"], part["refundAmount"]) for part in refund["refundRevenue"]]


def paid_by_card(partner: Partner, simulators: RunningSimulators) -> Invoice:
    invoice = an_invoice("DIRECT_PAY")
    body = {"clientSystemUrl": "https://shop.test/"}
    opened = answered(partner.post(f"{INVOICES}/{invoice.pk}/transactions", body), 201)
    simulators.decide(opened["payUrl"])
    check_attempt(opened["id"], clock=lambda: datetime.now(UTC))
    assert stored(invoice).status == "PAID"
    return stored(invoice)


def test_all_that_is_left_goes_back_when_no_part_is_named(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    response = partner.post(path_of(invoice), asked_for(staffComment="Called twice", notificationEmail="a@b.example"))
    refund = answered(response, 202)
    assert response["Location"] == f"/api/v1/refunds/{refund['id']}"
    assert (refund["status"], refund["outcome"], refund["isFull"]) == ("PROCESSED", "CREDIT", True)
    assert (refund["amount"], refund["currency"], refund["needsApproval"]) == ("33.08", "CAD", False)
    assert parts_in(refund) == WHOLE
    assert (refund["reason"], refund["staffComment"]) == ("Not wanted", "Called twice")
    assert (refund["notificationEmail"], refund["requestedBy"]) == ("a@b.example", "partner")
    assert refund["links"] == {"self": response["Location"], "invoice": f"{INVOICES}/{invoice.pk}"}

    assert answered(partner.get(response["Location"])) == refund
    assert answered_list(partner, invoice) == [refund]
    after = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert after["refunds"] == [refund]
    assert (after["status"], after["money"]["credited"], after["money"]["owing"]) == ("CREDITED", "33.08", "0.00")
    assert Credit.objects.get().amount == stored(invoice).total


def answered_list(partner: Partner, invoice: Invoice) -> Any:
    return answered(partner.get(path_of(invoice)))


def test_parts_are_refunded_one_after_another_until_nothing_is_left(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    first = answered(partner.post(path_of(invoice), asked_for(a_part(invoice, "10.00"))), 202)
    second = answered(
        partner.post(path_of(invoice), asked_for(a_part(invoice, "20"), a_part(invoice, "1.50", "SERVICE_FEES"))), 202
    )
    assert (first["amount"], second["amount"], second["isFull"]) == ("10.00", "21.50", False)
    between = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (between["status"], between["statusDisplay"], between["money"]["credited"]) == (
        "PAID",
        "PARTIALLY_CREDITED",
        "31.50",
    )
    assert between["lines"][0]["refundable"] == {
        "BASE_FEES": "0.00",
        "PRIORITY_FEES": "0.00",
        "FUTURE_EFFECTIVE_FEES": "0.00",
        "SERVICE_FEES": "0.00",
        "STATUTORY_GST": "1.50",
        "SERVICE_GST": "0.08",
    }
    too_much = partner.post(path_of(invoice), asked_for(a_part(invoice, "0.01")))
    assert refused(too_much) == [("refundRevenue[0].refundAmount", "too-large")]
    rest = answered(partner.post(path_of(invoice), asked_for()), 202)
    assert (rest["amount"], parts_in(rest)) == ("1.58", [("STATUTORY_GST", "1.50"), ("SERVICE_GST", "0.08")])
    done = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (done["status"], done["money"]["credited"]) == ("CREDITED", "33.08")
    assert [refund["id"] for refund in answered_list(partner, invoice)] == [first["id"], second["id"], rest["id"]]
    problem = answered(partner.post(path_of(invoice), asked_for()), 409)
    assert (problem["code"], problem["ids"]) == ("nothing-left-to-refund", [invoice.pk])
    assert Refund.objects.count() == 3


def test_what_colleagues_wrote_to_each_other_is_not_shown_to_partners(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    refund = request_refund(invoice.pk, None, reason="Twice", staff_comment="Do not trust them", actor=STAFF, at=AT)

    one = partner.get(f"/api/v1/refunds/{refund.pk}")

    assert (answered(one)["staffComment"], answered(one)["reason"]) == ("", "Twice")
    for place in (path_of(invoice), "/api/v1/refunds", f"{INVOICES}/{invoice.pk}"):
        assert "trust" not in partner.get(place).content.decode()
    assert Refund.objects.get().staff_comment == "Do not trust them"


@pytest.mark.parametrize("wanted", [None, "12.34"])
def test_a_preview_changes_nothing_and_is_what_happens_then(partner: Partner, wanted: str | None) -> None:
    invoice = a_paid_invoice("PAD")
    body = {} if wanted is None else {"refundRevenue": [a_part(invoice, wanted)]}
    before = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    shown = answered(partner.post(path_of(invoice, "preview"), body))
    assert answered(partner.get(f"{INVOICES}/{invoice.pk}")) == before
    assert (Refund.objects.count(), Credit.objects.count()) == (0, 0)

    refund = answered(partner.post(path_of(invoice), body | {"reason": "Not wanted"}), 202)
    after = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    for member in ("invoiceId", "amount", "currency", "isFull", "outcome", "needsApproval", "refundRevenue"):
        assert refund[member] == shown[member], member
    assert shown["statusAtOnce"] == shown["statusAfter"] == after["status"]
    assert shown["credit"] == after["money"]["credited"] == (wanted or "33.08")
    # The service fee and its tax are ours and stay so.
    assert shown["partnerShare"] == (wanted or "31.50")
    assert [sentence.split()[0] for sentence in shown["effects"]] == [wanted or "33.08", "The", wanted or "31.50"]


def test_a_preview_shows_what_waits_for_whom(partner: Partner) -> None:
    invoice = a_paid_invoice("EJV")
    Product.objects.update(refund_approval=True)
    shown = answered(partner.post(path_of(invoice, "preview")))
    assert (shown["outcome"], shown["needsApproval"]) == ("MONEY_BACK", True)
    assert (shown["statusAtOnce"], shown["statusAfter"]) == ("REFUND_REQUESTED", "REFUNDED")
    assert (shown["credit"], shown["amount"]) == ("0.00", "33.08")


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"reason": None}, [("reason", "null")]),
        ({"reason": " "}, [("reason", "blank")]),
        ({"reason": "x" * 251}, [("reason", "max_length")]),
        ({"notificationEmail": "nobody"}, [("notificationEmail", "invalid")]),
        ({"staffComment": "x" * 1001}, [("staffComment", "max_length")]),
        ({"refundRevenue": []}, [("refundRevenue", "required")]),
        ({"refundRevenue": {}}, [("refundRevenue", "not_a_list")]),
        ({"refundRevenue": [{}] * 501}, [("refundRevenue", "max_length")]),
        ({"colour": "red"}, [("colour", "unknown")]),
    ],
)
def test_what_is_wrong_with_a_request_is_named_and_nothing_is_asked_for(
    partner: Partner, change: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    invoice = a_paid_invoice("PAD")
    assert refused(partner.post(path_of(invoice), asked_for() | change)) == errors
    assert (Refund.objects.count(), stored(invoice).status) == (0, "PAID")


@pytest.mark.parametrize("where", [(), ("preview",)])
@pytest.mark.parametrize(
    ("part", "member", "code"),
    [
        ({"refundAmount": "0"}, "refundAmount", "not-positive"),
        ({"refundAmount": "-1.00"}, "refundAmount", "not-positive"),
        ({"refundAmount": "1.001"}, "refundAmount", "too-many-decimals"),
        ({"refundAmount": "30.01"}, "refundAmount", "too-large"),
        ({"refundAmount": None}, "refundAmount", "null"),
        ({"refundType": "ALL"}, "refundType", "invalid_choice"),
        ({"paymentLineItemId": 2**63 - 1}, "paymentLineItemId", "unknown"),
        ({"paymentLineItemId": "1"}, "paymentLineItemId", "invalid"),
        ({"paymentLineItemId": 2**63}, "paymentLineItemId", "max_value"),
    ],
)
def test_a_part_that_does_not_fit_is_named_by_its_place(
    partner: Partner, where: tuple[str, ...], part: dict[str, Any], member: str, code: str
) -> None:
    invoice = a_paid_invoice("PAD")
    body: dict[str, Any] = {} if where else {"reason": "Not wanted"}
    body["refundRevenue"] = [a_part(invoice, "0.50", "SERVICE_FEES"), a_part(invoice, "1.00") | part]
    assert refused(partner.post(path_of(invoice, *where), body)) == [(f"refundRevenue[1].{member}", code)]
    assert (Refund.objects.count(), stored(invoice).status) == (0, "PAID")


def test_a_part_that_is_named_twice_is_to_be_named_once_with_the_sum(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    answer = partner.post(path_of(invoice), asked_for(a_part(invoice, "1.00"), a_part(invoice, "2.00")))
    assert refused(answer) == [("refundRevenue[1].refundType", "repeated")]
    assert Refund.objects.count() == 0


def test_what_the_method_the_status_or_the_product_forbids_is_a_conflict_and_leaves_the_invoice(
    partner: Partner,
) -> None:
    unpaid = an_invoice("EFT")
    part = partner.post(path_of(unpaid), asked_for(a_part(unpaid, "1.00")))
    problem = answered(part, 409)
    assert (problem["code"], problem["ids"]) == ("refund-not-allowed", [unpaid.pk])
    assert (problem["status"], problem["invoice_status"], problem["method"]) == (409, "APPROVED", "EFT")
    assert stored(unpaid).status == "APPROVED"
    never = a_paid_invoice("PAD")
    Product.objects.update(refund_allowed=False)
    for body in (asked_for(), asked_for(a_part(never, "1.00"))):
        assert answered(partner.post(path_of(never), body), 409)["code"] == "refund-not-allowed"
    assert "refund" not in [
        action["name"] for action in answered(partner.get(f"{INVOICES}/{never.pk}"))["allowedActions"]
    ]
    assert Refund.objects.count() == 0


def test_a_refund_before_collection_stops_the_invoice(partner: Partner) -> None:
    invoice = an_invoice("PAD")
    refund = answered(partner.post(path_of(invoice), asked_for()), 202)
    assert (refund["status"], refund["outcome"]) == ("PROCESSED", "CANCEL")
    after = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (after["status"], after["money"]["owing"], after["money"]["credited"]) == ("CANCELLED", "0.00", "0.00")
    assert Credit.objects.count() == 0


def test_a_refund_that_needs_a_second_person_waits_and_holds_its_amounts(partner: Partner) -> None:
    Product.objects.update(refund_approval=True)
    invoice = a_paid_invoice("PAD")
    refund = answered(partner.post(path_of(invoice), asked_for(a_part(invoice, "29.00"))), 202)
    assert (refund["status"], refund["needsApproval"], refund["decidedBy"]) == ("PENDING_APPROVAL", True, "")
    assert (stored(invoice).status, Credit.objects.count()) == ("PAID", 0)
    assert ApprovalRequest.objects.get().requested_by == "partner"
    again = partner.post(path_of(invoice), asked_for(a_part(invoice, "1.01")))
    assert refused(again) == [("refundRevenue[0].refundAmount", "too-large")]


def test_money_goes_back_to_the_card_when_the_gateway_says_so(partner: Partner, simulators: RunningSimulators) -> None:
    invoice = paid_by_card(partner, simulators)
    refund = answered(partner.post(path_of(invoice), asked_for()), 202)
    assert (refund["status"], refund["outcome"], refund["evidence"]) == ("PROCESSING", "MONEY_BACK", "")
    after = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert (after["status"], after["money"]["pending"], after["money"]["refunded"]) == (
        "REFUND_REQUESTED",
        "33.08",
        "0.00",
    )
    (order,) = simulators.orders()
    assert [at_gateway["amount"] for at_gateway in order["refunds"]] == ["33.08"]


@pytest.mark.parametrize("fault", ["down", "accept_then_reset"])
def test_a_gateway_that_does_not_answer_leaves_the_refund_under_way_and_it_is_made_once(
    partner: Partner, simulators: RunningSimulators, fault: str
) -> None:
    invoice = paid_by_card(partner, simulators)
    # As often as the client tries where nothing was done.
    simulators.fault("card", fault, times=3 if fault == "down" else 1)
    key = "refund 7"
    first = partner.post(path_of(invoice), asked_for(), key=key)
    assert (answered(first, 202)["status"], stored(invoice).status) == ("PROCESSING", "REFUND_REQUESTED")
    again = partner.post(path_of(invoice), asked_for(), key=key)
    assert (again.content, again["Idempotent-Replayed"]) == (first.content, "true")
    assert Refund.objects.count() == 1

    call = OutsideCall.objects.get(invoice=invoice)
    assert sweep_call(call.pk, clock=lambda: datetime.now(UTC)).status == "SUCCEEDED"
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_what_the_gateway_refuses_leaves_the_invoice_as_it_was(partner: Partner, simulators: RunningSimulators) -> None:
    invoice = paid_by_card(partner, simulators)
    before = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    simulators.fault("card", "declined", code="not-now")
    refund = answered(partner.post(path_of(invoice), asked_for()), 202)
    assert refund["status"] == "REFUSED"
    assert refund["error"]
    after = answered(partner.get(f"{INVOICES}/{invoice.pk}"))
    assert after["refunds"] == [refund]
    for member in ("status", "money", "lines", "refundDate", "allowedActions"):
        assert after[member] == before[member], member
    second = answered(partner.post(path_of(invoice), asked_for()), 202)
    assert second["status"] == "PROCESSING"
    assert [len(order["refunds"]) for order in simulators.orders()] == [1]


def test_the_refunds_of_one_invoice_cost_the_same_however_many_they_are(partner: Partner) -> None:
    invoice = a_paid_invoice("PAD")
    counts = []
    for number in (1, 5):
        for _ in range(number):
            answered(partner.post(path_of(invoice), asked_for(a_part(invoice, "1.00"))), 202)
        counts.append(queries_of(answered_list, partner, invoice))
    assert counts[0] == counts[1] <= MOST_QUERIES
