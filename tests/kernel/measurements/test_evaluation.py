"""Our judgement of the rules, held against Prometheus's own: both are given the cases of alerts.test.yml."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from kernel.measurements.alerting import AlertKey, Holding, judged
from kernel.measurements.evaluation import evaluate
from kernel.measurements.promql import NotOurPromql, parse, range_of, threshold_of
from kernel.measurements.rules import rules_of, shown
from kernel.measurements.series import Reading, key_of

FOLDER: Path = settings.BASE_DIR / "deploy" / "prometheus"
RULES = rules_of(settings.ALERT_RULES)
START = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
COUNTERS = re.compile(r"_(total|bucket|count|sum)$")


def cases() -> list[Any]:
    return [
        pytest.param(case, id=case["name"])
        # As text: YAML takes promtool's 0x30, "nought thirty times", for a number.
        for case in yaml.load((FOLDER / "alerts.test.yml").read_text(), Loader=yaml.BaseLoader)["tests"]  # noqa: S506
    ]


def values_of(notation: str) -> list[float]:
    """promtool's `start+stepxcount` and `valuexcount`, one after the other."""
    values: list[float] = []
    for part in notation.split():
        found = re.fullmatch(r"(-?[\d.]+)(?:\+([\d.]+))?x(\d+)", part)
        assert found, notation
        values += [float(found[1]) + float(found[2] or 0) * place for place in range(int(found[3]) + 1)]
    return values


def readings_of(case: Any) -> list[Reading]:
    parts: dict[tuple[datetime, str], tuple[dict[str, float], dict[str, float]]] = {}
    for entry in case["input_series"]:
        name, _, rest = entry["series"].partition("{")
        labels = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        source = labels.pop("instance", "one")
        before = 0.0
        for place, value in enumerate(values_of(str(entry["values"]))):
            counters, gauges = parts.setdefault((START + place * MINUTE, source), ({}, {}))
            if COUNTERS.search(name):
                counters[key_of(name, labels)] = value - before
                before = value
            else:
                gauges[key_of(name, labels)] = value
    return [Reading(source, at, 60, counters, gauges) for (at, source), (counters, gauges) in sorted(parts.items())]


def firing_after(case: Any, minutes: int) -> set[str]:
    readings = readings_of(case)
    held: dict[AlertKey, Holding] = {}
    for place in range(minutes + 1):
        held = judged(RULES, readings, held, at=START + place * MINUTE)
    return {name for (name, _), holding in held.items() if holding.firing_since is not None}


def expectations(case: Any) -> Iterator[tuple[int, str | None, set[str]]]:
    """(minutes, the alert that is asked for or None for all, the alerts that fire then)."""
    for expected in case.get("alert_rule_test", []):
        name = expected["alertname"]
        yield int(expected["eval_time"][:-1]), name, {name} if expected.get("exp_alerts") else set()
    for expected in case.get("promql_expr_test", []):
        if expected["expr"].startswith("count by (alertname)"):
            names = {re.findall(r'alertname="(\w+)"', sample["labels"])[0] for sample in expected["exp_samples"]}
            yield int(expected["eval_time"][:-1]), None, names


@pytest.mark.parametrize("case", cases())
def test_we_and_prometheus_fire_the_same_alerts(case: Any) -> None:
    expected = list(expectations(case))
    assert expected
    fired = {minutes: firing_after(case, minutes) for minutes in {minutes for minutes, _, _ in expected}}
    for minutes, name, firing in expected:
        assert (fired[minutes] & {name} if name else fired[minutes]) == firing


def test_every_rule_that_prometheus_reads_is_judged_here_too() -> None:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    assert [rule.name for rule in RULES] == [entry["alert"] for group in groups for entry in group["rules"]]
    assert len(RULES) >= 17


def test_every_alert_is_in_one_of_the_tested_cases() -> None:
    named = set(re.findall(r"alertname: (\w+)", (FOLDER / "alerts.test.yml").read_text()))
    assert {rule.name for rule in RULES} - named == set()


def test_no_placeholder_of_a_summary_is_left_unfilled() -> None:
    for rule in RULES:
        labels = {"job_name": "a job", "group": "outbox", "name": "a name"}
        told = rule.summary_of(1234.5, labels) + rule.runbook_of(1234.5, labels)
        assert "{{" not in told, rule.name
        assert "$" not in told, rule.name


def one(seconds: float = 15, *, ago: float = 0, **counters: float) -> Reading:
    return Reading("a", START - timedelta(seconds=ago), seconds, counters, {})


def test_a_rate_is_the_growth_over_the_time_that_was_measured() -> None:
    readings = [one(ago=300, x_total=1000), one(ago=30, x_total=30), one(ago=15), one(x_total=15)]
    (rate,) = evaluate(parse("rate(x_total[5m])"), readings, at=START).values()
    assert rate == 1.0
    assert evaluate(parse("increase(x_total[5m])"), readings, at=START) == {(("instance", "a"),): 45}


def test_sums_keep_the_labels_that_they_are_asked_for() -> None:
    readings = [
        Reading("a", START, 15, {}, {key_of("x", {"k": "1"}): 2, key_of("x", {"k": "2"}): 3}),
        Reading("b", START, 15, {}, {key_of("x", {"k": "1"}): 10}),
    ]
    assert evaluate(parse("sum by (k) (x)"), readings, at=START) == {(("k", "1"),): 12, (("k", "2"),): 3}
    assert evaluate(parse('max(x{k="1"})'), readings, at=START) == {(): 10}
    assert evaluate(parse("count(x) by (instance)"), readings, at=START) == {
        (("instance", "a"),): 2,
        (("instance", "b"),): 1,
    }


def test_what_was_said_more_than_five_minutes_ago_is_not_what_is() -> None:
    reading = Reading("a", START - timedelta(minutes=5), 15, {}, {"x": 1})
    assert evaluate(parse("x"), [reading], at=START) == {}
    assert evaluate(parse("absent(x)"), [reading], at=START) == {(): 1}


def test_a_label_that_is_no_longer_told_is_gone_at_once() -> None:
    older = Reading("a", START - timedelta(seconds=15), 15, {}, {key_of("x", {"k": "1"}): 1})
    assert evaluate(parse("x"), [older, Reading("a", START, 15, {}, {"y": 1})], at=START) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [("2 + 3 * 4", 14), ("(2 + 3) * 4", 20), ("10 / 4 - 1", 1.5), ("7 > 5", 7), ("5 < 7", 5), ("2 * 3 >= 6", 6)],
)
def test_arithmetic_binds_as_in_promql(text: str, value: float) -> None:
    assert evaluate(parse(text), [], at=START) == {(): value}


@pytest.mark.parametrize(
    "text",
    ["", "x >", "sum(x", "rate(x[5m]", 'x{a=~"b"}', "x offset 5m", "deriv(x[5m])", "x[5y]", "max(x) by", "1 2", "x{a}"],
)
def test_what_we_do_not_evaluate_is_refused_when_it_is_read(text: str) -> None:
    with pytest.raises(NotOurPromql):
        parse(text)


def test_the_limit_and_the_range_are_read_from_the_condition() -> None:
    condition = parse("(sum(rate(x[10m])) / sum(rate(y[5m])) > 0.2 and sum(z) > 7) or z > 1")
    assert threshold_of(condition) == (">", 0.2)
    assert range_of(condition) == 600
    assert threshold_of(parse("absent(x)")) is None


@pytest.mark.parametrize(
    ("value", "form", "words"),
    [
        (12000.0, "humanize", "12,000"),
        (0.25, "humanize", "0.25"),
        (0.213, "humanizePercentage", "21.3 %"),
        (150.0, "humanizeDuration", "2 min 30 s"),
    ],
)
def test_figures_are_shown_as_the_summary_asks(value: float, form: str, words: str) -> None:
    assert shown(value, form) == words


def test_an_alert_fires_after_its_patience_and_clears_at_once() -> None:
    (rule,) = [rule for rule in RULES if rule.name == "RelayDown"]
    away = [Reading("a", START + place * MINUTE, 60, {}, {"paymentsite_relay_active": 0}) for place in range(4)]
    held: dict[AlertKey, Holding] = {}
    seen = []
    for place in range(4):
        held = judged([rule], away, held, at=START + place * MINUTE)
        seen.append(held["RelayDown", ()].firing_since)
    assert seen == [None, None, START + 2 * MINUTE, START + 2 * MINUTE]
    back = [*away, Reading("a", START + 4 * MINUTE, 60, {}, {"paymentsite_relay_active": 1})]
    assert judged([rule], back, held, at=START + 4 * MINUTE) == {}
