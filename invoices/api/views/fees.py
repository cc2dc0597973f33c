"""What things cost: the price list for everybody, and quotes for who has a key."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import require_product
from accounts.models import PaymentAccount
from accounts.scopes import FEES_READ
from catalogue.models import FeeSchedule
from catalogue.pricing import price_of, quote_on
from catalogue.quote import CURRENCY, Caller, FilingLine, Quote, QuotedLine
from invoices.api.bodies import QuoteBody, lines_of
from invoices.api.callers import account_named, caller_of, key_of
from invoices.api.docs import ACCOUNT_ID, posting, public_reading, reading
from invoices.api.fields import read
from invoices.api.naming import named_as_in_the_address, named_as_in_the_body
from invoices.api.parameters import PriceListParameters, QuoteParameters, read_parameters
from invoices.api.schemas import PriceList, QuoteAnswer, QuoteOfLines
from invoices.operations.creating import terms_of
from kernel.calendar import business_date
from kernel.idempotency.protocol import idempotent

TAG = "fees"
KEPT_SECONDS = 300


class PriceListView(APIView):
    """What everything costs today; needs no key."""

    authentication_classes = ()
    permission_classes = ()

    @public_reading(
        "list_fees",
        "The price list",
        PriceList,
        tag=TAG,
        parameters=[PriceListParameters],
        description="What is on the price list today, by product and filing type, without taxes. Good for 300 s.",
    )
    def get(self, request: Request) -> Response:
        found = read_parameters(PriceListParameters, request.query_params)
        today = business_date(timezone.now())
        schedules = FeeSchedule.objects.on(today).filter(on_price_list=True).with_fees()
        if "product" in found:
            schedules = schedules.filter(product=found["product"])
        items = [_price(schedule) for schedule in schedules.order_by("product_id", "filing_type_id")]
        answer = Response({"date": today, "currency": CURRENCY, "items": items})
        answer["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
        return answer


class QuoteView(APIView):
    """What one filing costs."""

    required_scopes = FEES_READ

    @reading(
        "quote_fee",
        "What one filing costs",
        QuoteAnswer,
        tag=TAG,
        parameters=[QuoteParameters, ACCOUNT_ID],
        description="With an account, at its own prices. The same as an invoice of this one line would come to.",
    )
    def get(self, request: Request, product: str, filing_type: str) -> Response:
        found = read_parameters(QuoteParameters, request.query_params)
        require_product(key_of(request), product)
        line = FilingLine(
            filing_type=filing_type,
            quantity=found.get("quantity", 1),
            priority=found.get("priority") == "true",
            future_effective=found.get("futureEffective") == "true",
            waive_fees=found.get("waiveFees") == "true",
            fee=found.get("fee"),
        )
        account = account_named(request, found.get("accountNumber", ""), field="accountNumber")
        on = found.get("date") or business_date(timezone.now())
        with named_as_in_the_address():
            quoted = _quoted(account, product, [line], on=on, caller=caller_of(key_of(request)))
        return Response(_line_answer(quoted.lines[0], product, on))


class QuoteLinesView(APIView):
    """What several filings cost together."""

    required_scopes = FEES_READ

    @posting(
        "quote_fees",
        "What several filings cost together",
        QuoteBody,
        {200: (QuoteOfLines, "The quote.")},
        tag=TAG,
        parameters=(ACCOUNT_ID,),
        description="Nothing is ordered. Under the same key the same quote is given again, also after prices changed.",
    )
    def post(self, request: Request) -> HttpResponse:
        at = timezone.now()
        return idempotent(request, lambda: self._quote(request, business_date(at)), at=at)

    def _quote(self, request: Request, today: date) -> Response:
        asked = read(QuoteBody, request.data)
        product = asked["businessInfo"]["corpType"]
        require_product(key_of(request), product)
        account = account_named(request, asked.get("accountInfo", {}).get("accountNumber", ""))
        lines, on = lines_of(asked["filingInfo"]), asked["filingInfo"].get("date") or today
        with named_as_in_the_body(lines):
            quoted = _quoted(account, product, lines, on=on, caller=caller_of(key_of(request)))
        return Response(_quote_answer(quoted, product, on))


def _quoted(
    account: PaymentAccount | None, product: str, lines: list[FilingLine], *, on: date, caller: Caller
) -> Quote:
    return quote_on(product, lines, on=on, terms=terms_of(account, product), caller=caller)


def _quote_answer(quoted: Quote, product: str, on: date) -> dict[str, Any]:
    zero = Decimal("0.00")
    return {
        "product": product,
        "date": on,
        "lines": [_line_answer(line, product, on) for line in quoted.lines],
        "filingFees": sum((line.base_fees for line in quoted.lines), zero),
        "priorityFees": sum((line.priority_fees for line in quoted.lines), zero),
        "futureEffectiveFees": sum((line.future_effective_fees for line in quoted.lines), zero),
        "serviceFees": quoted.service_fees,
        "tax": {
            "gst": quoted.gst,
            "filingFeeGst": sum((line.statutory_gst for line in quoted.lines), zero),
            "serviceFeeGst": sum((line.service_gst for line in quoted.lines), zero),
            "pst": sum((line.pst for line in quoted.lines), zero),
        },
        "total": quoted.total,
        "currency": CURRENCY,
    }


def _line_answer(line: QuotedLine, product: str, on: date) -> dict[str, Any]:
    gst = line.statutory_gst + line.service_gst
    return {
        "filingTypeCode": line.filing_type,
        "filingType": line.description,
        "product": product,
        "quantity": line.quantity,
        "filingFees": line.base_fees,
        "priorityFees": line.priority_fees,
        "futureEffectiveFees": line.future_effective_fees,
        "serviceFees": line.service_fees,
        "waivedFees": line.waived_fees,
        "tax": {
            "gst": gst,
            "filingFeeGst": line.statutory_gst,
            "serviceFeeGst": line.service_gst,
            "pst": line.pst,
        },
        "total": line.total + line.service_fees + gst,
        "currency": CURRENCY,
        "date": on,
    }


def _price(schedule: FeeSchedule) -> dict[str, Any]:
    price = price_of(schedule)
    return {
        "product": price.product,
        "filingTypeCode": price.filing_type,
        "filingType": price.description,
        "filingFees": price.base,
        "priorityFees": price.priority,
        "futureEffectiveFees": price.future_effective,
        "serviceFees": price.service or Decimal("0.00"),
        "isVariable": price.variable,
        "gstOnFees": price.statutory_gst,
        "gstOnServiceFees": price.service_gst,
    }
