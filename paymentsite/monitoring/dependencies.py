"""How to ask PostgreSQL, Redis and Kafka whether they are well. Each raises, or takes long, when they are not."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka.admin import AdminClient
from django.conf import settings
from django.db import connection
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kernel.outbox.kafka import brokers
from payments.statistics import last_staging_run_at, staging_backlog

ANSWER_SECONDS = 0.9


@dataclass(frozen=True, slots=True)
class StagingState:
    """Rows that wait (capped), and when the latest batch began."""

    backlog: int
    last_run_at: datetime | None


def ask_database() -> bool:
    """Takes a connection as a request does, so that an exhausted pool is no health either."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
            return cursor.fetchone() == (1,)
    finally:
        connection.close()


def ask_staging() -> StagingState:
    try:
        return StagingState(staging_backlog(at=datetime.now(UTC)).rows, last_staging_run_at())
    finally:
        connection.close()


def ask_redis() -> bool:
    client = Redis.from_url(
        settings.REDIS_URL,
        socket_connect_timeout=ANSWER_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        return bool(client.ping())
    finally:
        client.close()


class KafkaQuestion:
    """Asks the brokers for their metadata. Keeps one client per address, because to connect anew costs more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._address = ""
        self._client: AdminClient | None = None

    def __call__(self) -> bool:
        return bool(self._connected().list_topics(timeout=ANSWER_SECONDS).brokers)

    def _connected(self) -> AdminClient:
        address = brokers()
        with self._lock:
            if self._client is None or address != self._address:
                # Its own complaints about a broker that is away would fill the log; the check says it once.
                self._client = AdminClient(
                    {"bootstrap.servers": address, "client.id": f"{settings.KAFKA_CLIENT_ID}-health", "log_level": 0}
                )
                self._address = address
            return self._client
