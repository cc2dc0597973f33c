"""Health and metrics, without login: what they say is meant for machines, and holds no secret."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from kernel.errors import PaymentsiteError
from kernel.restapi import problem
from payments.deduplication import is_warm
from paymentsite.monitoring.access import admit_to_metrics
from paymentsite.monitoring.exposition import exposition
from paymentsite.monitoring.health import is_database_well, look_at_everything

UNWELL = 503
FORWARDING_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")


@never_cache
@require_safe
def health(request: HttpRequest) -> HttpResponse:
    """The seed's health check: 200 when database, Kafka and Redis are well, else 503."""
    found = look_at_everything()
    return JsonResponse(found.as_dict(), status=200 if found.is_healthy else UNWELL)


@never_cache
@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """That this process answers. It asks nobody: to restart it would not mend a database."""
    return JsonResponse({"status": "live"})


@never_cache
@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Whether requests may be sent here: the database alone decides, since nothing else is needed to record."""
    return _answer(is_database_well(), yes="ready", no="not ready")


@never_cache
@require_safe
def startup(request: HttpRequest) -> HttpResponse:
    """Whether the start is over: the database is there and the duplicate cache is warm."""
    return _answer(is_database_well() and is_warm(), yes="started", no="starting")


@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Every metric, for Prometheus."""
    try:
        admit_to_metrics(
            authorization=request.headers.get("Authorization", ""),
            peer=request.META.get("REMOTE_ADDR", ""),
            is_forwarded=any(header in request.headers for header in FORWARDING_HEADERS),
        )
    except PaymentsiteError as refusal:
        return problem(refusal, request)
    body, content_type = exposition(request.headers.get("Accept", ""))
    return HttpResponse(body, content_type=content_type)


def _answer(is_so: bool, *, yes: str, no: str) -> HttpResponse:
    return JsonResponse({"status": yes if is_so else no}, status=200 if is_so else UNWELL)
