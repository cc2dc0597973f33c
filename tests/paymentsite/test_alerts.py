from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from prometheus_client.parser import text_string_to_metric_families

from paymentsite.monitoring.exposition import database_collector, exposition

FOLDER: Path = settings.BASE_DIR / "deploy" / "prometheus"
GUIDE: Path = settings.BASE_DIR / "docs" / "monitoring.md"
OURS = re.compile(r"\bpaymentsite_[a-z_]+\b")
PARTS = re.compile(r"_(bucket|sum|count)$")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture
def exposed(db: None) -> set[str]:
    """The names of the metrics as a scrape sees them; a counter's name ends in _total."""
    database_collector.forget()
    body, _ = exposition("")
    families = list(text_string_to_metric_families(body.decode()))
    return {f"{family.name}_total" if family.type == "counter" else family.name for family in families}


def test_every_metric_that_an_alert_asks_for_exists(exposed: set[str]) -> None:
    asked = {PARTS.sub("", name) for rule in rules() for name in OURS.findall(rule["expr"])}
    assert len(asked) >= 12
    assert asked - exposed == set()


def test_every_metric_that_the_guide_names_exists(exposed: set[str]) -> None:
    named = {PARTS.sub("", name) for name in OURS.findall(GUIDE.read_text())}
    assert named - exposed == set()


def test_the_guide_names_every_metric_of_ours(exposed: set[str]) -> None:
    named = {PARTS.sub("", name) for name in OURS.findall(GUIDE.read_text())}
    ours = {name for name in exposed if name.startswith("paymentsite_") and not name.endswith("_created")}
    assert ours - named == set()


def test_the_plans_five_alerts_come_first_with_their_limits() -> None:
    five = {rule["alert"]: rule["expr"] for rule in rules()[:5]}
    assert list(five) == [
        "StagingBacklogLarge",
        "WebhooksSlow",
        "EventPublishingFails",
        "DatabasePoolExhausted",
        "PartitionSpaceLow",
    ]
    assert five["StagingBacklogLarge"].endswith("> 10000")
    assert "histogram_quantile(0.95," in five["WebhooksSlow"]
    assert five["WebhooksSlow"].endswith("> 0.5")
    assert "> 0.01" in five["EventPublishingFails"]
    assert five["PartitionSpaceLow"].endswith("> 0.8")


def test_every_alert_says_what_is_wrong_how_bad_it_is_and_what_to_do() -> None:
    assert len(rules()) >= 9
    for rule in rules():
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"], rule["alert"]
        assert len(rule["annotations"]["runbook"]) > 40, rule["alert"]
        assert f"`{rule['alert']}`" in GUIDE.read_text(), rule["alert"]


@pytest.mark.parametrize(
    "arguments",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"), ("check", "config", "prometheus.yml")],
)
def test_prometheus_loads_the_files_and_the_alerts_fire_at_their_limits(arguments: tuple[str, ...]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: apt-get install prometheus)")
    checked = subprocess.run([promtool, *arguments], cwd=FOLDER, capture_output=True, text=True, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr
