"""Every move of every method: the legal ones are made and each is reached by an operation, the others are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import PaymentAccount
from catalogue.quote import Caller, FilingLine
from invoices.gateways import CardRefundState, GatewayRefused
from invoices.gateways.card import RefundLineState, RefundLineStatus
from invoices.methods import all_methods, find_method
from invoices.models import CardAttempt, IllegalInvoiceMove, Invoice, Refund
from invoices.operations.calling import make_call, note_card_refund
from invoices.operations.converting import convert_to_card
from invoices.operations.crediting import apply_credit
from invoices.operations.refunding import finish_refund, record_manual_refund, refuse_refund
from invoices.operations.settling import (
    bounce,
    charge_back,
    mark_overdue,
    note_gl_change,
    reopen,
    schedule,
    settle,
)
from invoices.operations.standing import lock_invoice
from invoices.operations.stopping import cancel, delete_when_free
from invoices.states import AttemptStatus, InvoiceStatus
from kernel.transactions import unit_of_work
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_credit,
    a_part,
    a_payer,
    a_priced_filing,
    an_invoice,
    evidence_of,
    refund,
)
from tests.simulators.running import RunningSimulators

S = InvoiceStatus
LATER = AT + timedelta(hours=1)
OWN_METHODS = ["PAD", "EJV", "EFT", "DIRECT_PAY", "CC", "ONLINE_BANKING", "INTERNAL", "DRAWDOWN", "NO_FEE"]


def a_row_in(method: str, status: InvoiceStatus) -> Invoice:
    """A row put there past every operation."""
    made = an_invoice("PAD")
    paid = {"paid_amount": made.total, "payment_date": AT} if status == S.PAID else {}
    made.pk, made.status, made.payment_method = None, status.value, method
    for column, value in paid.items():
        setattr(made, column, value)
    made.save(force_insert=True)
    return made


@pytest.mark.django_db
@pytest.mark.parametrize("code", OWN_METHODS)
def test_a_legal_move_is_made_and_every_other_one_is_refused_and_changes_nothing(code: str) -> None:
    method = find_method(code)
    legal = {(move.source, move.target) for move in method.moves}
    made = refused = 0

    for source in S:
        row = a_row_in(code, source)
        before = Invoice.objects.filter(pk=row.pk).values().get()
        for target in S:
            invoice = Invoice.objects.get(pk=row.pk)
            if (source, target) in legal:
                invoice._move_to(target, at=LATER)
                assert (invoice.status, invoice.status_since) == (target, LATER)
                made += 1
            elif source == target:
                invoice._move_to(target, at=LATER)
                assert (invoice.status, invoice.status_since) == (source, AT)
            else:
                with pytest.raises(IllegalInvoiceMove) as refusal:
                    invoice._move_to(target, at=LATER)
                assert refusal.value.context["ids"] == [row.pk]
                assert (invoice.status, invoice.status_since) == (source, AT)
                refused += 1
        assert Invoice.objects.filter(pk=row.pk).values().get() == before

    assert (made, made + refused) == (len(legal), 16 * 15)


def test_the_walk_covers_every_method_and_no_method_moves_to_where_it_is() -> None:
    assert set(OWN_METHODS) <= {method.code for method in all_methods()}
    for method in all_methods():
        assert all(move.source != move.target for move in method.moves), method.code
        assert method.first_status in method.statuses()
        reachable, frontier = {method.first_status}, {method.first_status}
        while frontier := {target for source in frontier for target in method.targets(source)} - reachable:
            reachable |= frontier
        assert reachable == method.statuses(), f"{method.code} has statuses that nothing leads to."


Step = Callable[[Invoice], Any]


def money(number: str = "R1", amount: Decimal | str | None = None) -> Step:
    return lambda invoice: settle(invoice.pk, evidence_of(invoice, number, amount=amount), actor=STAFF, at=AT)


def in_ledger(invoice: Invoice) -> None:
    schedule(invoice.pk, invoice_number=f"L{invoice.pk}", actor=STAFF, at=AT)


def bounced(invoice: Invoice) -> None:
    bounce(invoice.pk, reason="Funds not cleared", actor=STAFF, at=AT)


def reopened(invoice: Invoice) -> None:
    reopen(invoice.pk, reason="Matched wrongly", actor=STAFF, at=AT)


def overdue(invoice: Invoice) -> None:
    mark_overdue(invoice.pk, at=AT + timedelta(days=90))


def charged_back(invoice: Invoice) -> None:
    charge_back(invoice.pk, reason="The issuer says so", actor=STAFF, at=AT)


def gl(*, is_posted: bool) -> Step:
    return lambda invoice: note_gl_change(invoice.pk, is_posted=is_posted, actor=STAFF, at=AT)


def cancelled(invoice: Invoice) -> None:
    cancel(invoice.pk, actor=CLIENT, reason="Changed my mind", at=AT)


def undo(invoice: Invoice) -> None:
    refund(invoice)


def undo_part(invoice: Invoice) -> None:
    refund(invoice, a_part(invoice, "10"))


def by_cheque(invoice: Invoice) -> None:
    record_manual_refund(invoice.pk, None, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)


def part_by_cheque(invoice: Invoice) -> None:
    parts = [a_part(invoice, "10")]
    record_manual_refund(invoice.pk, parts, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)


def confirmed(invoice: Invoice) -> None:
    under_way = Refund.objects.processing().get(invoice=invoice)
    finish_refund(under_way.pk, evidence="Journal 12", final_at=AT, actor=STAFF, at=AT)


def refused(invoice: Invoice) -> None:
    refuse_refund(Refund.objects.processing().get(invoice=invoice).pk, error="No", actor=STAFF, at=AT)


def gateway_says(status: RefundLineStatus) -> Step:
    def say(invoice: Invoice) -> None:
        asked = Refund.objects.processing().get(invoice=invoice)
        state = CardRefundState(
            reference="REG1",
            key=str(uuid4()),
            amount=asked.amount,
            refund_number="RFND1",
            refunded_at=AT,
            lines=(RefundLineState(1, asked.amount, status),),
            error="",
        )
        note_card_refund(asked.pk, state, actor=STAFF, at=AT)

    return say


def with_credit(invoice: Invoice) -> None:
    a_credit(invoice.payment_method, "10", number=f"MORE{invoice.pk}")
    apply_credit(invoice.pk, actor=STAFF, at=AT)


def page_opened(invoice: Invoice) -> None:
    CardAttempt.objects.create(
        invoice=invoice, status=AttemptStatus.CREATED, status_since=AT, amount=invoice.total, started_at=AT
    )


def page_closed(invoice: Invoice) -> None:
    invoice.card_attempts.update(status=AttemptStatus.CANCELLED, ended_at=AT)

    @unit_of_work
    def delete() -> None:
        delete_when_free(lock_invoice(invoice.pk), actor=STAFF, at=AT)

    delete()


def converted(invoice: Invoice) -> None:
    @unit_of_work
    def convert() -> None:
        convert_to_card(lock_invoice(invoice.pk), "CC", actor=CLIENT, at=AT)

    convert()


def nothing(invoice: Invoice) -> None:
    pass


PAID_CARD = gateway_says(RefundLineStatus.PAID)
REJECTED_CARD = gateway_says(RefundLineStatus.REJECTED)
BY_REQUEST: list[list[Step]] = [[money(), undo, confirmed], [money(), undo, refused], [money(), by_cheque]]
LIVES: dict[str, list[list[Step]]] = {
    "PAD": [
        [money(), undo, bounced, money("R2")],
        [money(), bounced, money("R2"), by_cheque, bounced, money("R3")],
        [with_credit, money("R1", "23.08")],
        [with_credit, bounced],
        [bounced],
        [cancelled],
        [in_ledger, undo],
    ],
    "EJV": [
        *BY_REQUEST,
        [cancelled],
        [in_ledger, undo, refused],
        [money(), part_by_cheque, undo, confirmed],
    ],
    "EFT": [
        *BY_REQUEST,
        [money("R1", "10"), money("R2", "23.08"), reopened],
        [money("R1", "10"), reopened, overdue, money("R2")],
        [money("R1", "10"), overdue],
        [cancelled],
        [in_ledger, undo, confirmed],
        [in_ledger, undo, refused, money()],
        [money(), undo_part, undo],
    ],
    "DIRECT_PAY": [
        [money(), gl(is_posted=False), gl(is_posted=True), undo, PAID_CARD, gl(is_posted=False), gl(is_posted=True)],
        [money(), undo, REJECTED_CARD, by_cheque],
        [money(), part_by_cheque, undo, PAID_CARD],
        [page_opened, cancelled, page_closed],
        [page_opened, cancelled, money()],
        [cancelled, money(), charged_back],
    ],
    "CC": [[money(), charged_back], [money(), by_cheque]],
    "ONLINE_BANKING": [
        [in_ledger, money("R1", "10"), money("R2", "23.08"), undo],
        [in_ledger, money(), by_cheque],
        [with_credit],
        [money()],
        [cancelled],
        [in_ledger, converted],
    ],
    "INTERNAL": [[undo, confirmed], [undo, refused, by_cheque]],
    "DRAWDOWN": BY_REQUEST,
    "NO_FEE": [[nothing]],
}


@pytest.fixture
def moved(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, str]]:
    """The moves that operations make meanwhile: method, from, to."""
    seen: set[tuple[str, str, str]] = set()
    move = Invoice._move_to

    def watched(invoice: Invoice, target: InvoiceStatus, *, at: Any) -> None:
        source = invoice.status
        move(invoice, target, at=at)
        if source != target:
            seen.add((invoice.payment_method, source, target.value))

    monkeypatch.setattr(Invoice, "_move_to", watched)
    return seen


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("code", OWN_METHODS)
def test_every_legal_move_is_reached_by_an_operation(
    code: str, moved: set[tuple[str, str, str]], simulators: RunningSimulators
) -> None:
    for life in LIVES[code]:
        # Locks of an earlier life are in nobody's way.
        invoice = _an_invoice_of_somebody_new(code)
        for step in life:
            step(Invoice.objects.get(pk=invoice.pk))
    if code == "EJV":
        undo(_an_invoice_of_somebody_new("EJV", billable=False))
    if code == "DRAWDOWN":
        simulators.fault("prepaid", "declined")
        with pytest.raises(GatewayRefused):
            make_call(_an_invoice_of_somebody_new(code).outside_calls.get().pk, actor=CLIENT, clock=lambda: AT)

    reached = {(source, target) for method, source, target in moved if method == code}
    legal = {(move.source.value, move.target.value) for move in find_method(code).moves}
    assert sorted(legal - reached) == [], "These moves are legal, and nothing makes them."
    assert reached == legal


def _an_invoice_of_somebody_new(code: str, **details: Any) -> Invoice:
    count = PaymentAccount.objects.count()
    usual = "INTERNAL" if code == "NO_FEE" else code
    PaymentAccount.objects.filter(account_number=f"A-{code}").update(account_number=f"A-{code}-{count}")
    account = a_payer(usual, number=f"A-{code}", **details)
    if code == "NO_FEE":
        a_priced_filing()
        lines = (FilingLine("OTANN", waive_fees=True),)
        return an_invoice("", account=account, lines=lines, caller=Caller(is_staff=True))
    return an_invoice(code, account=account)
