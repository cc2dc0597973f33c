"""Invented invoices for a first look: every method, every stage, young and old, with what waits for somebody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial

from accounts.models import PaymentAccount
from catalogue.quote import Caller, FilingLine
from invoices.models import Invoice
from invoices.numbers import invoice_number_of
from invoices.operations.creating import AccountMayNotOrder, NewInvoice, create_invoice
from invoices.operations.crediting import apply_credit
from invoices.operations.refundapprovals import SCOPE_REQUEST, request_refund
from invoices.operations.refunding import record_manual_refund
from invoices.operations.refundplans import RefundPart
from invoices.operations.settling import Evidence, bounce, mark_overdue, schedule, settle
from invoices.operations.stopping import cancel
from invoices.states import FeeType, ReceiptSource
from kernel.audit.actors import Actor

CLERK = Actor.command("load_demo")
LEDGER = Actor.system("settlement (demo)")

# What becomes of an invoice; called with it and with the moment at which it was made.
Deed = Callable[[Invoice, datetime], object]


@dataclass(frozen=True, slots=True)
class Seed:
    """One invoice: how many days ago, whose, of which product, by which method, for what, and what became of it."""

    days_ago: float
    account: str
    product: str
    method: str
    filings: tuple[FilingLine, ...]
    deeds: tuple[Deed, ...] = ()
    business_identifier: str = ""
    folio_number: str = ""


def load_invoices(*, partner: str, at: datetime) -> int:
    """Makes the demo invoices in the name of the API client `partner`, and gives their number; none where some are.

    After the seeds of the catalogue and of the accounts. What an account may not order is left out.
    """
    if Invoice.objects.exists():
        return 0
    creator = Actor.api_client(partner)
    accounts = {account.account_number: account for account in PaymentAccount.objects.all()}
    return sum(_made(seed, accounts[seed.account], creator, at) for seed in _seeds(creator) if seed.account in accounts)


def _made(seed: Seed, account: PaymentAccount, creator: Actor, at: datetime) -> bool:
    made_at = at - timedelta(days=seed.days_ago)
    new = NewInvoice(
        account=account,
        product=seed.product,
        lines=seed.filings,
        method=seed.method,
        business_identifier=seed.business_identifier,
        filing_id=f"F{seed.days_ago * 100:06.0f}",
        folio_number=seed.folio_number,
        details=({"label": "Filed by", "value": "A. Clerk"},),
    )
    try:
        invoice = create_invoice(new, caller=Caller(), actor=creator, at=made_at).invoice
    except AccountMayNotOrder:
        return False
    for deed in seed.deeds:
        deed(invoice, made_at)
    return True


def _seeds(creator: Actor) -> tuple[Seed, ...]:
    return (*_debits(creator), *_transfers_and_vouchers(), *_cards_and_banks())


def _debits(creator: Actor) -> tuple[Seed, ...]:
    annual, order = (FilingLine("OTANN"),), (FilingLine("OTANN", priority=True), FilingLine("OTADD"))
    wills = (FilingLine("WILLNOTICE", quantity=2),)
    asked = partial(_asked_back, actor=creator)
    return (
        Seed(88, "1001", "CP", "PAD", annual, (_in_ledger, _paid), "CP0001001", "Brooks 14"),
        Seed(71, "1001", "BC", "PAD", annual, (_in_ledger,), "BC0870021", "Brooks 14"),
        Seed(66, "1001", "BC", "PAD", (FilingLine("BCINC"),), (), "BC0870022"),
        Seed(35, "1001", "CP", "PAD", order, (_in_ledger, _paid, _part_back), "CP0001002", "Harper 3"),
        Seed(26, "1001", "BTR", "PAD", (FilingLine("BTRSEARCH"),), (), "BC0870023"),
        Seed(22, "1001", "VS", "PAD", wills, (_in_ledger, _paid, asked), "VS0000311", "Estate of Lund"),
        Seed(9, "1001", "BC", "PAD", annual, (_in_ledger, _paid, _all_back), "BC0870024"),
        Seed(6, "1001", "CP", "PAD", order, (_in_ledger,), "CP0001003", "Harper 3"),
        Seed(2, "1001", "CP", "PAD", annual, (_by_credit,), "CP0001004"),
        Seed(1, "1001", "BC", "PAD", annual, (_stopped,), "BC0870025"),
        Seed(0.2, "1001", "BC", "PAD", (FilingLine("BCINC", future_effective=True),), (), "BC0870026", "Vance 2"),
        Seed(12, "1003", "PPR", "PAD", (FilingLine("LIENREG", quantity=3),), (_in_ledger, _paid, _bounced)),
    )


def _transfers_and_vouchers() -> tuple[Seed, ...]:
    return (
        Seed(80, "1004", "PPR", "EFT", (FilingLine("LIENREG"),), (_in_ledger, _paid), "PPR90011"),
        Seed(40, "1004", "MHR", "EFT", (FilingLine("MHREG"),), (_in_ledger, _half_paid), "MHR20440"),
        Seed(5, "1004", "PPR", "EFT", (FilingLine("LIENSEARCH", quantity=12),), (_in_ledger,), "PPR90012"),
        Seed(100, "1005", "NRO", "EFT", (FilingLine("NM620"),), (_in_ledger, _past_due), "NR7781200"),
        Seed(55, "1006", "CP", "EJV", (FilingLine("OTANN"),), (_in_ledger, _paid), "CP0002001"),
        Seed(33, "1006", "BC", "EJV", (FilingLine("BCINC"),), (_in_ledger,), "BC0880001"),
        Seed(4, "1006", "RPT", "EJV", (FilingLine("RPTCERT", quantity=4),), (), "RPT0042"),
        Seed(15, "1007", "CP", "EJV", (FilingLine("OTANN"),), (), "CP0002002"),
    )


def _cards_and_banks() -> tuple[Seed, ...]:
    lien = (FilingLine("LIENREG"),)
    court = (FilingLine("OLAARTOQ", fee=Decimal("180.00"), description="Transcript, 60 pages"),)
    return (
        Seed(30, "1009", "NRO", "DIRECT_PAY", (FilingLine("NM620", priority=True),), (_paid_by_card,), "NR7781201"),
        Seed(18, "1009", "CSO", "DIRECT_PAY", court, (_paid_by_card,), "CSO55120", "File 2026-118"),
        Seed(8, "1010", "PPR", "DIRECT_PAY", lien, (_paid_by_card, _given_back_outside), "PPR90013"),
        Seed(3, "1010", "VS", "DIRECT_PAY", (FilingLine("WILLNOTICE"),), (_paid_by_card,), "VS0000312"),
        Seed(0.5, "1010", "NRO", "DIRECT_PAY", (FilingLine("NM620"),), (), "NR7781202"),
        Seed(0.1, "1009", "CP", "DIRECT_PAY", (FilingLine("OTANN"),), (), "CP0003001"),
        Seed(28, "1008", "BC", "ONLINE_BANKING", (FilingLine("BCINC"),), (_in_ledger, _half_paid), "BC0890001"),
        Seed(14, "1008", "CP", "ONLINE_BANKING", (FilingLine("OTANN"),), (_in_ledger, _paid_too_much), "CP0004001"),
        Seed(7, "1008", "BTR", "ONLINE_BANKING", (FilingLine("BTRSEARCH"),), (_in_ledger,), "BC0890002"),
        Seed(0.3, "1008", "MHR", "ONLINE_BANKING", (FilingLine("MHREG"),), (), "MHR20441"),
        Seed(11, "1009", "CP", "INTERNAL", (FilingLine("OTANN"),), (), "CP0003002"),
        Seed(10, "1001", "CP", "", (FilingLine("OTADD"),), (), "CP0001002"),
    )


def _in_ledger(invoice: Invoice, made_at: datetime) -> object:
    number = invoice_number_of(invoice.pk)
    return schedule(invoice.pk, invoice_number=number, actor=LEDGER, at=made_at + timedelta(hours=9))


def _settled(invoice: Invoice, made_at: datetime, *, amount: Decimal, source: ReceiptSource) -> object:
    paid_at = made_at + timedelta(hours=20)
    evidence = Evidence(
        receipt_number=f"{source.upper()}-{invoice.pk:06d}",
        amount=amount,
        receipt_date=paid_at,
        source=source,
        final_at=paid_at,
        origin={"file": "demo"},
    )
    return settle(invoice.pk, evidence, actor=LEDGER, at=paid_at)


def _paid(invoice: Invoice, made_at: datetime) -> object:
    return _settled(invoice, made_at, amount=invoice.total, source=ReceiptSource.SETTLEMENT)


def _half_paid(invoice: Invoice, made_at: datetime) -> object:
    return _settled(invoice, made_at, amount=Decimal("50.00"), source=ReceiptSource.SETTLEMENT)


def _paid_too_much(invoice: Invoice, made_at: datetime) -> object:
    return _settled(invoice, made_at, amount=invoice.total + Decimal("20.00"), source=ReceiptSource.SETTLEMENT)


def _paid_by_card(invoice: Invoice, made_at: datetime) -> object:
    return _settled(invoice, made_at, amount=invoice.total, source=ReceiptSource.CARD)


def _bounced(invoice: Invoice, made_at: datetime) -> object:
    reason = f"Funds not cleared: the bank returned the debit of {invoice_number_of(invoice.pk)}"
    return bounce(invoice.pk, reason=reason, actor=LEDGER, at=made_at + timedelta(days=3))


def _past_due(invoice: Invoice, made_at: datetime) -> object:
    return mark_overdue(invoice.pk, actor=LEDGER, at=invoice.overdue_date)


def _part_back(invoice: Invoice, made_at: datetime) -> object:
    line = invoice.lines.order_by("pk")[0]
    part = RefundPart(line.pk, FeeType.PRIORITY_FEES, line.priority_fees)
    reason = "The priority was not kept"
    at = made_at + timedelta(days=2)
    return request_refund(invoice.pk, [part], reason=reason, actor=CLERK, at=at)


def _all_back(invoice: Invoice, made_at: datetime) -> object:
    at = made_at + timedelta(days=2)
    return request_refund(invoice.pk, None, reason="Filed twice by mistake", actor=CLERK, at=at)


def _asked_back(invoice: Invoice, made_at: datetime, *, actor: Actor) -> object:
    line = invoice.lines.order_by("pk")[0]
    part = RefundPart(line.pk, FeeType.BASE_FEES, line.base_fees / 2)
    # Asked for lately, so that it still waits for the second person.
    at = made_at + timedelta(days=21)
    return request_refund(
        invoice.pk, [part], reason="One notice of the two was withdrawn", actor=actor, scopes=[SCOPE_REQUEST], at=at
    )


def _given_back_outside(invoice: Invoice, made_at: datetime) -> object:
    return record_manual_refund(
        invoice.pk,
        None,
        reason="Card was closed meanwhile",
        evidence="Cheque 004417",
        actor=CLERK,
        at=made_at + timedelta(days=4),
    )


def _by_credit(invoice: Invoice, made_at: datetime) -> object:
    return apply_credit(invoice.pk, actor=CLERK, reason="Asked for by the payer", at=made_at + timedelta(hours=1))


def _stopped(invoice: Invoice, made_at: datetime) -> object:
    return cancel(invoice.pk, actor=CLERK, reason="Filed for the wrong company", at=made_at + timedelta(hours=2))
