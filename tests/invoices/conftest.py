"""What the tests of invoices share."""

from __future__ import annotations

from tests.simulators.fixtures import simulators, simulators_process

__all__ = ["simulators", "simulators_process"]
