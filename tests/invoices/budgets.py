"""How many queries an answer costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from django.db import connection
from django.test.utils import CaptureQueriesContext

Asked = ParamSpec("Asked")


def queries_of(ask: Callable[Asked, object], *given: Asked.args, **named: Asked.kwargs) -> int:
    """Of the second time, when the key that is asked with is remembered."""
    ask(*given, **named)
    with CaptureQueriesContext(connection) as queries:
        ask(*given, **named)
    return len(queries)
