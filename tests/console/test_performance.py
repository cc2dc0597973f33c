from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from console.timecharts import estimate_shown, rate_shown
from console.vitals import drain
from kernel.measurements.models import AlertState, Measurement, MeasurementSource
from kernel.measurements.operations import keep_sample
from kernel.measurements.quantiles import Estimate
from kernel.measurements.series import key_of
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/measurements/measurement/"
GAUGES = {
    "paymentsite_staging_backlog_rows": 1200.0,
    "paymentsite_outbox_waiting_events": 0.0,
    "paymentsite_outbox_oldest_age_seconds": 0.0,
    "paymentsite_relay_active": 1.0,
    "paymentsite_database_bytes": 52428800.0,
    key_of("paymentsite_database_connections", {"state": "open"}): 21.0,
    key_of("paymentsite_database_connections", {"state": "max"}): 100.0,
    "paymentsite_database_oldest_transaction_seconds": 0.2,
    key_of("paymentsite_db_pool_connections", {"state": "max"}): 50.0,
    key_of("paymentsite_db_pool_connections", {"state": "open"}): 12.0,
    key_of("paymentsite_db_pool_connections", {"state": "available"}): 9.0,
    "paymentsite_db_pool_requests_waiting": 0.0,
    key_of("paymentsite_job_runs", {"job_name": "ingest_staging", "status": "queued"}): 2.0,
    key_of("paymentsite_job_runs", {"job_name": "ingest_staging", "status": "failed"}): 5.0,
}


def totals(requests: float) -> dict[str, float]:
    """Counters after so many webhooks, 90 of 100 within 2 to 3 ms and the others within 10 to 15 ms."""
    labels = {"channel": "branch", "outcome": "created"}
    found = {
        key_of("paymentsite_webhooks_total", labels): requests,
        key_of("paymentsite_staged_rows_total", {"outcome": "recorded"}): requests * 2,
        key_of("paymentsite_events_published_total", {"result": "delivered"}): requests,
        key_of("paymentsite_reference_lookups_total", {"layer": "memory", "result": "hit"}): requests / 4,
        key_of("paymentsite_reference_lookups_total", {"layer": "memory", "result": "miss"}): requests * 3 / 4,
    }
    for bound, share in ((0.002, 0.0), (0.003, 0.9), (0.01, 0.9), (0.015, 1.0), (math.inf, 1.0)):
        le = "+Inf" if math.isinf(bound) else str(bound)
        found[key_of("paymentsite_webhook_seconds_bucket", {**labels, "le": le})] = requests * share
    return found


def measure(*, minutes: int = 3, ago: timedelta = timedelta(0), source: str = "here") -> None:
    """Ten webhooks a second for so many minutes, the last sample `ago`."""
    last = timezone.now() - ago
    for place in range(minutes * 4 + 1):
        at = last - timedelta(seconds=15 * (minutes * 4 - place))
        keep_sample(source, totals=totals(150.0 * place), gauges=GAUGES, at=at, retention=timedelta(days=14))


def fire(name: str, value: float, **labels: str) -> AlertState:
    at = timezone.now() - timedelta(minutes=10)
    return AlertState.objects.create(
        name=name, labels=labels, value=value, holds_since=at, firing_since=at, judged_at=timezone.now()
    )


def text_of(page: Any) -> str:
    assert page.status_code == 200
    return page.content.decode()


def cards_of(page: Any) -> dict[str, Any]:
    return {card.title: card for card in page.context["backlogs"]}


def test_before_the_first_sample_the_page_says_what_will_appear_and_when() -> None:
    page = signed_in("operator").get(PAGE)
    assert "Nothing has been measured yet" in text_of(page)
    assert "samples every 15 seconds" in text_of(page)
    assert page.context["firing"] == []
    assert {card.value for card in cards_of(page).values()} == {"–"}


def test_without_metrics_the_page_says_how_to_switch_them_on(settings: Settings) -> None:
    settings.ENABLE_METRICS = False
    assert "Set ENABLE_METRICS=true" in text_of(signed_in("operator").get(PAGE))


@pytest.mark.parametrize("window", ["hour", "day"])
def test_rates_and_percentiles_follow_from_the_samples(window: str) -> None:
    measure()
    page = signed_in("operator").get(PAGE, {"window": window})
    assert "stale" not in text_of(page)
    (line, *_) = page.context["latencies"]
    assert (line.title, line.count, line.rate) == ("Webhook branch: created", "1,800", "10")
    assert line.percentiles == [
        "2.56 ms (2 to 3 ms)",
        "12.5 ms (10 to 15 ms)",
        "14.5 ms (10 to 15 ms)",
    ]
    requests, latency, staged, *_ = page.context["charts"]
    assert requests.headers == ("Until", "created")
    assert {row[1] for row in requests.rows} == {"10"}
    assert {row[1] for row in staged.rows} == {"20"}
    assert {row[2] for row in latency.rows} == {"12.5 ms (10 to 15 ms)"}


def test_the_hour_is_shown_by_the_minute_and_the_day_by_ten_after_samples_were_summed_up() -> None:
    measure(minutes=30)
    assert Measurement.objects.summaries().count() >= 5
    client = signed_in("operator")
    hour = client.get(PAGE, {"window": "hour"}).context["charts"][0]
    day = client.get(PAGE, {"window": "day"}).context["charts"][0]
    assert [len(json.loads(chart.value)["labels"]) for chart in (hour, day)] == [60, 144]
    # What was not measured is a gap in the chart, and no line of the table.
    assert json.loads(hour.value)["datasets"][0]["data"][0] is None
    assert len(hour.rows) in (30, 31)
    assert sum(row[1] == "10" for row in hour.rows) in (30, 31)
    assert sum(row[1] == "10" for row in day.rows) in (3, 4)
    for page in (client.get(PAGE), client.get(PAGE, {"window": "day"})):
        assert page.context["latencies"][0].count == "18,000"


def test_two_sources_add_up() -> None:
    measure(source="one")
    measure(source="two")
    page = signed_in("operator").get(PAGE)
    (line, *_) = page.context["latencies"]
    assert (line.count, line.rate) == ("3,600", "20")


def test_what_waits_is_shown_with_the_time_that_it_takes_to_drain() -> None:
    measure()
    page = signed_in("operator").get(PAGE)
    cards = cards_of(page)
    assert (cards["Staged rows waiting"].value, cards["Staged rows waiting"].more) == (
        "1,200",
        ("about 1 min 0 s to drain at 20 a second",),
    )
    assert (cards["Events waiting"].value, cards["Events waiting"].word) == ("0", "Nothing waits")
    assert (cards["Relay lag"].word, cards["Jobs queued"].value) == ("In time", "2")
    vitals = {vital.title: vital.value for vital in page.context["vitals"]}
    assert vitals == {
        "Memory of the web process: hit rate": "25.0%",
        "Redis: hit rate": "–",
        "Database: hit rate": "–",
        "Pool of the web processes": "3 of 50 in use",
        "Connections to the server": "21 of 100",
        "Size of the database": "50 MB",
        "Oldest transaction": "200 ms",
    }


def test_every_card_and_every_alert_leads_to_a_page_that_opens() -> None:
    measure()
    client = signed_in("operator")
    page = client.get(PAGE)
    addresses = {card.address for card in page.context["backlogs"]}
    addresses |= {rule.console for rule in page.context["alerts"].rules if rule.console}
    assert len(addresses) >= 8
    for address in addresses:
        assert client.get(address).status_code == 200, address


def test_a_firing_alert_shows_since_when_by_how_much_what_to_do_and_where() -> None:
    measure()
    fire("StagingBacklogLarge", 25000)
    fire("DefaultPartitionNotEmpty", 3)
    page = signed_in("operator").get(PAGE)
    first, second = page.context["firing"]
    # What is critical stands first.
    assert (first["name"], second["name"]) == ("DefaultPartitionNotEmpty", "StagingBacklogLarge")
    assert (second["measured"], second["limit"]) == ("25,000", "> 10,000")
    assert second["summary"] == "25,000 staged rows wait (limit 10,000)."
    text = text_of(page)
    assert "2 alerts firing" in text
    assert "Look at the process log in the console" in text
    assert '<a class="ps-link" href="/admin/payments/paymentstaging/">' in text


def test_an_alert_that_does_not_hold_for_long_enough_is_told_among_the_watched_ones() -> None:
    measure()
    state = fire("StagingBacklogLarge", 25000)
    AlertState.objects.filter(pk=state.pk).update(firing_since=None)
    page = signed_in("operator").get(PAGE)
    assert page.context["firing"] == []
    (line,) = [line for line in page.context["watched"] if line["name"] == "StagingBacklogLarge"]
    assert "not yet for long enough" in line["state"]


def test_a_silent_sampler_is_an_alert_and_the_page_says_that_it_is_stale() -> None:
    measure(ago=timedelta(minutes=10))
    page = signed_in("operator").get(PAGE)
    (alert,) = page.context["firing"]
    assert (alert["name"], alert["limit"]) == ("SamplerSilent", "> 2 min 0 s")
    assert "These figures are stale" in text_of(page)
    assert cards_of(page)["Staged rows waiting"].word == "Not measured"


@pytest.mark.parametrize(
    ("role", "status"),
    [("viewer", 403), ("operator", 200), ("approver", 200), ("administrator", 200), ("auditor", 200), (None, 403)],
)
def test_who_sees_requests_sees_how_long_they_take(role: str | None, status: int) -> None:
    client = signed_in(role)
    assert client.get(PAGE).status_code == status
    assert (PAGE in client.get("/admin/").content.decode()) is (status == 200)


def test_nobody_changes_a_measurement() -> None:
    measure(minutes=1)
    client = signed_in("administrator")
    pk = Measurement.objects.first().pk  # type: ignore[union-attr]
    before = Measurement.objects.count()
    assert client.post(f"{PAGE}{pk}/delete/", {"post": "yes"}).status_code in (302, 403)
    assert client.post(f"{PAGE}add/", {}).status_code == 403
    assert Measurement.objects.count() == before


def test_the_page_makes_few_queries_however_much_was_measured() -> None:
    measure(minutes=60)
    for name in ("StagingBacklogLarge", "RelayDown", "BatchFailed"):
        fire(name, 1)
    client = signed_in("operator")
    client.get(PAGE)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(PAGE, {"window": "day"}).status_code == 200
    assert len(queries) <= 30


def test_the_address_takes_nothing_but_its_two_windows() -> None:
    page = signed_in("operator").get(PAGE, {"window": "'; drop table"})
    assert page.context["window"].name == "hour"


def test_the_overview_counts_the_alerts_that_fire() -> None:
    measure()
    client = signed_in("operator")
    fire("StagingBacklogLarge", 25000)
    fire("RelayDown", 0)
    cards = {card.title: card for card in client.get("/admin/").context["decisions"]}
    card = cards["Alerts firing"]
    assert (card.value, card.kind, card.address) == ("2", "bad", PAGE)
    assert any("25,000 staged rows wait" in str(line) for line in card.more)


def test_a_viewer_sees_no_card_for_alerts(client: Client) -> None:
    measure()
    fire("RelayDown", 0)
    page = signed_in("viewer").get("/admin/")
    assert "Alerts firing" not in {card.title for card in page.context["decisions"]}


def test_nothing_of_another_day_is_shown() -> None:
    measure(ago=timedelta(hours=30))
    page = signed_in("operator").get(PAGE, {"window": "day"})
    assert page.context["latencies"] == []
    assert MeasurementSource.objects.count() == 1


@pytest.mark.parametrize(
    ("estimate", "words"),
    [
        (None, "–"),
        (Estimate(0.0032, 0.002, 0.005), "3.2 ms (2 to 5 ms)"),
        (Estimate(0.0005, 0.0, 0.001), "0.5 ms (0 to 1 ms)"),
        (Estimate(0.8, 0.5, 1.0), "800 ms (500 ms to 1 s)"),
        (Estimate(2.0, 1.0, 2.5), "2 s (1 to 2.5 s)"),
        (Estimate(5.0, 5.0, math.inf), "above 5 s"),
    ],
)
def test_a_percentile_is_told_with_its_bounds(estimate: Estimate | None, words: str) -> None:
    assert estimate_shown(estimate) == words


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0.0, "0"), (0.00001, "below 0.01"), (0.02, "0.02"), (0.456, "0.46"), (3.44, "3.4"), (1234.5, "1,234")],
)
def test_a_rate_is_told_with_as_many_digits_as_say_something(rate: float, words: str) -> None:
    assert rate_shown(rate) == words


@pytest.mark.parametrize(
    ("waiting", "rate", "words"),
    [
        (100, 0.0, "nothing went out in the last five minutes"),
        (10, 100.0, "less than a second to drain at 100 a second"),
        (1200, 20.0, "about 1 min 0 s to drain at 20 a second"),
        (100_000, 500.0, "at least 3 min 20 s to drain at 500 a second"),
    ],
)
def test_the_time_to_drain_says_on_what_it_rests(waiting: float, rate: float, words: str) -> None:
    assert drain(waiting, rate) == words
