"""The addresses of the webhooks."""

from __future__ import annotations

from django.urls import URLPattern, path

from payments.webhooks.views import receive

urlpatterns: list[URLPattern] = [
    path("webhook", receive, name="webhook"),
    path("webhook/<slug:slug>", receive, name="channel-webhook"),
]
