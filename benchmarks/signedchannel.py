"""A template database with payments in it and one channel that anybody with its secret may post to without limit."""

from __future__ import annotations

from datetime import UTC, datetime

from benchmarks.stagedrows import counted, fill
from benchmarks.stand import Stand
from kernel.audit.actors import Actor
from payments.operations.channels import create_channel


class SignedChannel:
    """Makes the template at once. `secret` signs; `before` counts payments, references, events and deliveries."""

    def __init__(self, stand: Stand, *, existing_payments: int, staged_rows: int = 0) -> None:
        self.secret = ""
        self.before: tuple[int, ...] = ()

        def fill_all() -> None:
            fill(existing_payments=existing_payments, staged_rows=staged_rows)
            issued = create_channel(
                slug="generic",
                name="Benchmark",
                rate_limit_per_minute=2_000_000_000,
                actor=Actor.command("benchmarks"),
                at=datetime.now(UTC),
            )
            self.secret = issued.secret
            self.before = counted()

        stand.make_template(fill_all)
