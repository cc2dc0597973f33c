"""How this instance is, put together from bounded checks that are asked at the same time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC
from typing import Any

from paymentsite.monitoring.checks import PATIENCE_SECONDS, BoundedCheck
from paymentsite.monitoring.dependencies import KafkaQuestion, StagingState, ask_database, ask_redis, ask_staging

DATABASE: BoundedCheck[bool] = BoundedCheck("database", ask_database, fresh_seconds=1)
KAFKA: BoundedCheck[bool] = BoundedCheck("kafka", KafkaQuestion(), fresh_seconds=5)
REDIS: BoundedCheck[bool] = BoundedCheck("redis", ask_redis, fresh_seconds=2)
STAGING: BoundedCheck[StagingState] = BoundedCheck("staging", ask_staging, fresh_seconds=2)


@dataclass(frozen=True, slots=True)
class Health:
    """The seed's answer of GET /health, member by member."""

    database: bool
    kafka: bool
    redis: bool
    staging: StagingState | None

    @property
    def is_healthy(self) -> bool:
        return self.database and self.kafka and self.redis

    def as_dict(self) -> dict[str, Any]:
        last_run_at = self.staging.last_run_at if self.staging else None
        return {
            "status": "healthy" if self.is_healthy else "unhealthy",
            "checks": {
                "database": _word(self.database),
                "kafka": _word(self.kafka),
                "redis": _word(self.redis),
                "staging_backlog": self.staging.backlog if self.staging else None,
                "last_staging_run": last_run_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
                if last_run_at
                else None,
            },
        }


def look_at_everything() -> Health:
    """Asks all at once; takes as long as the slowest, a second at the most."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for check in (DATABASE, KAFKA, REDIS, STAGING):
        check.begin()
    return Health(
        database=DATABASE.answer(deadline=deadline) is True,
        kafka=KAFKA.answer(deadline=deadline) is True,
        redis=REDIS.answer(deadline=deadline) is True,
        staging=STAGING.answer(deadline=deadline),
    )


def is_database_well() -> bool:
    """All that a webhook or a read needs: payments are recorded without Kafka and without Redis."""
    DATABASE.begin()
    return DATABASE.answer(deadline=time.monotonic() + PATIENCE_SECONDS) is True


def _word(is_ok: bool) -> str:
    return "ok" if is_ok else "error"
