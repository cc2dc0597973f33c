from __future__ import annotations

from collections.abc import Generator

import pytest
from django.db import connection
from django.test import Client

from kernel.jobs.models import JobRun
from payments.models import StagingProcessLog
from payments.operations.staging import log_failed_chunk, record_chunk
from payments.recorder import staging_table
from tests.console.people import signed_in
from tests.payments.staged import AT, a_row, prepare_staging, stage

pytestmark = pytest.mark.django_db(transaction=True)
BACKLOG = "/admin/payments/paymentstaging/"
BATCHES = "/admin/payments/stagingprocesslog/"


@pytest.fixture(autouse=True)
def _staging() -> None:
    prepare_staging()


@pytest.fixture
def operator() -> Client:
    return signed_in("operator")


@pytest.fixture
def _no_staging_table() -> Generator[None]:
    with connection.cursor() as cursor:
        cursor.execute(f"alter table {staging_table()} rename to put_aside")
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"alter table put_aside rename to {staging_table()}")


def test_the_backlog_shows_what_waits_the_oldest_first(operator: Client) -> None:
    taken, first, second = stage(a_row("TAKEN"), a_row("FIRST"), a_row("SECOND"))
    with connection.cursor() as cursor:
        cursor.execute(f"update {staging_table()} set processed = true where id = %s", [taken])
        # The ETL may leave it empty: that is not processed either.
        cursor.execute(f"update {staging_table()} set processed = null where id = %s", [first])

    page = operator.get(BACKLOG)

    assert [row.id for row in page.context["cl"].result_list] == [first, second]


def test_an_empty_backlog_says_what_that_means(operator: Client) -> None:
    assert "everything that was staged has been taken in" in operator.get(BACKLOG).content.decode()


@pytest.mark.usefixtures("_no_staging_table")
def test_without_a_staging_table_the_page_says_so_and_how_to_make_it(operator: Client) -> None:
    page = operator.get(BACKLOG)

    assert page.status_code == 200
    assert "./run manage create_staging" in page.content.decode()
    assert operator.get("/admin/").status_code == 200


def test_the_button_asks_for_one_run_and_leads_to_it(operator: Client) -> None:
    stage(a_row())
    address = f"{BACKLOG}take_in/"

    assert operator.get(address).status_code == 200
    assert JobRun.objects.count() == 0
    answer = operator.post(address, {"confirmed": "yes"})

    run = JobRun.objects.get()
    assert (run.name, run.requested_by, run.status) == ("ingest_staging", "pat-operator", "queued")
    assert answer["Location"] == f"/admin/jobs/jobrun/{run.pk}/change/"


@pytest.mark.parametrize(
    ("role", "may"), [("viewer", False), ("approver", False), ("auditor", False), ("operator", True)]
)
def test_who_may_take_in_sees_the_button(role: str, may: bool) -> None:
    client = signed_in(role)

    for place in (BACKLOG, BATCHES):
        assert (f"{place}take_in/" in client.get(place).content.decode()) is may
        assert client.post(f"{place}take_in/", {}).status_code == (200 if may else 403)
    assert JobRun.objects.count() == 0


def test_a_batch_shows_its_counts_and_links_to_what_was_not_recorded(operator: Client) -> None:
    stage(a_row("A"), a_row("A"), a_row("B", amount="-1"), a_row("A", amount="9.00"))
    record_chunk(batch_size=10, after_id=-1, attempt=1, at=AT)
    batch = StagingProcessLog.objects.get()

    page = operator.get(f"{BATCHES}{batch.pk}/change/").content.decode()

    assert "1 rejected" in page
    assert "1 in conflict" in page
    assert "1 duplicates" in page
    for place in ("stagingrejection", "referenceconflict", "stagingduplicate"):
        prefix = "batch_id" if place == "referenceconflict" else "batch__id"
        address = f"/admin/payments/{place}/?{prefix}__exact={batch.pk}"
        assert address.replace("&", "&amp;") in page
        assert len(operator.get(address).context["cl"].result_list) == 1


def test_a_failed_batch_tells_its_cause_in_words(operator: Client) -> None:
    log_failed_chunk(first_id=1, last_id=9, total=9, attempts=4, cause="the server went away", started_at=AT, at=AT)
    batch = StagingProcessLog.objects.get()

    assert "Failed, rows wait" in operator.get(BATCHES).content.decode()
    assert "the server went away" in operator.get(f"{BATCHES}{batch.pk}/change/").content.decode()
