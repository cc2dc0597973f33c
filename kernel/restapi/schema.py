"""Problems in the words of OpenAPI."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers

from kernel.restapi.problems import MEDIA_TYPE

TITLES = {
    400: "The request could not be read.",
    401: "Credentials are missing or not valid.",
    403: "The credentials do not allow this.",
    404: "There is no such thing.",
    405: "The method is not allowed here.",
    406: "The media type asked for cannot be given.",
    409: "What is recorded says otherwise; the ids and the difference are in the answer.",
    410: "It was here and is archived; the archive is named in the answer.",
    413: "The body is too large.",
    415: "The body's media type is not read here.",
    422: "The content is wrong; errors names each field.",
    429: "Too many requests; Retry-After says when to repeat.",
    500: "Something broke on our side.",
    503: "Not available now; Retry-After says when to repeat.",
}


class FieldProblemSerializer(serializers.Serializer[Any]):
    """One thing wrong with one field."""

    field = serializers.CharField(help_text="The field, such as amount or lines[2].amount.")
    code = serializers.CharField(help_text="A stable code for programs.")
    message = serializers.CharField(help_text="What the field should hold.")


class ProblemSerializer(serializers.Serializer[Any]):
    """RFC 9457 problem details. Some problems add members of their own, such as ids."""

    type = serializers.CharField(help_text="The kind of problem, as a reference: /problems/ and the code.")
    title = serializers.CharField(help_text="The kind of problem, in words.")
    status = serializers.IntegerField(help_text="The HTTP status.")
    detail = serializers.CharField(help_text="What went wrong this time.")
    instance = serializers.CharField(help_text="The path that was asked for.")
    code = serializers.CharField(help_text="A stable code for programs.")
    next_step = serializers.CharField(help_text="What the caller can do now.")
    request_id = serializers.CharField(allow_null=True, help_text="What to quote when reporting the problem.")
    # The stubs know `errors` only as a serializer's own property, which a declared field does not touch.
    errors = FieldProblemSerializer(  # type: ignore[assignment]
        many=True, help_text="What is wrong, field by field; often empty."
    )


def problem_responses(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """Entries for `responses` of `extend_schema`, one per status."""
    return {
        (status, MEDIA_TYPE): OpenApiResponse(response=ProblemSerializer, description=TITLES[status])
        for status in statuses
    }
