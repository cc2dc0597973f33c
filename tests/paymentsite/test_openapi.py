from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

KEPT = settings.BASE_DIR / "docs" / "openapi.json"
REFRESH = "manage.py spectacular --validate --fail-on-warn --format openapi-json --file docs/openapi.json"
# What people look at and what describes itself is no operation of the API.
NOT_OPERATIONS = ("admin", "problems/", "pay/", "api/schema", "api/docs")
# What is no secret: what things cost, and what codes mean.
WITHOUT_KEY = ("get /api/v1/fees", "get /api/v1/codes/{code_type}")


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The schema as it is now. To make it raises when it is not valid or when there is a single warning."""
    path: Path = tmp_path_factory.mktemp("schema") / "openapi.json"
    call_command("spectacular", "--validate", "--fail-on-warn", "--format", "openapi-json", "--file", str(path))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{method} {path}": item[method] for path, item in schema["paths"].items() for method in item}


def test_the_kept_schema_is_the_one_that_is_served(schema: dict[str, Any]) -> None:
    assert json.loads(KEPT.read_text()) == schema, f"docs/openapi.json is out of date. Refresh it: {REFRESH}"


def test_every_operation_of_the_product_is_there(schema: dict[str, Any]) -> None:
    assert sorted(operations(schema)) == [
        "delete /api/v1/invoices/{invoice_id}",
        "get /api/v1/accounts",
        "get /api/v1/accounts/{account_number}",
        "get /api/v1/accounts/{account_number}/credits",
        "get /api/v1/codes/{code_type}",
        "get /api/v1/fees",
        "get /api/v1/fees/{product}/{filing_type}",
        "get /api/v1/invoices",
        "get /api/v1/invoices/export",
        "get /api/v1/invoices/{invoice_id}",
        "get /api/v1/invoices/{invoice_id}/receipt.pdf",
        "get /api/v1/invoices/{invoice_id}/receipts",
        "get /api/v1/invoices/{invoice_id}/refunds",
        "get /api/v1/invoices/{invoice_id}/transactions",
        "get /api/v1/invoices/{invoice_id}/transactions/{attempt_id}",
        "get /api/v1/payments",
        "get /api/v1/payments/stats",
        "get /api/v1/payments/{payment_id}",
        "get /api/v1/refunds",
        "get /api/v1/refunds/{refund_id}",
        "get /health",
        "get /health/live",
        "get /health/ready",
        "get /health/startup",
        "get /metrics",
        "patch /api/v1/invoices/{invoice_id}",
        "patch /api/v1/refunds/{refund_id}",
        "post /api/v1/accounts",
        "post /api/v1/fees/quote",
        "post /api/v1/invoices",
        "post /api/v1/invoices/{invoice_id}/credits",
        "post /api/v1/invoices/{invoice_id}/refunds",
        "post /api/v1/invoices/{invoice_id}/refunds/preview",
        "post /api/v1/invoices/{invoice_id}/transactions",
        "post /api/v1/payments/webhook",
        "post /api/v1/payments/webhook/{slug}",
    ]


def test_every_address_of_the_site_is_described(schema: dict[str, Any]) -> None:
    described = {re.sub(r"\{(\w+)\}", r"{}", path) for path in schema["paths"]}
    served = {
        re.sub(r"<[^>]+>", "{}", f"/{address}")
        for address in addresses(get_resolver().url_patterns)
        if address and not address.startswith(NOT_OPERATIONS)
    }
    assert served == described


def addresses(patterns: list[Any], before: str = "") -> list[str]:
    found = []
    for pattern in patterns:
        address = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if not address.startswith(NOT_OPERATIONS):
                found += addresses(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern):
            found.append(address)
    return found


def test_every_operation_names_itself_its_access_and_its_problems(schema: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in operations(schema).values()]
    assert len(set(names)) == len(names)
    for name, operation in operations(schema).items():
        assert operation["summary"], name
        assert operation["security"], name
        assert set(operation["tags"]) <= {tag["name"] for tag in schema["tags"]}, name
        for status, answer in operation["responses"].items():
            assert answer["description"], (name, status)
            is_problem = "application/problem+json" in answer.get("content", {})
            assert is_problem or int(status) < 400 or name.startswith("get /health") or status == "405", (name, status)


def test_reads_need_an_api_key_as_bearer(schema: dict[str, Any]) -> None:
    scheme = schema["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for name, operation in operations(schema).items():
        if name in WITHOUT_KEY:
            assert operation["security"] == [{}]
        elif name.startswith("get /api/v1/"):
            assert operation["security"] == [{"ApiKey": []}]
            assert {"401", "403", "422", "503"} <= set(operation["responses"])


def test_every_operation_with_a_key_names_what_the_ground_can_answer(schema: dict[str, Any]) -> None:
    checked = 0
    for name, operation in operations(schema).items():
        if operation["security"] == [{"ApiKey": []}]:
            expected = {"401", "403", "405", "406", "429", "500", "503"}
            expected |= {"400", "413", "415", "422"} if "requestBody" in operation else set()
            assert expected <= set(operation["responses"]), name
            checked += 1
    assert checked >= 3


def test_every_post_with_a_key_takes_an_idempotency_key(schema: dict[str, Any]) -> None:
    for name, operation in operations(schema).items():
        if name.startswith("post ") and operation["security"] == [{"ApiKey": []}]:
            named = [parameter for parameter in operation["parameters"] if parameter["name"] == "Idempotency-Key"]
            assert [(parameter["in"], parameter["required"]) for parameter in named] == [("header", True)], name
            assert {"400", "409", "422"} <= set(operation["responses"]), name


def test_amounts_are_described_as_text(schema: dict[str, Any]) -> None:
    assert schema["components"]["schemas"]["Payment"]["properties"]["amount"]["type"] == "string"


@pytest.mark.django_db
def test_the_schema_and_the_pages_about_it_need_no_login(client: Client, schema: dict[str, Any]) -> None:
    served = client.get("/api/schema")
    assert served.status_code == 200
    assert served["Content-Type"].startswith("application/vnd.oai.openapi")
    assert yaml.safe_load(served.content)["paths"].keys() == schema["paths"].keys()
    as_json = client.get("/api/schema", {"format": "json"})
    assert json.loads(as_json.content)["openapi"] == schema["openapi"]


@pytest.mark.django_db
def test_the_page_for_people_loads_nothing_from_elsewhere(client: Client) -> None:
    page = client.get("/api/docs")
    assert page.status_code == 200
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.content.decode())
    assert len(sources) >= 4
    assert [source for source in sources if not source.startswith("/")] == []
    for source in sources:
        assert client.get(source).status_code == 200, source


@pytest.mark.django_db
def test_the_front_door_leads_to_the_console(client: Client) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")
