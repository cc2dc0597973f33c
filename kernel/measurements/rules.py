"""The alert rules, read from the file that Prometheus reads: conditions, patience, words, and what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from kernel.display import length
from kernel.measurements.promql import UNITS, Expression, parse, threshold_of

PLACEHOLDER = re.compile(r"\{\{\s*\$(?:(value)|labels\.(\w+))\s*(?:\|\s*(\w+)\s*)?\}\}")


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One rule of the file. `console` is the page's path where somebody can act; '' when there is none."""

    name: str
    expression: Expression
    condition: str
    patience: timedelta
    severity: str
    summary: str
    runbook: str
    console: str

    @property
    def threshold(self) -> tuple[str, float] | None:
        return threshold_of(self.expression)

    @property
    def form(self) -> str:
        """How the summary shows its value: humanize, humanizeDuration or humanizePercentage."""
        shown = [found[3] or "humanize" for found in PLACEHOLDER.finditer(self.summary) if found[1]]
        return shown[0] if shown else "humanize"

    def summary_of(self, value: float, labels: Mapping[str, str]) -> str:
        return _filled(self.summary, value, labels)

    def runbook_of(self, value: float, labels: Mapping[str, str]) -> str:
        return _filled(self.runbook, value, labels)


def rules_of(path: Path) -> tuple[AlertRule, ...]:
    """Every alert of the file, in its order. Read again only when the file has changed.

    Raises OSError when it cannot be read, and NotOurPromql for a condition that we cannot evaluate ourselves.
    """
    return _read(path, path.stat().st_mtime_ns)


def shown(value: float, form: str) -> str:
    """A figure as Prometheus's templates show it, near enough: a number, a length of time or a share."""
    if form == "humanizeDuration":
        return length(timedelta(seconds=value))
    if form == "humanizePercentage":
        return f"{value * 100:.4g} %"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.4g}"


def _filled(text: str, value: float, labels: Mapping[str, str]) -> str:
    """The text with figures and labels in place of Prometheus's placeholders."""

    def fill(found: re.Match[str]) -> str:
        return shown(value, found[3] or "humanize") if found[1] else labels.get(found[2], "")

    return PLACEHOLDER.sub(fill, text)


@lru_cache(maxsize=4)
def _read(path: Path, _: int) -> tuple[AlertRule, ...]:
    groups = yaml.safe_load(path.read_text())["groups"]
    return tuple(_rule(entry) for group in groups for entry in group["rules"] if "alert" in entry)


def _rule(entry: Mapping[str, Any]) -> AlertRule:
    annotations = entry.get("annotations", {})
    condition = " ".join(entry["expr"].split())
    return AlertRule(
        name=entry["alert"],
        expression=parse(condition),
        condition=condition,
        patience=_length(entry.get("for", "0s")),
        severity=entry.get("labels", {}).get("severity", "warning"),
        summary=annotations.get("summary", entry["alert"]),
        runbook=annotations.get("runbook", ""),
        console=annotations.get("console", ""),
    )


def _length(text: str) -> timedelta:
    return timedelta(seconds=sum(int(count) * UNITS[unit] for count, unit in re.findall(r"(\d+)([smhd])", text)))
