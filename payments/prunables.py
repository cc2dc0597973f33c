"""Which records around the payments are kept for a time only. Payments and references are not among them."""

from __future__ import annotations

from kernel.pruning.registry import Prunable, register
from kernel.pruning.tables import TableRows

# A decision stays as long as its batch, which counts it. Reviews come first in the order of names, so that what is
# counted in a rehearsal does not hang on what the same run deletes.
DECIDED = "entry.status <> 'open' and entry.status_since < %(before)s"
BATCH_IS_GONE = "not exists (select from staging_process_log batch where batch.id = entry.batch_id)"

register(
    Prunable(
        "webhook-receipts",
        "Receipts of webhooks",
        "WEBHOOK_RECEIPT_RETENTION_DAYS",
        TableRows("webhook_receipt", age="received_at"),
    )
)
# A duplicate is only the record of a repetition: it is counted by its batch and goes together with it.
register(
    Prunable(
        "staging-batches",
        "Staging batches, with their duplicates",
        "PROCESS_LOG_RETENTION_DAYS",
        TableRows(
            "staging_process_log",
            age="started_at",
            condition="coalesce(entry.completed_at, entry.started_at) < %(before)s and entry.status <> 'processing'",
            companions=(("staging_duplicate", "batch_id"),),
            chunk_rows=100,
        ),
    )
)
register(
    Prunable(
        "reviews-rejections",
        "Rejections that were decided",
        "REVIEW_RETENTION_DAYS",
        TableRows("staging_rejection", age="rejected_at", condition=f"{DECIDED} and {BATCH_IS_GONE}"),
    )
)
register(
    Prunable(
        "reviews-conflicts",
        "Conflicts that were decided",
        "REVIEW_RETENTION_DAYS",
        TableRows(
            "reference_conflict",
            age="detected_at",
            condition=f"{DECIDED} and entry.last_seen_at < %(before)s and {BATCH_IS_GONE}",
        ),
    )
)
