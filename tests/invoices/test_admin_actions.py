"""What can be done about an invoice on its page: offered where legal, asked before it is done, refused by role."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from catalogue.models import Product
from invoices.gateways import OutcomeUnknown
from invoices.models import CardAttempt, Credit, Invoice, OutsideCall, Receipt, Refund
from invoices.operations.calling import make_call
from invoices.operations.cards import open_payment
from invoices.operations.refundapprovals import request_refund
from invoices.operations.settling import schedule, settle
from invoices.states import ReceiptSource
from kernel.audit.models import AuditEntry
from tests.console.people import signed_in
from tests.invoices.billed import CLIENT, STAFF, an_invoice, evidence_of
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "/admin/invoices/invoice/"
RETURN = "http://localhost:3004/pay/return"


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


def stored(invoice: Invoice) -> Invoice:
    return Invoice.objects.get(pk=invoice.pk)


def act(client: Client, invoice: Invoice, action: str, **answers: Any) -> Any:
    given = {"confirmed": "yes", "reason": "Ticket 7"} | answers
    return client.post(f"{LIST}{invoice.pk}/{action}/", given)


def offered(client: Client, invoice: Invoice) -> list[str]:
    return [allowed.title for allowed in client.get(f"{LIST}{invoice.pk}/change/").context["allowed"]]


def paid(method: str = "PAD", **changes: Any) -> Invoice:
    invoice = an_invoice(method, **changes)
    source = ReceiptSource.CARD if method in ("DIRECT_PAY", "CC") else ReceiptSource.SETTLEMENT
    settle(invoice.pk, evidence_of(invoice, f"R{invoice.pk}", source=source), actor=STAFF, at=timezone.now())
    return stored(invoice)


def with_credit() -> Invoice:
    """An open debit of an account that has 33.08 in credit."""
    first = paid("PAD")
    request_refund(first.pk, None, reason="Filed twice", actor=STAFF, at=timezone.now())
    return an_invoice("PAD", account=first.account)


OUTSIDE = "Record a refund made outside"
OFFERED: dict[str, tuple[Callable[[], Invoice], list[str]]] = {
    "an open debit": (lambda: an_invoice("PAD"), ["Refund", "Cancel"]),
    "a paid debit": (lambda: paid("PAD"), ["Refund", OUTSIDE]),
    "an open card": (lambda: an_invoice("DIRECT_PAY"), ["Cancel"]),
    "a paid card": (lambda: paid("DIRECT_PAY"), ["Refund", OUTSIDE, "Record a chargeback"]),
    "an open online banking": (lambda: an_invoice("ONLINE_BANKING"), ["Cancel", "Change to card"]),
    "a debit with credit": (with_credit, ["Refund", "Cancel", "Pay from the account's credit"]),
    "a transfer": (lambda: an_invoice("EFT"), ["Refund", "Cancel"]),
    "an open drawdown": (lambda: an_invoice("DRAWDOWN"), ["Ask the outside"]),
}


@pytest.mark.parametrize("case", OFFERED)
def test_only_what_is_legal_is_offered_and_each_says_its_effect(operator: Client, case: str) -> None:
    make, expected = OFFERED[case]
    invoice = make()

    allowed = operator.get(f"{LIST}{invoice.pk}/change/").context["allowed"]

    assert [one.title for one in allowed] == expected
    for one in allowed:
        assert len(one.effect) > 30, one.title
        assert not one.effect.startswith("Not now"), one.title
        before = AuditEntry.objects.count()
        assert operator.get(one.address).status_code == 200, one.title
        assert AuditEntry.objects.count() == before
    assert stored(invoice).status == invoice.status


def test_what_a_product_wants_two_for_is_not_cancelled_by_one(operator: Client) -> None:
    invoice = an_invoice("PAD")
    Product.objects.filter(pk="CP").update(refund_approval=True)

    assert offered(operator, invoice) == ["Refund"]
    refused = act(operator, invoice, "cancel")

    assert refused.status_code == 409
    assert "taking them back needs two people" in refused.content.decode()
    assert stored(invoice).status == "APPROVED"


def test_an_open_debit_is_cancelled_with_a_reason(operator: Client) -> None:
    invoice = an_invoice("PAD")

    asked = operator.get(f"{LIST}{invoice.pk}/cancel/")
    assert "33.08 CAD are not collected any more" in asked.content.decode()
    silent = act(operator, invoice, "cancel", reason="")
    assert "Say why" in silent.content.decode()
    assert stored(invoice).status == "APPROVED"

    answer = act(operator, invoice, "cancel")

    assert answer.status_code == 302
    entry = AuditEntry.objects.get(action="invoice.cancelled")
    assert (stored(invoice).status, entry.actor, entry.reason) == ("CANCELLED", "pat-operator", "Ticket 7")


def test_a_card_invoice_that_is_cancelled_is_deleted(operator: Client) -> None:
    invoice = an_invoice("DIRECT_PAY")

    act(operator, invoice, "cancel")

    assert stored(invoice).status == "DELETED"


def test_a_credit_pays_as_far_as_it_reaches(operator: Client) -> None:
    invoice = with_credit()
    Credit.objects.update(amount="20.00")

    asked = operator.get(f"{LIST}{invoice.pk}/apply_credit/").content.decode()
    assert "20.00 of the 20.00 CAD" in asked
    assert "13.08 CAD stay owing" in asked
    assert Credit.objects.get().applied_amount == 0
    act(operator, invoice, "apply_credit")

    changed = stored(invoice)
    assert (str(changed.paid_amount), str(changed.owing)) == ("20.00", "13.08")
    assert str(Credit.objects.get().applied_amount) == "20.00"
    again = act(operator, invoice, "apply_credit")
    assert again.status_code == 409
    assert Receipt.objects.filter(invoice=invoice).count() == 1


def test_online_banking_is_changed_to_card_and_not_back(operator: Client) -> None:
    invoice = an_invoice("ONLINE_BANKING")

    act(operator, invoice, "convert")

    entry = AuditEntry.objects.get(action="invoice.method-changed")
    assert (stored(invoice).payment_method, entry.actor, entry.reason) == ("DIRECT_PAY", "pat-operator", "Ticket 7")
    assert "Change to card" not in offered(operator, invoice)


def test_online_banking_that_the_ledger_has_becomes_a_card_on_that_invoice(operator: Client) -> None:
    invoice = an_invoice("ONLINE_BANKING")
    schedule(invoice.pk, invoice_number="REG900", actor=STAFF, at=timezone.now())

    act(operator, invoice, "convert")

    assert (stored(invoice).payment_method, stored(invoice).status) == ("CC", "CREATED")


def test_a_chargeback_is_recorded_once_and_only_of_what_a_card_paid(operator: Client) -> None:
    invoice, debit = paid("DIRECT_PAY"), paid("PAD")

    act(operator, invoice, "charge_back")
    refused = act(operator, debit, "charge_back")

    assert (stored(invoice).status, stored(debit).status) == ("CHARGEBACK", "PAID")
    assert refused.status_code == 409
    assert AuditEntry.objects.filter(action="invoice.charged-back").count() == 1


def test_the_mainframe_is_asked_and_its_word_pays_the_invoice(operator: Client, simulators: RunningSimulators) -> None:
    invoice = an_invoice("DRAWDOWN", at=timezone.now())
    call = OutsideCall.objects.get()
    simulators.fault("prepaid", "accept_then_time_out")
    with pytest.raises(OutcomeUnknown):
        make_call(call.pk, clock=timezone.now)
    assert stored(invoice).status == "CREATED"

    answer = act(operator, invoice, "ask_outside")

    assert answer.status_code == 302
    assert (stored(invoice).status, OutsideCall.objects.get().status) == ("PAID", "SUCCEEDED")
    assert len(simulators.debits()) == 1


def test_a_gateway_that_is_away_is_said_and_nothing_is_lost(operator: Client, simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY", at=timezone.now())
    open_payment(invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=timezone.now())
    simulators.fault("card", "down", times=None)

    refused = act(operator, invoice, "ask_outside")

    assert refused.status_code == 503
    assert stored(invoice).status == "CREATED"
    assert CardAttempt.objects.get().status == "CREATED"


def test_a_card_payment_is_asked_about_from_its_own_page(operator: Client, simulators: RunningSimulators) -> None:
    invoice = an_invoice("DIRECT_PAY", at=timezone.now())
    attempt = open_payment(
        invoice.pk, client_url="https://shop.test/", return_base=RETURN, actor=CLIENT, at=timezone.now()
    )
    simulators.decide(attempt.pay_url)
    page = f"/admin/invoices/cardattempt/{attempt.pk}"

    assert attempt.pay_url not in operator.get(f"{page}/change/").content.decode()
    assert operator.get(f"{page}/ask/").status_code == 200
    assert stored(invoice).status == "CREATED"
    operator.post(f"{page}/ask/", {"confirmed": "yes"})

    assert stored(invoice).status == "PAID"
    assert operator.get(f"{page}/change/").context["allowed"] == []


ACTIONS = (
    "refund",
    "record_outside_refund",
    "cancel",
    "apply_credit",
    "convert",
    "ask_outside",
    "charge_back",
)
MAY = {"viewer": set(), "approver": set(), "auditor": set(), "administrator": {"ask_outside"}}


@pytest.mark.parametrize("role", MAY)
def test_who_may_not_act_is_refused_and_nothing_changes(role: str) -> None:
    invoice = an_invoice("PAD")
    entries = AuditEntry.objects.count()
    person = signed_in(role)

    for action in set(ACTIONS) - MAY[role]:
        assert person.get(f"{LIST}{invoice.pk}/{action}/").status_code == 403, action
        assert act(person, invoice, action, step="confirm", scope="all").status_code == 403, action

    assert offered(person, invoice) == []
    assert (AuditEntry.objects.count(), Refund.objects.count(), stored(invoice).status) == (entries, 0, "APPROVED")


def test_the_queues_open_with_what_is_not_known_and_show_the_rest_on_request(operator: Client) -> None:
    invoice = an_invoice("DRAWDOWN", at=timezone.now() - timedelta(hours=3))
    done = an_invoice("DRAWDOWN", account=invoice.account)
    OutsideCall.objects.filter(invoice=done).update(status="SUCCEEDED")

    page = operator.get("/admin/invoices/outsidecall/")
    every = operator.get("/admin/invoices/outsidecall/", {"status": "all"})

    assert [call.invoice_id for call in page.context["cl"].result_list] == [invoice.pk]
    assert "3 h 0 min" in page.content.decode()
    assert len(every.context["cl"].result_list) == 2
    call = OutsideCall.objects.get(invoice=invoice)
    record = operator.get(f"/admin/invoices/outsidecall/{call.pk}/change/")
    assert [one.title for one in record.context["allowed"]] == ["Ask what became of it"]
    assert f"{LIST}{invoice.pk}/change/" in record.content.decode()
    found = operator.get("/admin/invoices/outsidecall/", {"q": str(call.pk)})
    assert len(found.context["cl"].result_list) == 1
