"""The lists of codes that the API speaks in; they need no key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from catalogue.models import FilingType, Product
from invoices.api.docs import public_reading
from invoices.api.parameters import NoParameters, read_parameters
from invoices.api.schemas import CodeList
from invoices.methods import Standing, all_methods
from invoices.methods.protocol import SENTENCES
from invoices.states import FeeType, InvoiceStatus
from kernel.errors import NotFound
from kernel.restapi.problemkinds import problem_kinds

TAG = "codes"
KEPT_SECONDS = 300
REFUND_TYPES = {
    FeeType.BASE_FEES: "The filing fee of a line.",
    FeeType.PRIORITY_FEES: "Its priority fee.",
    FeeType.FUTURE_EFFECTIVE_FEES: "Its future-effective fee.",
    FeeType.SERVICE_FEES: "The service fee.",
    FeeType.STATUTORY_GST: "GST on the fees of a line.",
    FeeType.SERVICE_GST: "GST on the service fee.",
}


class NoSuchCodes(NotFound):
    """There is no list of codes of this name."""

    code = "unknown-code-list"
    title = "No such list of codes"


class CodesView(APIView):
    """One list of codes."""

    authentication_classes = ()
    permission_classes = ()

    @public_reading(
        "list_codes",
        "A list of codes",
        CodeList,
        tag=TAG,
        also=(404,),
        parameters=[
            OpenApiParameter(
                name="code_type",
                location=OpenApiParameter.PATH,
                description="errors: every code that a problem can have.",
                enum=["payment-methods", "invoice-statuses", "refund-types", "products", "filing-types", "errors"],
            )
        ],
        description="What each code means. Good for 300 s.",
    )
    def get(self, request: Request, code_type: str) -> Response:
        read_parameters(NoParameters, request.query_params)
        listed = LISTS.get(code_type)
        if listed is None:
            raise NoSuchCodes(f"There is no list {code_type[:50]}; there are: {', '.join(sorted(LISTS))}.")
        answer = Response({"type": code_type, "items": listed()})
        answer["Cache-Control"] = f"public, max-age={KEPT_SECONDS}"
        return answer


def _methods() -> list[dict[str, Any]]:
    return [
        {
            "code": method.code,
            "description": method.title,
            "firstStatus": method.first_status,
            "nextStep": method.next_step(Standing(status=method.first_status)),
        }
        for method in all_methods()
    ]


def _statuses() -> list[dict[str, Any]]:
    return [
        {
            "code": status.value,
            "description": status.value.replace("_", " ").capitalize(),
            "nextStep": SENTENCES[status],
        }
        for status in InvoiceStatus
    ]


def _refund_types() -> list[dict[str, Any]]:
    return [{"code": fee_type.value, "description": REFUND_TYPES[fee_type]} for fee_type in FeeType]


def _products() -> list[dict[str, Any]]:
    return [
        {
            "code": product.code,
            "description": product.description,
            "paymentMethods": product.payment_methods,
            "refundAllowed": product.refund_allowed,
            "refundApproval": product.refund_approval,
        }
        for product in Product.objects.order_by("code")
    ]


def _filing_types() -> list[dict[str, Any]]:
    rows = FilingType.objects.order_by("code").values_list("code", "description")
    return [{"code": code, "description": description} for code, description in rows]


def _errors() -> list[dict[str, Any]]:
    return [
        {"code": kind.code, "description": kind.cause, "status": kind.status, "nextStep": kind.next_step}
        for kind in problem_kinds().values()
    ]


LISTS: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "payment-methods": _methods,
    "invoice-statuses": _statuses,
    "refund-types": _refund_types,
    "products": _products,
    "filing-types": _filing_types,
    "errors": _errors,
}
