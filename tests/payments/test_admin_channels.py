from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from kernel.audit.actors import Actor
from kernel.audit.models import AuditEntry
from kernel.errors import PaymentsiteError
from kernel.uuids import uuid7
from payments.admin.problems import meaning_of
from payments.models import Channel, WebhookReceipt
from payments.operations.channels import create_channel
from payments.signatures import SignatureWrong
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
CHANNELS = "/admin/payments/channel/"
AT = datetime(2026, 11, 20, 18, tzinfo=UTC)
FORM: dict[str, Any] = {
    "slug": "branch-pos",
    "name": "Branch terminals",
    "is_active": "on",
    "adapter": "generic",
    "mapping": "",
    "currency": "",
    "signature_scheme": "standard",
    "allowed_networks": "10.0.0.0/8\n2001:db8::/32",
    "rate_limit_per_minute": "60",
    "clock_tolerance_seconds": "300",
    "reason": "New terminals",
    "confirmed": "yes",
}


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


def a_channel() -> tuple[Channel, str]:
    issued = create_channel(slug="shop", name="Shop", actor=Actor.system("test"), at=AT)
    return issued.channel, issued.secret


def secret_on(page: Any) -> str:
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", page.content.decode())
    assert found is not None
    return found[0]


def test_a_new_channel_shows_its_secret_once_and_never_again(administrator: Client) -> None:
    answer = administrator.post(f"{CHANNELS}add_channel/", FORM)

    channel = Channel.objects.get()
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert secret_on(answer) == channel.secret
    assert (channel.slug, channel.allowed_networks) == ("branch-pos", ["10.0.0.0/8", "2001:db8::/32"])
    for address in (CHANNELS, f"{CHANNELS}{channel.pk}/change/", f"{CHANNELS}{channel.pk}/change_channel/"):
        assert "whsec_" not in administrator.get(address).content.decode().replace("#whsec_", "")
    entry = AuditEntry.objects.get(action="channel.created")
    assert entry.reason == "New terminals"
    assert "whsec_" not in str(entry.after)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("slug", "Big Bank", "lower-case letters"),
        ("allowed_networks", "10.0.0.0/8 nonsense", "nonsense"),
        ("adapter", "unknown", "Select a valid choice"),
        ("currency", "XXQ", "ISO 4217"),
        ("mapping", "{not json", "not JSON"),
        ("rate_limit_per_minute", "0", "whole number from 1"),
        ("clock_tolerance_seconds", "9999", "whole number from 1 to 3600"),
        ("name", "", "required"),
    ],
)
def test_what_is_wrong_with_a_channel_stands_at_its_field(
    administrator: Client, field: str, value: str, said: str
) -> None:
    page = administrator.post(f"{CHANNELS}add_channel/", FORM | {field: value})

    errors = page.context["forms"][0].errors
    assert list(errors) == [field]
    assert said in " ".join(errors[field])
    assert Channel.objects.count() == 0


def test_a_mapping_is_checked_path_by_path(administrator: Client) -> None:
    form = FORM | {"adapter": "configured", "mapping": '{"reference_number": "data..ref"}'}

    errors = administrator.post(f"{CHANNELS}add_channel/", form).context["forms"][0].errors["mapping"]

    assert any("is no path" in error for error in errors)
    assert any(error.startswith("amount needs a path") for error in errors)


def test_a_rotation_keeps_the_old_secret_for_the_hours_asked_until_it_is_ended(administrator: Client) -> None:
    channel, old = a_channel()
    place = f"{CHANNELS}{channel.pk}"
    assert f"{place}/end_old_secret/" not in administrator.get(f"{place}/change/").content.decode()

    answer = administrator.post(f"{place}/rotate/", {"overlap_hours": "48", "reason": "Yearly", "confirmed": "yes"})

    channel.refresh_from_db()
    assert channel.secret == secret_on(answer) != old
    assert channel.previous_secret == old
    assert "Two are good" in administrator.get(f"{place}/change/").content.decode()
    administrator.post(f"{place}/end_old_secret/", {"reason": "All changed over", "confirmed": "yes"})
    channel.refresh_from_db()
    assert channel.previous_secret == ""


def test_an_overlap_out_of_range_rotates_nothing(administrator: Client) -> None:
    channel, old = a_channel()

    page = administrator.post(
        f"{CHANNELS}{channel.pk}/rotate/", {"overlap_hours": "9999", "reason": "x", "confirmed": "yes"}
    )

    assert list(page.context["forms"][0].errors) == ["overlap_hours"]
    channel.refresh_from_db()
    assert channel.secret == old


def test_a_channel_is_changed_with_before_and_after_on_its_page(administrator: Client) -> None:
    channel, _ = a_channel()
    form = {name: value for name, value in FORM.items() if name != "slug"}

    answer = administrator.post(f"{CHANNELS}{channel.pk}/change_channel/", form)

    assert answer.status_code == 302
    channel.refresh_from_db()
    assert (channel.slug, channel.name, channel.rate_limit_per_minute) == ("shop", "Branch terminals", 60)
    page = administrator.get(f"{CHANNELS}{channel.pk}/change/").content.decode()
    assert "Channel changed" in page
    assert "/api/v1/payments/webhook/shop" in page


@pytest.mark.parametrize("role", ["viewer", "operator", "approver", "auditor"])
def test_only_administrators_see_and_use_the_actions_of_a_channel(role: str) -> None:
    channel, old = a_channel()
    client = signed_in(role)
    page = client.get(f"{CHANNELS}{channel.pk}/change/").content.decode()

    for name in ("change_channel", "rotate"):
        assert f"/{name}/" not in page
        answer = client.post(f"{CHANNELS}{channel.pk}/{name}/", FORM | {"overlap_hours": "0"})
        assert answer.status_code == 403
    assert client.post(f"{CHANNELS}add_channel/", FORM).status_code == 403
    channel.refresh_from_db()
    assert (channel.secret, Channel.objects.count()) == (old, 1)


def test_a_refused_request_says_what_went_wrong_and_what_the_sender_should_do(administrator: Client) -> None:
    channel, _ = a_channel()
    receipt = WebhookReceipt.objects.create(
        id=uuid7(AT),
        channel_slug=channel.slug,
        body_digest="0" * 64,
        outcome="refused",
        status_code=401,
        problem_code="signature-wrong",
        received_at=AT,
    )

    page = administrator.get(f"/admin/payments/webhookreceipt/{receipt.pk}/change/").content.decode()

    assert "No signature fits the raw body" in page
    assert SignatureWrong.next_step.split(",")[0] in page
    assert "Refused 401" in administrator.get(f"{CHANNELS}{channel.pk}/change/").content.decode()


@pytest.mark.parametrize("code", ["signature-wrong", "notice-invalid", "rate-limited", "webhook-id-reused", "conflict"])
def test_every_code_has_a_sentence_of_its_own(code: str) -> None:
    meaning = meaning_of(code)

    assert meaning is not None
    assert len(meaning.sentence) > 15
    assert meaning.next_step


def test_an_unknown_code_has_no_meaning() -> None:
    assert meaning_of("no-such-code") is None
    assert meaning_of("") is None
    assert issubclass(SignatureWrong, PaymentsiteError)
