"""The page Performance, in the place of a list of measurements."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from console.performance import performance_context
from console.windows import window_chosen_by
from kernel.adminsite import ReadOnlyAdmin
from kernel.measurements.models import Measurement


@admin.register(Measurement)
class PerformanceAdmin(ReadOnlyAdmin):
    """Single measurements are of no use to anybody: the page shows what follows from them."""

    list_title = "Performance"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": self.list_title,
            **performance_context(request, window_chosen_by(request.GET), at=timezone.now()),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "console/performance.html", context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> None:
        """None has a page of its own."""
