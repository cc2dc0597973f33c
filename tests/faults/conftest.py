"""The site that the named cases share: to start one costs more than most of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.stack import DISK_MEGABYTES, MOST_CONNECTIONS, Site


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """PostgreSQL and Valkey are the test's own, to be kept away as long as it likes."""
    own = ("PostgreSQL", "Valkey")
    with Site(own=own, postgres={"max_connections": str(MOST_CONNECTIONS)}, disk_megabytes=DISK_MEGABYTES) as started:
        yield started
