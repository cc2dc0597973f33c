"""How the bodies of requests are read: a number is a number, a text is a text, and a name that is not known is refused.

A partner whose program sends "true" for true, or spells a member wrong, hears so with the member's whole path.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from kernel.money import AmountInvalid, parse_amount

AMOUNT_SCHEMA: dict[str, Any] = {
    "oneOf": [{"type": "string", "pattern": r"^[0-9]{1,13}(\.[0-9]{1,2})?$"}, {"type": "number", "minimum": 0}],
    "example": "30.00",
}


class Body(serializers.Serializer[Any]):
    """An object of which every member is known."""

    def to_internal_value(self, data: Any) -> Any:
        errors: dict[str, Any] = {}
        value: Any = None
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as invalid:
            if not isinstance(data, Mapping):
                raise
            errors = dict(invalid.detail) if isinstance(invalid.detail, dict) else {}
        known = [name for name, field in self.fields.items() if not field.read_only]
        for name in data:
            if name not in known:
                message = f"No such member. Known here: {', '.join(known)}."
                errors[str(name)[:100]] = [ErrorDetail(message, code="unknown")]
        if errors:
            raise serializers.ValidationError(errors)
        return value


class Text(serializers.CharField):
    """Text, with the blanks around it taken off; null is the same as leaving it out."""

    def __init__(self, **options: Any) -> None:
        if not options.get("required", True):
            options = {"allow_blank": True, "allow_null": True, "default": "", **options}
            options.pop("required")
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)

    def run_validation(self, data: Any = empty) -> Any:
        found = super().run_validation(data)
        return "" if found is None else found


class Flag(serializers.BooleanField):
    """true or false, and nothing that looks like it; false when it is left out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default": False, **options})

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Whole(serializers.IntegerField):
    """A whole number, written as one."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        # No digits are turned into text here: Python refuses to write very long numbers.
        return data


@extend_schema_field(AMOUNT_SCHEMA)
class Amount(serializers.Field[Decimal, Any, str, Any]):
    """An amount of CAD, as text or as a number: exact, with at most two decimals."""

    def __init__(self, *, zero_allowed: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.zero_allowed = zero_allowed

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            return parse_amount(data, "CAD", field=str(self.field_name), zero_allowed=self.zero_allowed)
        except AmountInvalid as invalid:
            raise serializers.ValidationError(invalid.detail, code=invalid.reason) from None

    def to_representation(self, value: Decimal) -> str:
        return format(value, "f")


def read(body: type[Body], data: Any) -> dict[str, Any]:
    """What the body holds. Raises ValidationError, which is answered as 422 with a path for each error."""
    reader = body(data=data)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)
