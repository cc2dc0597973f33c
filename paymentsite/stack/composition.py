"""What runs: the embedded servers that nobody replaced by real ones, and our own programs, from the settings."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from paymentsite.stack.folders import StateFolder
from paymentsite.stack.kafka import BrokerProgram
from paymentsite.stack.postgres import PostgresServer
from paymentsite.stack.programs import OwnProgram, Program, WebProgram
from paymentsite.stack.valkey import ValkeyServer

WEB_THREADS = 8
JOB_THREADS = 4
MANAGE = "manage.py"
# The only worker need not look for others, which would cost a second at every connection.
ALONE = ("--without-gossip", "--without-mingle")


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


def own_programs() -> list[Program]:
    """Web, worker and relay, none of which waits for another; metrics only when it has a port."""
    programs: list[Program] = [
        WebProgram(
            _granian(),
            live_url=f"http://127.0.0.1:{settings.PORT}/health/live",
            host=settings.ALLOWED_HOSTS[0].replace("*", "localhost"),
            folder=settings.BASE_DIR,
            log_folder=settings.STATE.log_folder,
            environment=child_environment(),
        ),
        _own("worker", _celery("worker", "--pool=threads", f"--concurrency={JOB_THREADS}", *ALONE)),
        _own("relay", [MANAGE, "relay_outbox"]),
    ]
    if settings.METRICS_PORT:
        programs.append(_own("metrics", [MANAGE, "serve_metrics"]))
    return programs


def beat() -> Program:
    """Started last and stopped first, so that nothing is scheduled that nobody works on."""
    return _own("beat", _celery("beat", "--pidfile="), stop_seconds=2)


def child_environment() -> dict[str, str]:
    """What every process of ours is told on top of the caller's environment."""
    state: StateFolder = settings.STATE
    return {
        "DJANGO_SETTINGS_MODULE": "paymentsite.settings",
        "PAYMENTSITE_STATE": str(state.path),
        "PORT": str(settings.PORT),
        "PROMETHEUS_MULTIPROC_DIR": str(state.metrics_folder),
        "PYTHONUNBUFFERED": "1",
        # The embedded stack may run as root, where Celery would warn; its messages are JSON, never pickles.
        "C_FORCE_ROOT": "1",
    }


def _granian() -> list[str]:
    """One process with threads: the caches in memory and the pool of connections serve all requests alike."""
    listen = ("--interface", "wsgi", "--host", "127.0.0.1", "--port", str(settings.PORT))
    size = ("--workers", "1", "--blocking-threads", str(WEB_THREADS), "--workers-kill-timeout", "3")
    return ["-m", "granian", *listen, *size, "paymentsite.wsgi:application"]


def _celery(*arguments: str) -> list[str]:
    return ["-m", "celery", "-A", "paymentsite", *arguments, "--loglevel=INFO"]


def _own(name: str, arguments: list[str], *, stop_seconds: float = 4) -> OwnProgram:
    folder: Path = settings.BASE_DIR
    return OwnProgram(
        name,
        arguments,
        folder=folder,
        log_folder=settings.STATE.log_folder,
        environment=child_environment(),
        stop_seconds=stop_seconds,
    )
