"""Every POST of the partner API under an Idempotency-Key: needed, kept with its answer, and of one effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import PaymentAccount
from invoices.models import CardAttempt, CreditApplication, Invoice, Refund
from kernel.idempotency.models import IdempotentRequest
from tests.invoices.billed import a_credit, a_paid_invoice, a_payer, a_priced_filing, an_invoice
from tests.invoices.partners import INVOICES, Partner, an_order, answered
from tests.simulators.running import RunningSimulators

pytestmark = pytest.mark.django_db(transaction=True)
A_QUOTE = {"businessInfo": {"corpType": "CP"}, "filingInfo": {"filingTypes": [{"filingTypeCode": "OTANN"}]}}
AN_ACCOUNT = {"accountNumber": "A-1", "name": "A customer", "paymentMethod": "DIRECT_PAY"}
Case = tuple[str, dict[str, Any], dict[str, Any], int, Callable[[], int]]


def an_order_case() -> Case:
    a_payer("PAD")
    return INVOICES, an_order(), an_order(businessKey="other"), 201, Invoice.objects.count


def a_quote_case() -> Case:
    other = A_QUOTE | {"businessInfo": {"corpType": "XX"}}
    return "/api/v1/fees/quote", A_QUOTE, other, 200, lambda: 1


def a_refund_case() -> Case:
    path = f"{INVOICES}/{a_paid_invoice('PAD').pk}/refunds"
    return path, {"reason": "Not wanted"}, {"reason": "Another"}, 202, Refund.objects.count


def a_preview_case() -> Case:
    path = f"{INVOICES}/{a_paid_invoice('PAD').pk}/refunds/preview"
    return path, {}, {"refundRevenue": []}, 200, lambda: 1 + Refund.objects.count()


def a_card_case() -> Case:
    path = f"{INVOICES}/{an_invoice('DIRECT_PAY').pk}/transactions"
    body = {"clientSystemUrl": "https://shop.test/"}
    return path, body, {"clientSystemUrl": "https://other.test/"}, 201, CardAttempt.objects.count


def a_credit_case() -> Case:
    a_credit("PAD", "10.00")
    path = f"{INVOICES}/{an_invoice('PAD').pk}/credits"
    return path, {}, {"amount": "1.00"}, 200, CreditApplication.objects.count


def an_account_case() -> Case:
    other = AN_ACCOUNT | {"accountNumber": "A-2"}
    return "/api/v1/accounts", AN_ACCOUNT, other, 201, PaymentAccount.objects.count


CASES = [an_order_case, a_quote_case, a_refund_case, a_preview_case, a_card_case, a_credit_case, an_account_case]


@pytest.fixture
def partner(simulators: RunningSimulators) -> Partner:
    a_priced_filing()
    return Partner()


@pytest.mark.parametrize("case", CASES)
def test_the_same_key_gives_the_same_bytes_and_one_effect(partner: Partner, case: Callable[[], Case]) -> None:
    path, body, _, status, effects = case()
    first = partner.post(path, body, key="key 1")
    assert first.status_code == status, first.content
    assert "Idempotent-Replayed" not in first
    again = partner.post(path, body, key="key 1")
    assert (again.status_code, again.content) == (status, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert again.get("Location") == first.get("Location")
    assert again["Content-Type"] == first["Content-Type"]
    assert (effects(), IdempotentRequest.objects.count()) == (1, 1)


@pytest.mark.parametrize("case", CASES)
def test_the_same_key_with_another_body_is_refused_and_does_nothing(partner: Partner, case: Callable[[], Case]) -> None:
    path, body, other, status, effects = case()
    first = partner.post(path, body, key="key 1")
    assert first.status_code == status, first.content
    assert answered(partner.post(path, other, key="key 1"), 422)["code"] == "idempotency-key-reused"
    assert answered(partner.post(f"{path}?a=1", body, key="key 1"), 422)["code"] == "idempotency-key-reused"
    assert partner.post(path, body, key="key 1").content == first.content
    assert effects() == 1


@pytest.mark.parametrize("case", CASES)
def test_without_a_usable_key_nothing_is_done(partner: Partner, case: Callable[[], Case]) -> None:
    path, body, _, status, effects = case()
    before = effects()
    for key, code in ((None, "missing"), ("", "invalid"), ("é", "invalid"), ("k" * 256, "invalid")):
        headers = {"Authorization": f"Bearer {partner.key}"} | ({} if key is None else {"Idempotency-Key": key})
        answer = partner.client.post(path, body, format="json", headers=headers)
        assert answered(answer, 400)["code"] == f"idempotency-key-{code}", key
    assert (effects(), IdempotentRequest.objects.count()) == (before, 0)
    # The longest key that is one.
    assert partner.post(path, body, key="k" * 255).status_code == status


@pytest.mark.parametrize("case", CASES)
def test_keys_are_each_client_s_own(partner: Partner, case: Callable[[], Case]) -> None:
    path, body, other, status, _ = case()
    assert partner.post(path, body, key="key 1").status_code == status
    answer = Partner("other").post(path, other, key="key 1")
    assert "Idempotent-Replayed" not in answer
    assert answer.status_code != 409 or answered(answer, 409)["code"] != "idempotency-key-in-use"
    assert IdempotentRequest.objects.count() == 2


def test_what_was_refused_for_good_is_kept_and_answered_again(partner: Partner) -> None:
    a_payer("PAD")
    first = partner.post(INVOICES, an_order("A-NONE"), key="key 1")
    assert answered(first, 404)["code"] == "account-unknown"
    a_payer("PAD", "A-NONE")
    again = partner.post(INVOICES, an_order("A-NONE"), key="key 1")
    assert (again.status_code, again.content, again["Idempotent-Replayed"]) == (404, first.content, "true")
    assert Invoice.objects.count() == 0
    assert partner.post(INVOICES, an_order("A-NONE"), key="key 2").status_code == 201


def test_a_drawdown_whose_mainframe_was_away_goes_on_under_the_same_key(
    partner: Partner, simulators: RunningSimulators
) -> None:
    a_payer("DRAWDOWN")
    simulators.fault("prepaid", "down", times=3)
    away = partner.post(INVOICES, an_order("A-DRAWDOWN"), key="key 1")
    assert away.status_code == 503
    assert int(away["Retry-After"]) >= 1
    assert (Invoice.objects.get().status, simulators.debits()) == ("CREATED", [])
    done = answered(partner.post(INVOICES, an_order("A-DRAWDOWN"), key="key 1"), 201)
    assert (done["status"], len(simulators.debits()), Invoice.objects.count()) == ("PAID", 1, 1)


def test_a_drawdown_that_the_mainframe_refuses_is_named_with_its_cancelled_invoice_once(
    partner: Partner, simulators: RunningSimulators
) -> None:
    a_payer("DRAWDOWN")
    simulators.fault("prepaid", "declined", code="61")
    first = partner.post(INVOICES, an_order("A-DRAWDOWN"), key="key 1")
    problem = answered(first, 422)
    invoice = Invoice.objects.get()
    assert (problem["code"], problem["ids"], invoice.status) == ("prepaid-refused", [invoice.pk], "CANCELLED")
    assert partner.post(INVOICES, an_order("A-DRAWDOWN"), key="key 1").content == first.content
    assert (Invoice.objects.count(), simulators.debits()) == (1, [])
