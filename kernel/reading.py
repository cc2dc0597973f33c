"""Reads that end in time: a limit on every statement inside, so that no wide search runs for ever."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import OperationalError, connections, transaction
from psycopg.errors import QueryCanceled

from kernel.errors import Unavailable
from kernel.replicas import read_alias


class ReadTookTooLong(Unavailable):
    """The search took too long and was ended."""

    code = "read-took-too-long"
    title = "The search took too long"
    next_step = "Narrow the search (a shorter range of dates, an account, a reference) or repeat it later."


@contextmanager
def limited_reading(*, milliseconds: int) -> Iterator[None]:
    """Ends every statement inside after so many milliseconds; raises ReadTookTooLong then. For reads only.

    Opens a transaction, because the limit is set for that transaction alone: the connection goes back to the pool
    without it. Inside another transaction the limit that was there before is put back at the end.
    """
    alias = read_alias()
    is_nested = connections[alias].in_atomic_block
    try:
        with transaction.atomic(using=alias):
            before = _limit_statements(f"{milliseconds:d}ms", alias)
            yield
            if is_nested:
                _limit_statements(before, alias)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise ReadTookTooLong(f"The search was ended after {milliseconds / 1000:g} s.") from error
        raise


def _limit_statements(limit: str, alias: str) -> str:
    """Sets the limit for the rest of the transaction; gives the one before."""
    with connections[alias].cursor() as cursor:
        cursor.execute(
            "select current_setting('statement_timeout'), set_config('statement_timeout', %s, true)", [limit]
        )
        return str(cursor.fetchone()[0])
