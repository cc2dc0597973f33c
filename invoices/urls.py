"""Addresses of the invoices app: the API, and the pages that payers visit."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("invoices.api.urls")),
    path("pay/", include("invoices.paypages.urls")),
]
