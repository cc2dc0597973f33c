"""Exports by content negotiation: what a view that exports says of its formats, and its one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from kernel.restapi.exports import Export, csv_response, json_response, ndjson_response
from kernel.restapi.renderers import ExactJSONRenderer


class _ExportRenderer(BaseRenderer):
    """Lets Accept and ?format= name the type; the answer itself streams and passes by."""

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return ExactJSONRenderer().render(data, accepted_media_type, renderer_context)


class CSVExport(_ExportRenderer):
    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"


class JSONExport(_ExportRenderer):
    media_type = "application/json"
    format = "json"
    charset = None


class NDJSONExport(_ExportRenderer):
    media_type = "application/x-ndjson"
    format = "ndjson"
    charset = None


# For `renderer_classes` of a view that exports: the first is what is given when the caller accepts anything.
EXPORT_RENDERERS = (CSVExport, JSONExport, NDJSONExport)


def export_response(request: Request, export: Export, filename: str) -> StreamingHttpResponse:
    """The export in the type that Accept or ?format= asks for: csv, json or ndjson. Raises as csv_response does."""
    answers = {"csv": csv_response, "json": json_response, "ndjson": ndjson_response}
    return answers[str(request.accepted_renderer.format)](export, filename)


def export_responses(rows: Any, description: str) -> dict[Any, OpenApiResponse]:
    """Entries for `responses` of `extend_schema`; `rows` is the serializer of one row, many=True."""
    text = OpenApiResponse(OpenApiTypes.STR, description)
    return {
        (200, "text/csv"): text,
        (200, "application/json"): OpenApiResponse(rows, description),
        (200, "application/x-ndjson"): text,
    }
