"""Both endpoints in the words of OpenAPI 3.0; merged into the schema by paymentsite/openapi.py."""

from __future__ import annotations

from typing import Any

PROBLEM_TYPE = "application/problem+json"
CHANNEL_SLUG = {
    "name": "slug",
    "in": "path",
    "required": True,
    "description": "The channel's name in its address.",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 100},
}

REFUSALS = {
    "400": "The body is not usable JSON (json-invalid) or did not arrive whole (body-unreadable).",
    "401": "The signature was not accepted: signature-missing, signature-malformed, signature-wrong, "
    "timestamp-missing, "
    "timestamp-malformed, timestamp-outside-tolerance, webhook-id-missing, webhook-id-malformed.",
    "403": "The sender's address is not on the channel's list (address-not-allowed).",
    "404": "There is no active channel of this name (channel-unknown).",
    "405": "Webhooks answer POST only (method-not-allowed).",
    "413": "The body is larger than WEBHOOK_MAX_BODY_BYTES (body-too-large).",
    "415": "The body is not declared as plain JSON in UTF-8 (content-type-unsupported).",
    "422": "The content cannot be recorded: notice-invalid with the fields in errors, or not-approved.",
    "500": "Something broke on our side (internal-error).",
}
RATE_LIMIT_HEADERS: dict[str, Any] = {
    "RateLimit-Limit": {"description": "Requests a minute from one address.", "schema": {"type": "integer"}},
    "RateLimit-Remaining": {"description": "How many of them are left now.", "schema": {"type": "integer"}},
    "RateLimit-Reset": {"description": "Seconds until all are there again.", "schema": {"type": "integer"}},
}
RETRY_AFTER: dict[str, Any] = {
    "Retry-After": {"description": "Seconds to wait before the repeat.", "schema": {"type": "integer"}}
}

WEBHOOK_COMPONENTS: dict[str, dict[str, Any]] = {
    "schemas": {
        "PaymentNotice": {
            "type": "object",
            "required": ["reference_number", "loan_account_number", "cif", "amount", "payment_date"],
            "additionalProperties": True,
            "description": "A payment as the channel `generic` sends it. Further members are kept in metadata.",
            "properties": {
                "reference_number": {"type": "string", "minLength": 1, "maxLength": 255, "example": "NB-2026-000417"},
                "loan_account_number": {"type": "string", "minLength": 1, "maxLength": 20, "example": "LN10000417"},
                "cif": {"type": "string", "minLength": 1, "maxLength": 20, "example": "CIF00417"},
                "amount": {
                    "type": "number",
                    "minimum": 0,
                    "exclusiveMinimum": True,
                    "maximum": 9999999999999.99,
                    "description": 'Read digit by digit; text such as "125.50" is read as well.',
                    "example": 125.50,
                },
                "currency": {
                    "type": "string",
                    "pattern": "^[A-Z]{3}$",
                    "description": "ISO 4217; the channel's currency when absent.",
                    "example": "CAD",
                },
                "payment_date": {
                    "type": "string",
                    "format": "date-time",
                    "description": "RFC 3339, always with a zone.",
                    "example": "2026-11-05T13:45:00-08:00",
                },
                "payment_channel": {"type": "string", "maxLength": 100, "nullable": True},
                "metadata": {"type": "object", "additionalProperties": True, "nullable": True},
            },
        },
        "WebhookAnswer": {
            "type": "object",
            "required": ["status", "payment_id"],
            "properties": {
                "status": {"type": "string", "enum": ["created", "duplicate"]},
                "payment_id": {"type": "string", "format": "uuid"},
            },
        },
        "WebhookConflict": {
            "allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {
                    "type": "object",
                    "properties": {
                        "payment_id": {"type": "string", "format": "uuid", "description": "What is recorded."},
                        "difference": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "required": ["field", "recorded", "received"],
                                "properties": {
                                    "field": {"type": "string"},
                                    "recorded": {"type": "string"},
                                    "received": {"type": "string"},
                                },
                            },
                        },
                    },
                },
            ]
        },
    },
    "securitySchemes": {
        "standardWebhook": {
            "type": "apiKey",
            "in": "header",
            "name": "webhook-signature",
            "description": "Standard Webhooks 1.0.0, together with webhook-id and webhook-timestamp.",
        },
        "plainSignature": {
            "type": "apiKey",
            "in": "header",
            "name": "X-Signature",
            "description": "sha256= and the hexadecimal HMAC-SHA256 of the raw body (docs/webhooks.md).",
        },
    },
}


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": {"type": "string"}}


SIGNING_HEADERS = [
    _header("webhook-id", "Standard Webhooks: the message's own id; the same on every repeat."),
    _header("webhook-timestamp", "Standard Webhooks: seconds since 1970-01-01 UTC at which this attempt was signed."),
    _header("X-Timestamp", "Plain scheme, optional: seconds since 1970-01-01 UTC, signed with the body."),
]


def _answers() -> dict[str, Any]:
    accepted = {"application/json": {"schema": {"$ref": "#/components/schemas/WebhookAnswer"}}}
    problem = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    conflict = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/WebhookConflict"}}}
    answers: dict[str, Any] = {
        "200": {
            "description": "The same payment again; nothing was written.",
            "content": accepted,
            "headers": RATE_LIMIT_HEADERS,
        },
        "201": {"description": "The payment was recorded.", "content": accepted, "headers": RATE_LIMIT_HEADERS},
        "409": {
            "description": "The reference is recorded with other content (reference-conflict, with the difference), or "
            "the webhook-id came with another body (webhook-id-reused).",
            "content": conflict,
        },
        "429": {
            "description": "More requests than this address may send (rate-limited).",
            "content": problem,
            "headers": RETRY_AFTER | RATE_LIMIT_HEADERS,
        },
        "503": {
            "description": "Not available now: repeat the same request.",
            "content": problem,
            "headers": RETRY_AFTER,
        },
    }
    answers |= {status: {"description": text, "content": problem} for status, text in REFUSALS.items()}
    return dict(sorted(answers.items()))


def _operation(operation_id: str, summary: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "summary": summary,
        "description": "Sign the raw bytes of the body. A repeat with the same content is answered 200 with the "
        "payment's id, however often it comes.",
        "tags": ["webhooks"],
        "security": [{"standardWebhook": []}, {"plainSignature": []}],
        "parameters": SIGNING_HEADERS,
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": _answers(),
    }


WEBHOOK_PATHS: dict[str, Any] = {
    "/api/v1/payments/webhook": {
        "post": _operation(
            "post_webhook",
            "Record a payment, on the channel named generic",
            {"$ref": "#/components/schemas/PaymentNotice"},
        )
    },
    "/api/v1/payments/webhook/{slug}": {
        "parameters": [CHANNEL_SLUG],
        "post": _operation(
            "post_channel_webhook",
            "Record a payment, in the channel's own format",
            {
                "type": "object",
                "additionalProperties": True,
                "description": "The format that is set for the channel; docs/webhooks.md describes each.",
            },
        ),
    },
}
