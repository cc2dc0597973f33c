from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.views import APIView

from kernel.idempotency.schema import IDEMPOTENCY_KEY, idempotent_problems
from kernel.restapi.exportviews import EXPORT_RENDERERS, export_responses


class Thing(serializers.Serializer[Any]):
    name = serializers.CharField()


class ThingsView(APIView):
    @extend_schema(
        operation_id="add_thing",
        request=Thing,
        parameters=[IDEMPOTENCY_KEY],
        responses={201: Thing, **idempotent_problems(404)},
    )
    def post(self, request: Request) -> HttpResponse:
        raise NotImplementedError


class ThingExportView(APIView):
    renderer_classes = EXPORT_RENDERERS

    @extend_schema(operation_id="export_things", responses=export_responses(Thing(many=True), "All things."))
    def get(self, request: Request) -> HttpResponse:
        raise NotImplementedError


def operation(address: str, view: type[APIView], method: str) -> dict[str, Any]:
    schema = SchemaGenerator(patterns=[path(address, view.as_view())]).get_schema(request=None, public=True)
    found: dict[str, Any] = schema["paths"][f"/{address}"][method]
    return found


def test_a_post_asks_for_a_key_and_names_what_it_is_refused_with() -> None:
    described = operation("api/v1/things", ThingsView, "post")
    key = next(parameter for parameter in described["parameters"] if parameter["name"] == "Idempotency-Key")
    assert (key["in"], key["required"]) == ("header", True)
    assert key["schema"] == {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
    assert {"201", "400", "404", "409", "422"} <= set(described["responses"])
    assert "application/problem+json" in described["responses"]["409"]["content"]


def test_an_export_names_its_three_types() -> None:
    described = operation("api/v1/things/export", ThingExportView, "get")
    content = described["responses"]["200"]["content"]
    assert list(content) == ["text/csv", "application/json", "application/x-ndjson"]
    assert content["application/json"]["schema"]["type"] == "array"
    assert content["text/csv"]["schema"] == {"type": "string"}
    formats = next(parameter for parameter in described["parameters"] if parameter["name"] == "format")
    assert sorted(formats["schema"]["enum"]) == ["csv", "json", "ndjson"]
