"""The plan's own body: the fields of a notice under their own names, unknown ones kept in metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payments.adapters.contract import Adapter, AdapterContext, BodyReader
from payments.notices import NoticeInvalid


def _read(body: Any, context: AdapterContext) -> Mapping[str, Any]:
    if not isinstance(body, Mapping):
        raise NoticeInvalid("The body must be one JSON object.")
    return body


def _reader_for(mapping: Mapping[str, Any]) -> BodyReader:
    return _read


ADAPTER = Adapter("generic", "Generic (the fields of a payment by name)", _reader_for)
