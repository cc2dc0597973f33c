"""Addresses of the reads, below /api/v1/payments."""

from __future__ import annotations

from django.urls import URLPattern, path

from payments.api.views import PaymentListView, PaymentView, StatisticsView

urlpatterns: list[URLPattern] = [
    path("payments", PaymentListView.as_view(), name="payment-list"),
    path("payments/stats", StatisticsView.as_view(), name="payment-statistics"),
    path("payments/<uuid:payment_id>", PaymentView.as_view(), name="payment"),
]
