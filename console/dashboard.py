"""What the overview page is given; called by unfold for the admin's index."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import site
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from console.cards import cards_for
from console.charts import Chart, recorded_chart, troubles_chart
from console.hours import HOURS_SHOWN
from console.overview import Overview, overview
from payments.admin.display import moment


def overview_context(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """The index's context with the cards and charts that this person may see."""
    found = overview(at=timezone.now())
    decisions, flow = cards_for(request, found)
    return context | {
        "title": "Overview",
        "read_at": moment(found.at),
        "decisions": decisions,
        "flow": flow,
        "is_all_well": all(card.kind in ("good", "plain") for card in (*decisions, *flow)),
        "charts": _charts(found) if request.user.has_perm("payments.view_payment") else [],
        "first_steps": _first_steps(request) if found.is_untouched else [],
        "sees_nothing": not (decisions or flow) and site.has_permission(request),
    }


def _charts(found: Overview) -> list[Chart]:
    hours = found.hours[-HOURS_SHOWN:]
    charts = []
    if found.recorded is not None:
        charts.append(recorded_chart([figure for figure in found.recorded if figure.hour_at >= hours[0]], hours))
    if found.troubles is not None:
        charts.append(troubles_chart([figure for figure in found.troubles if figure.hour_at >= hours[0]], hours))
    return charts


def _first_steps(request: HttpRequest) -> list[tuple[str, str, str]]:
    """(what, how, address) of the three ways in, for a person who may take them."""
    steps = (
        (
            "payments.ingest_staging",
            "Take in staged rows",
            "The ETL writes into the staging table and they are taken in by themselves. For a trial: ./run manage "
            "load_demo stages 200 invented rows.",
            "admin:payments_paymentstaging_changelist",
        ),
        (
            "payments.add_channel",
            "Set up a channel for webhooks",
            "An outside system gets an address and a secret, and its page shows a request that you can send by curl.",
            "admin:payments_channel_add_channel",
        ),
        (
            "payments.record_manual_payment",
            "Record a payment by hand",
            "For a payment that no system reported. It needs a reason and is announced like every other.",
            "admin:payments_payment_record_by_hand",
        ),
    )
    return [
        (title, text, _address(place)) for permission, title, text, place in steps if request.user.has_perm(permission)
    ]


def _address(place: str) -> str:
    try:
        return reverse(place)
    except NoReverseMatch:
        return ""
