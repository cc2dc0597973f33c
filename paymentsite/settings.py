"""Settings, all from the environment. docs/settings.md lists every variable with its default."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from console.site import UNFOLD  # noqa: F401 - how the console looks, read by django-unfold
from kernel.logs import logging_settings
from kernel.patience import patient_connection
from paymentsite.databases import behind_pooler, replica_of
from paymentsite.environment import Environment
from paymentsite.stack.folders import StateFolder, secret_from

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment()

# Where we are
MODE = env.choice("NODE_ENV", "development", ("development", "production", "test"))
STATE = StateFolder(env.folder("PAYMENTSITE_STATE", BASE_DIR / "var"))
PORT = env.integer("PORT", 3004, minimum=1, maximum=65535)
ROLE = env.choice("PAYMENTSITE_ROLE", "command", ("command", "web", "worker", "beat", "relay", "metrics"))
DEBUG = False
# Of the API's description and of what is written for later readers, such as archives.
SOFTWARE_VERSION = "1.0.0"
SECRET_KEY = env.optional_text("SECRET_KEY") or secret_from(STATE, "secret_key", mode=MODE)
# Newest first; the older keys only decrypt, so that a key can be changed without losing what it protected.
FIELD_ENCRYPTION_KEYS = env.encryption_keys("FIELD_ENCRYPTION_KEYS") or [
    secret_from(STATE, "field_encryption_key", mode=MODE)
]
ALLOWED_HOSTS = env.text("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]").split(",")
CSRF_TRUSTED_ORIGINS = [origin for origin in env.text("CSRF_TRUSTED_ORIGINS", "").split(",") if origin]
# Only a proxy that we run may say where a request came from; 0 means that nobody in front of us is believed.
TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", 0, maximum=10)

INSTALLED_APPS = [
    "console",
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "paymentsite.packages.ScheduleConfig",
    "paymentsite.packages.LoginGuardConfig",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "paymentsite",
    "invoices",
    "catalogue",
    "accounts",
    "payments",
    "kernel.audit",
    "kernel.outbox",
    "kernel.jobs",
    "kernel.approvals",
    "kernel.notes",
    "kernel.savedviews",
    "kernel.idempotency",
    "kernel.pruning",
    "kernel.fieldkeys",
    "kernel.invariants",
    "kernel.measurements",
]

MIDDLEWARE = [
    "kernel.requests.RequestContextMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "paymentsite.urls"
WSGI_APPLICATION = "paymentsite.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# PostgreSQL: DATABASE_URL, else the seed's DB_*, else the embedded server of the state folder.
DB_POOL_MIN = env.integer("DB_POOL_MIN", 10, minimum=0, maximum=1000)
DB_POOL_MAX = env.integer("DB_POOL_MAX", 50, minimum=1, maximum=1000)
# One of them is bound by Python's lock at about one core; each more takes its own memory, caches and pool.
WEB_PROCESSES = env.integer("WEB_PROCESSES", 1, minimum=1, maximum=64)
WEBHOOK_TIMEOUT_MS = env.integer("WEBHOOK_TIMEOUT_MS", 5000, minimum=100, maximum=60000)
READ_TIMEOUT_MS = env.integer("READ_TIMEOUT_MS", 5000, minimum=100, maximum=60000)
# Over TCP, a server whose machine or network is gone is noticed within half a minute; a unix socket needs none of it.
LOST_CONNECTION = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def database_settings() -> dict[str, Any]:
    """Django's connection settings, tuned for the hot paths: prepared statements, and a pool where threads share."""
    given = env.database_url("DATABASE_URL")
    if given is None and env.has("DB_HOST"):
        given = {
            "NAME": env.text("DB_DATABASE", "collectioncrm"),
            "USER": env.text("DB_USERNAME", "postgres"),
            "PASSWORD": env.text("DB_PASSWORD", ""),
            "HOST": env.text("DB_HOST", ""),
            "PORT": str(env.integer("DB_PORT", 5432, minimum=1, maximum=65535)),
            "OPTIONS": {},
        }
    if given is None:
        given = {"NAME": "paymentsite", "USER": "postgres", "HOST": str(STATE.postgres_socket_folder), "OPTIONS": {}}
    options = LOST_CONNECTION | given.pop("OPTIONS")  # type: ignore[operator]
    # Django switches psycopg's automatic preparation off; the recording statements need it (docs/performance.md).
    options |= {"prepare_threshold": 3, "server_side_binding": True, "connect_timeout": 5}
    options.setdefault("application_name", f"paymentsite-{ROLE}")
    settings: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", **given, "OPTIONS": options}
    if ROLE == "web":
        # A server that hangs is given up on our side, and then nobody waits for it before it answers again.
        settings["ENGINE"] = "kernel.postgresql"
        options["pool"] = {
            "connection_class": patient_connection(
                longest_seconds=max(WEBHOOK_TIMEOUT_MS, READ_TIMEOUT_MS) / 1000 + 1,
            ),
            "min_size": DB_POOL_MIN,
            "max_size": max(DB_POOL_MIN, DB_POOL_MAX),
            # Half of a webhook's time at the most goes by in the queue for a connection.
            "timeout": WEBHOOK_TIMEOUT_MS / 2000,
            # Attempts grow further and further apart; given up early, the next request begins anew with a quick one.
            # Otherwise a database that was away for minutes would be missed for a minute more after its return.
            "reconnect_timeout": 5,
        }
        # Set with the connection, so that it costs a webhook no round trip. A page of the console that takes as long is
        # broken too; wide searches set their own limit (kernel/reading.py), and long work belongs to the workers.
        limit = f"-c statement_timeout={WEBHOOK_TIMEOUT_MS}"
        options["options"] = f"{options['options']} {limit}" if "options" in options else limit
    else:
        settings |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True}
    return settings


DATABASE_IS_EMBEDDED = not (env.has("DATABASE_URL") or env.has("DB_HOST"))
_primary = database_settings()
DATABASES = {"default": behind_pooler(_primary, env, role=ROLE), **replica_of(_primary, env)}
DATABASE_ROUTERS = ["kernel.replicas.ReadRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Redis (Valkey): REDIS_URL, else the seed's REDIS_HOST and REDIS_PORT, else the embedded server's socket.
REDIS_IS_EMBEDDED = not (env.has("REDIS_URL") or env.has("REDIS_HOST"))
if env.has("REDIS_URL"):
    REDIS_URL = env.text("REDIS_URL", "")
elif env.has("REDIS_HOST"):
    REDIS_URL = f"redis://{env.text('REDIS_HOST', '')}:{env.integer('REDIS_PORT', 6379, minimum=1, maximum=65535)}/0"
else:
    REDIS_URL = f"unix://{STATE.valkey_socket}"
REDIS_TTL_SECONDS = env.integer("REDIS_TTL_SECONDS", 86400, minimum=1)

# Kafka: KAFKA_BROKERS, else the embedded broker, whose address is in a file of the state folder.
KAFKA_BROKERS = env.addresses("KAFKA_BROKERS")
KAFKA_IS_EMBEDDED = KAFKA_BROKERS is None
KAFKA_ADDRESS_FILE = STATE.kafka_address_file
KAFKA_TOPIC = env.text("KAFKA_TOPIC", "payment.events")
KAFKA_CLIENT_ID = env.text("KAFKA_CLIENT_ID", "payment-service")
KAFKA_BATCH_SIZE = env.integer("KAFKA_BATCH_SIZE", 500, minimum=1, maximum=10000)

# Recording
LEDGER_ZONE = env.time_zone("LEDGER_TIME_ZONE", "America/Vancouver")
LEDGER_CURRENCY = env.currency("LEDGER_CURRENCY", "CAD")
STAGING_TABLE = env.table_name("STAGING_TABLE", "payment_staging")
STAGING_ZONE = env.time_zone("STAGING_TIME_ZONE", "UTC")
STAGING_CURRENCY = env.currency("STAGING_CURRENCY", LEDGER_CURRENCY)
STAGING_BATCH_SIZE = env.integer("STAGING_BATCH_SIZE", 1000, minimum=1, maximum=50000)
STAGING_INTERVAL_SECONDS = env.integer("STAGING_INTERVAL_SECONDS", 30, minimum=1, maximum=86400)
STAGING_MAX_RETRIES = env.integer("STAGING_MAX_RETRIES", 3, minimum=0, maximum=20)
PAYMENT_MAX_AGE_YEARS = env.integer("PAYMENT_MAX_AGE_YEARS", 10, minimum=1, maximum=100)
PAYMENT_MAX_FUTURE_HOURS = env.integer("PAYMENT_MAX_FUTURE_HOURS", 24, minimum=0, maximum=24 * 366)
PARTITION_MONTHS_AHEAD = env.integer("PARTITION_MONTHS_AHEAD", 3, minimum=1, maximum=24)
PARTITION_RETENTION_MONTHS = env.integer("PARTITION_RETENTION_MONTHS", 12, minimum=1, maximum=1200)
ARCHIVE_FOLDER = env.folder("ARCHIVE_FOLDER", STATE.path / "archives")
PARTITION_SPACE_LIMIT_MB = env.integer("PARTITION_SPACE_LIMIT_MB", 10240, minimum=1)
WEBHOOK_MAX_BODY_BYTES = env.integer("WEBHOOK_MAX_BODY_BYTES", 262144, minimum=1024, maximum=16 * 1024 * 1024)

# What is kept for how long; older rows are pruned once a day (docs/operations.md). A channel's clock tolerance is an
# hour at the most, so that no receipt goes while its request could be sent again.
WEBHOOK_RECEIPT_RETENTION_DAYS = env.integer("WEBHOOK_RECEIPT_RETENTION_DAYS", 90, minimum=7, maximum=36500)
PROCESS_LOG_RETENTION_DAYS = env.integer("PROCESS_LOG_RETENTION_DAYS", 400, minimum=30, maximum=36500)
REVIEW_RETENTION_DAYS = env.integer("REVIEW_RETENTION_DAYS", 2555, minimum=30, maximum=36500)
EVENT_RETENTION_DAYS = env.integer("EVENT_RETENTION_DAYS", 365, minimum=30, maximum=36500)
JOB_RUN_RETENTION_DAYS = env.integer("JOB_RUN_RETENTION_DAYS", 90, minimum=1, maximum=36500)
ACCESS_LOG_RETENTION_DAYS = env.integer("ACCESS_LOG_RETENTION_DAYS", 400, minimum=1, maximum=36500)
IDEMPOTENCY_RETENTION_DAYS = env.integer("IDEMPOTENCY_RETENTION_DAYS", 30, minimum=1, maximum=3660)
SESSION_RETENTION_DAYS = env.integer("SESSION_RETENTION_DAYS", 1, minimum=1, maximum=3660)

# De-duplication in front of the database. Redis is off by default: a probe of it costs as much as the primary key.
ENABLE_MEMORY_CACHE = env.boolean("ENABLE_MEMORY_CACHE", default=True)
MEMORY_CACHE_MAX_SIZE = env.integer("MEMORY_CACHE_MAX_SIZE", 10000, minimum=1, maximum=10_000_000)
ENABLE_REDIS_CACHE = env.boolean("ENABLE_REDIS_CACHE", default=False)
REFERENCE_CACHE_TTL_DAYS = env.integer("REFERENCE_CACHE_TTL_DAYS", 90, minimum=1, maximum=36500)

# The partner API. A repeat waits no longer than a statement may take; a second phase that has ended silently is gone on
# with after its lease.
IDEMPOTENCY_WAIT_MS = env.integer("IDEMPOTENCY_WAIT_MS", 2000, minimum=0, maximum=4000)
IDEMPOTENCY_LEASE_SECONDS = env.integer("IDEMPOTENCY_LEASE_SECONDS", 60, minimum=5, maximum=3600)
API_MAX_BODY_BYTES = env.integer("API_MAX_BODY_BYTES", 1_048_576, minimum=1024, maximum=16 * 1024 * 1024)
# An export holds a connection for as long as its reader takes.
EXPORT_TIMEOUT_MS = env.integer("EXPORT_TIMEOUT_MS", 300_000, minimum=1000, maximum=3_600_000)
EXPORTS_AT_ONCE = env.integer("EXPORTS_AT_ONCE", 5, minimum=1, maximum=1000)
API_RATE_LIMIT = env.integer("API_RATE_LIMIT", 1200, minimum=1, maximum=10_000_000)

# Accounts
PAD_CONFIRMATION_DAYS = env.integer("PAD_CONFIRMATION_DAYS", 3, minimum=0, maximum=60)

# Outside systems of the payment methods; unset and not in production, the simulators, whose address is in a file.
CARD_GATEWAY_URL = env.web_address("CARD_GATEWAY_URL", https_only=MODE == "production")
CARD_GATEWAY_API_KEY = env.optional_text("CARD_GATEWAY_API_KEY")
CARD_GATEWAY_SECRET = env.optional_text("CARD_GATEWAY_SECRET")
CARD_GATEWAY_TIMEOUT_MS = env.integer("CARD_GATEWAY_TIMEOUT_MS", 10000, minimum=100, maximum=60000)
PREPAID_GATEWAY_URL = env.web_address("PREPAID_GATEWAY_URL", https_only=MODE == "production")
PREPAID_GATEWAY_API_KEY = env.optional_text("PREPAID_GATEWAY_API_KEY")
PREPAID_GATEWAY_SECRET = env.optional_text("PREPAID_GATEWAY_SECRET")
PREPAID_GATEWAY_TIMEOUT_MS = env.integer("PREPAID_GATEWAY_TIMEOUT_MS", 10000, minimum=100, maximum=60000)
SIMULATORS_ADDRESS_FILE = STATE.simulators_address_file

# Invoices. Test and development may share one external ledger, so their numbers begin differently.
INVOICE_NUMBER_PREFIX = env.text(
    "INVOICE_NUMBER_PREFIX", {"production": "REG", "test": "REGT", "development": "REGUT"}[MODE]
)
# Below which payers reach us; unset, below the host that the API was asked under.
PUBLIC_URL = env.web_address("PUBLIC_URL", https_only=MODE == "production")
PAYMENT_LINK_DAYS = env.integer("PAYMENT_LINK_DAYS", 30, minimum=1, maximum=3660)

# Two people
APPROVAL_EXPIRY_HOURS = env.integer("APPROVAL_EXPIRY_HOURS", 72, minimum=1, maximum=24 * 30)

# Notes
NOTE_ATTACHMENT_MAX_BYTES = env.integer(
    "NOTE_ATTACHMENT_MAX_BYTES", 10 * 1024 * 1024, minimum=1024, maximum=50 * 1024 * 1024
)

# Monitoring
# A command answers on the screen; what it logs beside that is only worth a line when something is wrong.
LOG_LEVEL = env.choice(
    "LOG_LEVEL", "warning" if ROLE == "command" else "info", ("debug", "info", "warning", "warn", "error")
)
LOGGING = logging_settings(LOG_LEVEL, role=ROLE)
ENABLE_METRICS = env.boolean("ENABLE_METRICS", default=True)
METRICS_PORT = env.integer("METRICS_PORT", 0, minimum=0, maximum=65535)
METRICS_HOST = env.text("METRICS_HOST", "127.0.0.1")
METRICS_TOKEN = env.optional_text("METRICS_TOKEN")
MEASUREMENT_RETENTION_DAYS = env.integer("MEASUREMENT_RETENTION_DAYS", 14, minimum=1, maximum=3660)
# The rules that Prometheus reads are those that the console judges by.
ALERT_RULES = BASE_DIR / "deploy" / "prometheus" / "alerts.yml"

# Time and language
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-ca"
USE_I18N = True

# Static files: collected at start, served compressed by WhiteNoise with no web server in front.
STATIC_URL = "/static/"
STATIC_ROOT = STATE.static_folder
WHITENOISE_USE_FINDERS = MODE == "test"
STATICFILES_DIRS = [BASE_DIR / "static"] if (BASE_DIR / "static").is_dir() else []

# People
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("MinimumLengthValidator", "CommonPasswordValidator", "NumericPasswordValidator")
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AXES_FAILURE_LIMIT = env.integer("LOGIN_FAILURE_LIMIT", 10, minimum=1, maximum=1000)
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_ENABLE_ACCESS_FAILURE_LOG = True
# Its greeting would be the first line of every command.
AXES_VERBOSE = False
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_NAME = "paymentsite_" + hashlib.sha256(str(STATE.path).encode()).hexdigest()[:8]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.boolean("COOKIES_SECURE", default=MODE == "production")
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024

REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["accounts.authentication.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["kernel.restapi.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["kernel.restapi.ExactJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["kernel.restapi.ExactJSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["kernel.restapi.ClientRateLimit"],
    "DEFAULT_FILTER_BACKENDS": [],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "kernel.restapi.problem_response",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": True,
}

SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "paymentsite",
    "DESCRIPTION": (
        "Invoices quoted, created, paid and refunded by API key; payments received by signed webhooks and recorded "
        "exactly once. "
        "Errors are problem details (RFC 9457) with a stable code; [/problems/](/problems/) lists every code with its "
        "status, its meaning and what to do."
    ),
    "VERSION": SOFTWARE_VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PUBLIC": True,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "InvoiceStatus": "invoices.states.InvoiceStatus",
        "LineStatus": "invoices.states.LineStatus",
        "ReferenceStatus": "invoices.states.ReferenceStatus",
        "RefundStatus": "invoices.states.RefundStatus",
        "CardPaymentStatus": "invoices.states.AttemptStatus",
        "Decision": ["APPROVED", "DECLINED"],
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "paymentsite.openapi.add_plain_operations",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

# Celery. No result backend: what became of a job is in JobRun. Publishing never blocks a request for long.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
# Without results there are none to clean up; otherwise Celery puts a job for it among ours.
CELERY_RESULT_EXPIRES = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_TRANSPORT_OPTIONS = {"max_retries": 0, "socket_connect_timeout": 1}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
