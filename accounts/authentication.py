"""Who calls the API: `Authorization: Bearer ps_…`. What is wrong with a key is never said to its bearer."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from django.db.models import Q
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.keyformat import KeyText
from accounts.models import ApiKey
from kernel.errors import Unauthenticated
from kernel.requests import bind_actor

REMEMBER_SECONDS = 5.0
REMEMBERED_KEYS = 1000
USE_NOTED_EVERY = timedelta(minutes=1)
NO_KEY_DIGEST = "0" * 64


class ApiKeyRefused(Unauthenticated):
    """The API key is not valid."""

    challenge = 'Bearer realm="api"'
    code = "api-key-refused"
    next_step = "Send a valid key as Authorization: Bearer ps_…; an administrator issues and rotates keys."


@dataclass(frozen=True, slots=True)
class ApiClientUser:
    """What `request.user` is while an API client calls."""

    pk: int
    slug: str
    name: str
    is_authenticated: bool = True
    is_anonymous: bool = False
    is_active: bool = True
    is_staff: bool = False

    def get_username(self) -> str:
        return self.slug

    def __str__(self) -> str:
        return self.slug


class ApiKeyAuthentication(BaseAuthentication):
    """Sets `request.user` to an ApiClientUser and `request.auth` to the key, whose `scopes` the views ask for."""

    def authenticate(self, request: Request) -> tuple[ApiClientUser, ApiKey] | None:
        """None without a bearer token, so that a view's permission decides. Raises ApiKeyRefused for a bad one."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        at = timezone.now()
        key = _find(token.strip(), at)
        _note_use(key, at)
        bind_actor(f"api-client:{key.client.slug}")
        return ApiClientUser(key.client.pk, key.client.slug, key.client.name), key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class ApiKeyScheme(OpenApiAuthenticationExtension):
    """How the schema describes the keys; drf-spectacular finds it by being imported."""

    target_class = "accounts.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "ps_<8 characters>_<43 characters>",
            "description": "A key per client, with scopes; issued, rotated and revoked in the console.",
        }


class RecentKeys:
    """Keys that proved themselves in this process in the last five seconds; so long may a revocation take to arrive."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[float, ApiKey]] = OrderedDict()
        self._lock = Lock()

    def get(self, digest: str) -> ApiKey | None:
        with self._lock:
            found_at, key = self._found.get(digest, (float("-inf"), None))
            return key if time.monotonic() - found_at < REMEMBER_SECONDS else None

    def put(self, digest: str, key: ApiKey) -> None:
        with self._lock:
            self._found[digest] = (time.monotonic(), key)
            self._found.move_to_end(digest)
            while len(self._found) > REMEMBERED_KEYS:
                self._found.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._found.clear()


recent_keys = RecentKeys()


def _find(token: str, at: datetime) -> ApiKey:
    text = KeyText.parse(token)
    if text is None:
        raise ApiKeyRefused
    remembered = f"{text.prefix}{text.secret_sha256}"
    key = recent_keys.get(remembered)
    if key is None:
        key = ApiKey.objects.usable(at).filter(prefix=text.prefix).select_related("client").first()
        # An unknown prefix costs the same comparison, so that time does not tell which prefixes exist.
        digest = NO_KEY_DIGEST if key is None else key.secret_sha256
        if not hmac.compare_digest(digest, text.secret_sha256) or key is None:
            raise ApiKeyRefused
        recent_keys.put(remembered, key)
    if key.expires_at is not None and key.expires_at <= at:
        raise ApiKeyRefused
    return key


def _note_use(key: ApiKey, at: datetime) -> None:
    stale_before = at - USE_NOTED_EVERY
    if key.last_used_at is not None and key.last_used_at > stale_before:
        return
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lte=stale_before)
    ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=at)
    key.last_used_at = at
