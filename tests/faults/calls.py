"""What a process of the zygote does before it is killed: one webhook, one ingestion, one run of the relay."""

from __future__ import annotations

import io
import json
from typing import Any

from kernel.outbox.relay import AnotherRelayIsActive, Relay
from tests.faults.seam import Seam


def post_webhook(seam: Seam, *, body: str, headers: dict[str, str]) -> dict[str, Any]:
    """One request through the web process's own entry point, with its pool; gives the HTTP status and the body."""
    # Imported in the child: it opens the pool, whose threads and connections no copy would share.
    from paymentsite.wsgi import application

    content = body.encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/api/v1/payments/webhook",
        "SCRIPT_NAME": "",
        "QUERY_STRING": "",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(content),
        "wsgi.errors": io.StringIO(),
    } | {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    answered: list[int] = []
    seam.arm()
    chunks = application(environ, lambda status, *_: answered.append(int(status.split()[0])))
    return {"code": answered[0], "body": json.loads(b"".join(chunks))}


def ingest_staging(seam: Seam, *, batch_size: int) -> dict[str, Any]:
    """`manage.py ingest_staging --until-empty`, its job run included; gives what the command says."""
    from django.core.management import call_command

    said = io.StringIO()
    seam.arm()
    call_command("ingest_staging", batch_size=batch_size, until_empty=True, stdout=said)
    return {"said": said.getvalue()}


def relay_outbox(seam: Seam) -> dict[str, Any]:
    """`manage.py relay_outbox --until-empty`; delivered is None while the lock of a relay that died is still held."""
    seam.arm()
    try:
        return {"delivered": Relay().drain()}
    except AnotherRelayIsActive:
        return {"delivered": None}
