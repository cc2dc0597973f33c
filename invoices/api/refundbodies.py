"""The bodies of requests about refunds."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from invoices.api.fields import Amount, Body, Text, Whole
from invoices.operations.refundplans import RefundPart
from invoices.states import FeeType

MOST_PARTS = 500
LARGEST_ID = 2**63 - 1


class RefundRevenue(Body):
    paymentLineItemId = Whole(min_value=1, max_value=LARGEST_ID, help_text="The id of one of the invoice's lines.")
    refundAmount = Amount(help_text="How much of this part goes back.")
    refundType = serializers.ChoiceField(choices=[fee_type.value for fee_type in FeeType])


class RefundPreviewBody(Body):
    """What would go back: all that is left, or these parts."""

    # With many=True the options are those of the list, which the stubs do not know.
    refundRevenue = RefundRevenue(  # type: ignore[call-arg]
        many=True,
        required=False,
        allow_null=True,
        max_length=MOST_PARTS,
        help_text="The parts; all that is left when it is left out.",
    )


class RefundBody(RefundPreviewBody):
    """A request to give money back."""

    reason = Text(max_length=250, help_text="Why; whoever approves it decides by that.")
    notificationEmail = serializers.EmailField(
        required=False,
        allow_blank=True,
        default="",
        max_length=254,
        help_text="Kept with the refund; no mail is sent yet.",
    )
    staffComment = Text(max_length=1000, required=False)


class DecisionBody(Body):
    """What the second person or system says."""

    status = serializers.ChoiceField(choices=["APPROVED", "DECLINED"])
    declineReason = Text(max_length=1000, required=False, help_text="Needed when it is declined.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["status"] == "DECLINED" and not attrs["declineReason"]:
            raise serializers.ValidationError({"declineReason": "Say why it is declined."}, code="required")
        return attrs


def parts_of(asked: dict[str, Any]) -> list[RefundPart] | None:
    """The parts as they are planned; None for all that is left."""
    named = asked.get("refundRevenue")
    if named is None:
        return None
    return [RefundPart(part["paymentLineItemId"], FeeType(part["refundType"]), part["refundAmount"]) for part in named]
