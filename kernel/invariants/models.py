"""What the last look at each invariant saw."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class InvariantOutcome(models.Model):
    """One row an invariant, replaced by every look at it. The runs themselves are job runs."""

    name = models.CharField(max_length=100, primary_key=True)
    sentence = models.TextField()
    checked_at = models.DateTimeField()
    seconds = models.FloatField()
    looked_at = models.BigIntegerField(help_text="Records looked at.")
    broken = models.BigIntegerField(help_text="Records that break it.")
    unresolved = models.BigIntegerField(help_text="Records that cannot be judged.")
    breaches = models.JSONField(default=list, encoder=DjangoJSONEncoder, help_text="The first of them: id, sentence.")

    class Meta:
        db_table = "invariant_outcome"
        verbose_name = "invariant"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="invariant_outcome_counts",
                condition=models.Q(looked_at__gte=0, broken__gte=0, unresolved__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return self.name
