"""The page of partitions: what it shows at a glance, and who may rehearse, archive, restore and drop."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from kernel.jobs.models import JobRun
from kernel.jobs.operations import run_job, run_now
from kernel.transactions import unit_of_work
from payments.models import PartitionArchive
from payments.operations.restoring import restore_archive
from payments.partitioning import PAYMENT_PARTITIONS, ensure_partitions_ahead, month_of
from payments.partitionlist import partition_list
from payments.states import ArchiveStatus
from tests.console.people import signed_in
from tests.payments.archives import ACTOR, LEAP_DAY, OLD, an_old_month, archive_it, record_at, rows_of, table_names

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("archive_folder")]
PAGE = "/admin/payments/partitionarchive/"
ROLES = ("viewer", "operator", "approver", "administrator", "auditor")
CONFIRMED = {"confirmed": "yes", "reason": "month end", "month": ""}


@pytest.fixture
def administrator() -> Client:
    return signed_in("administrator")


def shown(client: Client) -> str:
    page = client.get(PAGE)
    assert page.status_code == 200
    return page.content.decode()


def test_every_attached_month_has_its_line_with_state_figures_and_size(administrator: Client) -> None:
    unit_of_work(PAYMENT_PARTITIONS.ensure)([OLD])
    an_old_month(3)
    ensure_partitions_ahead(at=timezone.now())

    lines = administrator.get(PAGE).context["months"]

    by_label = {line.label: line for line in lines}
    old, now = by_label["2024-02"], by_label[f"{timezone.now():%Y-%m}"]
    assert (old.rows, "Due for the archive" in old.state) == ("3", True)
    assert f"{LEAP_DAY:%Y-%m-%d}" in old.newest
    assert "This month" in now.state
    assert lines[0].label > lines[-1].label


def test_a_big_table_is_not_counted_but_estimated(monkeypatch: pytest.MonkeyPatch, administrator: Client) -> None:
    an_old_month(5)
    monkeypatch.setattr("payments.partitionlist.COUNTED_BYTES", 0)
    with connection.cursor() as cursor:
        cursor.execute("analyze payments_2024_02")

    with CaptureQueriesContext(connection) as captured:
        lines = administrator.get(PAGE).context["months"]

    assert not [
        query["sql"] for query in captured.captured_queries if "count(*)" in query["sql"] and "2024_02" in query["sql"]
    ]
    (line,) = [line for line in lines if line.label == "2024-02"]
    assert line.rows == "about 5"
    assert f"{LEAP_DAY:%Y-%m-%d}" in line.newest


def test_a_big_table_that_was_never_analysed_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    an_old_month(1)
    monkeypatch.setattr("payments.partitionlist.COUNTED_BYTES", 0)

    (line,) = [month for month in partition_list(at=timezone.now()).attached if month.partition.month == OLD]

    assert (line.extent.rows, line.extent.oldest, line.extent.is_exact) == (None, None, False)


def test_the_page_says_what_is_ready_and_what_is_missing(administrator: Client) -> None:
    ensure_partitions_ahead(at=timezone.now())
    last = month_of(timezone.now()).plus(3)
    assert f"Every month up to {last.first_on:%Y-%m} is ready." in shown(administrator)
    assert "No payment lies outside its month." in shown(administrator)

    with connection.cursor() as cursor:
        cursor.execute(f"drop table {PAYMENT_PARTITIONS.name_of(last)}")
        cursor.execute(
            "insert into payments (id, reference_number, loan_account_number, cif, amount, currency, payment_date, "
            "source) values (gen_random_uuid(), 'STRAY', 'L', 'C', 5, 'CAD', %s, 'manual')",
            [last.bounds().start_at],
        )

    assert f"The month {last.first_on:%Y-%m} has no partition yet." in shown(administrator)
    assert "1 payments lie outside any month." in shown(administrator)


def test_a_rehearsal_is_asked_for_and_its_finding_is_shown(administrator: Client) -> None:
    an_old_month(3)
    record_at("HELD", LEAP_DAY)

    answer = administrator.post(f"{PAGE}rehearse/", CONFIRMED)
    run = JobRun.objects.get()
    assert answer["Location"] == f"/admin/jobs/jobrun/{run.pk}/change/"
    assert run.parameters == {"month": None, "rehearse": True, "reason": ""}
    run_job(run.pk)

    page = shown(administrator)
    assert "Latest rehearsal: nothing was changed" in page
    assert "1 payments whose reference is not pruned yet" in page
    assert "Held back" in page
    assert PartitionArchive.objects.count() == 0


def test_archiving_asks_first_naming_the_months_and_shows_the_figures_after(administrator: Client) -> None:
    an_old_month(3)

    question = administrator.get(f"{PAGE}archive_now/").content.decode()
    assert "Due: 2024-02." in question
    assert JobRun.objects.count() == 0
    administrator.post(f"{PAGE}archive_now/", CONFIRMED | {"month": "2024_02"})
    run = JobRun.objects.get()
    assert run.parameters == {"month": "2024_02", "rehearse": False, "reason": "month end"}
    run_job(run.pk)

    page = shown(administrator)
    archive = PartitionArchive.objects.get()
    assert f"{PAGE}{archive.pk}/change/" in page
    assert "21.10" in page
    assert "12.05" in page
    record = administrator.get(f"{PAGE}{archive.pk}/change/").content.decode()
    for part in (
        archive.read_manifest().content.sha256_compressed,
        str(archive.file_path),
        "Archive detached",
        "month end",
    ):
        assert part in record


def test_a_month_that_is_not_due_cannot_be_chosen(administrator: Client) -> None:
    an_old_month(1)

    answer = administrator.post(f"{PAGE}archive_now/", CONFIRMED | {"month": "2026_11"})

    assert "2026_11 is not one of the available choices" in answer.content.decode()
    assert JobRun.objects.count() == 0


def test_an_archive_is_restored_searched_and_dropped_from_its_page(administrator: Client) -> None:
    an_old_month(3)
    archive = archive_it()
    record = f"{PAGE}{archive.pk}/change/"
    assert f"{PAGE}{archive.pk}/restore/" in administrator.get(record).content.decode()
    assert f"{PAGE}{archive.pk}/drop_copy/" not in administrator.get(record).content.decode()

    administrator.post(f"{PAGE}{archive.pk}/restore/", {"confirmed": "yes", "reason": "a question"})
    run_job(JobRun.objects.get().pk)

    page = administrator.get(record).content.decode()
    assert f"{PAGE}{archive.pk}/restore/" not in page
    assert "restored for reading" in page
    found = administrator.get(record, {"find": "OLD-2"}).content.decode()
    assert "12.05" in found
    assert "OLD-1" not in found
    assert "No payment of this month has “NEVER”" in administrator.get(record, {"find": "NEVER"}).content.decode()

    answer = administrator.post(f"{PAGE}{archive.pk}/drop_copy/", {"confirmed": "yes", "reason": "answered"})
    assert answer.status_code == 302
    assert table_names() == set()
    archive.refresh_from_db()
    assert archive.status == ArchiveStatus.ARCHIVED


def test_a_damaged_file_fails_the_run_with_what_differs(administrator: Client) -> None:
    an_old_month(1)
    archive = archive_it()
    archive.file_path.write_bytes(b"x")
    administrator.post(f"{PAGE}{archive.pk}/restore/", {"confirmed": "yes", "reason": "a question"})

    run_job(JobRun.objects.get().pk)

    run = JobRun.objects.get()
    assert run.status == "failed"
    assert "has 1 bytes" in run.error
    assert table_names() == set()


@pytest.mark.parametrize("role", ROLES)
def test_who_may_do_what(role: str) -> None:
    an_old_month(1)
    archive = archive_it()
    an_archived = f"{PAGE}{archive.pk}/"
    client = signed_in(role)
    allowed = {
        f"{PAGE}rehearse/": role in ("operator", "administrator"),
        f"{PAGE}archive_now/": role == "administrator",
        f"{an_archived}restore/": role in ("operator", "administrator"),
    }

    for address, may in allowed.items():
        listed = client.get(PAGE if "restore" not in address else f"{an_archived}change/").content.decode()
        assert (f'href="{address}"' in listed) is may
        assert client.get(address).status_code == (200 if may else 403)
        assert client.post(address, CONFIRMED).status_code == (302 if may else 403)
        assert JobRun.objects.count() == may
        JobRun.objects.all().delete()

    restore_archive(archive.pk, actor=ACTOR, at=timezone.now())
    may_drop = role in ("operator", "administrator")
    answer = client.post(f"{an_archived}drop_copy/", {"confirmed": "yes", "reason": "answered"})
    assert answer.status_code == (302 if may_drop else 403)
    assert (table_names() == set()) is may_drop


def test_somebody_without_a_role_sees_nothing_of_it() -> None:
    client = signed_in(None)

    assert client.get(PAGE).status_code == 403
    assert PAGE not in client.get("/admin/").content.decode()


def test_the_sidebar_leads_to_it(administrator: Client) -> None:
    assert PAGE in administrator.get("/admin/").content.decode()


def test_an_empty_platform_says_what_will_appear(administrator: Client) -> None:
    page = shown(administrator)

    assert "No month has been archived yet." in page
    assert "Latest r" not in page


def test_a_run_that_found_nothing_says_so(administrator: Client) -> None:
    run_now("archive_partitions", actor=ACTOR)

    assert "No month was old enough." in shown(administrator)


def test_an_archive_on_its_way_shows_how_far_it_is_and_why(administrator: Client) -> None:
    archive: Any = PartitionArchive.objects.create(
        month=OLD.first_on,
        part=1,
        status=ArchiveStatus.DETACHED,
        status_since=timezone.now(),
        table_name="payments_detached_2024_02",
        detached_at=timezone.now(),
        last_error="/archives cannot be written: No space left on device.",
    )

    assert "Taken out, waits to be written" in shown(administrator)
    page = administrator.get(f"{PAGE}{archive.pk}/change/").content.decode()
    assert "No space left on device" in page
    assert f"{PAGE}{archive.pk}/restore/" not in page


def test_the_page_asks_few_and_small_questions(administrator: Client) -> None:
    an_old_month(2)
    shown(administrator)

    with CaptureQueriesContext(connection) as captured:
        shown(administrator)

    assert len(captured) <= 25
    assert len(rows_of("payments_2024_02")) == 2
