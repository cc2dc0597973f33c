"""The addresses of payments below /api/v1: signed webhooks in, reads by API key."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("payments/", include("payments.webhooks.urls")),
    path("", include("payments.api.urls")),
]
