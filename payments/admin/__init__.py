"""The admin of payments: one file a group of pages."""

from __future__ import annotations

from payments.admin.channels import ChannelAdmin, WebhookReceiptAdmin
from payments.admin.partitions import PartitionArchiveAdmin
from payments.admin.payments import PaymentAdmin
from payments.admin.reviews import ReferenceConflictAdmin, StagingRejectionAdmin
from payments.admin.staging import PaymentStagingAdmin, StagingDuplicateAdmin, StagingProcessLogAdmin

__all__ = [
    "ChannelAdmin",
    "PartitionArchiveAdmin",
    "PaymentAdmin",
    "PaymentStagingAdmin",
    "ReferenceConflictAdmin",
    "StagingDuplicateAdmin",
    "StagingProcessLogAdmin",
    "StagingRejectionAdmin",
    "WebhookReceiptAdmin",
]
