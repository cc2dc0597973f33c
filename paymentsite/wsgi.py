"""The web process's entry point."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")
django_application = get_wsgi_application()

# Django has to be set up before anything of ours that has models is imported.
from kernel.patience import patient_below  # noqa: E402
from payments.webhooks.door import PREFIX, in_front_of  # noqa: E402

# A fifth of a webhook's time is left for the queue in front of us and for the answer.
webhook_seconds = settings.WEBHOOK_TIMEOUT_MS / 1000 * 0.8
application = patient_below(PREFIX, in_front_of(django_application), seconds=webhook_seconds)

if settings.ROLE == "web":
    # After Django is set up, and before the server listens: the first request finds everything open and warm.
    from payments.webhooks.startup import prepare_or_retry
    from paymentsite.monitoring.pool import keep_sampling_pool
    from paymentsite.monitoring.sampler import keep_measuring

    prepare_or_retry(datetime.now(UTC))
    keep_sampling_pool()
    keep_measuring()
