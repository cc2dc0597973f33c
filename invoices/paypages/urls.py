"""Addresses of the payers' pages, below /pay."""

from __future__ import annotations

from django.urls import URLPattern, path

from invoices.paypages.views import pay_page, pay_return

urlpatterns: list[URLPattern] = [
    path("return/<uuid:attempt_id>", pay_return, name="pay-return"),
    path("<str:token>", pay_page, name="pay"),
]
