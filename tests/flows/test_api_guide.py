"""The guide for partner developers: its commands are run as they stand, and answered as it says."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.urls import resolve

from accounts.scopes import SCOPES
from invoices.api.bodies import InvoiceBody
from invoices.api.parameters import InvoiceFilters, RefundFilters
from invoices.api.urls import urlpatterns
from invoices.methods import all_methods
from invoices.models import Invoice
from invoices.states import InvoiceStatus, RefundStatus
from tests.flows.demosite import CURL, DemoSite, needs_curl

GUIDE = Path(settings.BASE_DIR) / "docs" / "api_invoices.md"
SITE = "http://localhost:3004"
_block = re.compile(r"^```(?P<kind>sh|json)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_status = re.compile(r"^# ([1-5]\d\d)$", re.MULTILINE)
# Stands before the real curl and keeps, call by call, the head and the body of each answer.
RECORDER = """#!/bin/sh
call=$(printf '%s/%04d' "$CALLS" "$(ls "$CALLS" | wc -l)")
{curl} -D "$call.head" "$@" | tee "$call.body"
"""
# What differs from run to run: only its kind is compared.
VARYING = {
    *("id", "ids", "invoiceId", "paymentLineItemId", "invoiceNumber", "receiptNumber", "businessKey", "request_id"),
    *("date", "overdueDate", "href", "self", "pay", "payUrl"),
}


@dataclass(frozen=True, slots=True)
class Example:
    """One block of commands: the statuses that it promises, and the answer shown below it to the last command."""

    commands: str
    statuses: list[str]
    shown: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answered:
    status: str
    body: bytes


def examples() -> list[Example]:
    found: list[Example] = []
    for block in _block.finditer(GUIDE.read_text()):
        if block["kind"] == "sh":
            found.append(Example(block["text"], _status.findall(block["text"])))
        else:
            found[-1].shown.append(json.loads(block["text"]))
    return found


def recorded(calls: Path) -> list[Answered]:
    heads = sorted(calls.glob("*.head"))
    statuses = [re.findall(r"^HTTP/\S+ (\d+)", head.read_text(), re.MULTILINE)[-1] for head in heads]
    bodies = [head.with_suffix(".body").read_bytes() for head in heads]
    return [Answered(status, body) for status, body in zip(statuses, bodies, strict=True)]


def differences(shown: Any, answered: Any, at: str = "") -> list[str]:
    """Where the answer is not as the guide shows it, which may leave out members and the ends of lists."""
    name = at.rpartition(".")[2].partition("[")[0]
    if isinstance(shown, dict) and isinstance(answered, dict):
        missing = [f"{at}.{key} is not there" for key in shown if key not in answered]
        both = [key for key in shown if key in answered]
        return missing + [line for key in both for line in differences(shown[key], answered[key], f"{at}.{key}")]
    if (
        isinstance(shown, list)
        and isinstance(answered, list)
        and len(shown) <= len(answered)
        and bool(shown) >= bool(answered)
    ):
        pairs = enumerate(zip(shown, answered, strict=False))
        return [line for place, (one, other) in pairs for line in differences(one, other, f"{at}[{place}]")]
    same = type(shown) is type(answered) if name in VARYING else shown == answered
    return [] if same else [f"{at} is {answered!r}, and shown as {shown!r}"]


@needs_curl
@pytest.mark.django_db(transaction=True)
def test_every_command_of_the_guide_is_answered_with_the_status_and_the_members_that_it_shows(
    demo_site: DemoSite, tmp_path: Path
) -> None:
    programs, calls = tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    calls.mkdir()
    recorder = programs / "curl"
    recorder.write_text(RECORDER.format(curl=shlex.quote(str(CURL))))
    recorder.chmod(0o755)
    guide = examples()
    before = Invoice.objects.count()

    script = "\n".join(example.commands for example in guide).replace(SITE, demo_site.url)
    done = demo_site.run(script, path=str(programs), CALLS=str(calls))

    answers = recorded(calls)
    promised = [status for example in guide for status in example.statuses]
    last = answers[-1].body.decode(errors="replace")[:2000] if answers else ""
    assert [answer.status for answer in answers] == promised, f"{last}\n{done.stderr}"
    assert done.returncode == 0, done.stderr
    assert wrongly_shown(guide, answers) == []
    # Ordered by card, prepaid, prepaid in vain, for nothing, by debit, by bank, and by debit for the credit.
    assert Invoice.objects.count() == before + 7


def wrongly_shown(guide: list[Example], answers: list[Answered]) -> list[str]:
    found = []
    last = -1
    for example in guide:
        last += len(example.statuses)
        for shown in example.shown:
            found += differences(shown, json.loads(answers[last].body), at=f"answer {last + 1}")
    return found


def test_an_answer_that_is_not_as_shown_is_told() -> None:
    answered = {
        "id": 7,
        "status": "PAID",
        "money": {"paid": "1.00"},
        "lines": [{"id": 1, "total": "1.00"}],
        "refunds": [],
    }

    assert differences({"id": 9, "money": {"paid": "1.00"}, "lines": [{"total": "1.00"}]}, answered) == []
    assert differences({"id": "9"}, answered) == [".id is 7, and shown as '9'"]
    assert differences({"status": "CREATED", "owing": "0.00"}, answered) == [
        ".owing is not there",
        ".status is 'PAID', and shown as 'CREATED'",
    ]
    assert differences({"lines": [{"total": "2.00"}]}, answered) == [".lines[0].total is '1.00', and shown as '2.00'"]
    assert differences({"lines": []}, answered) != []
    assert differences({"refunds": [{}]}, answered) != []


def test_every_command_of_the_guide_says_its_status() -> None:
    silent = [example.commands for example in examples() if example.commands.count("curl ") != len(example.statuses)]

    assert len(examples()) > 20
    assert not silent, f"Write the status of each answer before its command, such as # 201: {silent}"


def test_the_guide_has_a_command_for_every_address() -> None:
    called = {
        # A variable or a command stands for a number or an id of many digits.
        re.sub(r"\$\(value \w+\)|\$[A-Z]+", "1", path).replace("transactions/1", f"transactions/{uuid4()}")
        for path in re.findall(r'"\$API((?:/(?:\$\(value \w+\)|[^"?/])+)+)', GUIDE.read_text())
    }

    assert {resolve(f"/api/v1{path}").url_name for path in called} == {pattern.name for pattern in urlpatterns}


def test_the_guide_leaves_out_no_scope_method_status_parameter_and_member() -> None:
    text = GUIDE.read_text()
    words = {
        *SCOPES,
        *(method.code for method in all_methods()),
        *(status.value for status in InvoiceStatus),
        *(status.value for status in RefundStatus),
        *InvoiceFilters().fields,
        *RefundFilters().fields,
        *members_of(InvoiceBody()),
    }

    assert {word for word in words if not re.search(rf"\b{re.escape(word)}\b", text)} == set()


def members_of(body: Any) -> set[str]:
    found = set()
    for name, member in body.fields.items():
        within = getattr(member, "child", member)
        found |= {name} | (members_of(within) if hasattr(within, "fields") else set())
    return found
