from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.urls import path
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from drf_spectacular.utils import extend_schema
from drf_spectacular.validation import validate_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView

from kernel.restapi import CursorPagination, problem_responses


class PersonSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()


class People(ListAPIView[User]):
    """People, newest first."""

    queryset = User.objects.all()
    serializer_class = PersonSerializer
    authentication_classes = ()
    filter_backends = ()
    pagination_class = CursorPagination
    required_scopes = "people:read"

    @extend_schema(responses={200: PersonSerializer(many=True)} | problem_responses(401, 403, 422, 429))
    def get(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        return super().get(request, *args, **kwargs)


@pytest.fixture
def schema() -> Any:
    GENERATOR_STATS.reset()
    # The site's own hooks are the site's affair.
    with patched_settings({"POSTPROCESSING_HOOKS": []}):
        generated = SchemaGenerator(patterns=[path("people", People.as_view())]).get_schema(request=None, public=True)
    assert not GENERATOR_STATS._warn_cache
    assert not GENERATOR_STATS._error_cache
    validate_schema(generated)
    return generated


def test_every_problem_is_described_under_its_own_media_type(schema: Any) -> None:
    responses = schema["paths"]["/people"]["get"]["responses"]
    assert set(responses) == {"200", "401", "403", "422", "429"}
    for status in ("401", "403", "422", "429"):
        assert list(responses[status]["content"]) == ["application/problem+json"]
        assert responses[status]["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
        assert responses[status]["description"]


def test_a_page_is_items_and_next(schema: Any) -> None:
    get = schema["paths"]["/people"]["get"]
    assert get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].endswith("PaginatedPersonList")
    listed = schema["components"]["schemas"]["PaginatedPersonList"]
    assert listed["required"] == ["items", "next"]
    assert listed["properties"]["items"]["items"]["$ref"].endswith("/Person")
    assert {parameter["name"] for parameter in get["parameters"]} == {"cursor", "limit"}


def test_the_problem_has_the_members_of_rfc_9457_and_ours(schema: Any) -> None:
    described = schema["components"]["schemas"]["Problem"]
    assert set(described["required"]) == {
        "type", "title", "status", "detail", "instance", "code", "next_step", "request_id", "errors",
    }  # fmt: skip
