"""A request that a second person must agree to: what exactly, who asked and why, who decided, what came of it."""

from __future__ import annotations

from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import F, Func, Q, Value

from kernel.approvals.querysets import ApprovalRequestQuerySet
from kernel.approvals.registry import title_of
from kernel.approvals.states import DECIDED, LIVE, ApprovalStatus, PrincipalKind, may_move
from kernel.errors import Conflict


class IllegalApprovalMove(Conflict):
    """The request is in a status from which this cannot be done."""

    code = "approval-not-in-that-status"
    title = "The request has moved on"


class ApprovalRequest(models.Model):
    """A row per request. What was asked for never changes (a trigger refuses it); its status only by `_move_to`.

    Whoever asked and whoever decided are kinds and names, staff also the numbers of their users, no foreign keys: the
    row must stay as it is when a user or an API client goes.
    """

    id = models.BigAutoField(primary_key=True)
    kind = models.TextField()
    # The exact text that the hash is of: a jsonb column would write it in its own way.
    content = models.TextField()
    content_hash = models.CharField(max_length=64)
    summary = models.TextField()
    requested_by_kind = models.TextField(db_default=PrincipalKind.STAFF.value)
    requested_by_id = models.BigIntegerField(null=True, blank=True)
    requested_by = models.TextField()
    reason = models.TextField()
    ticket = models.TextField(blank=True, default="")
    requested_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    status = models.TextField(choices=[(status.value, status.value) for status in ApprovalStatus])
    status_since = models.DateTimeField()
    # Empty before the decision, and on rows that staff decided before API clients could.
    decided_by_kind = models.TextField(blank=True, db_default="")
    decided_by_id = models.BigIntegerField(null=True, blank=True)
    decided_by = models.TextField(blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decision_reason = models.TextField(blank=True, default="")
    # The job run that was last asked to carry it out.
    run_id = models.UUIDField(null=True, blank=True)
    result = models.JSONField(null=True, blank=True, encoder=DjangoJSONEncoder)

    objects = ApprovalRequestQuerySet.as_manager()

    class Meta:
        db_table = "approval_request"
        verbose_name = "request for approval"
        verbose_name_plural = "requests for approval"
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                name="approval_request_status_known",
                condition=Q(status__in=[status.value for status in ApprovalStatus]),
            ),
            models.CheckConstraint(
                name="approval_request_two_principals",
                condition=Q(decided_by="")
                | (
                    ~Q(decided_by_id=F("requested_by_id"))
                    & ~(
                        Q(decided_by=F("requested_by"))
                        & (Q(decided_by_kind="") | Q(decided_by_kind=F("requested_by_kind")))
                    )
                ),
            ),
            models.CheckConstraint(
                name="approval_request_decider_known",
                condition=~Q(status__in=sorted(status.value for status in DECIDED))
                | (
                    ~Q(decided_by="")
                    & Q(decided_at__isnull=False)
                    & (
                        Q(decided_by_kind=PrincipalKind.API_CLIENT.value, decided_by_id__isnull=True)
                        | Q(decided_by_kind__in=["", PrincipalKind.STAFF.value], decided_by_id__isnull=False)
                    )
                ),
            ),
            models.CheckConstraint(
                name="approval_request_requester_known",
                condition=Q(requested_by_kind=PrincipalKind.API_CLIENT.value, requested_by_id__isnull=True)
                | Q(requested_by_kind=PrincipalKind.STAFF.value, requested_by_id__isnull=False),
            ),
            models.CheckConstraint(
                name="approval_request_hash_of_content",
                condition=Q(
                    content_hash=Func(
                        Func(Func(F("content"), Value("UTF8"), function="convert_to"), function="sha256"),
                        Value("hex"),
                        function="encode",
                        output_field=models.TextField(),
                    )
                ),
            ),
            models.CheckConstraint(
                name="approval_request_says_why",
                condition=~Q(reason="") & ~Q(requested_by="") & Q(expires_at__gt=F("requested_at")),
            ),
        ]
        indexes = [
            models.Index(fields=["-requested_at"], name="approval_request_requested_at"),
            models.Index(
                fields=["expires_at"],
                name="approval_request_live",
                condition=Q(status__in=sorted(status.value for status in LIVE)),
            ),
        ]

    def __str__(self) -> str:
        return f"Request {self.pk}: {title_of(self.kind)}"

    def _move_to(self, target: ApprovalStatus, *, at: datetime) -> None:
        """Moves to `target` if the table of moves allows it; the caller holds the row's lock and saves."""
        if not may_move(self.status, target):
            raise IllegalApprovalMove(f"Request {self.pk} is {self.status} and cannot become {target}.", ids=[self.pk])
        self.status = target
        self.status_since = at
