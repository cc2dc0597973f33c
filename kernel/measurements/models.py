"""What was measured and when, the last totals of each source, and the alerts whose condition holds."""

from __future__ import annotations

from django.db import models

from kernel.measurements.packing import unpacked
from kernel.measurements.querysets import AlertStateQuerySet, MeasurementQuerySet
from kernel.measurements.series import Reading


class MeasurementSource(models.Model):
    """One set of counters (a machine's metrics folder) with its totals as they were last seen."""

    name = models.TextField(primary_key=True)
    sampled_at = models.DateTimeField(db_index=True)
    totals = models.JSONField(default=dict)

    class Meta:
        db_table = "measurement_source"
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class Measurement(models.Model):
    """How much each counter of a source grew in the seconds before `at`, and what its gauges said at `at`.

    A sample covers a few seconds and is kept for hours; a summary puts the samples of five minutes together and is
    kept for MEASUREMENT_RETENTION_DAYS. Both are measurements about us, no evidence: they are thrown away in time.
    """

    source = models.TextField()
    at = models.DateTimeField()
    seconds = models.FloatField()
    is_summary = models.BooleanField(default=False)
    counters = models.JSONField(default=dict)
    gauges = models.JSONField(default=dict)

    objects = MeasurementQuerySet.as_manager()

    class Meta:
        db_table = "measurement"
        default_permissions = ("view",)
        verbose_name = "measurement"
        verbose_name_plural = "performance"
        constraints = [
            models.UniqueConstraint(name="measurement_once", fields=["is_summary", "at", "source"]),
            models.CheckConstraint(name="measurement_takes_time", condition=models.Q(seconds__gt=0)),
        ]
        indexes = [models.Index(name="measurement_summed_until", fields=["source", "is_summary", "-at"])]

    def __str__(self) -> str:
        return f"{self.source} at {self.at.isoformat(timespec='seconds')}"

    @property
    def reading(self) -> Reading:
        return Reading(self.source, self.at, self.seconds, unpacked(self.counters), self.gauges)


class AlertState(models.Model):
    """An alert whose condition holds: since when, and since when for longer than its patience (then it fires).

    There is a row only as long as the condition holds.
    """

    name = models.TextField()
    labels = models.JSONField(default=dict)
    value = models.FloatField()
    holds_since = models.DateTimeField()
    firing_since = models.DateTimeField(null=True, blank=True)
    judged_at = models.DateTimeField()

    objects = AlertStateQuerySet.as_manager()

    class Meta:
        db_table = "alert_state"
        default_permissions = ()
        constraints = [models.UniqueConstraint(name="alert_state_once", fields=["name", "labels"])]

    def __str__(self) -> str:
        return self.name
