"""Which payment methods there are. Those of this folder are always there; an upper app registers its own at start."""

from __future__ import annotations

from invoices.methods.card_on_invoice import CARD_ON_INVOICE
from invoices.methods.direct_pay import DIRECT_PAY
from invoices.methods.drawdown import DRAWDOWN
from invoices.methods.eft import EFT
from invoices.methods.internal import INTERNAL
from invoices.methods.journal_voucher import EJV
from invoices.methods.no_fee import NO_FEE
from invoices.methods.online_banking import ONLINE_BANKING
from invoices.methods.pad import PAD
from invoices.methods.protocol import PaymentMethod
from kernel.errors import FieldError, Refused


class UnknownMethod(Refused):
    """There is no payment method of this code."""

    code = "unknown-payment-method"
    title = "Payment method unknown"
    next_step = "Use one of the codes that GET /api/v1/codes/payment-methods lists."


_methods: dict[str, PaymentMethod] = {}


def register_method(method: PaymentMethod) -> None:
    """Adds the method; called once per process, when its app is ready. The same code again replaces the earlier one."""
    _methods[method.code] = method


def find_method(code: str) -> PaymentMethod:
    """The method of this code. Raises UnknownMethod."""
    try:
        return _methods[code]
    except KeyError:
        message = f"There is no payment method {code[:20]}; there are: {', '.join(sorted(_methods))}."
        raise UnknownMethod(message, errors=(FieldError("paymentInfo.methodOfPayment", "unknown", message),)) from None


def all_methods() -> tuple[PaymentMethod, ...]:
    """In the order of their registration."""
    return tuple(_methods.values())


for method in (PAD, EJV, EFT, DIRECT_PAY, CARD_ON_INVOICE, ONLINE_BANKING, INTERNAL, DRAWDOWN, NO_FEE):
    register_method(method)
