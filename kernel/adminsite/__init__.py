"""What every admin page of ours is built from: read-only lists, no exact counts, actions that ask before they act."""

from __future__ import annotations

from kernel.adminsite.actions import Confirmation, confirmed_action, paged_action
from kernel.adminsite.admins import AuditedAdmin, ConsoleAdmin, ConsoleChangeList, ReadOnlyAdmin
from kernel.adminsite.columns import moment_column
from kernel.adminsite.comparison import Comparison, Row
from kernel.adminsite.facts import Facts, MoneyBox, MoneyLine, Panel, Related, register_panel
from kernel.adminsite.links import list_address, list_link, record_address, record_link
from kernel.adminsite.pagination import EstimatedCountPaginator
from kernel.adminsite.records import RecordAdmin
from kernel.adminsite.story import Step, name_thing, register_steps
from kernel.adminsite.tables import table
from kernel.adminsite.timelines import timeline, timeline_of
from kernel.display import badge, count, length, moment, money, pretty_json, progress_bar

__all__ = [
    "AuditedAdmin",
    "Comparison",
    "Confirmation",
    "ConsoleAdmin",
    "ConsoleChangeList",
    "EstimatedCountPaginator",
    "Facts",
    "MoneyBox",
    "MoneyLine",
    "Panel",
    "ReadOnlyAdmin",
    "RecordAdmin",
    "Related",
    "Row",
    "Step",
    "badge",
    "confirmed_action",
    "count",
    "length",
    "list_address",
    "list_link",
    "moment",
    "moment_column",
    "money",
    "name_thing",
    "paged_action",
    "pretty_json",
    "progress_bar",
    "record_address",
    "record_link",
    "register_panel",
    "register_steps",
    "table",
    "timeline",
    "timeline_of",
]
