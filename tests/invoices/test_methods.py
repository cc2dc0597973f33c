"""What each payment method says about itself is the table of the domain, and which one is chosen for an order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from invoices.methods import Standing, UnknownMethod, all_methods, find_method, register_method, registry
from invoices.methods.choice import Order, chosen_method
from invoices.methods.protocol import SENTENCES
from invoices.states import FINAL_STATUSES, InvoiceStatus, RefundOutcome

S = InvoiceStatus
PARTIAL_REFUNDS = {"PAD", "DIRECT_PAY", "ONLINE_BANKING", "EJV", "EFT"}
FULL_REFUNDS = {
    "DIRECT_PAY": {"PAID"},
    "DRAWDOWN": {"PAID"},
    "INTERNAL": {"PAID"},
    "ONLINE_BANKING": {"PAID"},
    "EFT": {"APPROVED", "PAID"},
    "EJV": {"APPROVED", "PAID"},
    "PAD": {"APPROVED", "PAID"},
    "CC": set(),
    "NO_FEE": set(),
}
# Its goods go out with the invoice; of the rest, with the payment (domain.md 10).
RELEASED_AT_CREATION = {"PAD", "EFT", "EJV", "INTERNAL", "NO_FEE"}


@pytest.fixture
def methods() -> Iterator[None]:
    """What a test registers is gone after it."""
    before = dict(registry._methods)
    yield
    registry._methods.clear()
    registry._methods.update(before)


def test_full_refunds_are_asked_for_from_the_statuses_of_the_table() -> None:
    assert {method.code: {str(status) for status in method.full_refund_from} for method in own()} == FULL_REFUNDS


def test_partial_refunds_are_allowed_where_the_table_allows_them_and_only_of_what_is_paid() -> None:
    assert {method.code for method in own() if method.partial_refund_from} == PARTIAL_REFUNDS
    assert all(method.partial_refund_from <= {S.PAID} for method in own())


def test_goods_go_out_with_the_invoice_or_with_the_payment() -> None:
    assert {method.code for method in own() if method.releases_at_creation} == RELEASED_AT_CREATION


def test_the_mainframe_and_our_own_staff_pay_no_partner_through_us() -> None:
    assert {method.code for method in own() if not method.pays_partners} == {"DRAWDOWN", "INTERNAL", "NO_FEE"}


def test_credits_are_kept_for_the_methods_that_have_a_balance() -> None:
    assert {method.code for method in own() if method.lends_credit} == {"PAD", "EFT", "ONLINE_BANKING"}


def own() -> list[registry.PaymentMethod]:
    return [method for method in all_methods() if method.code in FULL_REFUNDS]


@pytest.mark.parametrize(
    ("code", "standing", "outcome"),
    [
        ("PAD", Standing(status=S.APPROVED), "CANCEL"),
        ("PAD", Standing(status=S.APPROVED, has_active_reference=True), "CREDIT"),
        ("PAD", Standing(status=S.PAID), "CREDIT"),
        ("PAD", Standing(status=S.PAID, is_full=False), "CREDIT"),
        ("EJV", Standing(status=S.APPROVED), "CANCEL"),
        ("EJV", Standing(status=S.APPROVED, has_active_reference=True), "MONEY_BACK"),
        ("EJV", Standing(status=S.PAID, is_full=False), "MONEY_BACK"),
        ("EFT", Standing(status=S.APPROVED), "CANCEL"),
        ("EFT", Standing(status=S.APPROVED, has_active_reference=True), "MONEY_BACK"),
        ("EFT", Standing(status=S.APPROVED, has_completed_reference=True), "MONEY_BACK"),
        ("EFT", Standing(status=S.PAID, has_completed_reference=True), "MONEY_BACK"),
        ("EFT", Standing(status=S.PAID, is_full=False), "CREDIT"),
        ("ONLINE_BANKING", Standing(status=S.PAID), "CREDIT"),
        ("DIRECT_PAY", Standing(status=S.PAID), "MONEY_BACK"),
        ("DRAWDOWN", Standing(status=S.PAID), "MONEY_BACK"),
        ("INTERNAL", Standing(status=S.PAID), "MONEY_BACK"),
    ],
)
def test_what_a_refund_does_depends_on_the_method_and_on_what_the_ledger_has(
    code: str, standing: Standing, outcome: str
) -> None:
    assert find_method(code).undo(standing) == RefundOutcome(outcome)


def test_nothing_leads_out_of_a_final_status_but_what_the_domain_knows() -> None:
    out = {
        (method.code, str(move.source), str(move.target))
        for method in own()
        for move in method.moves
        if move.source in FINAL_STATUSES
    }
    assert out == {
        # A debit that was given back already may still bounce, and be paid after that.
        ("PAD", "CREDITED", "SETTLEMENT_SCHED"),
        ("PAD", "MANUALLY_REFUNDED", "SETTLEMENT_SCHED"),
        # Paid on a page that was left open.
        ("DIRECT_PAY", "DELETED", "PAID"),
        # Revenue lines that are sent again.
        ("DIRECT_PAY", "REFUNDED", "GL_UPDATED_REFUND"),
    }


def test_every_status_of_every_method_says_what_happens_next() -> None:
    assert set(SENTENCES) == set(S)
    for method in own():
        for status in method.statuses():
            sentence = method.next_step(Standing(status=status))
            assert sentence.endswith("."), f"{method.code} {status}"


@pytest.mark.parametrize("code", ["", "pad", "CASH", "x" * 300])
def test_an_unknown_method_is_refused_and_the_known_ones_are_named(code: str) -> None:
    with pytest.raises(UnknownMethod) as refusal:
        find_method(code)
    assert "PAD" in refusal.value.detail
    assert len(refusal.value.detail) < 250


def test_another_app_registers_a_method_of_its_own_once(methods: None) -> None:
    slip = replace(find_method("INTERNAL"), code="ROUTING_SLIP", title="Routing slip")
    count = len(all_methods())
    register_method(slip)
    register_method(slip)
    assert (find_method("ROUTING_SLIP"), len(all_methods())) == (slip, count + 1)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "PAD"),
        ({"asked": "EFT"}, "EFT"),
        ({"asked": "EFT", "is_staff": True}, "EFT"),
        ({"is_staff": True}, "INTERNAL"),
        ({"is_staff": True, "has_prepaid_account": True}, "DRAWDOWN"),
        ({"has_prepaid_account": True}, "DRAWDOWN"),
        ({"asked": "PAD", "has_prepaid_account": True}, "PAD"),
        ({"total": Decimal("0.00")}, "NO_FEE"),
        ({"total": Decimal(0), "asked": "PAD", "is_staff": True, "has_prepaid_account": True}, "NO_FEE"),
    ],
)
def test_the_method_is_chosen_by_who_asks_for_what(changes: dict[str, object], code: str) -> None:
    order = Order(total=Decimal("33.08"), asked="", usual="PAD", is_staff=False, has_prepaid_account=False)
    assert chosen_method(replace(order, **changes)) == code  # type: ignore[arg-type]
