"""The answers in the words of OpenAPI. `answers.py` builds them; the tests hold both together."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from invoices.states import (
    AttemptStatus,
    CreditKind,
    FeeType,
    InvoiceStatus,
    LineStatus,
    ReceiptSource,
    ReferenceStatus,
    RefundOutcome,
    RefundStatus,
)


class Schema(serializers.Serializer[Any]):
    """Only described, never run."""


def cad(help_text: str = "", **options: Any) -> serializers.DecimalField:
    """An amount as text, so that no reader rounds it."""
    return serializers.DecimalField(15, 2, help_text=help_text, **options)


def one_of(codes: Any, **options: Any) -> serializers.ChoiceField:
    return serializers.ChoiceField(choices=[code.value for code in codes], **options)


def moment(help_text: str = "", **options: Any) -> serializers.DateTimeField:
    return serializers.DateTimeField(help_text=help_text, **options)


def maybe(help_text: str = "") -> serializers.DateTimeField:
    return moment(help_text, allow_null=True)


class Money(Schema):
    total = cad("What is to be paid, service fee and taxes included.")
    paid = cad("What live receipts cover.")
    refunded = cad("Went back the way it came.")
    credited = cad("Became a credit of the account.")
    manual = cad("Given back outside of the platform.")
    pending = cad("On its way back.")
    owing = cad("Still to be paid.")


class LineGL(Schema):
    """The general ledger codes on the day when the invoice was made; empty where nothing is charged."""

    fees = serializers.CharField()
    serviceFees = serializers.CharField()
    statutoryFeesGst = serializers.CharField()
    serviceFeesGst = serializers.CharField()


class Refundable(Schema):
    """What is left to give back, by part."""

    BASE_FEES = cad()
    PRIORITY_FEES = cad()
    FUTURE_EFFECTIVE_FEES = cad()
    SERVICE_FEES = cad()
    STATUTORY_GST = cad()
    SERVICE_GST = cad()


class InvoiceLineAnswer(Schema):
    id = serializers.IntegerField(help_text="paymentLineItemId of a refund.")
    filingTypeCode = serializers.CharField()
    description = serializers.CharField()
    status = one_of(LineStatus)
    quantity = serializers.IntegerField()
    filingFees = cad()
    priorityFees = cad()
    futureEffectiveFees = cad()
    total = cad("Filing, priority and future-effective fees, without service fee and taxes.")
    serviceFees = cad()
    statutoryFeesGst = cad()
    serviceFeesGst = cad()
    pst = cad()
    waivedFees = cad()
    waivedBy = serializers.CharField()
    gl = LineGL()
    refundable = Refundable()


class Reference(Schema):
    """A number of the invoice in the external ledger."""

    invoiceNumber = serializers.CharField()
    referenceNumber = serializers.CharField()
    status = one_of(ReferenceStatus)
    isConsolidated = serializers.BooleanField()
    createdAt = moment()


class ReceiptAnswer(Schema):
    """So much of somebody's money pays this invoice."""

    id = serializers.IntegerField()
    receiptNumber = serializers.CharField()
    amount = cad()
    currency = serializers.CharField()
    receiptDate = moment()
    # A declared field does not touch the field's own property of this name, which the stubs warn of.
    source = one_of(ReceiptSource)  # type: ignore[assignment]
    reverses = serializers.IntegerField(allow_null=True, help_text="The receipt that this one takes back, whole.")
    isReversed = serializers.BooleanField(help_text="Taken back by a later one: it does not count.")
    createdAt = moment()


class RefundPart(Schema):
    paymentLineItemId = serializers.IntegerField()
    refundType = one_of(FeeType)
    refundAmount = cad()


class RefundLinks(Schema):
    self = serializers.CharField()
    invoice = serializers.CharField()


class RefundAnswer(Schema):
    id = serializers.IntegerField()
    invoiceId = serializers.IntegerField()
    status = one_of(
        RefundStatus,
        help_text="PROCESSING: agreed, and the outside has not confirmed yet; we go on by ourselves.",
    )
    statusSince = moment()
    outcome = one_of(RefundOutcome)
    isFull = serializers.BooleanField()
    amount = cad()
    currency = serializers.CharField()
    reason = serializers.CharField()
    staffComment = serializers.CharField(help_text="As it was sent; empty when our staff asked for the refund.")
    notificationEmail = serializers.CharField()
    requestedBy = serializers.CharField()
    requestedAt = moment()
    needsApproval = serializers.BooleanField()
    decidedBy = serializers.CharField()
    decidedAt = maybe()
    declineReason = serializers.CharField()
    evidence = serializers.CharField(help_text="What proves that it is done.")
    finishedAt = maybe()
    error = serializers.CharField(help_text="Why the outside refused it, when it did.")
    refundRevenue = RefundPart(many=True)
    links = RefundLinks()


class RefundPreview(Schema):
    """What a refund would do."""

    invoiceId = serializers.IntegerField()
    amount = cad()
    currency = serializers.CharField()
    isFull = serializers.BooleanField()
    outcome = one_of(RefundOutcome)
    statusAtOnce = one_of(InvoiceStatus, help_text="Of the invoice, until the outside has confirmed.")
    statusAfter = one_of(InvoiceStatus)
    credit = cad("What becomes a credit of the account.")
    partnerShare = cad("What is pulled back from the partner.")
    needsApproval = serializers.BooleanField()
    effects = serializers.ListField(child=serializers.CharField(), help_text="The same in sentences.")
    refundRevenue = RefundPart(many=True)


class AllowedAction(Schema):
    name = serializers.CharField()
    method = serializers.CharField()
    href = serializers.CharField()
    scope = serializers.CharField(help_text="What your key needs for it.")
    effect = serializers.CharField(help_text="What happens then.")


class InvoiceLinks(Schema):
    self = serializers.CharField()
    account = serializers.CharField()
    receipts = serializers.CharField()
    receiptPdf = serializers.CharField(allow_null=True)
    transactions = serializers.CharField()
    refunds = serializers.CharField()
    pay = serializers.CharField(allow_null=True, help_text="A page for the payer; needs no login and expires.")


class DetailAnswer(Schema):
    label = serializers.CharField()  # type: ignore[assignment]
    value = serializers.CharField()


class InvoiceSummary(Schema):
    """An invoice as lists have it."""

    id = serializers.IntegerField()
    invoiceNumber = serializers.CharField(allow_null=True, help_text="In the external ledger; null before it has one.")
    businessKey = serializers.CharField()
    status = one_of(InvoiceStatus)
    statusDisplay = serializers.CharField(
        help_text="For people: COMPLETED, PARTIALLY_REFUNDED, PARTIALLY_CREDITED, or the status."
    )
    statusSince = moment()
    nextStep = serializers.CharField(help_text="What happens next, in a sentence.")
    accountNumber = serializers.CharField()
    accountName = serializers.CharField()
    product = serializers.CharField()
    paymentMethod = serializers.CharField()
    paymentMethodTitle = serializers.CharField()
    businessIdentifier = serializers.CharField()
    filingIdentifier = serializers.CharField()
    folioNumber = serializers.CharField()
    datNumber = serializers.CharField()
    bcolAccountNumber = serializers.CharField()
    routingSlip = serializers.CharField()
    details = DetailAnswer(many=True)
    currency = serializers.CharField(help_text="ISO 4217.")
    money = Money()
    serviceFees = cad()
    gst = cad("On the fees and on the service fee together.")
    createdAt = moment()
    createdBy = serializers.CharField()
    releasedAt = maybe("When the goods went out.")
    paymentDate = maybe("When we learned that it is paid.")
    refundDate = maybe("When we learned that something of it went back.")
    overdueDate = moment()
    lines = InvoiceLineAnswer(many=True)
    references = Reference(many=True)


class InvoiceAnswer(InvoiceSummary):
    """An invoice with all that belongs to it."""

    receipts = ReceiptAnswer(many=True)
    refunds = RefundAnswer(many=True)
    allowedActions = AllowedAction(many=True)
    links = InvoiceLinks()


class Tax(Schema):
    gst = cad("Both together.")
    filingFeeGst = cad()
    serviceFeeGst = cad()
    pst = cad("Always 0.00.")


class QuoteAnswer(Schema):
    """What one filing costs."""

    filingTypeCode = serializers.CharField()
    filingType = serializers.CharField(help_text="Its description.")
    product = serializers.CharField()
    quantity = serializers.IntegerField()
    filingFees = cad()
    priorityFees = cad()
    futureEffectiveFees = cad()
    serviceFees = cad()
    waivedFees = cad()
    tax = Tax()
    total = cad("All of these together.")
    currency = serializers.CharField()
    date = serializers.DateField(help_text="The day whose prices these are.")


class QuoteOfLines(Schema):
    """What several filings cost together; the service fee is charged once."""

    product = serializers.CharField()
    date = serializers.DateField(help_text="The day whose prices these are.")
    lines = QuoteAnswer(many=True)
    filingFees = cad()
    priorityFees = cad()
    futureEffectiveFees = cad()
    serviceFees = cad()
    tax = Tax()
    total = cad()
    currency = serializers.CharField()


class Price(Schema):
    product = serializers.CharField()
    filingTypeCode = serializers.CharField()
    filingType = serializers.CharField(help_text="Its description.")
    filingFees = cad("Of one; 0.00 where the price is variable and the caller says it.")
    priorityFees = cad()
    futureEffectiveFees = cad()
    serviceFees = cad()
    isVariable = serializers.BooleanField()
    gstOnFees = serializers.BooleanField()
    gstOnServiceFees = serializers.BooleanField()


class PriceList(Schema):
    date = serializers.DateField()
    currency = serializers.CharField()
    items = Price(many=True)


class TransactionAnswer(Schema):
    """One visit of the payer to the card gateway's page."""

    id = serializers.UUIDField()
    invoiceId = serializers.IntegerField()
    status = one_of(AttemptStatus)
    statusSince = moment()
    amount = cad()
    payUrl = serializers.CharField(help_text="Where to send the payer.")
    clientSystemUrl = serializers.CharField(help_text="Where the payer comes back to, with ?status=… added.")
    reasonCode = serializers.CharField()
    startedAt = moment()
    endedAt = maybe()
    links = RefundLinks()


class CreditAnswer(Schema):
    """Money that stands to the account's credit."""

    id = serializers.IntegerField()
    kind = one_of(CreditKind)
    paymentMethod = serializers.CharField(help_text="It pays invoices of this method.")
    amount = cad()
    remaining = cad()
    currency = serializers.CharField()
    ledgerIdentifier = serializers.CharField()
    invoiceId = serializers.IntegerField(allow_null=True, help_text="The invoice that it came from.")
    details = serializers.CharField()
    createdAt = moment()


class ExportRow(Schema):
    """A row of an export of invoices."""

    id = serializers.IntegerField()
    status = one_of(InvoiceStatus)
    accountNumber = serializers.CharField()
    accountName = serializers.CharField()
    product = serializers.CharField()
    paymentMethod = serializers.CharField()
    businessIdentifier = serializers.CharField()
    filingIdentifier = serializers.CharField()
    folioNumber = serializers.CharField()
    currency = serializers.CharField()
    total = cad()
    serviceFees = cad()
    gst = cad()
    paid = cad()
    refunded = cad()
    credited = cad()
    manual = cad()
    pending = cad()
    createdAt = moment()
    createdBy = serializers.CharField()
    paymentDate = maybe()
    refundDate = maybe()
    overdueDate = moment()
    details = DetailAnswer(many=True)


class CodeItem(Schema):
    """One code with what it means; the other members depend on the list."""

    code = serializers.CharField()
    description = serializers.CharField()
    paymentMethods = serializers.ListField(child=serializers.CharField(), required=False, help_text="Of a product.")
    refundAllowed = serializers.BooleanField(required=False, help_text="Of a product.")
    refundApproval = serializers.BooleanField(required=False, help_text="Of a product: two people for a refund.")
    firstStatus = serializers.CharField(required=False, help_text="Of a method: how its invoices begin.")
    status = serializers.IntegerField(required=False, help_text="Of a problem: the HTTP status.")
    nextStep = serializers.CharField(required=False, help_text="Of a problem or a status: what to do.")


class CodeList(Schema):
    type = serializers.CharField()
    items = CodeItem(many=True)
