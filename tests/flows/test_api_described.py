"""Whatever its description allows, and what it does not, is asked of the API: nothing breaks, and nothing is answered
that the description does not know.

The cases are made from the description itself: what lies on each bound and just beyond it, then random ones, the same
in each run. To ask more, for an hour or a night, say how many random cases of each kind an operation gets:

    API_EXAMPLES=2000 ./run test tests/flows/test_api_described.py -n 0 -s

Not asked: the webhooks, whose answers hang on a signature over the bytes (test_hostile_*.py asks them), and what
operators ask of a process (/health, /metrics), which is no operation for partners.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as bounded
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.flows.described import World, a_world
from tests.invoices.partners import Partner
from tests.simulators.fixtures import simulators, simulators_process
from tests.simulators.running import RunningSimulators

__all__ = ["simulators", "simulators_process"]

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLES = int(os.environ.get("API_EXAMPLES", "20"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BOTH = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
DESCRIPTION: dict[str, Any] = json.loads((settings.BASE_DIR / "docs" / "openapi.json").read_text())


def described(description: dict[str, Any]) -> schemathesis.BaseSchema:
    schema = schemathesis.openapi.from_dict(description)
    schema.app = get_wsgi_application()
    return schema


def operations_of(schema: schemathesis.BaseSchema) -> Iterator[APIOperation[Any, Any, Any, Any]]:
    for path, methods in schema.items():
        if path.startswith("/api/v1/") and "/webhook" not in path:
            yield from methods.values()


class Asking:
    """Asks one case after another, and keeps what was answered and what was wrong with it, by operation."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: dict[str, Counter[int]] = defaultdict(Counter)
        self.wrong: dict[str, str] = {}

    def ask(self, case: Case, *, as_generated: bool = True) -> None:
        label = case.operation.label
        response = case.call(headers=self.world.headers)
        self.answers[label][response.status_code] += 1
        try:
            # What a case forbids itself is known of it only while nothing in it was replaced.
            case.validate_response(response, checks=[*CHECKS, negative_data_rejection] if as_generated else CHECKS)
        except FailureGroup as found:
            self.wrong.setdefault(label, str(found))
        # The checks look away where the type or the method of a request is one that is not described.
        if case.operation.method.upper() == case.method.upper() and not is_described(case, response):
            self.wrong.setdefault(label, f"{response.status_code} is not described: {case.as_curl_command()}")

    def ask_bounds(self, operation: APIOperation[Any, Any, Any, Any]) -> None:
        """What lies on the bounds of the description and beyond them; also without a key, and with other methods."""
        config = operation.schema.config.generation_for(operation=operation)
        for case in operation.schema.iter_coverage_cases(operation, generation_modes=BOTH, generation_config=config):
            self.ask(case)

    def ask_at_random(self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
        cases = operation.as_strategy(generation_mode=mode)

        @bounded(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def asked(drawn: st.DataObject) -> None:
            case = drawn.draw(cases)
            if mode == GenerationMode.POSITIVE:
                self.ask(self.world.fitted(case, drawn.draw), as_generated=False)
            else:
                # A parameter that is not described may have been given an empty list, of which nothing is sent.
                self.ask(case, as_generated=not case.query)

        asked()


def is_described(case: Case, response: Response) -> bool:
    return str(response.status_code) in case.operation.definition.raw["responses"]


def test_nothing_breaks_and_nothing_is_answered_that_is_not_described(simulators: RunningSimulators) -> None:
    asking = Asking(a_world())
    operations = list(operations_of(described(DESCRIPTION)))
    for operation in operations:
        asking.ask_bounds(operation)
        for mode in BOTH:
            asking.ask_at_random(operation, mode)
    asked = sum(answers.total() for answers in asking.answers.values())
    print(f"{len(operations)} operations, {asked} cases, {len(asking.wrong)} operations with something wrong")
    for label, answers in asking.answers.items():
        print(label, dict(sorted(answers.items())))
    assert not asking.wrong, "\n\n".join(asking.wrong.values())
    assert len(operations) == 29
    # Each was reached: otherwise a test that is refused at the door would look like one that found nothing.
    assert [label for label, answers in asking.answers.items() if not any(status < 300 for status in answers)] == []


@pytest.mark.parametrize("missing", ["status", "member"])
def test_an_answer_that_is_not_described_is_found(missing: str) -> None:
    description = deepcopy(DESCRIPTION)
    answers = description["paths"]["/api/v1/invoices/{invoice_id}"]["get"]["responses"]
    if missing == "status":
        del answers["404"]
    else:
        description["components"]["schemas"]["Problem"]["properties"]["code"]["type"] = "integer"
    asking = Asking(World({"Authorization": f"Bearer {Partner('asking').key}"}, {}))
    operation = described(description)["/api/v1/invoices/{invoice_id}"]["GET"]
    asking.ask(operation.Case(path_parameters={"invoice_id": 7}))
    assert asking.answers == {"GET /api/v1/invoices/{invoice_id}": {404: 1}}
    assert list(asking.wrong) == ["GET /api/v1/invoices/{invoice_id}"]
