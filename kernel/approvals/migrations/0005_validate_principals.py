"""Looks whether the requests that were there before agree with what their table now holds apart."""

from __future__ import annotations

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("approvals", "0004_hold_two_principals_apart")]

    operations = [
        TimeLimits(),
        ValidateConstraint("approvalrequest", "approval_request_two_principals"),
        ValidateConstraint("approvalrequest", "approval_request_decider_known"),
        ValidateConstraint("approvalrequest", "approval_request_requester_known"),
    ]
