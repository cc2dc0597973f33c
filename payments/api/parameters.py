"""The query parameters of the reads: what each may hold, and a refusal that names what cannot be used."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from kernel.errors import FieldError
from kernel.restapi.translation import Invalid
from payments.api.moments import DayOrMomentField, Span
from payments.search import PaymentSearch
from payments.states import PaymentSource

PAGE_PARAMETERS = frozenset({"cursor", "limit"})


class PaymentSearchParameters(serializers.Serializer[Any]):
    """What to look for; several conditions must all hold."""

    reference = serializers.CharField(
        required=False, max_length=255, trim_whitespace=False, help_text="The payment's reference number, exactly."
    )
    loan_account = serializers.CharField(
        required=False, max_length=20, trim_whitespace=False, help_text="The loan account number, exactly."
    )
    cif = serializers.CharField(required=False, max_length=20, trim_whitespace=False, help_text="The CIF, exactly.")
    channel = serializers.CharField(
        required=False, max_length=100, trim_whitespace=False, help_text="The payment channel, exactly."
    )
    source = serializers.ChoiceField(  # type: ignore[assignment]
        required=False, choices=[source.value for source in PaymentSource], help_text="How the payment reached us."
    )
    paid_from = DayOrMomentField(
        required=False,
        help_text="Paid at or after the beginning of this day (in the ledger's time zone) or this RFC 3339 moment.",
    )
    paid_to = DayOrMomentField(
        required=False,
        help_text="Paid before the beginning of this day or before this moment, which itself is left out: "
        "paid_from=2026-11-01 with paid_to=2026-12-01 is November.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, end = attrs.get("paid_from"), attrs.get("paid_to")
        if first is not None and end is not None and end.start_at < first.start_at:
            raise serializers.ValidationError({"paid_to": "paid_to should not be before paid_from."}, code="before")
        return attrs


class PaymentIdParameters(serializers.Serializer[Any]):
    """What helps to find one payment faster."""

    payment_date = DayOrMomentField(
        required=False,
        help_text="The day (in the ledger's time zone) or the exact moment of the payment, where it is known: one "
        "month is read in place of all. A payment of another date is not found then.",
    )


def read_search(query: QueryDict) -> PaymentSearch:
    """The search that the query asks for. Raises Invalid (422), which names each parameter that cannot be used."""
    found = _read(PaymentSearchParameters, query, also=PAGE_PARAMETERS)
    first, end = found.pop("paid_from", None), found.pop("paid_to", None)
    return PaymentSearch(**found, paid_from=first.start_at if first else None, paid_to=end.start_at if end else None)


def read_payment_span(query: QueryDict) -> Span | None:
    """The span of payment_date, or None when it is not given. Raises Invalid (422) as read_search does."""
    span: Span | None = _read(PaymentIdParameters, query).get("payment_date")
    return span


def refuse_parameters(query: QueryDict) -> None:
    """For a read that takes no parameter at all."""
    _check_names(query, frozenset())


def _read(
    parameters: type[serializers.Serializer[Any]], query: QueryDict, *, also: frozenset[str] = frozenset()
) -> dict[str, Any]:
    reader = parameters(data={name: query[name] for name in query})
    _check_names(query, frozenset(reader.fields) | also)
    reader.is_valid(raise_exception=True)
    return dict(reader.validated_data)


def _check_names(query: QueryDict, known: frozenset[str]) -> None:
    """A parameter that is spelt wrong would otherwise widen the search without a word."""
    offered = f"Known here: {', '.join(sorted(known))}." if known else "None is known here."
    errors = [FieldError(name[:100], "unknown", f"No such parameter. {offered}") for name in query if name not in known]
    errors += [
        FieldError(name, "repeated", "Give this parameter once.")
        for name in query
        if name in known and len(query.getlist(name)) > 1
    ]
    if errors:
        raise Invalid(errors=tuple(errors))
