from django.db import migrations

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [("invoices", "0001_create_invoices")]

    operations = [
        TimeLimits(),
        migrations.AlterModelOptions(
            name="invoice",
            options={
                "default_permissions": ("view",),
                "permissions": [
                    ("cancel_invoice", "Can cancel an invoice"),
                    ("request_refund", "Can ask for a refund"),
                    ("approve_refund", "Can approve or decline a refund"),
                    ("record_manual_refund", "Can record a refund made outside"),
                    ("apply_credit", "Can apply a credit to an invoice"),
                    ("record_chargeback", "Can record a chargeback"),
                    ("convert_invoice", "Can change the method of an unpaid invoice"),
                    ("export_invoices", "Can export invoices"),
                    ("confirm_refund", "Can record that the outside confirmed or refused a refund"),
                    ("ask_outside", "Can ask the gateways what became of a payment"),
                ],
            },
        ),
    ]
