"""The outbox: events as facts, the queue of those that Kafka has not confirmed yet, and what was published when."""

from __future__ import annotations

from django.contrib.postgres.indexes import GistIndex
from django.db import models
from django.db.models.functions import Now

from kernel.fields import PositionsField
from kernel.outbox.querysets import DeliveryQuerySet, EventQuerySet


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
