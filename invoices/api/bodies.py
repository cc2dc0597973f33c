"""The bodies of requests, in the words that partners know (domain.md 12)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from catalogue.quote import MOST_QUANTITY, FilingLine
from invoices.api.fields import Amount, Body, Flag, Text, Whole
from invoices.methods.registry import all_methods

MOST_LINES = 200
MOST_DETAILS = 50


class BusinessInfo(Body):
    businessIdentifier = Text(max_length=20, required=False, help_text="The business; may be a temporary number.")
    corpType = Text(max_length=10, help_text="The product: GET /api/v1/codes/products lists them.")


class FilingTypeLine(Body):
    filingTypeCode = Text(max_length=10, help_text="What is filed: GET /api/v1/fees lists what has a price.")
    quantity = Whole(min_value=1, max_value=MOST_QUANTITY, default=1)
    priority = Flag(help_text="With priority, which costs more.")
    futureEffective = Flag(help_text="Takes effect later, which costs more.")
    waiveFees = Flag(help_text="Only with the scope fees:waive.")
    fee = Amount(
        required=False, allow_null=True, zero_allowed=True, help_text="The amount of one, where its price is variable."
    )
    filingDescription = Text(max_length=200, required=False, help_text="Replaces the usual description.")


class FilingInfo(Body):
    filingIdentifier = Text(max_length=50, required=False, help_text="Your own number of the filing.")
    folioNumber = Text(max_length=50, required=False)
    date = serializers.DateField(
        required=False,
        allow_null=True,
        help_text="The day whose prices count; today when left out.",
    )
    # With many=True the options are those of the list, which the stubs do not know.
    filingTypes = FilingTypeLine(many=True, min_length=1, max_length=MOST_LINES)  # type: ignore[call-arg]


class AccountInfo(Body):
    accountNumber = Text(max_length=50, required=False, help_text="The account that pays; or the header Account-Id.")
    routingSlip = Text(max_length=50, required=False)
    bcolAccountNumber = Text(max_length=50, required=False, help_text="The prepaid account; makes it a DRAWDOWN.")
    datNumber = Text(max_length=50, required=False)


class PaymentInfo(Body):
    methodOfPayment = serializers.ChoiceField(
        choices=[method.code for method in all_methods()],
        required=False,
        allow_blank=True,
        help_text="How it is paid; the account's usual method when left out.",
    )


class Detail(Body):
    # A declared field does not touch the serializer's own property of this name, which the stubs warn of.
    label = Text(max_length=100)  # type: ignore[assignment]
    value = Text(max_length=500, allow_blank=True)


class QuoteBody(Body):
    """What is asked the price of: several filing types of one product."""

    businessInfo = BusinessInfo()
    filingInfo = FilingInfo()
    accountInfo = AccountInfo(required=False)


class InvoiceBody(QuoteBody):
    """An order."""

    paymentInfo = PaymentInfo(required=False)
    details = Detail(  # type: ignore[call-arg]
        many=True, required=False, max_length=MOST_DETAILS, help_text="What the receipt shows besides."
    )
    businessKey = Text(
        max_length=100,
        required=False,
        help_text="Your own key of what is charged: the same key again gives the invoice that is there.",
    )


class MethodBody(Body):
    methodOfPayment = serializers.ChoiceField(choices=["DIRECT_PAY", "CC"])


class InvoiceChangeBody(Body):
    """The one thing of an invoice that can be changed."""

    paymentInfo = MethodBody()


class TransactionBody(Body):
    clientSystemUrl = Text(max_length=500, help_text="Where the payer comes back to: an absolute address.")


class EmptyBody(Body):
    """Nothing needs to be said."""


def lines_of(filing_info: dict[str, Any]) -> list[FilingLine]:
    """The filing types as the catalogue prices them."""
    return [
        FilingLine(
            filing_type=line["filingTypeCode"],
            quantity=line["quantity"],
            priority=line["priority"],
            future_effective=line["futureEffective"],
            waive_fees=line["waiveFees"],
            fee=line.get("fee"),
            description=line["filingDescription"],
        )
        for line in filing_info["filingTypes"]
    ]
