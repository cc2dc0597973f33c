"""What a webhook does with a checked notice: the caches, the recorder, the receipt."""

from __future__ import annotations

from datetime import datetime

from django.db import DataError, IntegrityError

from kernel.gathering import Gathering
from kernel.outbox.wakeup import wake_relay
from kernel.transactions import own_statements
from payments.deduplication.layers import count_database, find_known, remember
from payments.deduplication.memory import KnownReference, fingerprint_of, mark_of
from payments.notices import PaymentNotice
from payments.operations.receipts import refuse_reused_key
from payments.operations.recording import (
    ClaimsCrossed,
    Incoming,
    ReceiptFacts,
    Recording,
    claim_notices,
    incoming_webhook,
    recorded,
    settle_or_record,
)
from payments.states import Outcome

RECEIPT_ONCE = "webhook_receipt_once"
# Requests that wait at the same moment share one statement and one commit. Who comes while a statement is under way
# waits for its end at most this long; docs/performance.md has what it brings.
PATIENCE_SECONDS = 0.002
MOST_NOTICES = 64

_claims: Gathering[Incoming, bool] = Gathering(
    claim_notices,
    patience_seconds=PATIENCE_SECONDS,
    at_most=MOST_NOTICES,
    # What one notice can do to its neighbours: a webhook-id or a content that the database refuses, a crossed wait.
    apart_on=(IntegrityError, DataError, ClaimsCrossed),
)


@own_statements
def receive_notice(notice: PaymentNotice, *, receipt: ReceiptFacts, at: datetime) -> Recording:
    """Records a notice from a webhook exactly once. The receipt of a new payment is written with it.

    For a duplicate or a conflict the caller keeps the receipt. Raises WebhookIdReused when the receipt's key came
    with another body, and then nothing is recorded, whatever this body says.
    """
    known = find_known(notice)
    mark = mark_of(receipt.channel_slug, receipt.receipt_key, receipt.body_digest)
    if known is not None:
        # The very same message again, as a sender's retry is, needs no look at the keys that were used.
        if known.request_mark != mark:
            refuse_reused_key(receipt.channel_slug, receipt.receipt_key, receipt.body_digest)
            remember(notice, known._replace(request_mark=mark))
        return Recording(Outcome.DUPLICATE, known.payment_id, known.payment_date)
    recording = _record(notice, receipt, at)
    count_database(is_known=not recording.is_new)
    if recording.outcome is not Outcome.CONFLICT:
        fingerprint = fingerprint_of(notice.identity)
        remember(notice, KnownReference(recording.payment_id, recording.payment_date, fingerprint, mark))
    if recording.is_new:
        wake_relay()
    return recording


def _record(notice: PaymentNotice, receipt: ReceiptFacts, at: datetime) -> Recording:
    incoming = incoming_webhook(notice, receipt=receipt, at=at)
    try:
        return recorded(incoming) if _claims.do(incoming) else settle_or_record(incoming)
    except IntegrityError as error:
        if RECEIPT_ONCE not in str(error):
            raise
        # The recorder's statement is undone as a whole. The same body under the same key can only come here when its
        # reference was pruned or its format's mapping was changed: the answer of the first time holds.
        earlier = refuse_reused_key(receipt.channel_slug, receipt.receipt_key, receipt.body_digest)
        if earlier is None:
            raise
        return Recording(Outcome.DUPLICATE, *earlier)
