"""A change of the API that breaks clients fails here until docs/api_changes.md names it."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings

from tests.paymentsite.apichanges import Break, breaks

DOCS = settings.BASE_DIR / "docs"
LINE = re.compile(r"^- `[A-Z]+ /.*$", re.MULTILINE)


def test_every_break_since_the_last_release_is_named_in_the_version_notes() -> None:
    released = json.loads((DOCS / "openapi_baseline.json").read_text())
    now = json.loads((DOCS / "openapi.json").read_text())
    unreleased = (DOCS / "api_changes.md").read_text().split("## Since the last release", 1)[1].split("\n## ", 1)[0]
    named = set(LINE.findall(unreleased))
    found = {str(change) for change in breaks(released, now)}
    assert not found - named, "Name these in docs/api_changes.md, or do not break them:\n" + "\n".join(sorted(found))
    assert not named - found, f"Nothing breaks so (any more): {sorted(named - found)}"


def described() -> dict[str, Any]:
    """A small API with everything that can break."""
    thing = {
        "type": "object",
        "required": ["id", "amount"],
        "properties": {
            "id": {"type": "integer"},
            "amount": {"type": "string", "format": "decimal"},
            "method": {"allOf": [{"$ref": "#/components/schemas/Method"}]},
            "lines": {"type": "array", "items": {"$ref": "#/components/schemas/Line"}},
            "parent": {"$ref": "#/components/schemas/Thing"},
            "note": {"oneOf": [{"enum": ["a", "b"]}, {"enum": [None]}]},
        },
    }
    asked = {
        "type": "object",
        "required": ["amount"],
        "properties": {
            "amount": {"type": "string", "maxLength": 20, "minLength": 1},
            "method": {"$ref": "#/components/schemas/Method"},
            "count": {"type": "integer", "maximum": 100},
            "reason": {"type": "string", "nullable": True},
        },
    }
    line = {"type": "object", "properties": {"code": {"type": "string"}}}
    return {
        "paths": {
            "/things": {
                "post": {
                    "security": [{"ApiKey": []}],
                    "parameters": [
                        {"name": "dry", "in": "query", "schema": {"type": "string", "enum": ["yes", "no"]}},
                    ],
                    "requestBody": {
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Asked"}}},
                    },
                    "responses": {
                        "201": {
                            "headers": {"Location": {}},
                            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}},
                        },
                        "422": {"content": {"application/problem+json": {"schema": {"type": "object"}}}},
                    },
                },
                "get": {"security": [{}], "responses": {"200": {}}},
            }
        },
        "components": {
            "schemas": {
                "Thing": thing,
                "Asked": asked,
                "Line": line,
                "Method": {"type": "string", "enum": ["PAD", "EFT"]},
            }
        },
    }


def schema(name: str) -> Callable[[Any], Any]:
    return lambda document: document["components"]["schemas"][name]


def post(document: Any) -> Any:
    return document["paths"]["/things"]["post"]


def changed(change: Callable[[Any], Any]) -> list[str]:
    before, after = described(), described()
    change(after)
    found = breaks(before, after)
    assert all(isinstance(each, Break) and each.path == "/things" for each in found)
    return [each.what for each in found if each.method == "post"] or [f"{each.method} {each.what}" for each in found]


BREAKS: list[tuple[Callable[[Any], Any], list[str]]] = [
    (lambda d: d["paths"].pop("/things"), ["removed"]),
    (lambda d: d["paths"]["/things"].pop("get"), ["get removed"]),
    (lambda d: post(d)["responses"].pop("422"), ["answer 422 removed"]),
    (lambda d: post(d)["responses"]["201"]["headers"].clear(), ["answer 201: header Location removed"]),
    (
        lambda d: post(d)["responses"]["422"]["content"].clear(),
        ["answer 422 as application/problem+json removed"],
    ),
    (lambda d: post(d)["parameters"].clear(), ["query parameter dry removed"]),
    (lambda d: post(d)["parameters"][0].update(required=True), ["query parameter dry became required"]),
    (
        lambda d: post(d)["parameters"].append({"name": "Idempotency-Key", "in": "header", "required": True}),
        ["header parameter Idempotency-Key is new and required"],
    ),
    (lambda d: post(d)["parameters"][0]["schema"].update(enum=["yes"]), ["query parameter dry lost the value no"]),
    (lambda d: post(d)["requestBody"].update(required=True), ["body became required"]),
    (lambda d: post(d).pop("requestBody"), ["body removed"]),
    (lambda d: post(d)["requestBody"].update(content={"text/csv": {}}), ["body as application/json removed"]),
    (lambda d: schema("Asked")(d)["required"].append("method"), ["body method became required"]),
    (
        lambda d: (
            schema("Asked")(d)["required"].append("new"),
            schema("Asked")(d)["properties"].update(new={"type": "string"}),
        ),
        ["body new is new and required"],
    ),
    (lambda d: schema("Asked")(d)["properties"].pop("count"), ["body count removed"]),
    (
        lambda d: schema("Asked")(d)["properties"]["amount"].update(maxLength=10),
        ["body amount narrowed: maxLength 20 to 10"],
    ),
    (
        lambda d: schema("Asked")(d)["properties"]["amount"].update(minLength=2),
        ["body amount narrowed: minLength 1 to 2"],
    ),
    (
        lambda d: schema("Asked")(d)["properties"]["count"].update(minimum=0),
        ["body count narrowed: minimum none to 0"],
    ),
    (
        lambda d: schema("Asked")(d)["properties"]["amount"].update(pattern="^1$"),
        ["body amount narrowed: pattern none to ^1$"],
    ),
    (
        lambda d: schema("Asked")(d)["properties"]["amount"].update(enum=["1.00"]),
        ["body amount narrowed: only the values 1.00"],
    ),
    (lambda d: schema("Asked")(d).update(additionalProperties=False), ["body narrowed: no other members"]),
    (
        lambda d: schema("Asked")(d)["properties"]["reason"].pop("nullable"),
        ["body reason may not be null any more"],
    ),
    (
        lambda d: schema("Asked")(d)["properties"]["count"].update(type="string"),
        ["body count changed from integer to string"],
    ),
    (lambda d: schema("Thing")(d)["properties"].pop("amount"), ["answer 201 amount removed"]),
    (
        lambda d: schema("Thing")(d)["properties"]["id"].update(type="string", format="uuid"),
        ["answer 201 id changed from integer to string uuid"],
    ),
    (lambda d: schema("Thing")(d)["properties"]["id"].update(nullable=True), ["answer 201 id may be null now"]),
    (lambda d: schema("Thing")(d)["required"].remove("id"), ["answer 201 id may be missing now"]),
    (lambda d: schema("Line")(d)["properties"].clear(), ["answer 201 lines[].code removed"]),
    (
        lambda d: schema("Thing")(d)["properties"]["note"]["oneOf"].pop(0),
        ["answer 201 note lost the value a", "answer 201 note lost the value b"],
    ),
    (
        lambda d: schema("Method")(d)["enum"].remove("EFT"),
        ["answer 201 method lost the value EFT", "body method lost the value EFT"],
    ),
    (lambda d: post(d).update(security=[{"OAuth": []}]), ["needs other credentials: OAuth"]),
    (lambda d: d["paths"]["/things"]["get"].update(security=[{"ApiKey": []}]), ["get needs other credentials: ApiKey"]),
]


@pytest.mark.parametrize(("change", "expected"), BREAKS, ids=[expected[0] for _, expected in BREAKS])
def test_each_kind_of_break_is_found_and_named(change: Callable[[Any], Any], expected: list[str]) -> None:
    assert changed(change) == expected


HARMLESS: list[Callable[[Any], Any]] = [
    lambda d: d["paths"].update({"/others": {"get": {"responses": {"200": {}}}}}),
    lambda d: d["paths"]["/things"].update(delete={"responses": {"204": {}}}),
    lambda d: post(d)["responses"].update({"429": {}}),
    lambda d: post(d)["parameters"].append({"name": "new", "in": "query", "schema": {"type": "string"}}),
    lambda d: schema("Asked")(d)["properties"].update(new={"type": "string"}),
    lambda d: schema("Asked")(d)["required"].remove("amount"),
    lambda d: schema("Asked")(d)["properties"]["amount"].update(maxLength=30, minLength=0),
    lambda d: schema("Asked")(d)["properties"]["count"].pop("maximum"),
    lambda d: schema("Asked")(d)["properties"]["count"].update(nullable=True, description="More."),
    lambda d: schema("Thing")(d)["properties"].update(new={"type": "string"}),
    lambda d: schema("Thing")(d)["required"].append("method"),
    lambda d: schema("Method")(d)["enum"].append("CC"),
    lambda d: schema("Thing")(d)["properties"].update(method={"$ref": "#/components/schemas/Method"}),
    lambda d: post(d)["responses"]["201"]["headers"].update(ETag={}),
    lambda d: post(d).update(security=[{"OAuth": []}, {"ApiKey": []}]),
]


@pytest.mark.parametrize("number", range(len(HARMLESS)))
def test_what_is_only_added_or_widened_breaks_nobody(number: int) -> None:
    before = described()
    after = copy.deepcopy(before)
    HARMLESS[number](after)
    assert breaks(before, after) == []
    assert after != before


def test_the_line_of_a_break_names_operation_and_change() -> None:
    assert str(Break("post", "/things", "body count removed")) == "- `POST /things`: body count removed"
