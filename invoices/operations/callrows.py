"""The steps that write calls to the outside before anything is said to it; the caller holds the invoice's lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from invoices.gateways import ItemRevenue, RevenueLine, revenue_lines
from invoices.models import Invoice, InvoiceLine, OutsideCall, Refund
from invoices.prepaidpayload import FeeCodes, debit_amount, fee_code, remarks
from invoices.states import CallKind, CallStatus, FeeType, ReferenceStatus
from kernel.errors import Conflict
from kernel.transactions import inside_unit_of_work

ZERO = Decimal("0.00")
STATUTORY = (FeeType.BASE_FEES, FeeType.PRIORITY_FEES, FeeType.FUTURE_EFFECTIVE_FEES)


class NumberMissing(Conflict):
    """The invoice has no number under which the outside would know it."""

    code = "invoice-number-missing"


def number_of(invoice: Invoice) -> str:
    """The number under which the outside knows the invoice: of its last reference that counts, or else of its last one.

    What was deleted may still be paid, on a page that was left open. Raises NumberMissing when it never had one.
    """
    references = list(invoice.references.all())
    if not references:
        raise NumberMissing(f"{invoice} has no number in the external ledger.", ids=[invoice.pk])
    last = max(references, key=lambda reference: (reference.status != ReferenceStatus.CANCELLED, reference.pk))
    return last.invoice_number


@inside_unit_of_work
def queue_prepaid_debit(invoice: Invoice, *, is_staff: bool, first_name: str = "", at: datetime) -> OutsideCall:
    """The debit of the invoice's prepaid account: the service fee is left out, because the mainframe adds it itself."""
    lines = list(invoice.lines.order_by("pk"))
    product = invoice.product
    codes = FeeCodes(
        full=product.prepaid_code_full_fee,
        partial=product.prepaid_code_partial_fee,
        none=product.prepaid_code_no_fee,
        staff=product.prepaid_code_staff,
    )
    types = [line.filing_type_id for line in lines]
    chosen = fee_code(codes, invoice.service_fees, is_staff=is_staff, filing_types=types)
    request = {
        "key": number_of(invoice),
        "prepaid_user_id": invoice.account.prepaid_user_id,
        "prepaid_account": invoice.prepaid_account,
        "amount": str(debit_amount(line.total for line in lines)),
        "fee_code": chosen.code,
        "remarks": remarks(invoice.business_identifier, types, first_name),
        "folio": invoice.folio_number,
        "note": chosen.note,
    }
    return _queue(CallKind.PREPAID_DEBIT, invoice, request, at=at)


@inside_unit_of_work
def queue_card_refund(invoice: Invoice, refund: Refund, *, at: datetime) -> OutsideCall:
    """The refund of a card payment: the order's own revenue lines, with what is given back of each."""
    request = {
        "reference": number_of(invoice),
        "amount": str(refund.amount),
        "lines": [
            {"number": line.number, "gl": line.gl, "amount": str(line.amount)}
            for line in refunded_revenue(invoice, refund)
        ],
    }
    return _queue(CallKind.CARD_REFUND, invoice, request, refund=refund, at=at)


def revenue_of(lines: Iterable[InvoiceLine]) -> tuple[RevenueLine, ...]:
    """The revenue lines of a card order for these invoice lines, in the order of their ids."""
    return revenue_lines(_revenue(line) for line in sorted(lines, key=lambda line: line.pk))


def refunded_revenue(invoice: Invoice, refund: Refund) -> tuple[RevenueLine, ...]:
    """The order's revenue lines of which something is given back, with the order's numbers and the refund's amounts."""
    back: dict[int, dict[FeeType, Decimal]] = {}
    for part in refund.lines.all():
        back.setdefault(part.line_id, {})[FeeType(part.fee_type)] = part.amount
    numbered: list[RevenueLine] = []
    number = 0
    for line in invoice.lines.order_by("pk"):
        parts = _amounts(line, back.get(line.pk, {}))
        for (_, whole), (gl, amount) in zip(_amounts(line, None), parts, strict=True):
            number += bool(whole)
            if amount:
                numbered.append(RevenueLine(number, gl, amount))
    return tuple(numbered)


def _queue(
    kind: CallKind, invoice: Invoice, request: Mapping[str, object], *, refund: Refund | None = None, at: datetime
) -> OutsideCall:
    return OutsideCall.objects.create(
        kind=kind,
        invoice=invoice,
        refund=refund,
        status=CallStatus.PENDING,
        status_since=at,
        request=request,
        next_attempt_at=at,
        created_at=at,
    )


def _revenue(line: InvoiceLine) -> ItemRevenue:
    (gl, statutory), (gst_gl, gst), (service_gl, service), (service_gst_gl, service_gst) = _amounts(line, None)
    return ItemRevenue(
        statutory=statutory,
        statutory_gl=gl,
        statutory_gst=gst,
        statutory_gst_gl=gst_gl,
        service=service,
        service_gl=service_gl,
        service_gst=service_gst,
        service_gst_gl=service_gst_gl,
    )


def _amounts(line: InvoiceLine, parts: dict[FeeType, Decimal] | None) -> tuple[tuple[str, Decimal], ...]:
    """GL code and amount of the four revenue lines of an invoice line: of all of it, or of these parts."""

    def of(fee_type: FeeType) -> Decimal:
        return line.fee(fee_type) if parts is None else parts.get(fee_type, ZERO)

    return (
        (line.fee_gl, sum((of(fee_type) for fee_type in STATUTORY), ZERO)),
        (line.statutory_gst_gl, of(FeeType.STATUTORY_GST)),
        (line.service_fee_gl, of(FeeType.SERVICE_FEES)),
        (line.service_gst_gl, of(FeeType.SERVICE_GST)),
    )
