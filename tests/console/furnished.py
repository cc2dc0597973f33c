"""One of everything that the console shows of accounts, catalogue and invoices, and then more of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import PaymentAccount
from accounts.operations import lock_by_hand
from accounts.states import LockKind
from catalogue.models import FeeSchedule
from catalogue.quote import FilingLine
from invoices.models import CardAttempt, Credit, Invoice, OutsideCall, Refund
from invoices.operations.crediting import apply_credit
from invoices.operations.refundapprovals import request_refund
from invoices.operations.settling import schedule, settle
from invoices.states import AttemptStatus
from kernel.approvals.models import ApprovalRequest
from kernel.notes.operations import add_note, attach_file
from kernel.savedviews.models import SavedView
from tests.invoices.billed import STAFF, a_part, a_payer, a_priced_filing, a_product, an_invoice, evidence_of, refund

AMOUNT = Decimal("10.00")


@dataclass(frozen=True, slots=True)
class Furniture:
    """What a household has of each kind; `by_two` is an invoice whose refunds take a second person."""

    account: PaymentAccount
    locked: PaymentAccount
    paid: Invoice
    owing: Invoice
    by_two: Invoice
    refund: Refund
    asked: ApprovalRequest
    credit: Credit
    attempt: CardAttempt
    call: OutsideCall


def furnish(number: int) -> Furniture:
    """A household of three accounts with an invoice for each thing that can become of one."""
    now = timezone.now()
    if not FeeSchedule.objects.exists():
        a_priced_filing()
        a_product("VS", refund_approval=True)
        a_priced_filing("WILLS", "VS")
    account = a_payer("PAD", f"A-{number:03}")
    paid = an_invoice("PAD", account=account, business_identifier=f"CP{number:07}", folio_number=f"HARPER-{number}")
    schedule(paid.pk, invoice_number=f"REG{number:08}", actor=STAFF, at=now)
    settle(paid.pk, evidence_of(paid, f"R{number}"), actor=STAFF, at=now)
    request_refund(paid.pk, [a_part(paid, AMOUNT)], reason="Filed twice", actor=STAFF, at=now)
    owing = an_invoice("PAD", account=account)
    by_two, asked = _asked_for(number)
    cards = a_payer("DIRECT_PAY", f"C-{number:03}")
    attempt = _attempt(an_invoice("DIRECT_PAY", account=cards), AttemptStatus.CREATED)
    lock_by_hand(cards.pk, kind=LockKind.NSF, cause="A debit bounced.", actor=STAFF, at=now)
    prepaid = an_invoice("DRAWDOWN", account=a_payer("DRAWDOWN", f"D-{number:03}"))
    household = Furniture(
        account=account,
        locked=cards,
        paid=paid,
        owing=owing,
        by_two=by_two,
        refund=asked,
        asked=ApprovalRequest.objects.get(refund=asked),
        credit=Credit.objects.get(source_invoice=paid),
        attempt=attempt,
        call=OutsideCall.objects.get(invoice=prepaid),
    )
    _remark_on(household, number)
    return household


def deepen(household: Furniture, number: int) -> None:
    """More of everything that hangs on the household's records."""
    now = timezone.now()
    request_refund(household.paid.pk, [a_part(household.paid, "1.00")], reason="More", actor=STAFF, at=now)
    apply_credit(an_invoice("PAD", account=household.account).pk, actor=STAFF, at=now)
    _attempt(household.attempt.invoice, AttemptStatus.CANCELLED)
    _remark_on(household, number)


def save_a_view(owner: User, name: str) -> SavedView:
    saved: SavedView = SavedView.objects.create(
        owner=owner, list_name="invoices.invoice", name=name, query="status=PAID", created_at=timezone.now()
    )
    return saved


def _asked_for(number: int) -> tuple[Invoice, Refund]:
    now = timezone.now()
    invoice = an_invoice("EFT", account=a_payer("EFT", f"E-{number:03}"), product="VS", lines=(FilingLine("WILLS"),))
    settle(invoice.pk, evidence_of(invoice, f"V{number}"), actor=STAFF, at=now)
    asked = refund(invoice, a_part(invoice, AMOUNT), at=now)
    return invoice, asked


def _attempt(invoice: Invoice, status: AttemptStatus) -> CardAttempt:
    now = timezone.now()
    made: CardAttempt = CardAttempt.objects.create(
        invoice=invoice,
        status=status,
        status_since=now,
        amount=invoice.total,
        client_url="https://shop.test/",
        pay_url="https://cards.test/",
        started_at=now - timedelta(minutes=5),
    )
    return made


def _remark_on(household: Furniture, number: int) -> None:
    now = timezone.now()
    for subject in (household.paid, household.account, household.refund, household.asked, household.credit):
        add_note(subject, body=f"The payer called, {number}.", actor=STAFF, at=now)
    attach_file(household.paid, name=f"letter{number}.txt", content=b"Dear Sir, %d" % number, actor=STAFF, at=now)
