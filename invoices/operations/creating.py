"""Invoices are made: quoted, allowed by the account and the product, numbered, and settled where nothing is awaited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import IntegrityError, transaction

from accounts.gates import refusals
from accounts.models import AccountFee, AccountLock, LedgerIdentity, PaymentAccount
from accounts.operations import held_account
from catalogue.models import GLCode, Product
from catalogue.pricing import gl_codes_on, quote_on
from catalogue.quote import AccountTerms, Caller, FilingLine, Quote, QuotedLine
from invoices.duedates import overdue_date_of
from invoices.methods import Collection, PaymentMethod, find_method
from invoices.methods.choice import Order, chosen_method
from invoices.models import Invoice, InvoiceLine, InvoiceReference
from invoices.numbers import invoice_number_of
from invoices.operations.callrows import queue_prepaid_debit
from invoices.operations.settling import Evidence, apply_evidence
from invoices.operations.standing import release
from invoices.states import LineStatus, MethodCode, ReceiptSource, ReferenceStatus
from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.calendar import business_date, ledger_zone
from kernel.errors import Conflict, FieldError, Refused
from kernel.transactions import inside_unit_of_work, unit_of_work

# Staff's own, and what costs nothing, no product lists.
FOR_EVERY_PRODUCT = frozenset({MethodCode.INTERNAL.value, MethodCode.NO_FEE.value})


class NothingOrdered(Refused):
    """An invoice has at least one filing type."""

    code = "nothing-ordered"


class MethodNotForProduct(Refused):
    """The product is not paid by this method."""

    code = "method-not-for-product"
    title = "Method not allowed for the product"
    next_step = "Use one of the product's methods: GET /api/v1/codes/products lists them."


class AccountMayNotOrder(Refused):
    """The account may not order by this method now; `gates` names each reason with its code and what opens it."""

    code = "account-may-not-order"
    title = "The account may not order now"
    next_step = "Read gates: each names a stable code, the cause, and what opens it."


class PrepaidAccountMissing(Refused):
    """A drawdown needs the prepaid account and the user who draws from it."""

    code = "prepaid-account-missing"
    next_step = "Send accountInfo.bcolAccountNumber, or set the prepaid account of the payment account."


class BusinessKeyDiffers(Conflict):
    """An invoice of this business key is there, for something else."""

    code = "business-key-differs"
    next_step = "Use another businessKey for another order; the invoice of this one is in ids."


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInvoice:
    """What is ordered. `method` empty: the usual one. `lines` are priced on `priced_on`, without it on the ledger's
    date of `at`."""

    account: PaymentAccount
    product: str
    lines: Sequence[FilingLine]
    method: str = ""
    business_identifier: str = ""
    filing_id: str = ""
    folio_number: str = ""
    dat_number: str = ""
    prepaid_account: str = ""
    routing_slip: str = ""
    details: Sequence[dict[str, str]] = field(default_factory=tuple)
    business_key: str = ""
    priced_on: date | None = None


class Created(NamedTuple):
    """The invoice, and whether this call made it."""

    invoice: Invoice
    is_new: bool


@unit_of_work
def create_invoice(new: NewInvoice, *, caller: Caller, actor: Actor, at: datetime) -> Created:
    """As one unit of work; see `add_invoice`."""
    return add_invoice(new, caller=caller, actor=actor, at=at)


@inside_unit_of_work
def add_invoice(new: NewInvoice, *, caller: Caller, actor: Actor, at: datetime) -> Created:
    """Makes the invoice in its method's first status; PAID where nothing is awaited; of a drawdown the debit is queued,
    for `make_call` after the commit.

    The same business key with the same content gives the earlier invoice. Raises what `quote_on` and `gl_codes_on`
    raise, UnknownMethod, MethodNotForProduct, AccountMayNotOrder, PrepaidAccountMissing, BusinessKeyDiffers.
    """
    on = new.priced_on or business_date(at)
    quote = quote_for(new.account, new.product, new.lines, caller=caller, on=on)
    product = Product.objects.get(pk=new.product)
    method, prepaid_account = _method_of(new, product, quote, caller)
    account = held_account(new.account.pk)
    identity = LedgerIdentity.objects.of(account.pk, method.code)
    _require_open_gates(account, method, identity, at=at)
    codes = _gl_codes(quote, on=on)
    invoice = _row(new, product, method, quote, identity, prepaid_account, actor=actor, at=at)
    if not _claim(invoice):
        return _repeated(new, invoice, actor)
    InvoiceLine.objects.bulk_create(_line(invoice, line, codes, waived_by=actor.name) for line in quote.lines)
    if method.numbers_itself:
        _number(invoice, at=at)
    _note_created(invoice, actor=actor, at=at)
    _begin(invoice, method, caller, actor=actor, at=at)
    return Created(invoice, is_new=True)


def quote_for(
    account: PaymentAccount | None, product: str, lines: Sequence[FilingLine], *, caller: Caller, on: date
) -> Quote:
    """What the lines cost this account (anybody, with None) on the day. Raises as `quote_on`."""
    if not lines:
        message = "Name at least one filing type."
        raise NothingOrdered(message, errors=(FieldError("filingInfo.filingTypes", "required", message),))
    return quote_on(product, lines, on=on, terms=terms_of(account, product), caller=caller)


def terms_of(account: PaymentAccount | None, product: str) -> AccountTerms:
    """What the account is charged differently for the product."""
    if account is None:
        return AccountTerms()
    fees = AccountFee.objects.filter(account=account, product_id=product).select_related("service_fee_code").first()
    if fees is None:
        return AccountTerms()
    service_fee = None if fees.service_fee_code is None else fees.service_fee_code.amount
    return AccountTerms(applies_filing_fees=fees.applies_filing_fees, service_fee=service_fee)


def _method_of(new: NewInvoice, product: Product, quote: Quote, caller: Caller) -> tuple[PaymentMethod, str]:
    code = chosen_method(
        Order(
            total=quote.total,
            asked=new.method,
            usual=new.account.payment_method,
            is_staff=caller.is_staff,
            has_prepaid_account=bool(new.prepaid_account),
        )
    )
    method = find_method(code)
    if code not in FOR_EVERY_PRODUCT and code not in product.payment_methods:
        message = f"{product.pk} is paid by {', '.join(product.payment_methods) or 'no method'}, not by {code}."
        raise MethodNotForProduct(message, errors=(FieldError("paymentInfo.methodOfPayment", "not-allowed", message),))
    # What costs something is never settled by a receipt of nothing.
    if code == MethodCode.NO_FEE and quote.total > 0:
        message = f"{quote.total} is to be paid, so that NO_FEE does not do."
        raise MethodNotForProduct(message, errors=(FieldError("paymentInfo.methodOfPayment", "not-allowed", message),))
    if method.collection != Collection.PREPAID:
        return method, new.prepaid_account
    prepaid_account = new.prepaid_account or new.account.prepaid_account
    if not prepaid_account or not new.account.prepaid_user_id:
        message = f"Account {new.account.account_number} has no prepaid account or user, and none was sent."
        errors = (FieldError("accountInfo.bcolAccountNumber", "required", message),)
        raise PrepaidAccountMissing(message, errors=errors)
    return method, prepaid_account


def _require_open_gates(
    account: PaymentAccount, method: PaymentMethod, identity: LedgerIdentity | None, *, at: datetime
) -> None:
    locks = list(AccountLock.objects.live().filter(account=account))
    gates = refusals(account, method.code, locks=locks, identity=identity, at=at)
    if gates:
        raise AccountMayNotOrder(
            gates[0].message,
            account=account.account_number,
            gates=[{"code": gate.code, "message": gate.message, "next_step": gate.next_step} for gate in gates],
        )


def _gl_codes(quote: Quote, *, on: date) -> dict[int, GLCode]:
    charged = {line.schedule_id for line in quote.lines if line.total + line.service_fees}
    return gl_codes_on(sorted(charged), on=on) if charged else {}


def _row(
    new: NewInvoice,
    product: Product,
    method: PaymentMethod,
    quote: Quote,
    identity: LedgerIdentity | None,
    prepaid_account: str,
    *,
    actor: Actor,
    at: datetime,
) -> Invoice:
    return Invoice(
        account=new.account,
        ledger_identity=identity,
        product=product,
        payment_method=method.code,
        status=method.first_status,
        status_since=at,
        business_identifier=new.business_identifier,
        filing_id=new.filing_id,
        folio_number=new.folio_number,
        dat_number=new.dat_number,
        prepaid_account=prepaid_account,
        routing_slip=new.routing_slip,
        details=list(new.details),
        total=quote.total,
        service_fees=quote.service_fees,
        gst=quote.gst,
        overdue_date=overdue_date_of(business_date(at), ledger_zone()),
        created_at=at,
        created_by=actor.name,
        business_key=new.business_key,
    )


def _claim(invoice: Invoice) -> bool:
    """Saves the row; False when its business key is taken. Only a key can be, so that others need no savepoint."""
    if not invoice.business_key:
        invoice.save(force_insert=True)
        return True
    try:
        with transaction.atomic():
            invoice.save(force_insert=True)
    except IntegrityError as taken:
        if "invoice_business_key" not in str(taken):
            raise
        return False
    return True


def _repeated(new: NewInvoice, wanted: Invoice, actor: Actor) -> Created:
    known = Invoice.objects.select_related("account", "product").get(
        created_by=actor.name, business_key=new.business_key
    )
    same = (known.account_id, known.product_id, known.total, known.business_identifier, known.filing_id) == (
        wanted.account_id,
        wanted.product_id,
        wanted.total,
        wanted.business_identifier,
        wanted.filing_id,
    )
    if not same:
        raise BusinessKeyDiffers(
            f"Business key {new.business_key} is invoice {known.pk}, made for something else.", ids=[known.pk]
        )
    return Created(known, is_new=False)


def _line(invoice: Invoice, line: QuotedLine, codes: dict[int, GLCode], *, waived_by: str) -> InvoiceLine:
    code = codes.get(line.schedule_id)
    return InvoiceLine(
        invoice=invoice,
        fee_schedule_id=line.schedule_id,
        filing_type_id=line.filing_type,
        description=line.description,
        quantity=line.quantity,
        base_fees=line.base_fees,
        priority_fees=line.priority_fees,
        future_effective_fees=line.future_effective_fees,
        total=line.total,
        service_fees=line.service_fees,
        statutory_gst=line.statutory_gst,
        service_gst=line.service_gst,
        pst=line.pst,
        waived_fees=line.waived_fees,
        waived_by=waived_by if line.waived_fees else "",
        status=LineStatus.ACTIVE,
        gl_code=code,
        **_frozen(code),
    )


def _frozen(code: GLCode | None) -> dict[str, Any]:
    """The GL codes as text. What has no code of its own is booked to the fee's."""
    if code is None:
        return {}
    service = code.service_fee_gl or code
    return {
        "fee_gl": code.dotted,
        "service_fee_gl": service.dotted,
        "statutory_gst_gl": (code.statutory_gst_gl or code).dotted,
        "service_gst_gl": (code.service_gst_gl or service).dotted,
    }


def _number(invoice: Invoice, *, at: datetime) -> None:
    InvoiceReference.objects.create(
        invoice=invoice,
        invoice_number=invoice_number_of(invoice.pk),
        status=ReferenceStatus.ACTIVE,
        created_at=at,
        status_since=at,
    )


def _note_created(invoice: Invoice, *, actor: Actor, at: datetime) -> None:
    after: dict[str, Decimal | str] = {
        "status": invoice.status,
        "total": invoice.total,
        "payment_method": invoice.payment_method,
        "account": invoice.account.account_number,
        "product": invoice.product_id,
    }
    record_entry(actor=actor, action="invoice.created", subject=invoice, after=after, at=at)


def _begin(invoice: Invoice, method: PaymentMethod, caller: Caller, *, actor: Actor, at: datetime) -> None:
    """What the method does at once: lets the goods go, settles what costs nothing, queues the debit."""
    if method.releases_at_creation:
        release(invoice, at=at)
        invoice.save(update_fields=["released_at"])
    if method.collection == Collection.AT_ONCE:
        number = invoice_number_of(invoice.pk)
        evidence = Evidence(
            receipt_number=number, amount=invoice.total, receipt_date=at, source=ReceiptSource.INTERNAL, final_at=at
        )
        apply_evidence(invoice, evidence, actor=actor, at=at)
    elif method.collection == Collection.PREPAID:
        # A system of our own that leaves our fee out draws as staff do: the mainframe adds none either.
        is_staff = caller.is_staff or caller.excludes_service_fee
        queue_prepaid_debit(invoice, is_staff=is_staff, first_name=actor.name, at=at)
    elif method.code == MethodCode.EJV and not invoice.account.billable:
        # Settled outside: there is no file, and nothing to wait for.
        evidence = Evidence(
            receipt_number=invoice_number_of(invoice.pk),
            amount=invoice.total,
            receipt_date=at,
            source=ReceiptSource.INTERNAL,
            final_at=at,
        )
        apply_evidence(invoice, evidence, actor=actor, at=at)
