"""How the database is reached when it has grown: through a pooler, and with a replica beside it that answers reads."""

from __future__ import annotations

import re
from typing import Any

from paymentsite.environment import Environment

POOLERS = ("none", "transaction", "transaction-prepared")
# A replica that does not answer costs one read in some seconds this long; then the primary answers.
REPLICA_SECONDS = 1
STATEMENT_TIMEOUT = re.compile(r"\s*-c statement_timeout=\d+")

Settings = dict[str, Any]


def behind_pooler(default: Settings, env: Environment, *, role: str) -> Settings:
    """The settings of `default` when DATABASE_POOLER says that DATABASE_URL leads to one in transaction mode.

    Only web processes go through it. Worker, beat, relay and commands keep sessions (LISTEN, advisory locks that last,
    cursors), and go to DATABASE_DIRECT_URL. Ends the process with one line when that is not set.
    """
    pooler = env.choice("DATABASE_POOLER", "none", POOLERS)
    if pooler == "none":
        return default
    direct = env.database_url("DATABASE_DIRECT_URL")
    if direct is None:
        raise SystemExit(
            f"DATABASE_DIRECT_URL is not set: with DATABASE_POOLER={pooler} it must lead to PostgreSQL itself, for the"
            " worker, beat, relay and commands, whose sessions a pooler in transaction mode does not keep."
        )
    if role != "web":
        return default | direct | {"OPTIONS": default["OPTIONS"] | direct["OPTIONS"]}
    options = dict(default["OPTIONS"])
    # A pooler refuses what is set with a connection: its own query_timeout takes the place of this limit.
    kept = STATEMENT_TIMEOUT.sub("", options.pop("options", ""))
    options |= {"options": kept} if kept else {}
    if pooler == "transaction":
        # The next statement may come to another server process, which knows nothing of what was prepared.
        options["prepare_threshold"] = None
    return default | {"OPTIONS": options, "DISABLE_SERVER_SIDE_CURSORS": True}


def replica_of(default: Settings, env: Environment) -> dict[str, Settings]:
    """{"replica": ...} when READ_DATABASE_URL is set, else nothing. Nothing can be written through it."""
    given = env.database_url("READ_DATABASE_URL")
    if given is None:
        return {}
    options = default["OPTIONS"] | given.pop("OPTIONS")
    options |= {"connect_timeout": REPLICA_SECONDS, "application_name": f"{options['application_name']}-read"}
    options["options"] = f"{options.get('options', '')} -c default_transaction_read_only=on".strip()
    if "pool" in options:
        options["pool"] = options["pool"] | {"min_size": 1, "timeout": REPLICA_SECONDS}
    return {"replica": default | given | {"OPTIONS": options, "TEST": {"MIRROR": "default"}}}
