"""Products, accounts and invoices that the tests of the invoices are made with."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts.models import PaymentAccount
from catalogue.models import FeeSchedule, Product, TaxRate
from catalogue.quote import Caller, FilingLine
from invoices.models import Credit, Invoice, Refund
from invoices.operations.creating import NewInvoice, create_invoice
from invoices.operations.refundapprovals import request_refund
from invoices.operations.refundplans import RefundPart
from invoices.operations.settling import Evidence, settle
from invoices.states import FeeType, ReceiptSource
from kernel.audit.actors import Actor
from tests.accounts.payers import a_pad_account, an_account
from tests.catalogue.priced import a_fee, a_filing_type, a_gl_code, a_link, a_rate

AT = datetime(2026, 11, 24, 18, 0, tzinfo=UTC)
CLIENT = Actor.api_client("partner")
STAFF = Actor.system("finance")
METHODS = ["PAD", "EJV", "EFT", "DIRECT_PAY", "CC", "ONLINE_BANKING", "DRAWDOWN", "INTERNAL"]
PREPAID_CODES = {
    "prepaid_code_full_fee": "FULL",
    "prepaid_code_partial_fee": "PART",
    "prepaid_code_no_fee": "NONE",
    "prepaid_code_staff": "STAFF",
}


def a_product(code: str = "CP", **changes: Any) -> Product:
    """Paid by every method, refunded without a second person, its fees disbursed to a partner."""
    values = {
        "description": f"Product {code}",
        "payment_methods": METHODS,
        "has_partner_disbursements": True,
        **PREPAID_CODES,
        **changes,
    }
    return Product.objects.get_or_create(code=code, defaults=values)[0]


def a_priced_filing(filing_type: str = "OTANN", product: str = "CP", **changes: Any) -> FeeSchedule:
    """A filing of 30.00 (100.00 more with priority), 1.50 for us, GST of 5 % on both, booked to a GL code."""
    if not TaxRate.objects.exists():
        a_rate()
    schedule = FeeSchedule.objects.create(
        **{
            "product": a_product(product),
            "filing_type": a_filing_type(filing_type),
            "fee_code": a_fee("EN101", "30.00"),
            "priority_fee_code": a_fee("PRI01", "100.00"),
            "future_effective_fee_code": a_fee("FUT01", "50.00"),
            "service_fee_code": a_fee("TRF01", "1.50"),
            "statutory_gst": True,
            "service_gst": True,
            "starts_on": datetime(2020, 1, 1, tzinfo=UTC).date(),
            **changes,
        }
    )
    service = a_gl_code("Service fees", service_line="34726")
    a_link(schedule, a_gl_code(service_fee_gl=service))
    return schedule


def a_payer(method: str, number: str = "", **details: Any) -> PaymentAccount:
    """An account that may order by the method now."""
    number = number or f"A-{method}"
    if method == "PAD":
        account = a_pad_account(number)[0]
        PaymentAccount.objects.filter(pk=account.pk).update(pad_activates_at=datetime(2026, 1, 1, tzinfo=UTC))
        account.ledger_identities.update(status="ACTIVE")
        account.refresh_from_db()
        return account
    if method == "DRAWDOWN":
        details = {"prepaid_user_id": "PB0001", "prepaid_account": "180670", **details}
    if method == "EFT":
        details = {"eft_enabled": True, "statement_frequency": "MONTHLY", **details}
    if method == "EJV" and details.get("billable", True):
        details = {"journal_gl_id": a_gl_code("A ministry").pk, **details}
    return an_account(number, method, **details)


def an_invoice(method: str = "PAD", *, account: PaymentAccount | None = None, **changes: Any) -> Invoice:
    """An invoice of 33.08: 30.00, 1.50 GST on it, 1.50 service fee, 0.08 GST on that."""
    if not FeeSchedule.objects.exists():
        a_priced_filing()
    account = account or PaymentAccount.objects.filter(account_number=f"A-{method}").first() or a_payer(method)
    lines = changes.pop("lines", (FilingLine("OTANN"),))
    at = changes.pop("at", AT)
    caller = changes.pop("caller", Caller())
    new = NewInvoice(account=account, product=changes.pop("product", "CP"), method=method, lines=lines, **changes)
    return create_invoice(new, caller=caller, actor=CLIENT, at=at).invoice


def evidence_of(
    invoice: Invoice, number: str = "R1", *, amount: Decimal | str | None = None, **changes: Any
) -> Evidence:
    """A settlement line for all that the invoice owes, or for `amount`."""
    return Evidence(
        **{
            "receipt_number": number,
            "amount": invoice.total if amount is None else Decimal(amount),
            "receipt_date": AT,
            "source": ReceiptSource.SETTLEMENT,
            "final_at": AT,
            **changes,
        }
    )


def stored(invoice: Invoice) -> Invoice:
    """As the database has it now."""
    return Invoice.objects.get(pk=invoice.pk)


def a_paid_invoice(method: str = "PAD", *, number: str = "R1", **changes: Any) -> Invoice:
    """Made and paid whole, by a settlement line of this number."""
    invoice = an_invoice(method, **changes)
    settle(invoice.pk, evidence_of(invoice, number), actor=STAFF, at=AT)
    return stored(invoice)


def a_credit(method: str, amount: Decimal | str, *, number: str = "MORE") -> Credit:
    """So much on the account of the method's payer: it came above what an invoice owed."""
    invoice = an_invoice(method)
    evidence = evidence_of(invoice, number, amount=invoice.total + Decimal(amount))
    credit = settle(invoice.pk, evidence, actor=STAFF, at=AT).credit
    assert credit is not None
    return credit


def a_part(
    invoice: Invoice, amount: Decimal | str, fee_type: FeeType = FeeType.BASE_FEES, *, line: int = 0
) -> RefundPart:
    """So much of one part of the invoice's first line, or of another."""
    return RefundPart(invoice.lines.order_by("pk")[line].pk, fee_type, Decimal(amount))


def refund(invoice: Invoice, *parts: RefundPart, actor: Actor = CLIENT, at: datetime = AT) -> Refund:
    """Asked for by a partner that may: these parts, or all that is left."""
    return request_refund(
        invoice.pk, parts or None, reason="Not wanted", actor=actor, scopes=["refunds:request"], at=at
    )
