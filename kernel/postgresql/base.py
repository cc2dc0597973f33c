"""The class that Django looks for in a database backend."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base

from kernel.patience import ServerSilent, seconds_left, silence_of


class DatabaseWrapper(base.DatabaseWrapper):
    """Takes connections from the pool as Django does, but asks first whether it is worth the wait."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        silence = silence_of(self.alias)
        silence.check()
        if seconds_left() == 0:
            raise ServerSilent("The time for this request is over.")
        since = time.monotonic()
        try:
            return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            silence.noticed(waiting_since=since)
            raise

    def _configure_connection(self, connection: Any) -> bool:
        """Called for every connection that the pool opens, before it is handed out."""
        connection.silence = silence_of(self.alias)
        # The stubs do not know of it.
        return bool(super()._configure_connection(connection))  # type: ignore[misc]
