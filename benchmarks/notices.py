"""Signed webhook requests, ready to be sent: signing is the sender's work and is not measured."""

from __future__ import annotations

import base64
import hmac
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from payments.signatures import key_from_secret
from payments.states import SignatureScheme

# Every fiftieth request sends the reference of the one before again, as a message of its own.
REPEATED_EVERY = 50


@dataclass(frozen=True, slots=True)
class SignedRequests:
    """Raw HTTP requests in the order of sending, and how many of them carry a new reference."""

    requests: list[bytes]
    distinct: int


def signed_requests(count: int, *, secret: str, port: int, label: str) -> SignedRequests:
    """Requests to the generic channel under Standard Webhooks. `label` keeps references of different runs apart."""
    key = key_from_secret(secret, SignatureScheme.STANDARD_WEBHOOKS)
    sent_at = int(time.time())
    # One moment for all: a repetition that was made a second later would be another payment under the same reference.
    newest = datetime.now(UTC).replace(microsecond=0)
    requests, distinct = [], 0
    for place in range(count):
        is_repeat = place % REPEATED_EVERY == REPEATED_EVERY - 1
        distinct += not is_repeat
        body = _body(f"{label}-{place - is_repeat:08d}", place - is_repeat, newest)
        webhook_id = f"msg_{label}_{place}"
        content = f"{webhook_id}.{sent_at}.".encode() + body
        signature = base64.b64encode(hmac.digest(key, content, "sha256")).decode()
        head = (
            "POST /api/v1/payments/webhook HTTP/1.1\r\n"
            f"Host: localhost:{port}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"webhook-id: {webhook_id}\r\n"
            f"webhook-timestamp: {sent_at}\r\n"
            f"webhook-signature: v1,{signature}\r\n\r\n"
        )
        requests.append(head.encode() + body)
    return SignedRequests(requests, distinct)


def _body(reference: str, number: int, newest: datetime) -> bytes:
    paid_at = newest - timedelta(minutes=number % 600 + 10)
    return json.dumps(
        {
            "reference_number": reference,
            "loan_account_number": f"LN{number % 50021:08d}",
            "cif": f"CIF{number % 40009:07d}",
            "amount": (number % 90000 + 1) / 100,
            "payment_date": paid_at.isoformat(),
            "payment_channel": "online-banking",
            "metadata": {"branch": number % 310, "terminal": f"T{number % 997}"},
        }
    ).encode()
