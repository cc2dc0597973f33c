"""Channels: who may make and change them, how a secret changes hands, and how soon a web process notices."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from kernel.audit.models import AuditEntry
from kernel.errors import NotFound
from payments.channeldirectory import CHANNELS_MAX_AGE_SECONDS, CHANNELS_REFRESH_SECONDS, ChannelDirectory
from payments.models import Channel, WebhookReceipt
from payments.operations.channels import (
    ChannelExists,
    ChannelInvalid,
    NoPreviousSecret,
    RotationRunning,
    SecretInvalid,
    channel_errors,
    create_channel,
    new_secret,
    revoke_previous_secret,
    rotate_secret,
    update_channel,
)
from payments.signatures import key_from_secret
from payments.states import SignatureScheme
from tests.payments.webhooks import ACTOR, ADDRESS, KEY, SECRET, body_of, make_channel, post, raw, signature, signed

pytestmark = pytest.mark.django_db(transaction=True)
STANDARD = SignatureScheme.STANDARD_WEBHOOKS


def key_of(secret: str) -> bytes:
    return key_from_secret(secret, STANDARD)


def status_with(key: bytes, webhook_id: str = "msg_1") -> int:
    return post(headers=signed(raw(body_of()), key=key, webhook_id=webhook_id)).status_code


def test_a_new_channel_gets_a_secret_of_32_random_bytes_which_is_stored_encrypted() -> None:
    issued = create_channel(slug="north", name="North", actor=ACTOR, at=timezone.now())
    assert len(key_of(issued.secret)) == 32
    assert Channel.objects.get().secret == issued.secret
    with connection.cursor() as cursor:
        cursor.execute("select secret from channel")
        assert issued.secret not in cursor.fetchone()[0]
    assert issued.secret not in repr(issued)
    assert new_secret() != new_secret()


def test_the_audit_knows_every_change_and_no_secret() -> None:
    channel = make_channel()
    at = timezone.now()
    update_channel(channel, changes={"name": "Renamed"}, actor=ACTOR, at=at, reason="clearer")
    issued = rotate_secret(channel, actor=ACTOR, at=at, reason="yearly")
    revoke_previous_secret(channel, actor=ACTOR, at=at)
    entries = list(AuditEntry.objects.order_by("pk"))
    assert [entry.action for entry in entries] == [
        "channel.created",
        "channel.changed",
        "channel.secret-rotated",
        "channel.previous-secret-revoked",
    ]
    assert (entries[1].before, entries[1].after, entries[1].reason) == (
        {"name": "generic"},
        {"name": "Renamed"},
        "clearer",
    )
    said = json.dumps([[entry.before, entry.after, entry.object_label] for entry in entries])
    assert SECRET not in said
    assert issued.secret not in said


def test_a_change_that_changes_nothing_writes_nothing() -> None:
    channel = make_channel()
    update_channel(channel, changes={"name": "generic"}, actor=ACTOR, at=timezone.now())
    assert AuditEntry.objects.count() == 1


def test_a_channel_that_was_deleted_meanwhile_is_refused_and_nothing_is_audited() -> None:
    channel = make_channel()
    Channel.objects.filter(pk=channel.pk).delete()
    with pytest.raises(NotFound, match="no channel generic any more"):
        rotate_secret(channel, actor=ACTOR, at=timezone.now())
    assert AuditEntry.objects.count() == 1


def test_a_second_channel_of_the_same_slug_is_a_conflict() -> None:
    make_channel()
    with pytest.raises(ChannelExists):
        make_channel()
    assert (Channel.objects.count(), AuditEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"slug": "North"}, "slug"),
        ({"slug": "-north"}, "slug"),
        ({"slug": "x" * 101}, "slug"),
        ({"name": " "}, "name"),
        ({"adapter": "fax"}, "adapter"),
        ({"adapter": "configured"}, "mapping"),
        ({"currency": "XYZ"}, "currency"),
        ({"rate_limit_per_minute": 0}, "rate_limit_per_minute"),
        ({"clock_tolerance_seconds": 3601}, "clock_tolerance_seconds"),
        ({"allowed_networks": ["10.0.0.0/33"]}, "allowed_networks"),
        ({"allowed_networks": ["everywhere"]}, "allowed_networks"),
        ({"secret_rotated_at": None}, "secret_rotated_at"),
    ],
)
def test_a_channel_that_could_not_work_is_refused_with_the_field(values: dict[str, Any], field: str) -> None:
    with pytest.raises(ChannelInvalid) as caught:
        make_channel(**({"slug": "north", "name": "North"} | values))
    assert {error.field for error in caught.value.errors} == {field}
    assert Channel.objects.count() == 0


def test_good_values_have_no_errors() -> None:
    assert channel_errors({"slug": "a-1", "name": "A", "allowed_networks": ["10.0.0.1", "2001:db8::/32"]}) == []


def test_networks_are_stored_in_one_spelling() -> None:
    channel = make_channel(allowed_networks=["203.0.113.77/24", "10.0.0.1"])
    assert channel.allowed_networks == ["203.0.113.0/24", "10.0.0.1/32"]


def test_both_secrets_are_live_until_the_overlap_ends() -> None:
    channel = make_channel()
    issued = rotate_secret(channel, overlap_hours=1, actor=ACTOR, at=timezone.now())
    assert [status_with(key_of(issued.secret)), status_with(KEY)] == [201, 200]
    Channel.objects.update(previous_secret_expires_at=timezone.now() - timedelta(seconds=1))
    update_channel(channel, changes={"name": "read again"}, actor=ACTOR, at=timezone.now())
    assert [status_with(key_of(issued.secret)), status_with(KEY)] == [200, 401]


def test_one_header_may_carry_the_signatures_of_both_secrets() -> None:
    issued = rotate_secret(make_channel(), overlap_hours=0, actor=ACTOR, at=timezone.now())
    headers = signed(raw(body_of()))
    both = signature("msg_1", headers["webhook-timestamp"], raw(body_of()), key_of(issued.secret))
    headers["webhook-signature"] += f" {both}"
    assert post(headers=headers).status_code == 201
    assert status_with(KEY) == 401


def test_revoking_ends_the_overlap_at_once() -> None:
    channel = make_channel()
    rotate_secret(channel, actor=ACTOR, at=timezone.now())
    assert status_with(KEY) == 201
    revoke_previous_secret(channel, actor=ACTOR, at=timezone.now())
    assert status_with(KEY) == 401
    with pytest.raises(NoPreviousSecret):
        revoke_previous_secret(channel, actor=ACTOR, at=timezone.now())


def test_a_rotation_does_not_cut_off_the_one_before_it() -> None:
    channel = make_channel()
    at = timezone.now()
    first = rotate_secret(channel, overlap_hours=1, actor=ACTOR, at=at)
    with pytest.raises(RotationRunning):
        rotate_secret(channel, actor=ACTOR, at=at + timedelta(minutes=59))
    assert Channel.objects.get().secret == first.secret
    second = rotate_secret(channel, actor=ACTOR, at=at + timedelta(minutes=60))
    assert Channel.objects.get().previous_secret == first.secret != second.secret


@pytest.mark.parametrize("overlap_hours", [-1, 721])
def test_an_overlap_out_of_range_is_refused(overlap_hours: int) -> None:
    channel = make_channel()
    with pytest.raises(ChannelInvalid):
        rotate_secret(channel, overlap_hours=overlap_hours, actor=ACTOR, at=timezone.now())
    assert Channel.objects.get().secret == SECRET


def test_a_secret_of_the_wrong_form_makes_no_channel_and_no_change_of_scheme() -> None:
    with pytest.raises(SecretInvalid):
        make_channel(secret="whsec_short")
    assert Channel.objects.count() == 0
    channel = make_channel(scheme=SignatureScheme.PLAIN_HMAC)
    with pytest.raises(SecretInvalid):
        update_channel(channel, changes={"signature_scheme": STANDARD}, actor=ACTOR, at=timezone.now())
    assert Channel.objects.get().signature_scheme == "plain"


def test_a_process_notices_what_another_changed_within_five_seconds() -> None:
    now = [100.0]
    directory = ChannelDirectory(clock=lambda: now[0])
    channel = make_channel("north")
    assert directory.find("north") is not None
    Channel.objects.filter(pk=channel.pk).update(is_active=False)
    now[0] += CHANNELS_REFRESH_SECONDS - 0.01
    assert directory.find("north") is not None
    now[0] += 0.01
    assert directory.find("north") is None
    assert CHANNELS_REFRESH_SECONDS < CHANNELS_MAX_AGE_SECONDS <= 5


def test_unknown_names_cost_no_query() -> None:
    directory = ChannelDirectory()
    make_channel("north")
    directory.find("north")
    with connection.execute_wrapper(_refuse_queries):
        assert [directory.find(f"guess-{number}") for number in range(3)] == [None] * 3


def _refuse_queries(*args: object) -> None:
    raise AssertionError("no query was expected")


def test_a_channel_whose_secret_cannot_be_read_is_unusable_and_hides_no_other() -> None:
    make_channel("broken")
    make_channel("north")
    with connection.cursor() as cursor:
        cursor.execute("update channel set secret = 'nonsense' where slug = 'broken'")
    broken = post(path=f"{ADDRESS}/broken")
    assert (broken.status_code, json.loads(broken.content)["code"]) == (503, "channel-unusable")
    assert broken["Retry-After"] == "60"
    assert post(path=f"{ADDRESS}/north").status_code == 201
    assert WebhookReceipt.objects.count() == 1


def test_the_command_prints_the_secret_alone_on_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = StringIO(), StringIO()
    call_command("create_channel", "north", "--allow", "10.0.0.0/8", stdout=out, stderr=err)
    channel = Channel.objects.get()
    assert (out.getvalue().strip(), channel.allowed_networks) == (channel.secret, ["10.0.0.0/8"])
    assert channel.secret not in err.getvalue()
    monkeypatch.setenv("CHANNEL_SECRET", SECRET)
    call_command("create_channel", "south", stdout=out, stderr=err)
    assert Channel.objects.get(slug="south").secret == SECRET
    with pytest.raises(CommandError, match="already a channel"):
        call_command("create_channel", "north", stdout=out, stderr=err)


def test_the_command_rotates_and_says_how_long_the_old_secret_lives() -> None:
    make_channel()
    out, err = StringIO(), StringIO()
    call_command("rotate_channel_secret", "generic", "--overlap-hours", "2", stdout=out, stderr=err)
    channel = Channel.objects.get()
    assert (out.getvalue().strip(), channel.previous_secret) == (channel.secret, SECRET)
    assert "stays live until" in err.getvalue()
    with pytest.raises(CommandError, match="no channel"):
        call_command("rotate_channel_secret", "nobody")
