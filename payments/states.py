"""The codes of the payments app: plain data, with one comment a value."""

from __future__ import annotations

from enum import StrEnum


class PaymentSource(StrEnum):
    """How a payment reached us."""

    STAGING = "staging"  # a row that the outside ETL put into the staging table
    WEBHOOK = "webhook"  # a signed notice from a channel
    MANUAL = "manual"  # typed in by a member of staff
    SETTLEMENT = "settlement"  # a line of a settlement file
    DEPOSIT = "deposit"  # a line of a bank's deposit file


class Outcome(StrEnum):
    """What became of one incoming notice."""

    RECORDED = "recorded"  # new: payment, reference and event were written
    DUPLICATE = "duplicate"  # the same payment again: nothing was written
    CONFLICT = "conflict"  # a known reference with other content: kept for staff, nothing recorded
    REJECTED = "rejected"  # could not be recorded; its reasons are kept


class BatchStatus(StrEnum):
    """Status of a row in the staging process log; the seed's three words."""

    PROCESSING = "processing"  # claimed; only ever seen by the transaction that does the work
    COMPLETED = "completed"  # every row of the batch has its outcome
    FAILED = "failed"  # the batch was rolled back; its rows wait for the next run


class ReviewStatus(StrEnum):
    """Where a rejection or a conflict stands with staff."""

    OPEN = "open"  # waits for a decision
    RECORDED = "recorded"  # recorded after a correction
    DISMISSED = "dismissed"  # put aside, with a reason


# From each status, where staff may move it. A status that leads nowhere is final.
REVIEW_MOVES: dict[ReviewStatus, frozenset[ReviewStatus]] = {
    ReviewStatus.OPEN: frozenset({ReviewStatus.RECORDED, ReviewStatus.DISMISSED}),
    ReviewStatus.RECORDED: frozenset(),
    ReviewStatus.DISMISSED: frozenset(),
}
FINAL_REVIEW_STATUSES = frozenset(status for status, targets in REVIEW_MOVES.items() if not targets)


class ReceiptOutcome(StrEnum):
    """What became of one request at a webhook."""

    CREATED = "created"  # answered 201
    DUPLICATE = "duplicate"  # answered 200 with the payment's id
    CONFLICT = "conflict"  # answered 409 with the difference
    REFUSED = "refused"  # answered 4xx; problem_code says why


class SignatureScheme(StrEnum):
    """How a channel signs the raw body."""

    STANDARD_WEBHOOKS = "standard"  # webhook-id, webhook-timestamp, webhook-signature (Standard Webhooks 1.0.0)
    PLAIN_HMAC = "plain"  # X-Signature: sha256=<hex> over the raw body


class ArchiveStatus(StrEnum):
    """How far a month's partition is on its way out of the database. Until it is detached it has no archive."""

    DETACHED = "detached"  # taken out of payments; its table waits to be written to a file
    WRITTEN = "written"  # the file and its manifest are on the disk, not read back yet
    VERIFIED = "verified"  # the file was read back whole and equals the table
    ARCHIVED = "archived"  # the table is dropped; the file is what there is
    RESTORED = "restored"  # the rows are in a read-only table again, beside payments


# From each status, where archiving and restoring may move. Back to detached: the file turned out not to be good.
ARCHIVE_MOVES: dict[ArchiveStatus, frozenset[ArchiveStatus]] = {
    ArchiveStatus.DETACHED: frozenset({ArchiveStatus.WRITTEN}),
    ArchiveStatus.WRITTEN: frozenset({ArchiveStatus.VERIFIED, ArchiveStatus.DETACHED}),
    ArchiveStatus.VERIFIED: frozenset({ArchiveStatus.ARCHIVED, ArchiveStatus.DETACHED}),
    ArchiveStatus.ARCHIVED: frozenset({ArchiveStatus.RESTORED}),
    ArchiveStatus.RESTORED: frozenset({ArchiveStatus.ARCHIVED}),
}
# While an archive is in one of these, the next run goes on with it.
UNFINISHED_ARCHIVES = frozenset({ArchiveStatus.DETACHED, ArchiveStatus.WRITTEN, ArchiveStatus.VERIFIED})
