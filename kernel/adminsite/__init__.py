"""What every admin page of ours is built from: read-only lists, no exact counts, actions that ask before they act."""

from __future__ import annotations

from kernel.adminsite.actions import Confirmation, confirmed_action
from kernel.adminsite.admins import AuditedAdmin, ConsoleAdmin, ConsoleChangeList, ReadOnlyAdmin
from kernel.adminsite.columns import moment_column
from kernel.adminsite.pagination import EstimatedCountPaginator
from kernel.adminsite.timelines import timeline
from kernel.display import badge, moment, pretty_json, progress_bar

__all__ = [
    "AuditedAdmin",
    "Confirmation",
    "ConsoleAdmin",
    "ConsoleChangeList",
    "EstimatedCountPaginator",
    "ReadOnlyAdmin",
    "badge",
    "confirmed_action",
    "moment",
    "moment_column",
    "pretty_json",
    "progress_bar",
    "timeline",
]
