"""Amounts: Decimal with an ISO 4217 currency, exact or refused. A float never becomes money."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, Inexact, InvalidOperation, Overflow

from kernel.currencies import CURRENCY_EXPONENTS
from kernel.errors import FieldError, Refused

__all__ = ["CURRENCY_EXPONENTS", "LARGEST_AMOUNT", "AmountInvalid", "CurrencyMismatch", "Money", "parse_amount"]

# Every amount of ours is kept as numeric(15,2).
STORED_DECIMALS = 2
LARGEST_AMOUNT = Decimal("9999999999999.99")
LONGEST_TEXT = 64
# Sums are exact: a result that would have to be rounded raises, where the default context rounds in silence.
EXACT = Context(prec=64, rounding=ROUND_HALF_EVEN, traps=[InvalidOperation, Inexact, Overflow])
NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)
NOT_FINITE = re.compile(r"[+-]?(?:s?nan[0-9]*|inf(?:inity)?)", re.ASCII | re.IGNORECASE)


class AmountInvalid(Refused):
    """The amount cannot be used as it is written."""

    code = "amount-invalid"
    title = "Amount invalid"
    next_step = "Send the amount as a positive decimal number with no more decimals than its currency has."

    def __init__(self, reason: str, message: str, *, field: str = "amount") -> None:
        super().__init__(message, errors=(FieldError(field, reason, message),))
        self.reason = reason


class CurrencyMismatch(TypeError):
    """Amounts of two currencies were added, subtracted or compared: a defect of the caller."""


def decimals_of(currency: str) -> int:
    """How many decimals the currency has. Raises AmountInvalid for a code that ISO 4217 does not list."""
    try:
        return CURRENCY_EXPONENTS[currency]
    except KeyError:
        message = f"{currency[:8]!r} is not an active ISO 4217 currency code, such as CAD."
        raise AmountInvalid("currency-unknown", message, field="currency") from None


def parse_amount(value: object, currency: str, *, field: str = "amount", zero_allowed: bool = False) -> Decimal:
    """A positive amount from text, int or Decimal, with exactly the decimals that the currency is kept with.

    What counts is the value, not how it is written: 12.5, 12.50, 12.500 and 1.25e1 are one amount, 12.505 is refused
    where the currency has two decimals. Raises AmountInvalid, whose `reason` names what is wrong, and TypeError for a
    float, which can only come from code that has already lost the exact value.
    """
    amount = _number(value, field)
    if amount < 0 or (amount == 0 and not zero_allowed):
        raise AmountInvalid("not-positive", f"{field} is {_shown(amount)}: it should be more than zero.", field=field)
    if amount > LARGEST_AMOUNT:
        raise AmountInvalid("too-large", f"{field} should be at most {LARGEST_AMOUNT}.", field=field)
    decimals = min(decimals_of(currency), STORED_DECIMALS)
    try:
        return amount.copy_abs().quantize(Decimal(1).scaleb(-decimals), context=EXACT)
    except (Inexact, InvalidOperation):
        message = f"{field} has more decimals than the {decimals} that {currency} is kept with."
        raise AmountInvalid("too-many-decimals", message, field=field) from None


def _number(value: object, field: str) -> Decimal:
    if isinstance(value, float):
        raise TypeError("A float cannot become money: parse the number as Decimal.")
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        shape = "absent" if value is None else f"of the type {type(value).__name__}"
        raise AmountInvalid("not-a-number", f"{field} is {shape}: it should be a decimal number.", field=field)
    if isinstance(value, str):
        return _number_from_text(value, field)
    if isinstance(value, Decimal) and not value.is_finite():
        raise AmountInvalid("not-finite", f"{field} is {value}: it should be a finite number.", field=field)
    return Decimal(value)


def _number_from_text(text: str, field: str) -> Decimal:
    if NOT_FINITE.fullmatch(text):
        raise AmountInvalid("not-finite", f"{field} is {text[:16]}: it should be a finite number.", field=field)
    if len(text) > LONGEST_TEXT or not NUMBER.fullmatch(text):
        message = f"{field} should be digits with at most one decimal point, such as 125.50."
        raise AmountInvalid("not-a-number", message, field=field)
    try:
        # Only an exponent of absurd size can still fail here.
        return Decimal(text)
    except InvalidOperation:
        raise AmountInvalid("too-large", f"{field} should be at most {LARGEST_AMOUNT}.", field=field) from None


def _shown(amount: Decimal) -> str:
    return format(amount, "f") if -30 < amount.adjusted() < 30 else str(amount)


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount of one currency, of either sign. Arithmetic refuses another currency and never rounds."""

    amount: Decimal
    currency: str

    def __post_init__(self) -> None:
        if not isinstance(self.amount, Decimal):
            raise TypeError(f"An amount is a Decimal, not a value of the type {type(self.amount).__name__}.")
        if not self.amount.is_finite():
            raise AmountInvalid("not-finite", f"The amount is {self.amount}: it should be a finite number.")
        decimals_of(self.currency)

    @classmethod
    def zero(cls, currency: str) -> Money:
        return cls(Decimal(0), currency)

    @classmethod
    def parse(cls, value: object, currency: str, *, zero_allowed: bool = False) -> Money:
        """As `parse_amount`, with its errors."""
        return cls(parse_amount(value, currency, zero_allowed=zero_allowed), currency)

    @classmethod
    def total(cls, moneys: Iterable[Money], currency: str) -> Money:
        """The sum, zero when there is none. Raises CurrencyMismatch when one is of another currency."""
        total = cls.zero(currency)
        for money in moneys:
            total += money
        return total

    def quantize(self) -> Money:
        """Rounded half to even to the currency's own decimals: cents for CAD, whole yen for JPY."""
        unit = Decimal(1).scaleb(-decimals_of(self.currency))
        return Money(self.amount.quantize(unit, rounding=ROUND_HALF_EVEN, context=Context(prec=64)), self.currency)

    def __add__(self, other: Money) -> Money:
        return self._combined(other, EXACT.add)

    def __sub__(self, other: Money) -> Money:
        return self._combined(other, EXACT.subtract)

    def __mul__(self, factor: int | Decimal) -> Money:
        if isinstance(factor, bool) or not isinstance(factor, int | Decimal):
            return NotImplemented
        return Money(EXACT.multiply(self.amount, factor), self.currency)

    __rmul__ = __mul__

    def __neg__(self) -> Money:
        return Money(self.amount.copy_negate(), self.currency)

    def __abs__(self) -> Money:
        return Money(self.amount.copy_abs(), self.currency)

    def __bool__(self) -> bool:
        return self.amount != 0

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other).amount

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other).amount

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other).amount

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other).amount

    def __str__(self) -> str:
        return f"{_shown(self.amount)} {self.currency}"

    def _combined(self, other: Money, operation: Callable[[Decimal, Decimal], Decimal]) -> Money:
        return Money(operation(self.amount, self._same(other).amount), self.currency)

    def _same(self, other: Money) -> Money:
        if not isinstance(other, Money):
            raise TypeError(f"Money goes together with money only, not with a {type(other).__name__}.")
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self.currency} and {other.currency} cannot be put together.")
        return other
