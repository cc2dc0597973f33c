"""The outbox: events as facts, the queue of those that Kafka has not confirmed yet, and what was published when."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex, GistIndex
from django.db import models
from django.db.models.functions import Now

from kernel.approvals.models import ApprovalRequest
from kernel.fields import PositionsField
from kernel.outbox.querysets import DeliveryQuerySet, EventQuerySet, ReplayQuerySet


class OutboxEvent(models.Model):
    """A fact that others are told, committed together with what it reports. Never updated, never deleted."""

    position = models.BigAutoField(primary_key=True)
    event_id = models.UUIDField(unique=True)
    event_type = models.CharField(max_length=100)
    source = models.CharField(max_length=200)
    subject = models.CharField(max_length=200)
    topic = models.CharField(max_length=200)
    # Events of one key reach Kafka in the order of their positions.
    key = models.CharField(max_length=200)
    # The exact text that is published: a jsonb column would reorder the fields.
    body = models.TextField()
    occurred_at = models.DateTimeField()

    objects = EventQuerySet.as_manager()

    class Meta:
        db_table = "outbox_event"
        verbose_name = "outbox event"
        permissions = [("replay_event", "Can send delivered events again")]
        indexes = [
            # Rows lie in the order of their moments, near enough: a few kilobytes find a range of time, and a new
            # event costs it nothing.
            BrinIndex(fields=["occurred_at"], name="outbox_event_when", pages_per_range=32, autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.event_type} {self.position}"


class OutboxDelivery(models.Model):
    """One event that still waits for Kafka's confirmation. The row goes when the confirmation has come.

    Writers insert it by SQL with position and key alone, so every other column has its default in the database.
    """

    position = models.BigIntegerField(primary_key=True)
    key = models.CharField(max_length=200)
    attempts = models.IntegerField(db_default=0)
    next_attempt_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(db_default="", blank=True)
    queued_at = models.DateTimeField(db_default=Now())
    # Delivered before, and queued again by a person: its message says so.
    is_replay = models.BooleanField(db_default=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        db_table = "outbox_delivery"
        verbose_name = "waiting delivery"
        verbose_name_plural = "waiting deliveries"
        indexes = [
            # Only what failed once is in it, so recording an event pays nothing for it.
            models.Index(
                fields=["key", "position"],
                condition=models.Q(next_attempt_at__isnull=False),
                name="outbox_delivery_backing_off",
            )
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(attempts__gte=0), name="outbox_delivery_attempts_counted"),
        ]

    def __str__(self) -> str:
        return f"Delivery of event {self.position}"


class OutboxPublication(models.Model):
    """One batch that Kafka has confirmed: which positions of one topic, and when."""

    id = models.BigAutoField(primary_key=True)
    published_at = models.DateTimeField()
    topic = models.CharField(max_length=200)
    events = models.IntegerField()
    positions = PositionsField()

    class Meta:
        db_table = "outbox_publication"
        verbose_name = "publication"
        indexes = [
            GistIndex(fields=["positions"], name="outbox_publication_positions"),
            models.Index(fields=["published_at"], name="outbox_publication_when"),
        ]
        constraints = [models.CheckConstraint(condition=models.Q(events__gt=0), name="outbox_publication_not_empty")]

    def __str__(self) -> str:
        return f"{self.events} events to {self.topic} at {self.published_at:%Y-%m-%d %H:%M:%S}"


class OutboxReplay(models.Model):
    """Events that are sent again with an approval: which exactly, how fast, and how far it is.

    The selection is frozen: the filter, the first and the highest position, how many, and a digest of them all.
    """

    id = models.BigAutoField(primary_key=True)
    approval = models.OneToOneField(ApprovalRequest, on_delete=models.PROTECT, related_name="+")
    requested_by = models.TextField()
    reason = models.TextField()
    from_at = models.DateTimeField()
    to_at = models.DateTimeField()
    key = models.CharField(max_length=200, blank=True, default="")
    event_type = models.CharField(max_length=100, blank=True, default="")
    first_position = models.BigIntegerField()
    highest_position = models.BigIntegerField()
    count = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    # Events per second.
    rate = models.IntegerField()
    created_at = models.DateTimeField()
    # The last position that was looked at; what was queued, and what waited already and was left as it was.
    reached_position = models.BigIntegerField()
    queued = models.BigIntegerField(default=0)
    already_waiting = models.BigIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)
    # The job run that was last asked to go on with it.
    run_id = models.UUIDField(null=True, blank=True)

    objects = ReplayQuerySet.as_manager()

    class Meta:
        db_table = "outbox_replay"
        verbose_name = "replay"
        default_permissions = ("view",)
        permissions = [("approve_replay", "Can approve that more than 100 events are sent again")]
        constraints = [
            models.CheckConstraint(
                name="outbox_replay_within_its_count",
                condition=models.Q(queued__gte=0, already_waiting__gte=0, count__gt=0, rate__gt=0)
                & models.Q(count__gte=models.F("queued") + models.F("already_waiting")),
            ),
        ]

    def __str__(self) -> str:
        return f"Replay {self.pk} of {self.count:,} events"
