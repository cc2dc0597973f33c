"""O1: the relay beside a loop that only reads and sends, beside the ingestion that feeds it, and its latency."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from confluent_kafka import Message, Producer
from django.conf import settings
from psycopg.rows import class_row

from benchmarks.arrivals import ANSWER_SECONDS, Arrivals, count_arrived
from benchmarks.figures import at_most, rates, spread, table, verdict
from benchmarks.notices import signed_requests
from benchmarks.openloop import begin_sending
from benchmarks.signedchannel import SignedChannel
from benchmarks.sizes import Size
from benchmarks.stagedrows import count, counted, duplicates_in
from benchmarks.stand import Stand
from benchmarks.timing import Timed, timed
from benchmarks.webserver import WebServer
from kernel.outbox.kafka import PRODUCER_SETTINGS
from kernel.outbox.messages import headers_of
from kernel.outbox.queue import QueuedEvent
from kernel.outbox.relay import Relay
from kernel.outbox.wakeup import wake_relay
from payments.ingestion import Pace, ingest
from payments.operations.staging import Chunk, record_chunk
from paymentsite.stack.composition import own_programs
from paymentsite.stack.kafka import EmbeddedBroker, write_address

BATCH = 5000
P99_MS = 1000
# The traffic while latency is measured: a batch of staged rows twice a second, and a fifth as many webhooks.
STAGED_EVERY_SECONDS = 0.5
STAGED_TO_WEBHOOKS = 5
CONNECTIONS = 16
NOTHING_IS_WRITTEN = """
select position, event_id, event_type, source, subject, topic, key, body, occurred_at, 0 as attempts,
    occurred_at as queued_at, false as is_replay
from outbox_event where position > %s order by position limit %s
"""


class RelayBenchmark:
    def __init__(self, stand: Stand, size: Size) -> None:
        self.stand = stand
        self.size = size
        self.events = size.waiting_events
        self.broker = EmbeddedBroker()
        # Where the relay looks for it, here and in a process of its own.
        write_address(settings.KAFKA_ADDRESS_FILE, self.broker.address)
        # What was recorded and never sent is what waits.
        self.channel = SignedChannel(stand, existing_payments=self.events, staged_rows=size.staged_rows)
        assert self.channel.before == (self.events,) * 4, self.channel.before

    def limit(self) -> Timed:
        """What reading and Kafka cost by themselves. As it is, it would lose what commits out of order."""
        self.stand.fresh_database()
        before = count_arrived(self.broker.address)
        confirmed: list[Message] = []
        producer = Producer(PRODUCER_SETTINGS | {"bootstrap.servers": self.broker.address, "log_level": 2})
        _connect(producer)
        done = timed(self.stand, lambda: self._only_send(producer, confirmed), units=self.events)
        arrived = count_arrived(self.broker.address) - before
        assert (len(confirmed), arrived) == (self.events, self.events), (len(confirmed), arrived)
        return done

    def ours(self) -> Timed:
        self.stand.fresh_database()
        before = count_arrived(self.broker.address)
        delivered: list[int] = []
        relay = Relay()
        _connect(relay._publisher._connected())
        done = timed(self.stand, lambda: delivered.append(relay.drain()), units=self.events)
        arrived = count_arrived(self.broker.address) - before
        assert (delivered, arrived) == ([self.events], self.events), (delivered, arrived)
        assert count("outbox_delivery") == 0
        return done

    def staging(self) -> Timed:
        """One worker of the ingestion, which makes events: what the relay has to keep up with."""
        self.stand.fresh_database()
        rows = self.size.staged_rows
        done = timed(self.stand, lambda: ingest(Pace(batch_size=BATCH)), units=rows)
        expected = tuple(number + rows - duplicates_in(rows) for number in self.channel.before)
        assert counted() == expected, (counted(), expected)
        return done

    def latencies(self) -> dict[str, list[float]]:
        """With the relay's own process, while webhooks and staged rows come in; each event arrives exactly once."""
        self.stand.fresh_database()
        with self.stand.connect() as session:
            session.execute("truncate outbox_delivery")
        count_webhooks = max(self.size.rate // STAGED_TO_WEBHOOKS, 1) * self.size.seconds
        signed = signed_requests(count_webhooks, secret=self.channel.secret, port=settings.PORT, label="o")
        with WebServer(settings.STATE), Arrivals(self.broker.address) as arrivals:
            relay = next(program for program in own_programs() if program.name == "relay").start()
            try:
                # The first batch waits for the process to start and to connect, which is not what is asked here.
                first = self._stage(after=0)
                arrivals.wait_for(first.recorded)
                arrivals.forget_latencies()
                sending = begin_sending(
                    signed.requests,
                    port=settings.PORT,
                    rate=count_webhooks / self.size.seconds,
                    connections=CONNECTIONS,
                    folder=self.stand.folder,
                )
                recorded = first.recorded + self._stage_in_steps(after=first.last_id)
                sent = sending.result()
                assert sum(sent.statuses.values()) == count_webhooks, sent.statuses
                assert sent.statuses[201] == signed.distinct, sent.statuses
                arrivals.wait_for(recorded + signed.distinct)
            finally:
                relay.ask_to_stop()
                relay.wait_until_stopped(seconds=10)
        assert arrivals.messages == len(arrivals.ids) == recorded + signed.distinct
        assert count("outbox_delivery") == 0
        return arrivals.by_source

    def _stage_in_steps(self, *, after: int) -> int:
        """Records a batch at every step, for as long as webhooks come; gives how many payments it made."""
        recorded = 0
        began = time.monotonic()
        for step in range(int(self.size.seconds / STAGED_EVERY_SECONDS)):
            time.sleep(max(began + step * STAGED_EVERY_SECONDS - time.monotonic(), 0))
            chunk = self._stage(after=after)
            recorded, after = recorded + chunk.recorded, chunk.last_id
        return recorded

    def _stage(self, *, after: int) -> Chunk:
        batch = int(self.size.rate * STAGED_EVERY_SECONDS)
        chunk = record_chunk(batch_size=batch, after_id=after, attempt=1, at=datetime.now(UTC))
        assert chunk is not None
        wake_relay()
        return chunk

    def _only_send(self, producer: Producer, confirmed: list[Message]) -> None:
        def note(error: object, message: Message) -> None:
            assert error is None, error
            confirmed.append(message)

        after = 0
        with self.stand.connect() as session, session.cursor(row_factory=class_row(QueuedEvent)) as cursor:
            while events := cursor.execute(NOTHING_IS_WRITTEN, [after, settings.KAFKA_BATCH_SIZE]).fetchall():
                for event in events:
                    body, key = event.body.encode(), event.key.encode()
                    producer.produce(event.topic, body, key, headers=headers_of(event), on_delivery=note)
                unconfirmed = producer.flush(ANSWER_SECONDS)
                assert unconfirmed == 0, unconfirmed
                after = events[-1].position


def _connect(producer: Producer) -> None:
    """A new producer takes up to half a second until it may send, whoever uses it."""
    producer.produce("benchmark.connected", b"")
    assert producer.flush(ANSWER_SECONDS) == 0


def measure(stand: Stand, size: Size) -> None:
    benchmark = RelayBenchmark(stand, size)
    limits: list[tuple[Timed, Timed]] = []
    ours: list[Timed] = []
    staging: list[Timed] = []
    for repetition in range(size.repetitions):
        first = benchmark.limit()
        ours.append(benchmark.ours())
        staging.append(benchmark.staging())
        limits.append((first, benchmark.limit()))
        print(
            f"relay, repetition {repetition + 1} of {size.repetitions}: {ours[-1].run.rate:,.0f} events/s, "
            f"limit {first.run.rate:,.0f}, staging {staging[-1].run.rate:,.0f} rows/s"
        )
    _report(size, limits, ours, staging)
    _report_latencies(size, benchmark.latencies())


def _report(size: Size, limits: list[tuple[Timed, Timed]], ours: list[Timed], staging: list[Timed]) -> None:
    means = [(first.run.rate + last.run.rate) / 2 for first, last in limits]
    both = [done for pair in limits for done in pair]

    def row(name: str, done: list[Timed]) -> list[str]:
        return _row(name, done, spread([each.run.rate / mean for each, mean in zip(done, means, strict=True)]))

    batch = settings.KAFKA_BATCH_SIZE
    print(f"\nRelay: {size.waiting_events:,} events, {batch} at a time, broker in memory, n = {size.repetitions}")
    print(
        table(
            ["", "events/s", "/ limit", "PostgreSQL CPU us/event", "relay and broker CPU us/event", "WAL bytes/event"],
            [
                _row("limit: read and send, nothing written", both, "1"),
                row("the relay", ours),
                row(f"ingestion, one worker (rows/s of {size.staged_rows:,})", staging),
            ],
        )
    )
    print()
    ratios = [done.run.rate / mean for done, mean in zip(ours, means, strict=True)]
    print(verdict("O1 relay / limit", 0.5, ratios, means))
    beside = [done.run.rate / fed.run.rate for done, fed in zip(ours, staging, strict=True)]
    print(verdict("O1 relay / ingestion", 1.5, beside, means))


def _report_latencies(size: Size, by_source: dict[str, list[float]]) -> None:
    webhooks = size.rate // STAGED_TO_WEBHOOKS
    print(f"\nFrom the door to a consumer: {size.rate:,} staged rows/s, {webhooks:,} webhooks/s, {size.seconds} s")
    shares = (0.5, 0.95, 0.99, 1.0)
    together = [latency for latencies in by_source.values() for latency in latencies]
    rows = [
        [name, f"{len(latencies):,}", *(f"{_percentile(latencies, share):.1f}" for share in shares)]
        for name, latencies in (*by_source.items(), ("together", together))
    ]
    print(table(["", "events", "p50 ms", "p95 ms", "p99 ms", "slowest ms"], rows))
    print()
    print(at_most("O1 recorded to read from the broker, p99", P99_MS, _percentile(together, 0.99), "ms") + "\n")


def _percentile(latencies: list[float], share: float) -> float:
    ordered = sorted(latencies)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _row(name: str, done: list[Timed], ratio: str) -> list[str]:
    return [
        name,
        rates([each.run for each in done]),
        ratio,
        spread([each.run.server_cpu_us for each in done], digits=1),
        spread([each.run.own_cpu_us for each in done], digits=1),
        spread([each.wal_per_row for each in done], digits=0),
    ]
