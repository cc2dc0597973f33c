"""A request under an Idempotency-Key, and the answer that every repeat of it gets."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q

from kernel.idempotency.querysets import IdempotentRequestQuerySet
from kernel.idempotency.states import RequestState

PRINTABLE_ASCII = r"^[\x20-\x7e]{1,255}$"


class IdempotentRequest(models.Model):
    """A row per caller and key. Of the content only the digest is here; the answer is kept byte for byte."""

    id = models.BigAutoField(primary_key=True)
    caller_kind = models.CharField(max_length=40)
    caller_id = models.CharField(max_length=64)
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=10)
    path = models.TextField()
    content_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=[(state.value, state.value) for state in RequestState])
    # What the first phase committed and the second one goes on from; null for work of one phase.
    subject = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)
    # How often the second phase was begun; who began it last may store the answer.
    attempts = models.PositiveIntegerField(default=1)
    lease_until = models.DateTimeField(null=True, blank=True)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    headers = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    body = models.BinaryField(default=b"")
    created_at = models.DateTimeField()
    completed_at = models.DateTimeField(null=True, blank=True)

    objects = IdempotentRequestQuerySet.as_manager()

    class Meta:
        db_table = "idempotent_request"
        verbose_name = "idempotent request"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["caller_kind", "caller_id", "key"], name="idempotent_request_key"),
            models.CheckConstraint(name="idempotent_request_key_printable", condition=Q(key__regex=PRINTABLE_ASCII)),
            models.CheckConstraint(
                name="idempotent_request_state",
                condition=Q(
                    state=RequestState.ANSWERED.value,
                    status_code__isnull=False,
                    completed_at__isnull=False,
                    lease_until__isnull=True,
                )
                | Q(
                    state=RequestState.RUNNING.value,
                    status_code__isnull=True,
                    completed_at__isnull=True,
                    lease_until__isnull=False,
                ),
            ),
        ]
        indexes = [models.Index(fields=["created_at"], name="idempotent_request_created_at")]

    def __str__(self) -> str:
        return f"{self.method} {self.path} under {self.key}"
