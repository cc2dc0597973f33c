from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import CommandError, call_command

from accounts.keyformat import FORMAT, KeyText
from accounts.models import ApiClient, ApiKey
from accounts.operations import (
    ClientKnown,
    ClientSwitchedOff,
    ExpiryUnfit,
    KeyNotLive,
    NoSuchKey,
    ScopesUnfit,
    add_client,
    issue_key,
    revoke_key,
    rotate_key,
    switch_client,
)
from accounts.scopes import PAYMENTS_READ, PAYMENTS_STATS
from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry

AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
ACTOR = Actor.system("test")
pytestmark = pytest.mark.django_db


@pytest.fixture
def client_of_ours() -> ApiClient:
    return add_client(name="Northern Till", slug="northern-till", actor=ACTOR, at=AT)


def test_a_key_is_stored_as_prefix_and_digest_only(client_of_ours: ApiClient) -> None:
    issued = issue_key(client_of_ours.pk, scopes=[PAYMENTS_STATS, PAYMENTS_READ], actor=ACTOR, at=AT)

    text = issued.text.reveal()
    stored = ApiKey.objects.get()
    assert FORMAT.fullmatch(text)
    assert len(text) == 55
    assert (stored.prefix, stored.scopes) == (text[3:11], [PAYMENTS_READ, PAYMENTS_STATS])
    secret = text[12:]
    assert secret not in repr(issued)
    assert secret not in str(list(ApiKey.objects.values()))
    assert secret not in str(list(AuditEntry.objects.values()))


def test_rotation_keeps_the_old_key_for_the_overlap_and_the_new_one_takes_over_its_scopes_and_lifetime(
    client_of_ours: ApiClient,
) -> None:
    old = issue_key(
        client_of_ours.pk, scopes=[PAYMENTS_READ], expires_at=AT + timedelta(days=90), actor=ACTOR, at=AT
    ).key
    later = AT + timedelta(days=10)

    new = rotate_key(old.pk, actor=ACTOR, reason="yearly", at=later).key

    old.refresh_from_db()
    assert (old.expires_at, old.replaced_by, old.state(later)) == (later + timedelta(hours=24), new, "replaced")
    assert (new.scopes, new.expires_at) == ([PAYMENTS_READ], later + timedelta(days=90))
    assert list(AuditEntry.objects.order_by("id").values_list("action", flat=True)) == [
        "api-client.added",
        "api-key.issued",
        "api-key.rotated",
        "api-key.issued",
    ]


def test_rotation_never_lengthens_the_life_of_the_old_key(client_of_ours: ApiClient) -> None:
    old = issue_key(client_of_ours.pk, scopes=[PAYMENTS_READ], expires_at=AT + timedelta(hours=2), actor=ACTOR, at=AT)

    rotate_key(old.key.pk, actor=ACTOR, at=AT + timedelta(hours=1))

    assert ApiKey.objects.get(pk=old.key.pk).expires_at == AT + timedelta(hours=2)


def test_a_key_that_is_not_live_is_not_rotated(client_of_ours: ApiClient) -> None:
    replaced = issue_key(client_of_ours.pk, scopes=[PAYMENTS_READ], actor=ACTOR, at=AT).key
    rotate_key(replaced.pk, actor=ACTOR, at=AT)
    revoked = issue_key(client_of_ours.pk, scopes=[PAYMENTS_READ], actor=ACTOR, at=AT).key
    revoke_key(revoked.pk, actor=ACTOR, reason="lost", at=AT)
    before = (ApiKey.objects.count(), AuditEntry.objects.count())

    for key, state in ((replaced, "replaced"), (revoked, "revoked")):
        with pytest.raises(KeyNotLive, match=state):
            rotate_key(key.pk, actor=ACTOR, at=AT)

    assert (ApiKey.objects.count(), AuditEntry.objects.count()) == before


def test_revoking_twice_is_revoking_once(client_of_ours: ApiClient) -> None:
    key = issue_key(client_of_ours.pk, scopes=[PAYMENTS_READ], actor=ACTOR, at=AT).key
    revoke_key(key.pk, actor=ACTOR, reason="lost", at=AT)

    again = revoke_key(key.pk, actor=ACTOR, reason="lost", at=AT + timedelta(hours=1))

    assert again.revoked_at == AT
    assert AuditEntry.objects.filter(action="api-key.revoked").count() == 1


@pytest.mark.parametrize("scopes", [[], ["payments:write"], [PAYMENTS_READ, "other"]])
def test_unknown_or_no_scopes_are_refused_and_nothing_is_issued(client_of_ours: ApiClient, scopes: list[str]) -> None:
    with pytest.raises(ScopesUnfit) as refusal:
        issue_key(client_of_ours.pk, scopes=scopes, actor=ACTOR, at=AT)

    assert refusal.value.errors[0].field == "scopes"
    assert ApiKey.objects.count() == 0
    assert AuditEntry.objects.count() == 1


def test_a_key_that_would_have_expired_is_refused(client_of_ours: ApiClient) -> None:
    with pytest.raises(ExpiryUnfit):
        issue_key(client_of_ours.pk, scopes=[PAYMENTS_READ], expires_at=AT, actor=ACTOR, at=AT)

    assert ApiKey.objects.count() == 0


def test_a_client_that_is_switched_off_gets_no_key_until_it_is_on_again(client_of_ours: ApiClient) -> None:
    switch_client(client_of_ours.pk, active=False, actor=ACTOR, reason="contract ended", at=AT)

    with pytest.raises(ClientSwitchedOff):
        issue_key(client_of_ours.pk, scopes=[PAYMENTS_READ], actor=ACTOR, at=AT)
    assert ApiKey.objects.count() == 0

    switch_client(client_of_ours.pk, active=True, actor=ACTOR, reason="renewed", at=AT)
    assert issue_key(client_of_ours.pk, scopes=[PAYMENTS_READ], actor=ACTOR, at=AT).key.client == client_of_ours


def test_a_slug_is_given_once(client_of_ours: ApiClient) -> None:
    with pytest.raises(ClientKnown, match="northern-till"):
        add_client(name="Other", slug="northern-till", actor=ACTOR, at=AT)

    assert ApiClient.objects.count() == 1


def test_a_key_that_is_not_there_is_refused() -> None:
    with pytest.raises(NoSuchKey):
        revoke_key(7, actor=ACTOR, reason="lost", at=AT)


def test_the_command_prints_a_key_that_works(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("issue_api_key", "southern-till", "--scope", PAYMENTS_READ, "--add-client", "Southern Till")

    text = KeyText.parse(capsys.readouterr().out.strip())
    assert text is not None
    key = ApiKey.objects.get(prefix=text.prefix)
    assert (key.secret_sha256, key.client.slug, key.scopes) == (text.secret_sha256, "southern-till", [PAYMENTS_READ])
    assert AuditEntry.objects.get(action="api-key.issued").actor_kind == "command"


def test_the_command_says_what_to_do_about_an_unknown_client() -> None:
    with pytest.raises(CommandError, match="--add-client"):
        call_command("issue_api_key", "nobody", "--scope", PAYMENTS_READ)

    assert ApiClient.objects.count() == 0
