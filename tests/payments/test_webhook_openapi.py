"""The description of the webhooks says every answer that they give."""

from __future__ import annotations

import inspect

from kernel.errors import PaymentsiteError
from payments import signatures
from payments.webhooks import refusals
from payments.webhooks.openapi import WEBHOOK_COMPONENTS, WEBHOOK_PATHS

ANSWERS = ["200", "201", "400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "500", "503"]


def test_both_endpoints_document_every_answer_and_the_body() -> None:
    assert [*WEBHOOK_PATHS] == ["/api/v1/payments/webhook", "/api/v1/payments/webhook/{slug}"]
    for path in WEBHOOK_PATHS.values():
        assert [*path["post"]["responses"]] == ANSWERS
        assert all(answer["description"] for answer in path["post"]["responses"].values())
        assert path["post"]["requestBody"]["required"]


def test_every_refusal_of_the_door_and_of_the_signature_is_described_under_its_status() -> None:
    classes: list[type[PaymentsiteError]] = [
        member
        for module in (signatures, refusals)
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, PaymentsiteError) and member.__module__ == module.__name__ and "code" in vars(member)
    ]
    described = WEBHOOK_PATHS["/api/v1/payments/webhook"]["post"]["responses"]
    checked = [refusal for refusal in classes if refusal.__name__ not in ("SecretInvalid", "ChannelUnusable")]
    assert len(checked) == 14
    for refusal in checked:
        assert refusal.code in described[str(refusal.status)]["description"]


def test_every_reference_to_a_schema_of_ours_can_be_followed() -> None:
    text = repr(WEBHOOK_PATHS)
    for name in WEBHOOK_COMPONENTS["schemas"]:
        assert f"#/components/schemas/{name}" in text
