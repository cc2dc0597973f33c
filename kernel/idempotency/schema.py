"""Idempotency keys in the words of OpenAPI."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from kernel.idempotency.errors import HEADER, LONGEST_KEY
from kernel.restapi.schema import problem_responses

# For `parameters` of extend_schema, of every POST.
IDEMPOTENCY_KEY = OpenApiParameter(
    name=HEADER,
    location=OpenApiParameter.HEADER,
    required=True,
    type={"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": "^[ -~]+$"},
    description="A key of your choice, new for each intent, such as a UUID. Repeat the request under the same key and "
    "it has no second effect: the first answer comes again, byte for byte, with Idempotent-Replayed: true. Kept for "
    "30 days. Another content under the same key is refused (422); while the first request runs, a repeat waits "
    "for up to two seconds and is then answered 409.",
)


def idempotent_problems(*others: int) -> dict[Any, OpenApiResponse]:
    """Entries for `responses` of `extend_schema`: what a key can be refused with, and the other statuses given."""
    return dict(problem_responses(*sorted({400, 409, 422, *others})))
