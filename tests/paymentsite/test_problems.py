from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator

import pytest
from django.conf import settings
from django.test import Client

from kernel.errors import PaymentsiteError
from paymentsite.problems import PACKAGES, load_every_module, problem_kinds, problems_page

PAGE = settings.BASE_DIR / "docs" / "problems.md"


@pytest.fixture(scope="module", autouse=True)
def _every_class_is_loaded() -> None:
    load_every_module()


def every_error(parent: type[PaymentsiteError] = PaymentsiteError) -> Iterator[type[PaymentsiteError]]:
    for error in parent.__subclasses__():
        if error.__module__.partition(".")[0] in PACKAGES:
            yield error
        yield from every_error(error)


def test_the_page_names_every_code_as_the_classes_have_it() -> None:
    assert PAGE.read_text() == problems_page(), "docs/problems.md is out of date: run `manage.py write_problems`."
    for error in every_error():
        assert f"| `{error.code}` |" in PAGE.read_text()


def test_a_code_always_comes_with_the_same_status() -> None:
    statuses: dict[str, set[int]] = {}
    for error in every_error():
        statuses.setdefault(error.code, set()).add(error.status)
    assert {code: found for code, found in statuses.items() if len(found) > 1} == {}


def test_every_problem_says_what_it_means_and_what_to_do() -> None:
    kinds = problem_kinds()
    assert len(kinds) > 20
    assert [kind.code for kind in kinds.values() if not (kind.title and kind.cause and kind.next_step)] == []


@pytest.mark.django_db
def test_the_type_of_a_problem_leads_to_its_page(client: Client) -> None:
    kind = client.get("/api/v1/no-such-thing").json()["type"]
    answer = client.get(kind)
    assert answer.status_code == 200
    assert b"Check the address and the identifier." in answer.content


@pytest.mark.django_db
def test_the_index_lists_every_code_and_leads_to_its_page(client: Client) -> None:
    page = client.get("/problems/").content.decode()
    kinds = problem_kinds()
    assert re.findall(r'href="/problems/([a-z0-9-]+)"', page) == list(kinds)
    for kind in kinds.values():
        assert html.escape(kind.next_step) in page, kind.code
    assert "/problems/" in json.loads((settings.BASE_DIR / "docs" / "openapi.json").read_text())["info"]["description"]


@pytest.mark.django_db
def test_an_unknown_code_has_no_page(client: Client) -> None:
    assert client.get("/problems/no-such-code").status_code == 404
