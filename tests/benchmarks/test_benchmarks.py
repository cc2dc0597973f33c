"""The benchmarks still run and still count; how fast they are is not asked here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter

import pytest

from benchmarks.figures import Run, at_most, spread, table, verdict
from benchmarks.notices import signed_requests
from payments.operations.channels import new_secret
from payments.signatures import SigningKey, key_from_secret, verify
from payments.states import SignatureScheme
from tests.architecture.sources import ROOT

# What the test run's own servers are called must not reach the benchmark, which starts its own.
OURS = re.compile(r"DATABASE_URL|REDIS_URL|KAFKA_BROKERS|PAYMENTSITE_.*|NODE_ENV|DB_.*")


GOALS = {
    "staging": ["S1", "S2", "S3"],
    "webhook": ["W1", "W3"],
    "steadyrate": ["W2", "W2"],
    "coldstart": ["C1"],
    "memory": ["M1", "M2", "M3"],
    "growth": ["S4"],
    "bulkcreate": ["S5"],
    "relay": ["O1", "O1", "O1"],
    "retention": ["P1"],
    "invoicing": ["I1", "I4", "I2", "I3", "R1"],
    "rendering": ["T2", "T2", "T2"],
    "pages": ["U1", "U1"],
}


@pytest.mark.parametrize("name", GOALS)
def test_a_benchmark_runs_on_its_own_servers_and_finds_every_count_exact(name: str) -> None:
    environment = {key: value for key, value in os.environ.items() if not OURS.fullmatch(key)}
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--smoke"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    goals = re.findall(r"^(\w\d) .*: (met|MISSED|undecided)", done.stdout, re.MULTILINE)
    said_without_pgbench = "no pgbench on this machine" in done.stdout
    expected = [] if name == "webhook" and said_without_pgbench else GOALS[name]
    assert [goal for goal, _ in goals] == expected, done.stdout


def test_the_signed_requests_are_ones_that_our_own_check_accepts() -> None:
    secret = new_secret()
    signed = signed_requests(100, secret=secret, port=3004, label="t")
    references: Counter[bytes] = Counter()
    for request in signed.requests:
        head, _, body = request.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
        references[body.split(b'"')[3]] += 1
        verify(
            SignatureScheme.STANDARD_WEBHOOKS,
            headers,
            body,
            keys=(SigningKey(key_from_secret(secret, SignatureScheme.STANDARD_WEBHOOKS)),),
            channel="generic",
            tolerance_seconds=300,
            now_seconds=int(headers["webhook-timestamp"]),
        )
    assert len(references) == signed.distinct == 98
    assert sorted(references.values()) == [1] * 96 + [2, 2]


def test_a_goal_is_missed_only_while_the_limit_stood_still() -> None:
    assert verdict("S1", 0.75, [0.8, 0.7, 0.9], [100, 110, 120]).endswith("met")
    assert verdict("S1", 0.75, [0.5, 0.6, 0.7], [100, 110, 120]).endswith("MISSED")
    assert verdict("S1", 0.75, [0.5, 0.6, 0.7], [100, 110, 160]).endswith("undecided, the limit moved 1.60 times")


def test_a_figure_below_its_limit_meets_the_goal_and_one_above_may_have_an_excuse() -> None:
    assert at_most("M1", 220, 219.9, "MB") == "M1: 219.9 MB, goal at most 220: met"
    assert at_most("M1", 220, 220.1, "MB").endswith("MISSED")
    assert at_most("W2", 25, 26, "ms", unless="pgbench needed 30.0 ms").endswith("undecided, pgbench needed 30.0 ms")


def test_figures_are_shown_with_their_spread() -> None:
    assert Run(1000, 2.0, 30.0, 1.0).rate == 500
    assert spread([0.9, 0.7, 0.8]) == "0.80 (0.70 to 0.90)"
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n|---|---|\n| 1 | 2 |"
