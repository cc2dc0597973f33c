"""What is prunable of the parts of the kernel that know no pruning, and of the packages that bring tables."""

from __future__ import annotations

from kernel.pruning.registry import Prunable, register
from kernel.pruning.tables import TableRows

ACCESS_SETTING = "ACCESS_LOG_RETENTION_DAYS"

register(
    Prunable(
        "job-runs",
        "Job runs that have ended",
        "JOB_RUN_RETENTION_DAYS",
        TableRows("job_run", age="queued_at", condition="entry.finished_at < %(before)s"),
    )
)
for table, label in {
    "axes_accesslog": "Logins",
    "axes_accessfailurelog": "Failed logins",
    "axes_accessattempt": "Counts of failed logins",
}.items():
    register(
        Prunable(f"access-{table.removeprefix('axes_access')}", label, ACCESS_SETTING, TableRows(table, "attempt_time"))
    )
# Expired for as long as this: a session that has ended lets nobody in, and tells nothing.
register(
    Prunable(
        "sessions",
        "Sessions that have expired",
        "SESSION_RETENTION_DAYS",
        TableRows("django_session", age="expire_date", key="session_key"),
    )
)
