"""How large a run of the benchmarks is."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Size:
    """Staged rows and payments that are there already; webhook requests after those of the warm-up; repetitions."""

    staged_rows: int
    existing_payments: int
    requests: int
    warm_up_requests: int
    repetitions: int
    # memory: webhook requests and staged rows; coldstart and steadyrate: requests a second, and seconds of the latter.
    memory_requests: int
    memory_rows: int
    rate: int
    seconds: int
    # growth: payments that are there already when there are many; bulkcreate: staged rows; relay: events that wait;
    # retention: payments of a month.
    many_payments: int
    bulk_rows: int
    waiting_events: int
    month_rows: int
    # invoicing: invoices that are there already, and made; rendering: invoices exported.
    many_invoices: int
    made_invoices: int
    exported_invoices: int

    def with_repetitions(self, repetitions: int | None) -> Size:
        return replace(self, repetitions=repetitions) if repetitions else self


SIZES = {
    "full": Size(
        200_000,
        100_000,
        20_000,
        1_000,
        5,
        100_000,
        1_000_000,
        1_000,
        60,
        5_000_000,
        100_000,
        200_000,
        424_000,
        1_000_000,
        2_000,
        60_000,
    ),
    "quick": Size(
        50_000,
        20_000,
        6_000,
        500,
        2,
        20_000,
        100_000,
        1_000,
        15,
        500_000,
        20_000,
        50_000,
        100_000,
        100_000,
        500,
        20_000,
    ),
    "smoke": Size(2_000, 500, 400, 50, 1, 400, 5_000, 100, 2, 5_000, 2_000, 2_000, 1_000, 2_000, 20, 500),
}
