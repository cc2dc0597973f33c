"""The limit of a webhook: pgbench runs the recording statement itself, prepared, with random references."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stand import DATABASE, Stand
from payments.partitioning import known_months
from payments.recorder import EVENT_SOURCE, record_notices_sql
from paymentsite.stack.binaries import DEBIAN_POSTGRES_FOLDER
from paymentsite.stack.postgres import SUPERUSER

CLIENTS = 32
REFERENCE = "'PGB-' || (:number)::text"
# No colon may stand in a literal: pgbench would take what follows for one of its variables.
METADATA = "jsonb_build_object('branch', 117, 'terminal', 'T5')"


@dataclass(frozen=True, slots=True)
class PgbenchRun:
    transactions: int
    rate: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    slowest_ms: float


def pgbench_program(stand: Stand) -> Path | None:
    """Of the server that runs, else of this machine; None when there is none."""
    named = shutil.which("pgbench")
    candidates = [stand.postgres.bin / "pgbench", *DEBIAN_POSTGRES_FOLDER.glob("*/bin/pgbench")]
    found = [path for path in (*candidates, *([Path(named)] if named else [])) if path.exists()]
    return found[0] if found else None


def script() -> str:
    """Our statement with values in place of its parameters; only the reference differs between two executions."""
    digest = "ab" * 32
    values = {
        "at": "now()",
        "source": "'webhook'",
        "batch_id": "gen_random_uuid()",
        "months": f"'{known_months.ranges()}'",
        "payment_id": "gen_random_uuid()",
        "event_source": f"'{EVENT_SOURCE}'",
        "topic": "'payment.events'",
        "ledger_currency": "'CAD'",
        "reference_number": REFERENCE,
        "loan_account_number": "'LN00004711'",
        "cif": "'CIF0000815'",
        "amount": "120.50",
        "currency": "'CAD'",
        "payment_date": "now() - interval '2 hours'",
        "payment_channel": "'online-banking'",
        "metadata": METADATA,
        "source_row_id": "null",
        "channel_slug": "'generic'",
        "receipt_key": REFERENCE,
        "body_digest": f"'{digest}'",
        "source_address": "'127.0.0.1'",
        "request_id": "'0190-bench'",
        "elapsed_ms": "1.5",
    }
    statement = re.sub(r"%\((\w+)\)s", lambda match: f"({values[match[1]]})", record_notices_sql(is_shared=False))
    return "\\set number random(1, 1000000000000000)\n" + statement.replace("%%", "%").replace("\n", " ") + ";\n"


def latency_ms(line: str) -> float:
    """Of a line of its log, whose third column is the time in us; with a rate it counts from when it was due."""
    return int(line.split()[2]) / 1000


def run_pgbench(
    program: Path, stand: Stand, *, transactions: int, rate: int | None = None, clients: int = CLIENTS
) -> PgbenchRun:
    """Each client its share of the transactions; latencies from its log of every one of them.

    With a rate, so many begin in a second, and a latency counts from the moment at which its transaction was due.
    """
    folder = stand.folder / "pgbench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    (folder / "script.sql").write_text(script())
    clients = min(clients, transactions)
    command = [
        *(program, "-n", "-M", "prepared", "-f", folder / "script.sql", "--log"),
        *("-c", clients, "-j", 1, "-t", transactions // clients),
        *(("-R", rate) if rate else ()),
        *("-h", stand.run_folder, "-U", SUPERUSER, DATABASE),
    ]
    done = subprocess.run(list(map(str, command)), cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"pgbench failed: {done.stderr[-2000:]}")
    achieved = re.search(r"tps = ([\d.]+)", done.stdout)
    assert achieved is not None, done.stdout
    times = sorted(latency_ms(line) for log in folder.glob("pgbench_log.*") for line in log.read_text().splitlines())
    assert len(times) == transactions // clients * clients
    p50, p95, p99 = (times[min(int(len(times) * share), len(times) - 1)] for share in (0.5, 0.95, 0.99))
    return PgbenchRun(len(times), float(achieved[1]), p50, p95, p99, times[-1])
