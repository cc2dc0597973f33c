"""Reads of payments for partner systems, by API key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import TextField
from django.db.models.functions import Cast
from django.utils import timezone
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.errors import NotFound
from kernel.reading import limited_reading
from kernel.replicas import on_replica
from kernel.restapi import problem_responses
from payments.api.pages import IndexedPages, MonthlyPages
from payments.api.parameters import (
    PaymentIdParameters,
    PaymentSearchParameters,
    read_payment_span,
    read_search,
    refuse_parameters,
)
from payments.api.serializers import PaymentSerializer, StatisticsSerializer
from payments.querysets import PaymentQuerySet
from payments.search import found_by, payment_with_id, refuse_archived
from payments.statistics import staging_day, webhook_day

READ_PROBLEMS = (401, 403, 405, 406, 422, 500, 503)


class PaymentNotFound(NotFound):
    """There is no payment of this id (and date)."""

    code = "payment-not-found"
    title = "No such payment"
    next_step = "Check the id; if payment_date was given, check it or leave it away."


class PaymentListView(GenericAPIView):
    """A page of payments, newest first."""

    required_scopes = "payments:read"
    pagination_class = IndexedPages
    serializer_class = PaymentSerializer
    filter_backends = ()

    @extend_schema(
        operation_id="list_payments",
        summary="Find payments",
        description="Payments that meet every condition, newest first, a page at a time; nothing is counted. "
        "A parameter that is not known is refused. A search is ended after a few seconds: narrow it by reference, "
        "account, CIF or dates. A reference whose payment is archived is answered with the archive's name (410); "
        "every other search leaves archived payments out.",
        tags=["payments"],
        parameters=[PaymentSearchParameters],
        responses={
            200: OpenApiResponse(PaymentSerializer(many=True), "A page of payments."),
            **problem_responses(410, *READ_PROBLEMS),
        },
    )
    def get(self, request: Request) -> Response:
        search = read_search(request.query_params)

        def read() -> tuple[IndexedPages, list[Any]]:
            pages = IndexedPages() if search.has_index else MonthlyPages()
            with limited_reading(milliseconds=settings.READ_TIMEOUT_MS):
                page = pages.paginate_queryset(_as_answered(found_by(search)), request, view=self) or []
                if not page and search.reference is not None:
                    refuse_archived(reference=search.reference)
            return pages, page

        # Who has just recorded a payment finds it by its reference, however far behind the replica is.
        pages, page = on_replica(read, is_enough=lambda found: bool(found[1]) or search.reference is None)
        return pages.get_paginated_response([*PaymentSerializer(page, many=True).data])


class PaymentView(APIView):
    """One payment."""

    required_scopes = "payments:read"

    @extend_schema(
        operation_id="get_payment",
        summary="Get one payment",
        tags=["payments"],
        parameters=[PaymentIdParameters],
        responses={
            200: OpenApiResponse(PaymentSerializer, "The payment."),
            **problem_responses(404, 410, *READ_PROBLEMS),
        },
    )
    def get(self, request: Request, payment_id: UUID) -> Response:
        span = read_payment_span(request.query_params)

        def read() -> dict[str, Any] | None:
            with limited_reading(milliseconds=settings.READ_TIMEOUT_MS):
                found: dict[str, Any] | None = _as_answered(
                    payment_with_id(
                        payment_id, paid_from=span.start_at if span else None, paid_before=span.end_at if span else None
                    )
                ).first()
                if found is None:
                    refuse_archived(payment_id=payment_id)
            return found

        payment = on_replica(read, is_enough=lambda found: found is not None)
        if payment is None:
            raise PaymentNotFound
        return Response(PaymentSerializer(payment).data)


class StatisticsView(APIView):
    """The seed's figures of the day."""

    required_scopes = "payments:stats"

    @extend_schema(
        operation_id="get_payment_statistics",
        summary="Figures of today",
        description="What staging and the webhooks did today, by the calendar of the ledger's time zone.",
        tags=["payments"],
        responses={
            200: OpenApiResponse(StatisticsSerializer, "The figures of today."),
            **problem_responses(*READ_PROBLEMS),
        },
    )
    def get(self, request: Request) -> Response:
        refuse_parameters(request.query_params)
        at = timezone.now()
        return Response(StatisticsSerializer({"staging": staging_day(at=at), "webhooks": webhook_day(at=at)}).data)


def _as_answered(payments: PaymentQuerySet) -> PaymentQuerySet:
    """Rows in place of models, with the metadata as text, which spares reading and writing it again."""
    return payments.annotate(metadata_text=Cast("metadata", TextField())).values(
        *PaymentSerializer.FIELDS, "metadata_text"
    )
