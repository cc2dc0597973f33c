from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.test import APIRequestFactory

from kernel.restapi import CursorPagination

AT = datetime(2026, 11, 5, 12, tzinfo=UTC)
factory = APIRequestFactory()


class PersonSerializer(serializers.ModelSerializer[User]):
    class Meta:
        model = User
        fields = ("id",)


class People(ListAPIView[User]):
    queryset = User.objects.all()
    serializer_class = PersonSerializer
    authentication_classes = ()
    permission_classes = ()
    filter_backends = ()
    pagination_class = CursorPagination
    cursor_field = "date_joined"

    def get_queryset(self) -> QuerySet[User]:
        return User.objects.all()


def page(**query: Any) -> Any:
    return People.as_view()(factory.get("/api/v1/people", query))


def walk(limit: int) -> Iterator[list[int]]:
    cursor = None
    while True:
        answer = page(limit=limit, **({"cursor": cursor} if cursor else {})).data
        yield [item["id"] for item in answer["items"]]
        cursor = answer["next"]
        if cursor is None:
            return


@pytest.fixture
def people(db: None) -> list[int]:
    """Seven, of whom three joined at one instant; newest first."""
    joined = [AT, AT, AT, AT - timedelta(days=1), AT + timedelta(microseconds=1), AT, AT - timedelta(days=40)]
    made = User.objects.bulk_create([User(username=f"u{n}", date_joined=at) for n, at in enumerate(joined)])
    return [user.pk for user in sorted(made, key=lambda user: (user.date_joined, user.pk), reverse=True)]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 8, 200])
def test_a_walk_meets_everything_once_and_newest_first(people: list[int], limit: int) -> None:
    pages = list(walk(limit))
    assert [key for keys in pages for key in keys] == people
    assert all(len(keys) == limit for keys in pages[:-1])
    assert pages[-1]


def test_what_arrives_during_the_walk_moves_nothing(people: list[int]) -> None:
    first = page(limit=3).data
    User.objects.create(username="new", date_joined=AT + timedelta(days=1))
    second = page(limit=10, cursor=first["next"]).data
    assert [item["id"] for item in first["items"] + second["items"]] == people


def test_a_page_is_one_query_without_a_count(people: list[int], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1) as asked:
        page(limit=2)
    assert "COUNT" not in asked.captured_queries[0]["sql"].upper()


def test_an_empty_list_is_one_empty_page(db: None) -> None:
    assert page().data == {"items": [], "next": None}


def _cursor(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!!!!",
        "é",
        "a" * 400,
        _cursor([]),
        _cursor({"a": 1}),
        _cursor(["2026-11-05T12:00:00+00:00"]),
        _cursor(["2026-11-05T12:00:00", 1]),
        _cursor(["yesterday", 1]),
        _cursor([5, 1]),
        _cursor(["2026-11-05T12:00:00+00:00", "one"]),
        _cursor(["2026-11-05T12:00:00+00:00", None]),
        _cursor(["2026-11-05T12:00:00+00:00", True]),
        _cursor(["2026-11-05T12:00:00+00:00", [1]]),
    ],
)
@pytest.mark.django_db
def test_a_cursor_that_this_list_did_not_give_is_refused_by_name(cursor: str) -> None:
    response = page(cursor=cursor)
    parsed = json.loads(response.content)
    assert (response.status_code, parsed["code"]) == (422, "cursor-invalid")
    assert parsed["errors"][0]["field"] == "cursor"


@pytest.mark.parametrize("limit", ["0", "201", "-1", "ten", "", "1.5", "٣", "99999999999999"])
@pytest.mark.django_db
def test_a_limit_out_of_bounds_is_refused_by_name(limit: str) -> None:
    response = page(limit=limit)
    parsed = json.loads(response.content)
    assert (response.status_code, parsed["code"], parsed["errors"][0]["field"]) == (422, "limit-invalid", "limit")


@pytest.mark.django_db
def test_fifty_are_given_unless_asked_otherwise() -> None:
    User.objects.bulk_create([User(username=f"u{n}", date_joined=AT) for n in range(60)])
    assert len(page().data["items"]) == 50
    assert len(page(limit=200).data["items"]) == 60
    assert Group.objects.count() == 0
