"""Asks the signature doctor about one request: fetches what we know of the channels, and records that it was asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from kernel.audit.actors import Actor
from kernel.audit.operations import record_entry
from kernel.crypto import SecretUnreadable, decrypt_text
from kernel.transactions import unit_of_work
from payments.models import Channel, WebhookReceipt
from payments.signaturedoctor import Diagnosis, GivenRequest, KnownChannel, KnownSecret, diagnose
from payments.signatures import ID_HEADER
from payments.states import SignatureScheme

# The secrets as they are stored, so that one which cannot be read does not hide the others.
CHANNELS = """
select slug, signature_scheme, secret, previous_secret, previous_secret_expires_at, is_active, allowed_networks,
       clock_tolerance_seconds
from channel
order by slug
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """One question: the channel's name, the request as its sender describes it, and the receipt it is about."""

    channel_slug: str
    request: GivenRequest
    receipt: WebhookReceipt | None = None


@unit_of_work
def diagnose_request(asked: Asked, *, actor: Actor, at: datetime) -> Diagnosis:
    """Why the request was refused. The audit keeps who asked about which channel and which causes were found.

    Of the request itself nothing is stored or logged: no header, no body, no digest of either.
    """
    known = _known_channels()
    channel = known.get(asked.channel_slug)
    others = [secret for slug, other in known.items() if slug != asked.channel_slug for secret in other.secrets]
    diagnosis = diagnose(
        _with_receipts(asked),
        channel,
        others=others,
        now_seconds=at.timestamp(),
        max_body_bytes=settings.WEBHOOK_MAX_BODY_BYTES,
    )
    subject: Any = (
        asked.receipt or Channel.objects.filter(slug=asked.channel_slug).defer("secret", "previous_secret").first()
    )
    record_entry(
        actor=actor,
        action="webhook.diagnosed",
        subject=subject or ("payments.channel", asked.channel_slug[:100]),
        after={"channel": asked.channel_slug[:100], "causes": [found.code for found in diagnosis.findings]},
        at=at,
    )
    return diagnosis


def _with_receipts(asked: Asked) -> GivenRequest:
    """The request with what receipts say of it: its code and address, the digest that arrived, the id's first body."""
    request = asked.request
    if asked.receipt is not None:
        request = replace(
            request,
            received_at=asked.receipt.received_at.timestamp(),
            source_address=request.source_address or asked.receipt.source_address or "",
            arrived_digest=asked.receipt.body_digest,
            problem_code=asked.receipt.problem_code,
        )
    webhook_id = request.value(ID_HEADER)
    if not webhook_id or "\x00" in webhook_id:
        return request
    first = WebhookReceipt.objects.filter(channel_slug=asked.channel_slug, receipt_key=webhook_id[:255]).first()
    return replace(request, id_digest=first.body_digest if first else "")


def _known_channels() -> dict[str, KnownChannel]:
    with connection.cursor() as cursor:
        cursor.execute(CHANNELS)
        return {row[0]: _known(*row) for row in cursor.fetchall()}


def _known(
    slug: str,
    scheme: str,
    secret: str,
    previous_secret: str,
    previous_expires_at: datetime | None,
    is_active: bool,
    networks: Iterable[str],
    tolerance_seconds: int,
) -> KnownChannel:
    stored = [(secret, None), (previous_secret, previous_expires_at)]
    secrets = []
    for token, expires_at in stored:
        text = _opened(token)
        if text:
            until = expires_at.timestamp() if expires_at else None
            secrets.append(KnownSecret(slug, text, SignatureScheme(scheme), until))
    return KnownChannel(
        slug=slug,
        scheme=SignatureScheme(scheme),
        secrets=secrets,
        is_active=is_active,
        networks=[ipaddress.ip_network(network, strict=False) for network in networks],
        tolerance_seconds=tolerance_seconds,
    )


def _opened(token: str) -> str:
    try:
        return decrypt_text(token) if token else ""
    except SecretUnreadable:
        return ""
