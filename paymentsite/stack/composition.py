"""What runs: the embedded servers that nobody replaced by real ones, and our own programs, from the settings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from paymentsite.stack.folders import StateFolder
from paymentsite.stack.kafka import BrokerProgram
from paymentsite.stack.postgres import PostgresServer
from paymentsite.stack.programs import OwnProgram, Program, WebProgram
from paymentsite.stack.simulators import ENTRY, SimulatorsProgram
from paymentsite.stack.valkey import ValkeyServer

# Most of them wait for a statement that they share (payments/operations/receiving.py): few would leave little to share.
WEB_THREADS = 32
JOB_THREADS = 4
MANAGE = "manage.py"
# What our programs have in common, for the copies of one process that has imported it. The WSGI module is not among
# them, because its import makes a web process ready.
SHARED_MODULES = (
    "paymentsite.urls",
    "paymentsite.monitoring.pool",
    "payments.webhooks.door",
    "payments.webhooks.startup",
    "payments.tasks",
    "kernel.outbox.management.commands.relay_outbox",
    "paymentsite.management.commands.run_worker",
    "celery.apps.worker",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "celery.app.log",
    "celery.backends.base",
    "celery.concurrency.thread",
    "celery.contrib.django.task",
    "celery.events.receiver",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.consumer",
    "celery.worker.consumer.delayed_delivery",
    "celery.worker.strategy",
    "django.contrib.sessions.backends.db",
    "django_celery_beat.schedulers",
    "granian.cli",
    "kombu.transport.redis",
    "psycopg_pool",
)


def embedded_servers() -> list[Program]:
    """In the order of their start."""
    state: StateFolder = settings.STATE
    servers: list[Program] = []
    if settings.DATABASE_IS_EMBEDDED:
        servers.append(
            PostgresServer(
                state.postgres_data,
                socket_folder=state.postgres_socket_folder,
                log=state.log_folder / "postgres.log",
            )
        )
    if settings.REDIS_IS_EMBEDDED:
        servers.append(
            ValkeyServer(state.valkey_data, socket_path=state.valkey_socket, log=state.log_folder / "valkey.log")
        )
    if settings.KAFKA_IS_EMBEDDED:
        servers.append(
            BrokerProgram(
                [MANAGE, "mockkafka"],
                address_file=state.kafka_address_file,
                folder=settings.BASE_DIR,
                log_folder=state.log_folder,
                environment=child_environment(),
            )
        )
    return servers


def own_programs(*, as_copies: bool = False) -> list[Program]:
    """Web, worker with beat, and relay, none of which waits for another; metrics only when it has a port.

    The simulators of the outside systems belong to them where nobody has named real ones, and are never a copy.

    With `as_copies` each begins as a copy of this process, which has called forking.share(SHARED_MODULES).
    """
    programs: list[Program] = [
        WebProgram(
            _granian(),
            live_url=f"http://127.0.0.1:{settings.PORT}/health/live",
            host=settings.ALLOWED_HOSTS[0].replace("*", "localhost"),
            folder=settings.BASE_DIR,
            log_folder=settings.STATE.log_folder,
            environment=child_environment(),
            as_copy=as_copies,
        ),
        _own("worker", [MANAGE, "run_worker", "--alone", "--with-beat", f"--threads={JOB_THREADS}"], as_copy=as_copies),
        _own("relay", [MANAGE, "relay_outbox"], as_copy=as_copies),
    ]
    if settings.METRICS_PORT:
        programs.append(_own("metrics", [MANAGE, "serve_metrics"], as_copy=as_copies))
    if simulators_are_wanted() and simulators_are_here():
        programs.append(
            SimulatorsProgram(
                address_file=settings.SIMULATORS_ADDRESS_FILE,
                folder=settings.BASE_DIR,
                log_folder=settings.STATE.log_folder,
                environment=child_environment(),
            )
        )
    return programs


def simulators_are_wanted() -> bool:
    """Not in production, and not where both outside systems are named by the settings."""
    is_named = bool(settings.CARD_GATEWAY_URL) and bool(settings.PREPAID_GATEWAY_URL)
    return settings.MODE != "production" and not is_named


def simulators_are_here() -> bool:
    """They come with a checkout; where only the product is, their payment methods are not available."""
    return (settings.BASE_DIR / ENTRY).is_file()


def child_environment() -> dict[str, str]:
    """What every process of ours is told on top of the caller's environment."""
    state: StateFolder = settings.STATE
    return {
        "DJANGO_SETTINGS_MODULE": "paymentsite.settings",
        "PAYMENTSITE_STATE": str(state.path),
        "PORT": str(settings.PORT),
        "PROMETHEUS_MULTIPROC_DIR": str(state.metrics_folder),
        "PYTHONUNBUFFERED": "1",
        # Each arena of the C library keeps what its threads gave back; eight threads would keep eight times as much.
        "MALLOC_ARENA_MAX": "2",
        # The embedded stack may run as root, where Celery would warn; its messages are JSON, never pickles.
        "C_FORCE_ROOT": "1",
        # Django's checks are made once, by the start.
        "CELERY_SKIP_CHECKS": "1",
    }


def _granian() -> list[str]:
    """WEB_PROCESSES with threads each: of one, the caches in memory and the pool of connections serve all alike."""
    listen = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(settings.PORT))
    size = ("--workers", str(settings.WEB_PROCESSES), "--blocking-threads", str(WEB_THREADS))
    stop = ("--workers-kill-timeout", "3")
    return ["-m", "granian", *listen, *size, *stop, "paymentsite.wsgi:application"]


def _own(name: str, arguments: list[str], *, as_copy: bool) -> OwnProgram:
    folder: Path = settings.BASE_DIR
    return OwnProgram(
        name,
        arguments,
        folder=folder,
        log_folder=settings.STATE.log_folder,
        environment=child_environment(),
        as_copy=as_copy,
    )
