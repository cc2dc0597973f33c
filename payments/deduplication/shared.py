"""References that all processes know, in Redis. A Redis that is lost, slow or holds nonsense means: not known."""

from __future__ import annotations

import logging
from datetime import datetime
from uuid import UUID

import redis
from django.conf import settings

from kernel.redisclient import RedisAway, ask_redis
from payments.deduplication.memory import KnownReference

logger = logging.getLogger(__name__)

KEY_PREFIX = "reference:"


def get(reference_number: str) -> KnownReference | None:
    """What Redis knows of the reference; None when nothing, also when Redis cannot be asked."""
    try:
        raw = ask_redis(lambda client: client.get(KEY_PREFIX + reference_number))
    except (RedisAway, redis.RedisError):
        return None
    return _read(raw) if isinstance(raw, bytes) else None


def put(reference_number: str, known: KnownReference) -> None:
    """Keeps the reference for REDIS_TTL_SECONDS; without Redis it is simply not kept."""
    marks = f"{known.fingerprint.hex()}|{known.request_mark.hex()}"
    value = f"{known.payment_id}|{known.payment_date.isoformat()}|{marks}"
    try:
        ask_redis(lambda client: client.set(KEY_PREFIX + reference_number, value, ex=settings.REDIS_TTL_SECONDS))
    except (RedisAway, redis.RedisError) as error:
        logger.debug("Reference not kept in Redis", extra={"action": "keep_reference", "cause": type(error).__name__})


def _read(raw: bytes) -> KnownReference | None:
    try:
        payment_id, payment_date, *marks = raw.decode().split("|")
        fingerprint, request_mark = map(bytes.fromhex, marks)
        return KnownReference(UUID(payment_id), datetime.fromisoformat(payment_date), fingerprint, request_mark)
    except ValueError:
        logger.warning("An unreadable reference in Redis is passed over", extra={"action": "find_reference"})
        return None
