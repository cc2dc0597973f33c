"""kill -9 in the middle of an ingestion, again and again: no staged row is lost, none is recorded twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings
from django.db import connection

from payments.ingestion import Pace, ingest
from tests.payments.staged import count, prepare_staging, stage_many

# Far more than four short runs can take in, on a fast machine too: every kill must come in the middle.
ROWS = 30_000
KILLS = 4
SEED = int(os.environ.get("FAULT_SEED", random.randrange(10**6)))


def _ingestion_in_another_process() -> subprocess.Popen[bytes]:
    database = connection.settings_dict
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}",
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "ingest_staging", "--batch-size", "20", "--workers", "2", "--until-empty"],
        cwd=settings.BASE_DIR,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _wait_for_batches(more_than: int) -> None:
    deadline = time.monotonic() + 30
    while count("staging_process_log") <= more_than:
        assert time.monotonic() < deadline, "The other process recorded nothing within 30 seconds."
        time.sleep(0.01)


@pytest.mark.django_db(transaction=True)
def test_killing_the_ingestion_neither_loses_nor_doubles_a_row() -> None:
    print(f"FAULT_SEED={SEED}")
    chance = random.Random(SEED)
    prepare_staging()
    distinct = stage_many(ROWS, duplicate_every=20)

    for _ in range(KILLS):
        batches_before = count("staging_process_log")
        process = _ingestion_in_another_process()
        try:
            _wait_for_batches(batches_before)
            time.sleep(chance.uniform(0, 0.15))
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        # At any moment: what is marked is what is accounted for.
        recorded, duplicates = count("payments"), count("staging_duplicate")
        assert count("payment_staging", "processed") >= recorded + duplicates

    assert 0 < count("payment_staging", "processed") < ROWS, "The kills came after all the work: use more rows."
    ingest(Pace(batch_size=1000, workers=2))

    assert count("payments") == count("payment_references") == count("outbox_event") == distinct
    assert count("staging_duplicate") == ROWS - distinct
    assert count("payment_staging", "processed is not true") == 0
    with connection.cursor() as cursor:
        cursor.execute("select sum(total_records) from staging_process_log where status = 'completed'")
        assert cursor.fetchone() == (ROWS,)
