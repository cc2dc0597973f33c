"""Completes the API's description with what Django REST framework does not serve: webhooks, health and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kernel.restapi.problems import MEDIA_TYPE
from kernel.restapi.schema import TITLES
from payments.webhooks.openapi import WEBHOOK_COMPONENTS, WEBHOOK_PATHS
from paymentsite.monitoring.openapi import MONITORING_COMPONENTS, MONITORING_PATHS

TAGS = [
    {"name": "fees", "description": "What things cost."},
    {"name": "invoices", "description": "Orders: created once, read, listed, exported, cancelled; and their receipts."},
    {"name": "card payments", "description": "Links by which a payer pays an invoice by card."},
    {"name": "refunds", "description": "Money back: previewed, asked for, agreed to by a second system, followed."},
    {"name": "credits", "description": "What stands to an account's credit."},
    {"name": "accounts", "description": "Who pays: what is agreed, locks, what is owed."},
    {"name": "codes", "description": "What the codes mean."},
    {"name": "payments", "description": "Reads, by API key."},
    {"name": "webhooks", "description": "Signed notices of payments from channels."},
    {"name": "monitoring", "description": "Health checks and metrics."},
]

# What the ground under every operation with an API key can answer, whatever the view's own lines name.
PROBLEMS_OF_ALL = (401, 403, 405, 406, 429, 500, 503)
PROBLEMS_OF_BODIES = (400, 413, 415, 422)


def add_plain_operations(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: adds paths and components, and puts everything into a steady order."""
    for paths, components in ((WEBHOOK_PATHS, WEBHOOK_COMPONENTS), (MONITORING_PATHS, MONITORING_COMPONENTS)):
        _add(result.setdefault("paths", {}), {path: _per_operation(item) for path, item in paths.items()})
        for kind, named in components.items():
            _add(result.setdefault("components", {}).setdefault(kind, {}), named)
    for item in result["paths"].values():
        for operation in item.values():
            # What needs no key says so.
            if {"ApiKey": []} in operation.setdefault("security", [{}]):
                _add_problems(operation)
    result["paths"] = dict(sorted(result["paths"].items()))
    result["tags"] = TAGS
    return result


def _add_problems(operation: dict[str, Any]) -> None:
    """Adds the answers of the ground: who you are, what you accept, how often you ask, and what a body may be."""
    for status in (*PROBLEMS_OF_ALL, *(PROBLEMS_OF_BODIES if "requestBody" in operation else ())):
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        operation["responses"].setdefault(str(status), {"description": TITLES[status], "content": content})


def _per_operation(item: Mapping[str, Any]) -> dict[str, Any]:
    """The path's own parameters, repeated at each operation: drf-spectacular expects nothing but operations here."""
    shared = item.get("parameters", [])
    return {
        method: operation | {"parameters": [*shared, *operation.get("parameters", [])]}
        for method, operation in item.items()
        if method != "parameters"
    }


def _add(into: dict[str, Any], additions: Mapping[str, Any]) -> None:
    clashing = into.keys() & additions.keys()
    if clashing:
        raise ValueError(f"Described twice: {', '.join(sorted(clashing))}.")
    into.update(additions)
