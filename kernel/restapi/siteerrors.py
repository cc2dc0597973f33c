"""The site's own error pages: problems for programs, HTML for people. paymentsite/urls.py names these functions."""

from __future__ import annotations

from django.core.exceptions import BadRequest, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import defaults

from kernel.restapi.problems import InternalError, problem

PROGRAM_PATHS = ("/api/", "/health", "/metrics")


def is_for_programs(request: HttpRequest) -> bool:
    return request.path.startswith(PROGRAM_PATHS)


def handler400(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return problem(BadRequest(), request) if is_for_programs(request) else defaults.bad_request(request, exception)


def handler403(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if is_for_programs(request):
        return problem(PermissionDenied(), request)
    return defaults.permission_denied(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    return problem(Http404(), request) if is_for_programs(request) else defaults.page_not_found(request, exception)


def handler500(request: HttpRequest) -> HttpResponse:
    return problem(InternalError(), request) if is_for_programs(request) else defaults.server_error(request)
