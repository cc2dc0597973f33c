"""Every address of the product."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from paymentsite.pages import problem_page, problems_index

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="admin:index"), name="home"),
    path("admin/", admin.site.urls),
    path("", include("paymentsite.monitoring.urls")),
    path("api/v1/", include("payments.urls")),
    path("", include("invoices.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("problems/", problems_index, name="problems"),
    path("problems/<slug:code>", problem_page, name="problem"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
]

handler400 = "kernel.restapi.handler400"
handler403 = "kernel.restapi.handler403"
handler404 = "kernel.restapi.handler404"
handler500 = "kernel.restapi.handler500"
