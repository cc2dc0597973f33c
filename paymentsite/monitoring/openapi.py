"""Health and metrics in the words of OpenAPI."""

from __future__ import annotations

from typing import Any

WORD = {"type": "string", "enum": ["ok", "error"]}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}

MONITORING_COMPONENTS: dict[str, dict[str, Any]] = {
    "schemas": {
        "Health": {
            "type": "object",
            "required": ["status", "checks"],
            "properties": {
                "status": {"type": "string", "enum": ["healthy", "unhealthy"]},
                "checks": {
                    "type": "object",
                    "required": ["database", "kafka", "redis", "staging_backlog", "last_staging_run"],
                    "properties": {
                        "database": WORD,
                        "kafka": WORD,
                        "redis": WORD,
                        "staging_backlog": {
                            "type": "integer",
                            "nullable": True,
                            "description": "Staged rows that wait, counted up to 100000; null when not known.",
                        },
                        "last_staging_run": {
                            "type": "string",
                            "format": "date-time",
                            "nullable": True,
                            "description": "When the latest batch began, UTC; null before the first.",
                        },
                    },
                },
            },
        },
        "Probe": {
            "type": "object",
            "required": ["status"],
            "properties": {"status": {"type": "string"}},
        },
    }
}


def _operation(operation_id: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {
            "operationId": operation_id,
            "summary": summary,
            "tags": ["monitoring"],
            "security": [{}],
            "responses": responses
            | {
                "405": {"description": "Only GET and HEAD are answered here."},
                "500": {"description": "Something broke on our side.", "content": PROBLEM},
            },
        }
    }


def _answer(description: str, schema: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


MONITORING_PATHS: dict[str, Any] = {
    "/health": _operation(
        "get_health",
        "How the instance and what it leans on are",
        {
            "200": _answer("Database, Kafka and Redis answer.", "Health"),
            "503": _answer("One of them does not answer within a second.", "Health"),
        },
    ),
    "/health/live": _operation(
        "get_liveness", "Whether the process answers", {"200": _answer("It does: status is live.", "Probe")}
    ),
    "/health/ready": _operation(
        "get_readiness",
        "Whether requests may be sent here",
        {
            "200": _answer("They may: status is ready.", "Probe"),
            "503": _answer("Not now: the database does not answer. Status is not ready.", "Probe"),
        },
    ),
    "/health/startup": _operation(
        "get_startup",
        "Whether the start is over",
        {
            "200": _answer("It is: status is started.", "Probe"),
            "503": _answer("Not yet: status is starting.", "Probe"),
        },
    ),
    "/metrics": _operation(
        "get_metrics",
        "Metrics for Prometheus",
        {
            "200": {
                "description": "The text format, or OpenMetrics when Accept asks for it.",
                "content": {
                    "text/plain": {"schema": {"type": "string"}},
                    "application/openmetrics-text": {"schema": {"type": "string"}},
                },
            },
            "401": {"description": "METRICS_TOKEN is set, and was not sent.", "content": PROBLEM},
            "403": {"description": "METRICS_TOKEN is not set, and this is another machine.", "content": PROBLEM},
            "404": {"description": "Metrics are off.", "content": PROBLEM},
        },
    ),
}
