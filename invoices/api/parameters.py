"""The query parameters of the reads: what each may hold, and the rows that they leave."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.http import QueryDict
from rest_framework import serializers

from invoices.api.answers import PARTIALLY_CREDITED, PARTIALLY_REFUNDED
from invoices.api.fields import Amount
from invoices.methods.registry import all_methods
from invoices.models import InvoiceLine, InvoiceReference, Receipt
from invoices.querysets import InvoiceQuerySet, RefundQuerySet
from invoices.states import InvoiceStatus, MethodCode, ReceiptSource, RefundStatus
from kernel.calendar import business_day_bounds
from kernel.errors import FieldError
from kernel.restapi.translation import Invalid

PAGE_PARAMETERS = frozenset({"cursor", "limit"})
LARGEST_ID = 2**63 - 1
# Paid from a credit of the account, whatever the method.
CREDIT = "CREDIT"
COMPLETED = "COMPLETED"
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(9999, 12, 30)


def words(**options: Any) -> serializers.CharField:
    return serializers.CharField(required=False, trim_whitespace=False, **options)


def day(help_text: str) -> serializers.DateField:
    return serializers.DateField(
        required=False, input_formats=["%Y-%m-%d"], validators=[_within_calendar], help_text=help_text
    )


def _within_calendar(value: date) -> None:
    # Nearer to the ends of Python's calendar the day's bounds in another zone would have no date.
    if not FIRST_DAY <= value <= LAST_DAY:
        raise serializers.ValidationError(f"Give a day from {FIRST_DAY} to {LAST_DAY}.", code="invalid")


def _require_order(attrs: dict[str, Any], first: str, last: str) -> None:
    """Nothing lies between bounds the wrong way round: that is a slip, and no answer to it would say so."""
    if first in attrs and last in attrs and attrs[last] < attrs[first]:
        raise serializers.ValidationError({last: f"{last} should not be below {first}."}, code="before")


class InvoiceFilters(serializers.Serializer[Any]):
    """What to look for; several conditions must all hold."""

    id = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    status = serializers.ChoiceField(
        required=False,
        choices=[*(status.value for status in InvoiceStatus), COMPLETED, PARTIALLY_REFUNDED, PARTIALLY_CREDITED],
        help_text="The status, or one of the display names COMPLETED, PARTIALLY_REFUNDED, PARTIALLY_CREDITED.",
    )
    paymentMethod = serializers.ChoiceField(
        required=False,
        choices=[*(method.code for method in all_methods()), CREDIT],
        help_text="The method; NO_FEE: nothing was to be paid; CREDIT: a credit of the account paid at least a part.",
    )
    accountNumber = words(max_length=50, help_text="Or the header Account-Id.")
    product = words(max_length=10, help_text="The product, exactly.")
    lineItem = words(max_length=200, help_text="A part of a line's description, in any case of letters.")
    filingTypeCode = words(max_length=10, help_text="The filing type of a line, exactly.")
    folioNumber = words(max_length=50, help_text="Exactly.")
    createdBy = words(max_length=150, help_text="Who created it: the name of an API client or of a person, exactly.")
    createdFrom = day("The first day, in the ledger's time zone (Pacific).")
    createdTo = day("The last day, included.")
    invoiceNumber = words(max_length=50, help_text="Its number in the external ledger, exactly.")
    businessIdentifier = words(max_length=20, help_text="Exactly.")
    total = Amount(required=False, zero_allowed=True, help_text="The total, exactly.")
    totalFrom = Amount(required=False, zero_allowed=True, help_text="A total of at least so much.")
    totalTo = Amount(required=False, zero_allowed=True, help_text="A total of at most so much.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _require_order(attrs, "createdFrom", "createdTo")
        _require_order(attrs, "totalFrom", "totalTo")
        return attrs


class RefundFilters(serializers.Serializer[Any]):
    """What to look for; several conditions must all hold."""

    status = serializers.ChoiceField(required=False, choices=[status.value for status in RefundStatus])
    invoiceId = serializers.IntegerField(required=False, min_value=1, max_value=LARGEST_ID)
    accountNumber = words(max_length=50, help_text="Or the header Account-Id.")
    product = words(max_length=10)
    requestedBy = words(max_length=150)
    requestedFrom = day("The first day, in the ledger's time zone (Pacific).")
    requestedTo = day("The last day, included.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        _require_order(attrs, "requestedFrom", "requestedTo")
        return attrs


class QuoteParameters(serializers.Serializer[Any]):
    """What is asked the price of."""

    date = day("The day whose prices count; today when left out.")
    priority = serializers.ChoiceField(required=False, choices=["true", "false"], help_text="With priority.")
    futureEffective = serializers.ChoiceField(
        required=False, choices=["true", "false"], help_text="Takes effect later."
    )
    waiveFees = serializers.ChoiceField(
        required=False, choices=["true", "false"], help_text="Only with the scope fees:waive."
    )
    quantity = serializers.IntegerField(required=False, min_value=1, max_value=999_999)
    fee = Amount(required=False, zero_allowed=True, help_text="The amount of one, where its price is variable.")
    accountNumber = words(max_length=50, help_text="Whose prices; or the header Account-Id. Anybody's when left out.")


class PriceListParameters(serializers.Serializer[Any]):
    product = words(max_length=10, help_text="Of one product; of all when left out.")


class NoParameters(serializers.Serializer[Any]):
    """None is known."""


def read_parameters(
    parameters: type[serializers.Serializer[Any]], query: QueryDict, *, also: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """The parameters that were given. Raises Invalid (422) naming each that is unknown, repeated or unusable."""
    reader = parameters(data={name: query[name] for name in query})
    known = frozenset(reader.fields) | also
    offered = f"Known here: {', '.join(sorted(known))}." if known else "None is known here."
    errors = [FieldError(name[:100], "unknown", f"No such parameter. {offered}") for name in query if name not in known]
    errors += [
        FieldError(name, "repeated", "Give this parameter once.")
        for name in query
        if name in known and len(query.getlist(name)) > 1
    ]
    if errors:
        raise Invalid(errors=tuple(errors))
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def filtered(invoices: InvoiceQuerySet, found: dict[str, Any]) -> InvoiceQuerySet:
    """The invoices that meet every condition; the account's is not among them."""
    for name, value in found.items():
        if name in CONDITIONS:
            invoices = invoices.filter(CONDITIONS[name](value))
    return invoices


def filtered_refunds(refunds: RefundQuerySet, found: dict[str, Any]) -> RefundQuerySet:
    """The refunds that meet every condition; the account's is not among them."""
    for name, value in found.items():
        if name in REFUND_CONDITIONS:
            refunds = refunds.filter(REFUND_CONDITIONS[name](value))
    return refunds


def _of_status(status: str) -> Q:
    """As `answers.status_display` names them: what is sent to the gateway once more is paid as well."""
    paid, partly = Q(status__in=("PAID", "GL_UPDATED")), Q(refunded_amount__gt=0) | Q(manual_amount__gt=0)
    match status:
        case "COMPLETED":
            return Q(paid, credited_amount=0, refunded_amount=0, manual_amount=0)
        case "PARTIALLY_REFUNDED":
            return Q(paid, partly)
        case "PARTIALLY_CREDITED":
            return Q(paid, ~partly, credited_amount__gt=0)
    return Q(status=status)


def _of_method(method: str) -> Q:
    if method == CREDIT:
        applied = Receipt.objects.live().filter(invoice=OuterRef("pk"), source=ReceiptSource.CREDIT)
        return Q(Exists(applied))
    if method == MethodCode.NO_FEE:
        return Q(total=0)
    return Q(payment_method=method)


def _of_line(**condition: Any) -> Q:
    return Q(Exists(InvoiceLine.objects.filter(invoice=OuterRef("pk"), **condition)))


def _of_number(number: str) -> Q:
    return Q(pk__in=InvoiceReference.objects.filter(invoice_number=number).values("invoice_id"))


def _from_day(field: str) -> Callable[[date], Q]:
    return lambda first: Q(**{f"{field}__gte": business_day_bounds(first).start_at})


def _to_day(field: str) -> Callable[[date], Q]:
    return lambda last: Q(**{f"{field}__lt": business_day_bounds(last).end_at})


def _exactly(field: str) -> Callable[[Any], Q]:
    return lambda value: Q(**{field: value})


def _from_amount(value: Decimal) -> Q:
    return Q(total__gte=value)


def _to_amount(value: Decimal) -> Q:
    return Q(total__lte=value)


CONDITIONS: dict[str, Callable[[Any], Q]] = {
    "id": _exactly("pk"),
    "status": _of_status,
    "paymentMethod": _of_method,
    "product": _exactly("product_id"),
    "lineItem": lambda text: _of_line(description__icontains=text),
    "filingTypeCode": lambda code: _of_line(filing_type_id=code),
    "folioNumber": _exactly("folio_number"),
    "createdBy": _exactly("created_by"),
    "createdFrom": _from_day("created_at"),
    "createdTo": _to_day("created_at"),
    "invoiceNumber": _of_number,
    "businessIdentifier": _exactly("business_identifier"),
    "total": _exactly("total"),
    "totalFrom": _from_amount,
    "totalTo": _to_amount,
}
REFUND_CONDITIONS: dict[str, Callable[[Any], Q]] = {
    "status": _exactly("status"),
    "invoiceId": _exactly("invoice_id"),
    "product": _exactly("invoice__product_id"),
    "requestedBy": _exactly("requested_by"),
    "requestedFrom": _from_day("requested_at"),
    "requestedTo": _to_day("requested_at"),
}
