from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import RequestFactory
from rest_framework.request import Request

from accounts import authentication, operations
from accounts.authentication import ApiKeyAuthentication, ApiKeyRefused, recent_keys
from accounts.models import ApiClient, ApiKey
from accounts.operations import IssuedKey
from accounts.scopes import PAYMENTS_READ
from kernel.audit.actors import Actor

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
ACTOR = Actor.system("test")
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _at_ten_with_nothing_remembered() -> Generator[None]:
    recent_keys.clear()
    with time_machine.travel(AT, tick=False):
        yield
    recent_keys.clear()


@pytest.fixture
def issued() -> IssuedKey:
    client = operations.add_client(name="Northern Till", slug="northern-till", actor=ACTOR, at=AT)
    return operations.issue_key(client.pk, scopes=[PAYMENTS_READ], actor=ACTOR, at=AT)


def call(authorization: str | None) -> Any:
    headers = {} if authorization is None else {"Authorization": authorization}
    return ApiKeyAuthentication().authenticate(Request(RequestFactory().get("/", headers=headers)))


def test_a_valid_key_tells_who_calls_and_with_which_scopes(issued: IssuedKey) -> None:
    user, key = call(f"Bearer {issued.text.reveal()}")

    assert (user.slug, user.is_authenticated, str(user)) == ("northern-till", True, "northern-till")
    assert key.scopes == [PAYMENTS_READ]
    assert ApiKeyAuthentication().authenticate_header(Request(RequestFactory().get("/"))) == 'Bearer realm="api"'


@pytest.mark.parametrize("header", [None, "", "Basic dTpw"])
def test_no_bearer_token_leaves_the_caller_unknown(header: str | None) -> None:
    assert call(header) is None


@pytest.mark.parametrize("fault", ["unknown prefix", "other secret", "malformed", "empty", "revoked", "expired", "off"])
def test_every_bad_key_gets_the_same_answer(issued: IssuedKey, fault: str) -> None:
    token = issued.text.reveal()
    match fault:
        case "unknown prefix":
            token = f"ps_{'a' * 8}{token[11:]}"
        case "other secret":
            token = token[:-1] + ("A" if token[-1] != "A" else "B")
        case "malformed":
            token = token.replace("ps_", "px_")
        case "empty":
            token = ""
        case "revoked":
            operations.revoke_key(issued.key.pk, actor=ACTOR, reason="lost", at=AT)
        case "expired":
            ApiKey.objects.update(created_at=AT - timedelta(days=2), expires_at=AT)
        case "off":
            ApiClient.objects.update(active=False)

    with pytest.raises(ApiKeyRefused) as refusal:
        call(f"Bearer {token}")

    assert (refusal.value.status, refusal.value.detail, refusal.value.context) == (401, "The API key is not valid.", {})


def test_a_revocation_is_felt_after_five_seconds_at_most(issued: IssuedKey, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(authentication.time, "monotonic", lambda: now[0])
    header = f"Bearer {issued.text.reveal()}"
    call(header)
    operations.revoke_key(issued.key.pk, actor=ACTOR, reason="lost", at=AT)

    now[0] += 4.9
    assert call(header) is not None
    now[0] += 0.2
    with pytest.raises(ApiKeyRefused):
        call(header)


def test_a_remembered_key_still_ends_when_it_expires(issued: IssuedKey) -> None:
    ApiKey.objects.update(expires_at=AT + timedelta(seconds=2))
    header = f"Bearer {issued.text.reveal()}"
    call(header)

    with time_machine.travel(AT + timedelta(seconds=2), tick=False), pytest.raises(ApiKeyRefused):
        call(header)


def test_a_remembered_key_asks_the_database_nothing(issued: IssuedKey, django_assert_num_queries: Any) -> None:
    header = f"Bearer {issued.text.reveal()}"
    with django_assert_num_queries(2):  # find it, note its use
        call(header)

    with django_assert_num_queries(0):
        call(header)


def test_the_last_use_is_noted_at_most_once_a_minute(issued: IssuedKey) -> None:
    noted = []
    for seconds in (0, 30, 59, 60, 61, 130):
        with time_machine.travel(AT + timedelta(seconds=seconds), tick=False):
            call(f"Bearer {issued.text.reveal()}")
        last_used_at = ApiKey.objects.get().last_used_at
        assert last_used_at is not None
        noted.append(int((last_used_at - AT).total_seconds()))

    assert noted == [0, 0, 0, 60, 60, 130]
