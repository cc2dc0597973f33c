"""Completes the API's description with what Django REST framework does not serve: webhooks, health and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments.webhooks.openapi import WEBHOOK_COMPONENTS, WEBHOOK_PATHS
from paymentsite.monitoring.openapi import MONITORING_COMPONENTS, MONITORING_PATHS

TAGS = [
    {"name": "payments", "description": "Reads, by API key."},
    {"name": "webhooks", "description": "Signed notices of payments from channels."},
    {"name": "monitoring", "description": "Health checks and metrics."},
]


def add_plain_operations(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's postprocessing hook: adds paths and components, and puts everything into a steady order."""
    for paths, components in ((WEBHOOK_PATHS, WEBHOOK_COMPONENTS), (MONITORING_PATHS, MONITORING_COMPONENTS)):
        _add(result.setdefault("paths", {}), {path: _per_operation(item) for path, item in paths.items()})
        for kind, named in components.items():
            _add(result.setdefault("components", {}).setdefault(kind, {}), named)
    result["paths"] = dict(sorted(result["paths"].items()))
    result["tags"] = TAGS
    return result


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
