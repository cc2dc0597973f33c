"""The outside systems that the payment methods call: the card gateway and the prepaid mainframe."""

from invoices.gateways.card import (
    CardGateway,
    CardOrderState,
    CardOrderStatus,
    CardRefund,
    CardRefundRefused,
    CardRefundState,
    RefundLineState,
    RefundLineStatus,
)
from invoices.gateways.cardlink import (
    CardOrder,
    CardOrderInvalid,
    CardReturn,
    HashWrong,
    ItemRevenue,
    ReturnMalformed,
    RevenueLine,
    revenue_lines,
)
from invoices.gateways.configured import card_gateway, prepaid_gateway
from invoices.gateways.errors import GatewayDown, GatewayNotConfigured, GatewayRefused, OutcomeUnknown
from invoices.gateways.prepaid import (
    PrepaidDebit,
    PrepaidFundsInsufficient,
    PrepaidGateway,
    PrepaidReceipt,
    PrepaidRefused,
    PrepaidReversal,
)

__all__ = [
    "CardGateway",
    "CardOrder",
    "CardOrderInvalid",
    "CardOrderState",
    "CardOrderStatus",
    "CardRefund",
    "CardRefundRefused",
    "CardRefundState",
    "CardReturn",
    "GatewayDown",
    "GatewayNotConfigured",
    "GatewayRefused",
    "HashWrong",
    "ItemRevenue",
    "OutcomeUnknown",
    "PrepaidDebit",
    "PrepaidFundsInsufficient",
    "PrepaidGateway",
    "PrepaidReceipt",
    "PrepaidRefused",
    "PrepaidReversal",
    "RefundLineState",
    "RefundLineStatus",
    "ReturnMalformed",
    "RevenueLine",
    "card_gateway",
    "prepaid_gateway",
    "revenue_lines",
]
