from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """Money received, as facts."""

    name = "payments"
    verbose_name = "Payments"
