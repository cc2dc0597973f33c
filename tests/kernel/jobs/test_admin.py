from __future__ import annotations

import pytest
from django.utils import timezone

from kernel.jobs.models import JobRun
from kernel.jobs.states import JobStatus
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)


def test_only_a_run_that_has_not_ended_offers_to_be_cancelled() -> None:
    now = timezone.now()
    runs = {
        status: JobRun.objects.create(
            name=f"job {status}", requested_by="t", status=status, status_since=now, queued_at=now, heartbeat_at=now
        )
        for status in JobStatus
    }
    page = signed_in("operator").get("/admin/jobs/jobrun/").content.decode()
    offered = {status for status, run in runs.items() if f"/admin/jobs/jobrun/{run.pk}/cancel" in page}
    assert offered == {JobStatus.QUEUED, JobStatus.RUNNING}


def test_who_may_not_cancel_is_offered_it_nowhere() -> None:
    now = timezone.now()
    JobRun.objects.create(name="a job", requested_by="t", status="queued", status_since=now, queued_at=now)
    assert "/cancel" not in signed_in("viewer").get("/admin/jobs/jobrun/").content.decode()
