"""Two people for a refund whose product wants them: nobody agrees to their own, and only to what is there still."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError, IntegrityError, connection, transaction

from invoices.models import Credit, IllegalRefundMove, Invoice, Refund
from invoices.operations.refundapprovals import NoApprovalNeeded, decide_refund
from invoices.operations.refunding import NoSuchRefund, finish_refund, record_manual_refund
from invoices.operations.refundplans import RefundPartsUnfit
from invoices.operations.settling import bounce
from kernel.approvals.models import ApprovalRequest, IllegalApprovalMove
from kernel.approvals.operations import (
    ApprovalExpired,
    ApprovalRefused,
    ApprovalVoid,
    OwnRequest,
    approve,
    expire_overdue,
    refuse,
    withdraw,
)
from kernel.approvals.principals import NotYours
from kernel.audit.actors import Actor
from kernel.transactions import unit_of_work
from tests.invoices.billed import (
    AT,
    CLIENT,
    STAFF,
    a_paid_invoice,
    a_part,
    a_product,
    refund,
    stored,
)
from tests.invoices.traces import breaches, refused, side_by_side

pytestmark = pytest.mark.django_db(transaction=True)
SCOPES = ("refunds:approve",)
SECOND = Actor.api_client("second")
LATER = AT + timedelta(hours=1)


@pytest.fixture
def invoice() -> Invoice:
    """A debit of a product whose refunds take two."""
    a_product(refund_approval=True)
    return a_paid_invoice("PAD")


def somebody(name: str, permission: str = "approve_refund") -> Actor:
    user = User.objects.create_user(name, is_staff=True)
    user.user_permissions.add(Permission.objects.get(content_type__app_label="invoices", codename=permission))
    return Actor.staff(user)


def decide(asked: Refund, *, agrees: bool = True, actor: Actor = SECOND, reason: str = "Seen") -> Refund:
    return unit_of_work(
        lambda: decide_refund(asked.pk, is_approved=agrees, reason=reason, actor=actor, scopes=SCOPES, at=LATER)
    )()


def the_request(asked: Refund) -> ApprovalRequest:
    assert asked.approval_id is not None
    return ApprovalRequest.objects.get(pk=asked.approval_id)


def test_nothing_moves_before_the_second_person_agrees(invoice: Invoice) -> None:
    asked = refund(invoice)

    assert (asked.status, stored(invoice).status, Credit.objects.count()) == ("PENDING_APPROVAL", "PAID", 0)
    assert (stored(invoice).pending_amount, stored(invoice).refund_date) == (Decimal(0), None)
    assert invoice.lines.get().undone_base_fees == Decimal("30.00")
    with refused(RefundPartsUnfit):
        refund(stored(invoice), a_part(invoice, "1"))

    decided = decide(asked)

    assert (decided.status, decided.decided_by, decided.decided_at) == ("PROCESSED", "second", LATER)
    assert (stored(invoice).status, stored(invoice).refund_date) == ("CREDITED", LATER)
    assert the_request(asked).status == "executed"
    assert breaches() == {}


def test_nobody_agrees_to_what_they_asked_for_nor_declines_it(invoice: Invoice) -> None:
    asked = refund(invoice)
    for agrees in (True, False):
        with refused(OwnRequest):
            decide(asked, agrees=agrees, actor=CLIENT)


def test_staff_do_not_agree_to_their_own_request_under_another_name(invoice: Invoice) -> None:
    asker = somebody("pat", "request_refund")
    asked = refund(invoice, actor=asker)
    user = User.objects.get(username="pat")
    user.user_permissions.add(Permission.objects.get(codename="approve_refund"))
    User.objects.filter(pk=user.pk).update(username="kim")

    with refused(OwnRequest):
        decide(asked, actor=Actor.staff(User.objects.get(pk=user.pk)))


def test_a_partner_s_system_and_a_person_of_the_same_name_are_two(invoice: Invoice) -> None:
    asked = refund(invoice)
    person = somebody(CLIENT.name)

    decided = decide(asked, actor=person)

    assert (decided.status, decided.requested_by, decided.decided_by) == ("PROCESSED", CLIENT.name, CLIENT.name)
    assert (decided.requested_by_kind, decided.decided_by_kind) == ("api_client", "staff")


def test_deciding_takes_the_scope_or_the_permission(invoice: Invoice) -> None:
    asked = refund(invoice)
    viewer = Actor.staff(User.objects.create_user("viewer", is_staff=True))
    with refused(NotYours):
        approve(asked.approval_id or 0, actor=SECOND, scopes=("refunds:request",), at=LATER)
    with refused(NotYours):
        approve(asked.approval_id or 0, actor=viewer, at=LATER)
    with refused(NotYours):
        approve(asked.approval_id or 0, actor=STAFF, scopes=SCOPES, at=LATER)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (
            "update refund set status = 'PROCESSED', decided_by = requested_by, decided_by_kind = requested_by_kind, "
            "decided_at = now() where id = %s",
            "refund_two_people",
        ),
        ("update refund set status = 'PROCESSED' where id = %s", "refund_approved_before_processed"),
        ("update refund set status = 'PROCESSING' where id = %s", "refund_approved_before_processed"),
        (
            "update approval_request set status = 'approved', decided_by = requested_by, decided_at = now(), "
            "decided_by_kind = requested_by_kind where id = (select approval_id from refund where id = %s)",
            "approval_request_two_principals",
        ),
        (
            "update approval_request set status = 'approved', decided_at = now() "
            "where id = (select approval_id from refund where id = %s)",
            "approval_request_decider_known",
        ),
    ],
)
def test_no_statement_at_the_database_agrees_for_who_asked(invoice: Invoice, statement: str, constraint: str) -> None:
    asked = refund(invoice)

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, [asked.pk])

    assert Refund.objects.get(pk=asked.pk).status == "PENDING_APPROVAL"
    assert the_request(asked).status == "pending"


def test_what_was_asked_for_cannot_be_rewritten_at_the_database(invoice: Invoice) -> None:
    asked = refund(invoice, a_part(invoice, "1"))
    with (
        pytest.raises(DatabaseError, match="does not change"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "update approval_request set content = replace(content, '1.00', '30.00') where id = %s", [asked.approval_id]
        )
    assert '"amount": 1.00, "currency"' in the_request(asked).content


@pytest.mark.parametrize("change", ["bounced", "given back"])
def test_an_approval_is_void_once_the_invoice_is_not_what_it_was(invoice: Invoice, change: str) -> None:
    asked = refund(invoice, a_part(invoice, "10"))
    if change == "bounced":
        bounce(invoice.pk, reason="Funds not cleared", actor=STAFF, at=AT)
    else:
        parts = [a_part(invoice, "5")]
        record_manual_refund(invoice.pk, parts, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)

    with refused(ApprovalVoid) as refusal:
        decide(asked)

    named = {"bounced": "invoice_status", "given back": "invoice_given_back"}[change]
    assert any(named in difference for difference in refusal.value.context["differences"])
    # It is declined then, and what it held can be asked for anew.
    decide(asked, agrees=False, reason="Ask again")
    assert stored(invoice).lines.get().undone_base_fees == (Decimal(5) if change == "given back" else Decimal(0))


def test_an_approval_is_void_once_the_rows_of_the_refund_are_changed(invoice: Invoice) -> None:
    asked = refund(invoice, a_part(invoice, "10"))
    asked.lines.update(amount=Decimal("30.00"))
    with refused(ApprovalVoid):
        decide(asked)


def test_who_declines_says_why_and_what_was_held_is_free_again(invoice: Invoice) -> None:
    asked = refund(invoice)
    with refused(ApprovalRefused):
        decide(asked, agrees=False, reason="  ")

    declined = decide(asked, agrees=False, reason="Not twice")

    assert (declined.status, declined.decline_reason, declined.decided_by) == ("DECLINED", "Not twice", "second")
    assert (stored(invoice).status, invoice.lines.get().undone_base_fees) == ("PAID", Decimal(0))
    for agrees in (True, False):
        with refused(NoApprovalNeeded):
            decide(asked, agrees=agrees)
    assert refund(stored(invoice)).status == "PENDING_APPROVAL"


def test_a_request_that_nobody_decides_ends_by_itself_and_one_that_is_taken_back_at_once(invoice: Invoice) -> None:
    forgotten = refund(invoice, a_part(invoice, "10"))
    regretted = refund(stored(invoice), a_part(invoice, "5"))

    withdraw(regretted.approval_id or 0, actor=CLIENT, reason="", at=LATER)
    expires_at = the_request(forgotten).expires_at
    with refused(ApprovalExpired):
        approve(forgotten.approval_id or 0, actor=SECOND, at=expires_at, scopes=SCOPES)
    expire_overdue(at=expires_at)

    said = [Refund.objects.get(pk=asked.pk).decline_reason for asked in (forgotten, regretted)]
    assert said == ["Nobody decided in time.", "Taken back by who asked for it."]
    assert set(Refund.objects.values_list("status", "decided_by")) == {("DECLINED", "approvals")}
    assert invoice.lines.get().undone_base_fees == 0


def test_six_who_agree_at_once_carry_it_out_once(invoice: Invoice) -> None:
    asked = refund(invoice)
    people = [Actor.api_client(f"approver-{place}") for place in range(6)]

    outcomes = side_by_side(
        *(partial(approve, asked.approval_id or 0, actor=actor, at=LATER, scopes=SCOPES) for actor in people)
    )

    kinds = Counter(type(outcome).__name__ for outcome in outcomes)
    assert kinds == {"ApprovalRequest": 1, IllegalApprovalMove.__name__: 5}, outcomes
    assert (Credit.objects.count(), stored(invoice).credited_amount) == (1, Decimal("33.08"))
    assert breaches() == {}


def test_of_an_agreement_and_a_refusal_at_once_one_counts(invoice: Invoice) -> None:
    for _ in range(5):
        asked = refund(stored(invoice), a_part(invoice, "1"))
        request_id = asked.approval_id or 0

        outcomes = side_by_side(
            partial(approve, request_id, actor=SECOND, at=LATER, scopes=SCOPES),
            partial(refuse, request_id, actor=Actor.api_client("third"), reason="No", at=LATER, scopes=SCOPES),
        )

        assert sum(isinstance(outcome, IllegalApprovalMove) for outcome in outcomes) == 1, outcomes
        ended = (the_request(asked).status, Refund.objects.get(pk=asked.pk).status)
        assert ended in {("executed", "PROCESSED"), ("refused", "DECLINED")}
    given = Refund.objects.filter(status="PROCESSED").count()
    assert invoice.lines.get().undone_base_fees == given
    assert breaches() == {}


def test_an_agreement_and_a_bounce_at_once_never_credit_what_was_taken_back() -> None:
    a_product(refund_approval=True)
    for place in range(5):
        invoice = a_paid_invoice("PAD", number=f"R{place}")
        asked = refund(invoice)

        outcomes = side_by_side(
            partial(approve, asked.approval_id or 0, actor=SECOND, at=LATER, scopes=SCOPES),
            partial(bounce, invoice.pk, reason="Funds not cleared", actor=STAFF, at=LATER),
        )

        is_void = any(isinstance(outcome, ApprovalVoid) for outcome in outcomes)
        assert stored(invoice).credited_amount == (Decimal(0) if is_void else Decimal("33.08"))
        assert stored(invoice).status == "SETTLEMENT_SCHED"
        invoice.account.locks.all().delete()
        invoice.account.ledger_identities.update(status="ACTIVE")


def test_a_product_that_wants_nobody_else_is_refunded_at_once_and_has_nothing_to_decide() -> None:
    asked = refund(a_paid_invoice("PAD"))
    assert (asked.status, asked.approval_id, asked.needs_approval) == ("PROCESSED", None, False)
    with refused(NoApprovalNeeded):
        decide(asked)
    with refused(NoSuchRefund):
        decide(Refund(pk=4711))


def test_money_that_went_back_outside_is_recorded_by_one_who_may(invoice: Invoice) -> None:
    done = record_manual_refund(invoice.pk, None, reason="Twice", evidence="Cheque 7", actor=STAFF, at=AT)
    assert (done.status, done.needs_approval, stored(invoice).status) == ("PROCESSED", False, "MANUALLY_REFUNDED")


def test_what_waits_for_approval_is_not_confirmed_by_the_outside(invoice: Invoice) -> None:
    asked = refund(a_paid_invoice("EJV", number="R9"))
    with refused(IllegalRefundMove):
        finish_refund(asked.pk, evidence="Journal 12", final_at=AT, actor=STAFF, at=AT)
