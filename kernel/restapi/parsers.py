"""Bodies of requests: one JSON object whose numbers stay exact. Money never passes through a float."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.parsers import BaseParser

from kernel.exactjson import JsonInvalid, loads
from kernel.restapi.translation import TooLarge


class ExactJSONParser(BaseParser):
    """application/json by the rules of `kernel.exactjson`: numbers with a point become Decimal, the others int.

    Raises JsonInvalid (400) for what is no JSON, no object, or cannot be kept exactly, and TooLarge (413) above
    API_MAX_BODY_BYTES, of which no more than that is read.
    """

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        largest: int = settings.API_MAX_BODY_BYTES
        raw = stream.read(largest + 1)
        if len(raw) > largest:
            raise TooLarge(f"The body is larger than {largest} bytes.")
        value = loads(raw)
        if not isinstance(value, dict):
            raise JsonInvalid("The body is JSON, but not an object.")
        return value
