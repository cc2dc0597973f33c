from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from console.charts import recorded_chart
from console.hours import HOUR, figures_by_hour, hours_until
from console.overview import overview, read_overview
from console.querysets import RECORDED_BY_HOUR, HourFigure
from kernel.jobs.models import JobRun
from payments.operations.recording import record_notice
from payments.operations.staging import record_chunk
from payments.states import PaymentSource
from tests.console.people import signed_in
from tests.payments.recorded import notice
from tests.payments.staged import a_row, prepare_staging, stage

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


def take_in_now(*rows: dict[str, Any]) -> None:
    stage(*rows)
    record_chunk(batch_size=100, after_id=-1, attempt=1, at=timezone.now())


def cards_of(page: Any) -> dict[str, Any]:
    return {card.title: card for card in (*page.context["decisions"], *page.context["flow"])}


def test_an_untouched_house_says_how_to_begin() -> None:
    page = signed_in("administrator").get("/admin/")

    titles = [title for title, _, _ in page.context["first_steps"]]
    # An administrator runs the house and does not enter payments.
    assert titles == ["Take in staged rows", "Set up a channel for webhooks"]
    assert "Bars appear here" in page.content.decode()


def test_the_figures_of_today_count_what_was_recorded_and_what_was_not() -> None:
    take_in_now(a_row("A"), a_row("A"), a_row("B", amount="-1"), a_row("A", amount="9.00"))

    cards = cards_of(signed_in("operator").get("/admin/"))

    assert (cards["Recorded today"].value, cards["Recorded today"].more) == ("1", ("120.50 CAD",))
    assert cards["Duplicates today"].value == "1"
    assert (cards["Open rejections"].value, cards["Open rejections"].word) == ("1", "Waits for a decision")
    assert (cards["Open conflicts"].value, cards["Open conflicts"].kind) == ("1", "attention")
    assert cards["Last staging batch"].value == "4 rows"
    assert (cards["Staging backlog"].value, cards["Staging backlog"].word) == ("0", "Nothing waits")
    assert (cards["Events waiting"].value, cards["Events waiting"].word) == ("1", "On their way")


def test_every_figure_says_what_it_means_and_leads_to_a_page_that_opens() -> None:
    take_in_now(a_row("A"))
    client = signed_in("operator")

    cards = cards_of(client.get("/admin/"))

    assert len(cards) == 13
    for card in cards.values():
        assert len(card.meaning) > 20
        assert card.word
        assert client.get(card.address).status_code == 200, card.title


def test_a_failed_run_and_a_late_backlog_stand_out_in_words() -> None:
    now = timezone.now()
    JobRun.objects.create(
        name="ingest_staging", requested_by="kim", status="failed", status_since=now, queued_at=now, finished_at=now
    )
    stage(a_row("A"))
    with connection.cursor() as cursor:
        cursor.execute("update payment_staging set created_at = now() at time zone 'utc' - interval '1 hour'")

    page = signed_in("operator").get("/admin/")
    cards = cards_of(page)

    assert (cards["Failed job runs"].value, cards["Failed job runs"].word) == ("1", "Look at them")
    assert cards["Staging backlog"].word == "Waits too long"
    assert "Something needs a look" in page.content.decode() or page.context["first_steps"]


def test_a_person_without_a_role_sees_no_figure_and_is_told_whom_to_ask() -> None:
    take_in_now(a_row("A"))

    page = signed_in(None).get("/admin/")

    assert cards_of(page) == {}
    assert page.context["charts"] == []
    assert "Ask an administrator" in page.content.decode()


def test_the_page_stays_within_its_queries_and_asks_nothing_again_for_five_seconds() -> None:
    take_in_now(a_row("A"))
    client = signed_in("operator")
    client.get("/admin/")
    cache.delete_many(["console.overview", "console.reviews"])
    with CaptureQueriesContext(connection) as again:
        client.get("/admin/")
    with CaptureQueriesContext(connection) as at_once:
        client.get("/admin/")

    assert any("from payments" in query["sql"] for query in again)
    assert len(again) <= 30
    assert not any("payment_references" in query["sql"] or "from payments" in query["sql"] for query in at_once)
    assert len(at_once) <= 5


def test_a_part_that_takes_too_long_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow() -> None:
        with connection.cursor() as cursor:
            cursor.execute("select pg_sleep(10)")

    take_in_now(a_row("A"), a_row("B", amount="-1"))
    monkeypatch.setattr("console.overview.READ_MS", 200)
    monkeypatch.setattr("console.overview.latest_batch", slow)

    found = read_overview(at=timezone.now())

    assert found.latest_batch is None
    assert found.reviews is not None
    assert found.reviews.rejections == 1
    assert [figure.count for figure in found.recorded or ()] == [1]
    assert found.partitions is not None
    assert found.alerts is not None


def test_an_hour_that_is_over_is_read_once() -> None:
    at = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
    hours = hours_until(at, ZoneInfo("America/Vancouver"))
    record_notice(notice("OLD"), source=PaymentSource.MANUAL, at=at - 3 * HOUR)
    figures_by_hour("test", RECORDED_BY_HOUR, hours, at=at)

    with CaptureQueriesContext(connection) as queries:
        again = figures_by_hour("test", RECORDED_BY_HOUR, hours, at=at)

    (query,) = queries
    assert "2026-11-20 18:00" in query["sql"] or "2026-11-20T18:00" in query["sql"]
    assert [(figure.hour_at, figure.label, figure.count, figure.amount) for figure in again] == [
        (datetime(2026, 11, 20, 15, tzinfo=UTC), "branch", 1, Decimal("12.30"))
    ]


@pytest.mark.parametrize("zone", ["America/Vancouver", "Asia/Kolkata", "America/St_Johns", "UTC"])
def test_hours_follow_each_other_through_the_change_of_clocks(zone: str) -> None:
    for day in (datetime(2026, 3, 8, 20, tzinfo=UTC), datetime(2026, 11, 1, 20, tzinfo=UTC)):
        hours = hours_until(day, ZoneInfo(zone))

        assert len(hours) == 24
        assert {after - before for before, after in pairwise(hours)} == {HOUR}
        assert hours[-1] <= day < hours[-1] + HOUR
        assert {hour.astimezone(ZoneInfo(zone)).minute for hour in hours} == {0}


def test_the_hours_reach_back_to_the_beginning_of_a_day_of_25_hours() -> None:
    at = datetime(2026, 11, 2, 7, 59, tzinfo=UTC)

    assert hours_until(at, ZoneInfo("America/Vancouver"), since=at - timedelta(hours=25))[0] <= at - timedelta(hours=25)


def test_the_chart_and_its_table_tell_the_same_and_small_channels_are_put_together() -> None:
    hours = [datetime(2026, 11, 20, hour, tzinfo=UTC) for hour in (16, 17)]
    figures = [HourFigure(hours[1], f"channel-{place}", "CAD", 10 - place, Decimal(1)) for place in range(7)]
    figures.append(HourFigure(hours[0], "", "CAD", 100, Decimal(1)))

    chart = recorded_chart(figures, hours)

    series = {item["label"]: item["data"] for item in json.loads(chart.value)["datasets"]}
    assert list(series) == ["no channel", "channel-0", "channel-1", "channel-2", "channel-3", "others"]
    assert series["no channel"] == [100, 0]
    assert series["others"] == [0, 6 + 5 + 4]
    assert chart.headers == ("Hour", *series)
    assert chart.rows[0][1:] == ["0", "10", "9", "8", "7", "15"]
    assert chart.total == 149


def test_the_overview_of_a_moment_is_the_same_for_five_seconds() -> None:
    at = timezone.now()
    first = overview(at=at)
    take_in_now(a_row("A"))

    assert overview(at=timezone.now()) == first
    found = read_overview(at=timezone.now())
    assert sum(figure.count for figure in found.recorded or ()) == 1


def test_the_sidebar_holds_what_a_person_may_open_with_counts(client: Client) -> None:
    take_in_now(a_row("B", amount="-1"))
    groups = signed_in("viewer").get("/admin/").context["sidebar_navigation"]

    entries = {item["title"]: item for group in groups for item in group["items"]}
    assert entries["Rejections"]["badge"] == "1"
    assert "badge" not in entries["Conflicts"]
    assert "Requests" not in entries
    assert "Users" not in entries
    titles = [group["title"] for group in signed_in("administrator").get("/admin/").context["sidebar_navigation"]]
    assert titles == [
        "",
        "Payments",
        "Catalogue",
        "Invoices",
        "Accounts",
        "Staging",
        "Webhooks",
        "Events",
        "Operations",
        "Access",
    ]


def test_every_entry_of_the_sidebar_opens() -> None:
    client = signed_in("administrator")
    groups = client.get("/admin/").context["sidebar_navigation"]

    links = [item["link"] for group in groups for item in group["items"]]

    assert len(links) >= 18
    for link in links:
        assert client.get(link).status_code == 200, link


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("/admin/django_celery_beat/periodictask/", "Operations"),
        ("/admin/axes/accesslog/", "Logins"),
    ],
)
def test_the_breadcrumb_of_a_packages_page_has_a_name_of_ours(address: str, group: str) -> None:
    page = signed_in("administrator").get(address)
    assert page.context["opts"].app_config.verbose_name == group
    assert f">{group}<" in " ".join(page.content.decode().split()).replace("> ", ">").replace(" <", "<")
