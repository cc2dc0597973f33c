"""The web process's entry point."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "paymentsite.settings")
django_application = get_wsgi_application()

# Django has to be set up before anything of ours that has models is imported.
from payments.webhooks.door import in_front_of  # noqa: E402

application = in_front_of(django_application)

if settings.ROLE == "web":
    # After Django is set up, and before the server listens: the first request finds everything open and warm.
    from payments.webhooks.startup import prepare_or_retry
    from paymentsite.monitoring.pool import keep_sampling_pool
    from paymentsite.monitoring.sampler import keep_measuring

    prepare_or_retry(datetime.now(UTC))
    keep_sampling_pool()
    keep_measuring()
