"""The endpoint for Django's own handler, as a development server or a test client calls it; see door.py."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from kernel.requests import current_request_id
from payments.webhooks.answers import answer_webhook

GENERIC_CHANNEL = "generic"


@csrf_exempt
def receive(request: HttpRequest, slug: str = GENERIC_CHANNEL) -> HttpResponse:
    """Answers one signed notice: 201 created, 200 duplicate, 409 with the difference, or a problem."""
    answer = answer_webhook(request.META, slug=slug, request_id=current_request_id() or "")
    return HttpResponse(answer.body, status=answer.status, headers=answer.headers)
