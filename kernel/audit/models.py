"""An audit entry says who did what to which record, why, before and after; a seal chains a batch of entries."""

from __future__ import annotations

from datetime import timedelta

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from kernel.audit.actors import ActorKind
from kernel.audit.querysets import AuditEntryQuerySet
from kernel.fields import PositionsField

# Nothing younger is ever retired, whatever the settings say; the triggers of the tables hold the same.
NEVER_RETIRED_WITHIN = timedelta(days=30)


class AuditEntry(models.Model):
    """One act on one record. Rows are only added: the table's triggers refuse everything else."""

    recorded_at = models.DateTimeField()
    actor = models.TextField()
    actor_kind = models.TextField(choices=[(kind.value, kind.value.replace("_", " ")) for kind in ActorKind])
    # A plain number and no foreign key: the row must stay as it is when the user goes.
    user_id = models.BigIntegerField(null=True, blank=True)
    action = models.TextField()
    object_type = models.TextField()
    object_id = models.TextField()
    object_label = models.TextField(blank=True, default="")
    reason = models.TextField(blank=True, default="")
    before = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    after = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    request_id = models.TextField(blank=True, default="")
    change_set = models.UUIDField(null=True, blank=True)
    # Which file line, event or request brought the act about.
    source = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        db_table = "audit_entry"
        default_permissions = ("view",)
        verbose_name_plural = "audit entries"
        constraints = [
            models.CheckConstraint(
                name="audit_entry_actor_kind_known",
                condition=models.Q(actor_kind__in=[kind.value for kind in ActorKind]),
            ),
            models.CheckConstraint(
                name="audit_entry_says_who_and_what",
                condition=~models.Q(actor="") & ~models.Q(action="") & ~models.Q(object_type=""),
            ),
        ]
        indexes = [
            models.Index(fields=["object_type", "object_id", "-id"], name="audit_entry_object"),
            models.Index(fields=["actor", "-id"], name="audit_entry_actor"),
            models.Index(fields=["action", "-id"], name="audit_entry_action"),
            models.Index(
                fields=["change_set"], name="audit_entry_change_set", condition=models.Q(change_set__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} by {self.actor}"


class AuditSeal(models.Model):
    """One link of the chain: a digest over the content of a batch of rows, and over the link before it."""

    # Without gaps: the sealer holds a lock and counts.
    sequence = models.BigIntegerField(primary_key=True)
    sealed_at = models.DateTimeField()
    source = models.TextField()
    positions = PositionsField()
    # The highest position that any seal of this source covers so far.
    high_water = models.BigIntegerField()
    entry_count = models.BigIntegerField()
    content_digest = models.BinaryField()
    # The first eight bytes of every row's digest, in order of position: they tell which row of a batch was altered.
    fingerprints = models.BinaryField()
    previous_hash = models.BinaryField()
    hash = models.BinaryField(unique=True)

    class Meta:
        db_table = "audit_seal"
        default_permissions = ("view",)
        indexes = [models.Index(fields=["source", "-sequence"], name="audit_seal_source")]

    def __str__(self) -> str:
        return f"seal {self.sequence} of {self.source}"


class AuditRetirement(models.Model):
    """The rows of one seal were deleted because they were old: which, when, by which job run, with which content.

    The table is append-only and sealed itself, so that nobody can take rows away unseen.
    """

    # One for the seals whose rows went in one statement.
    operation = models.UUIDField(db_index=True)
    seal_sequence = models.BigIntegerField(unique=True)
    source = models.TextField()
    retired_at = models.DateTimeField()
    first_recorded_at = models.DateTimeField()
    last_recorded_at = models.DateTimeField()
    entry_count = models.BigIntegerField()
    # Recomputed from the rows right before they were deleted; equal to the seal's.
    content_digest = models.BinaryField()
    # How many rows of each kind, such as each type of event.
    counts = models.JSONField(default=dict)
    job_run_id = models.UUIDField()

    class Meta:
        db_table = "audit_retirement"
        default_permissions = ("view",)
        verbose_name = "retired seal"
        indexes = [models.Index(fields=["source", "-id"], name="audit_retirement_source")]
        constraints = [
            models.CheckConstraint(
                name="audit_retirement_old_enough",
                condition=models.Q(retired_at__gte=models.F("last_recorded_at") + NEVER_RETIRED_WITHIN),
            ),
            models.CheckConstraint(name="audit_retirement_not_empty", condition=models.Q(entry_count__gt=0)),
        ]

    def __str__(self) -> str:
        return f"retired seal {self.seal_sequence} of {self.source}"
