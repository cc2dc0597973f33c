"""Records of money received. Nothing here is edited after it is written, save the review of what was not recorded."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from kernel.fields import EncryptedTextField, MoneyField, NaiveDateTimeField
from payments import querysets
from payments.archivemodels import PartitionArchive as PartitionArchive  # its model is found from here
from payments.states import BatchStatus, PaymentSource, ReceiptOutcome, ReviewStatus, SignatureScheme


def _choices(codes: Any) -> list[tuple[str, str]]:
    return [(code.value, code.value.replace("_", " ").capitalize()) for code in codes]


def _quoted(name: tuple[str | None, str]) -> str:
    """The table's name as Django wants it: it quotes the whole, so that the schema needs its own inner quotes."""
    schema, table = name
    return f'{schema}"."{table}' if schema else table


class Payment(models.Model):
    """Money received, a fact. Lives in monthly partitions by payment_date; never updated, never deleted.

    The table's primary key is (id, payment_date), because PostgreSQL wants the partition key in it; ids are
    time-ordered UUIDs. Give payment_date with the id wherever it is known: it saves a probe of every partition.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    reference_number = models.CharField(max_length=255)
    loan_account_number = models.CharField(max_length=20)
    cif = models.CharField("CIF", max_length=20)
    amount = MoneyField()
    currency = models.CharField(max_length=3)
    payment_date = models.DateTimeField()
    payment_channel = models.CharField(max_length=100, null=True, blank=True)
    source = models.CharField(max_length=50, choices=_choices(PaymentSource))
    metadata = models.JSONField(null=True, blank=True)
    source_batch_id = models.UUIDField(null=True, help_text="The process-log row or webhook receipt that brought it.")
    source_row_id = models.BigIntegerField(null=True, help_text="The staged row that brought it.")
    created_at = models.DateTimeField(db_default=Now())

    objects = querysets.PaymentQuerySet.as_manager()

    class Meta:
        db_table = "payments"
        permissions = [("record_manual_payment", "Can record a payment by hand")]

    def __str__(self) -> str:
        return f"Payment {self.reference_number}"


class PaymentReference(models.Model):
    """The gate of exactly-once: whoever inserts the reference number first has recorded the payment."""

    reference_number = models.CharField(max_length=255, primary_key=True)
    payment_id = models.UUIDField()
    payment_date = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "payment_references"
        indexes = [models.Index(fields=["created_at"], name="idx_payment_refs_created")]

    def __str__(self) -> str:
        return self.reference_number


class PreviousReference(models.Model):
    """The gate's generation before the current one: read only, probed by the recorder, and dropped whole."""

    reference_number = models.CharField(max_length=255, primary_key=True)
    payment_id = models.UUIDField()
    payment_date = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "payment_references_previous"
        indexes = [models.Index(fields=["created_at"], name="idx_payment_refs_previous")]

    def __str__(self) -> str:
        return self.reference_number


class ReferenceHistory(models.Model):
    """A reference that was pruned from the gate, kept for good: still a duplicate, whatever became of its payment.

    content_digest tells a repetition from a conflict also when the payment itself lies in an archive.
    """

    reference_number = models.CharField(max_length=255, primary_key=True)
    payment_id = models.UUIDField()
    payment_date = models.DateTimeField()
    created_at = models.DateTimeField(help_text="When the reference was claimed.")
    content_digest = models.CharField(max_length=32)

    class Meta:
        db_table = "payment_references_history"
        # A payment that lies in an archive is found by its id too.
        indexes = [models.Index(fields=["payment_id"], name="idx_reference_history_payment")]

    def __str__(self) -> str:
        return self.reference_number


class PaymentStaging(models.Model):
    """A row that the outside ETL staged. The table is the ETL's: we write processed and processed_at, nothing else."""

    id = models.BigAutoField(primary_key=True)
    reference_number = models.CharField(max_length=255)
    loan_account_number = models.CharField(max_length=20)
    cif = models.CharField("CIF", max_length=20)
    amount = MoneyField()
    payment_date = NaiveDateTimeField()
    payment_channel = models.CharField(max_length=100, null=True, blank=True)
    metadata = models.JSONField(null=True, blank=True)
    processed = models.BooleanField(null=True, default=False)
    processed_at = NaiveDateTimeField(null=True, blank=True)
    created_at = NaiveDateTimeField(null=True, blank=True)

    class Meta:
        managed = False
        db_table = _quoted(settings.STAGING_TABLE)
        verbose_name = "staged row"

    def __str__(self) -> str:
        return f"Staged row {self.pk}"


class StagingProcessLog(models.Model):
    """One batch of staged rows: which ids, and how many of each outcome; the outcomes add up to the total."""

    id = models.UUIDField(primary_key=True, editable=False)
    batch_start_id = models.BigIntegerField()
    batch_end_id = models.BigIntegerField()
    total_records = models.IntegerField()
    processed_records = models.IntegerField(default=0, db_default=0)
    duplicate_records = models.IntegerField(default=0, db_default=0)
    conflict_records = models.IntegerField(default=0, db_default=0)
    error_records = models.IntegerField(default=0, db_default=0)
    status = models.CharField(max_length=50, choices=_choices(BatchStatus), db_default=BatchStatus.PROCESSING.value)
    attempts = models.IntegerField(default=1, db_default=1)
    started_at = models.DateTimeField(db_default=Now())
    completed_at = models.DateTimeField(null=True)
    error_details = models.JSONField(null=True)

    objects = querysets.StagingProcessLogQuerySet.as_manager()

    class Meta:
        db_table = "staging_process_log"
        verbose_name = "staging batch"
        verbose_name_plural = "staging batches"
        permissions = [("ingest_staging", "Can start an ingestion of staged rows")]
        indexes = [models.Index(fields=["-started_at"], name="idx_process_log_started")]
        constraints = [
            models.CheckConstraint(
                name="staging_process_log_counts_add_up",
                condition=~Q(status=BatchStatus.COMPLETED.value)
                | Q(
                    total_records=models.F("processed_records")
                    + models.F("duplicate_records")
                    + models.F("conflict_records")
                    + models.F("error_records")
                ),
            )
        ]

    def __str__(self) -> str:
        return f"Staged rows {self.batch_start_id} to {self.batch_end_id}"


class StagingDuplicate(models.Model):
    """A staged row that brought a payment which was already recorded."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(StagingProcessLog, on_delete=models.PROTECT, db_constraint=False)
    staging_id = models.BigIntegerField()
    reference_number = models.CharField(max_length=255)
    payment_id = models.UUIDField()
    payment_date = models.DateTimeField()
    detected_at = models.DateTimeField()

    class Meta:
        db_table = "staging_duplicate"
        indexes = [
            models.Index(fields=["staging_id"], name="idx_staging_duplicate_row"),
            models.Index(fields=["detected_at"], name="idx_staging_duplicate_seen"),
        ]

    def __str__(self) -> str:
        return f"Staged row {self.staging_id} repeats {self.reference_number}"


class Review(models.Model):
    """What a rejection and a conflict have in common: a person decides, once, and says why."""

    status = models.CharField(
        max_length=20, choices=_choices(ReviewStatus), default=ReviewStatus.OPEN, db_default=ReviewStatus.OPEN.value
    )
    status_since = models.DateTimeField(db_default=Now())
    resolved_by = models.CharField(max_length=150, blank=True, db_default="")
    resolution_reason = models.TextField(blank=True, db_default="")
    corrected = models.JSONField(null=True, help_text="The content that was recorded after the correction.")
    recorded_payment_id = models.UUIDField(null=True)
    recorded_payment_date = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class StagingRejection(Review):
    """A staged row, or a line on its way into staging, that could not be recorded: raw content and every reason."""

    id = models.BigAutoField(primary_key=True)
    batch = models.ForeignKey(StagingProcessLog, on_delete=models.PROTECT, null=True, db_constraint=False)
    staging_id = models.BigIntegerField(null=True)
    origin = models.CharField(max_length=255, db_default="", help_text="File and line, when it never was staged.")
    reference_number = models.TextField(db_default="")
    reasons = ArrayField(models.CharField(max_length=60), help_text="Codes; payments/rules.py has their sentences.")
    raw = models.JSONField(help_text="The row exactly as it came.")
    rejected_at = models.DateTimeField()

    objects = querysets.ReviewQuerySet.as_manager()

    class Meta:
        db_table = "staging_rejection"
        verbose_name = "rejection"
        permissions = [
            ("correct_rejection", "Can correct a rejected row and record it"),
            ("dismiss_rejection", "Can dismiss a rejected row"),
        ]
        indexes = [
            models.Index(fields=["rejected_at"], name="idx_rejection_open", condition=Q(status="open")),
            models.Index(fields=["-rejected_at"], name="idx_rejection_when"),
            models.Index(fields=["staging_id"], name="idx_rejection_row"),
        ]
        constraints = [
            models.CheckConstraint(name="staging_rejection_says_why", condition=Q(reasons__len__gt=0)),
            models.CheckConstraint(
                name="staging_rejection_decided_with_reason",
                condition=Q(status="open") | (~Q(resolved_by="") & ~Q(resolution_reason="")),
            ),
        ]

    @property
    def origin_source(self) -> str:
        """Where a payment that is recorded from this came from."""
        return PaymentSource.STAGING

    def __str__(self) -> str:
        return f"Rejected row {self.staging_id or self.origin}"


class ReferenceConflict(Review):
    """A known reference that came again with other content. The first record stands until a person decides."""

    id = models.BigAutoField(primary_key=True)
    reference_number = models.CharField(max_length=255)
    payment_id = models.UUIDField(help_text="The payment that was recorded first.")
    payment_date = models.DateTimeField()
    source = models.CharField(max_length=50, choices=_choices(PaymentSource))
    payment_channel = models.CharField(max_length=100, null=True, blank=True)
    batch_id = models.UUIDField(null=True)
    staging_id = models.BigIntegerField(null=True)
    difference = models.JSONField(help_text="[{field, recorded, received}], one entry a field that differs.")
    received = models.JSONField(help_text="The whole content as it came the second time.")
    content_digest = models.CharField(max_length=32)
    times_seen = models.IntegerField(default=1, db_default=1)
    detected_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    objects = querysets.ReviewQuerySet.as_manager()

    class Meta:
        db_table = "reference_conflict"
        verbose_name = "reference conflict"
        permissions = [
            ("correct_conflict", "Can correct a conflicting notice and record it"),
            ("dismiss_conflict", "Can dismiss a conflicting notice"),
        ]
        indexes = [
            models.Index(fields=["detected_at"], name="idx_conflict_open", condition=Q(status="open")),
            models.Index(fields=["-detected_at"], name="idx_conflict_when"),
        ]
        constraints = [
            # The same wrong notice, sent again and again, is one conflict that was seen many times.
            models.UniqueConstraint(fields=["reference_number", "content_digest"], name="reference_conflict_once"),
            models.CheckConstraint(
                name="reference_conflict_decided_with_reason",
                condition=Q(status="open") | (~Q(resolved_by="") & ~Q(resolution_reason="")),
            ),
        ]

    @property
    def origin_source(self) -> str:
        """Where a payment that is recorded from this came from."""
        return self.source

    def __str__(self) -> str:
        return f"Conflict on {self.reference_number}"


class Channel(models.Model):
    """An outside system that may post payments: how it signs, from where, how often, and in which format."""

    slug = models.CharField(
        max_length=100,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*$", "Use lower-case letters, digits and hyphens.")],
        help_text="The last part of its address, after /api/v1/payments/webhook/.",
    )
    name = models.CharField(max_length=200)
    is_active = models.BooleanField(default=True)
    adapter = models.CharField(max_length=50, default="generic", help_text="Which format its bodies have.")
    mapping = models.JSONField(
        default=dict, blank=True, help_text="For the configured format: our field name to the path in its body."
    )
    currency = models.CharField(max_length=3, blank=True, help_text="Used when a body names none.")
    signature_scheme = models.CharField(
        max_length=20, choices=_choices(SignatureScheme), default=SignatureScheme.STANDARD_WEBHOOKS
    )
    secret = EncryptedTextField(help_text="The secret that signs now.")
    previous_secret = EncryptedTextField(blank=True, default="")
    previous_secret_expires_at = models.DateTimeField(null=True, blank=True)
    secret_rotated_at = models.DateTimeField(null=True, blank=True)
    allowed_networks = ArrayField(
        models.CharField(max_length=50), default=list, blank=True, help_text="CIDR ranges; none means from anywhere."
    )
    rate_limit_per_minute = models.PositiveIntegerField(
        default=60000, validators=[MinValueValidator(1)], help_text="Requests a minute from one address."
    )
    clock_tolerance_seconds = models.PositiveIntegerField(
        default=300, validators=[MinValueValidator(1), MaxValueValidator(3600)]
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = querysets.ChannelQuerySet.as_manager()

    class Meta:
        db_table = "channel"
        permissions = [("rotate_channel_secret", "Can rotate a channel's secret")]

    def __str__(self) -> str:
        return self.name


class WebhookReceipt(models.Model):
    """One request at a webhook and what became of it: the replay protection, and the log that support reads.

    receipt_key is the sender's webhook-id, or a digest where the scheme has none; it is null for a refused request,
    which must not use up the id of a later good one. The body itself is never kept, only its digest.
    """

    id = models.UUIDField(primary_key=True, editable=False)
    channel_slug = models.CharField(max_length=100)
    receipt_key = models.CharField(max_length=255, null=True)
    body_digest = models.CharField(max_length=64)
    outcome = models.CharField(max_length=20, choices=_choices(ReceiptOutcome))
    status_code = models.PositiveSmallIntegerField()
    problem_code = models.CharField(max_length=60, db_default="")
    reference_number = models.CharField(max_length=255, db_default="")
    payment_id = models.UUIDField(null=True)
    payment_date = models.DateTimeField(null=True)
    source_address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=128, db_default="")
    received_at = models.DateTimeField()
    duration_ms = models.DecimalField(max_digits=9, decimal_places=2, null=True)

    objects = querysets.WebhookReceiptQuerySet.as_manager()

    class Meta:
        db_table = "webhook_receipt"
        permissions = [("diagnose_signature", "Can ask why a webhook request was refused")]
        indexes = [models.Index(fields=["-received_at"], name="idx_receipt_received")]
        constraints = [models.UniqueConstraint(fields=["channel_slug", "receipt_key"], name="webhook_receipt_once")]

    def __str__(self) -> str:
        return f"{self.channel_slug} {self.received_at:%Y-%m-%d %H:%M:%S}"
