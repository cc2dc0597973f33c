"""Answers as they are kept: status, the headers that matter, and the bytes."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from rest_framework.response import Response

from kernel.errors import Conflict, Refused
from kernel.restapi import problem
from kernel.restapi.renderers import answer_json
from kernel.restapi.translation import in_our_words

REPLAYED = "Idempotent-Replayed"
# What an answer means with. Of one transmission alone are dates, lengths, request ids and remaining quotas.
KEPT_HEADERS = ("Content-Type", "Content-Disposition", "Location", "ETag", "Cache-Control", "Link", "Allow")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer, ready to be sent any number of times."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)

    def as_response(self, *, replayed: bool) -> HttpResponse:
        response = HttpResponse(self.body, status=self.status, headers=self.headers)
        if "Content-Type" not in self.headers:
            del response["Content-Type"]
        if replayed:
            response[REPLAYED] = "true"
        return response


def answer_of(response: HttpResponse) -> Answer:
    """A view's response as it will be sent. REST framework's Response is written as JSON here and now.

    Raises TypeError for content that has no exact form, and for a response that streams.
    """
    if response.streaming:
        raise TypeError("A response that streams cannot be kept; offer it as a GET.")
    kept = {name: str(response[name]) for name in KEPT_HEADERS if response.has_header(name)}
    if isinstance(response, Response):
        kept.pop("Content-Type", None)
        body = b"" if response.data is None else answer_json(response.data)
        return Answer(response.status_code, body, ({"Content-Type": "application/json"} if body else {}) | kept)
    return Answer(response.status_code, response.content, kept)


def final_answer(error: Exception, request: HttpRequest) -> Answer | None:
    """The problem that a refusal or a conflict is answered with, for good; None for what the caller may repeat."""
    ours = in_our_words(error)
    if isinstance(ours, Refused | Conflict):
        return answer_of(problem(ours, request))
    return None
