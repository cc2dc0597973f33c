"""What the reads answer."""

from __future__ import annotations

from typing import Any

import orjson
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from payments.states import PaymentSource


@extend_schema_field({"type": "object", "additionalProperties": True, "nullable": True})
class StoredJSONField(serializers.Field[Any, Any, orjson.Fragment | None, Any]):
    """JSON as PostgreSQL wrote it, digit for digit: numbers of any length pass through unread."""

    def to_representation(self, value: str) -> orjson.Fragment:
        return orjson.Fragment(value)


class PaymentSerializer(serializers.Serializer[Any]):
    """A payment as it was recorded. Payments never change."""

    FIELDS = (
        "id",
        "reference_number",
        "loan_account_number",
        "cif",
        "amount",
        "currency",
        "payment_date",
        "payment_channel",
        "source",
        "created_at",
    )

    id = serializers.UUIDField()
    reference_number = serializers.CharField(help_text="The outside number that makes the payment unique.")
    loan_account_number = serializers.CharField()
    cif = serializers.CharField(help_text="The customer's number.")
    amount = serializers.DecimalField(15, 2, help_text="As a string, so that no reader rounds it.")
    currency = serializers.CharField(help_text="ISO 4217.")
    payment_date = serializers.DateTimeField(help_text="When it was paid, UTC.")
    payment_channel = serializers.CharField(allow_null=True)
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=[source.value for source in PaymentSource]
    )
    metadata = StoredJSONField(source="metadata_text", help_text="Whatever else the notice held.")
    created_at = serializers.DateTimeField(help_text="When it was recorded here, UTC.")


class StagingDaySerializer(serializers.Serializer[Any]):
    """Ingestion of staged rows."""

    processed_today = serializers.IntegerField(
        help_text="Staged rows that got an outcome (recorded, duplicate, conflict or rejected) in batches begun today."
    )
    pending_count = serializers.IntegerField(help_text="Staged rows that wait; counting stops at 100000.")
    average_batch_time_ms = serializers.FloatField(help_text="Of the batches begun today; 0 when there was none.")


class WebhookDaySerializer(serializers.Serializer[Any]):
    """Requests at the webhooks."""

    received_today = serializers.IntegerField(help_text="Every answered request, refused ones included.")
    duplicate_rate = serializers.FloatField(help_text="Duplicates among them, from 0 to 1; 0 when there was none.")
    average_response_time_ms = serializers.FloatField(help_text="Until the answer was decided; 0 when there was none.")


class StatisticsSerializer(serializers.Serializer[Any]):
    """Figures of today, by the calendar of the ledger's time zone."""

    staging = StagingDaySerializer()
    webhooks = WebhookDaySerializer()
