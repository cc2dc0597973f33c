"""The part of PromQL in which our alert rules are written, as a tree. What else PromQL can say is refused by name."""

from __future__ import annotations

import re
from dataclasses import dataclass

AGGREGATIONS = frozenset({"sum", "max", "min", "count"})
FUNCTIONS = {"rate": 1, "increase": 1, "histogram_quantile": 2, "absent": 1}
COMPARISONS = (">=", "<=", "==", "!=", ">", "<")
# From the loosest to the tightest.
LEVELS = (("or",), ("and",), COMPARISONS, ("+", "-"), ("*", "/"))
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
TOKEN = re.compile(
    r"""\s*(?: (?P<number> (?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? )(?![a-zA-Z_])
             | (?P<name> [a-zA-Z_:][a-zA-Z0-9_:]* )
             | (?P<text> "(?:[^"\\]|\\.)*" )
             | (?P<range> \[ \s* \d+ [smhd] \s* \] )
             | (?P<sign> >=|<=|==|!=|=~|!~|[-+*/<>=(){},] ) )""",
    re.VERBOSE,
)


class NotOurPromql(ValueError):
    """The expression is no PromQL, or uses a part of it that we do not evaluate ourselves."""


@dataclass(frozen=True, slots=True)
class Number:
    value: float


@dataclass(frozen=True, slots=True)
class Selector:
    """Series of a name whose labels equal these; with range_seconds, their growth within that time."""

    name: str
    labels: tuple[tuple[str, str], ...]
    range_seconds: int | None


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Aggregation:
    operator: str
    by: tuple[str, ...]
    operand: Expression


@dataclass(frozen=True, slots=True)
class Operation:
    operator: str
    left: Expression
    right: Expression


Expression = Number | Selector | Call | Aggregation | Operation


def parse(text: str) -> Expression:
    """The expression as a tree. Raises NotOurPromql saying what was met."""
    parser = _Parser(_tokens(text), text)
    found = parser.operation(0)
    if parser.kind() != "end":
        raise parser.refusal()
    return found


def threshold_of(expression: Expression) -> tuple[str, float] | None:
    """The comparison with a number that decides, as (operator, number); of several, the first. None without one."""
    if not isinstance(expression, Operation):
        return None
    if expression.operator in COMPARISONS and isinstance(expression.right, Number):
        return expression.operator, expression.right.value
    return threshold_of(expression.left) or threshold_of(expression.right)


def range_of(expression: Expression) -> int:
    """The longest range in seconds that the expression looks back over; 0 when it looks at this instant alone."""
    match expression:
        case Selector(range_seconds=seconds):
            return seconds or 0
        case Call(arguments=parts):
            return max(range_of(part) for part in parts)
        case Aggregation(operand=operand):
            return range_of(operand)
        case Operation(left=left, right=right):
            return max(range_of(left), range_of(right))
    return 0


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, place = [], 0
    while text[place:].strip():
        found = TOKEN.match(text, place)
        if found is None:
            raise NotOurPromql(f"Not understood: {text[place:].strip()[:40]}")
        tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
        place = found.end()
    return [*tokens, ("end", "")]


class _Parser:
    """Reads tokens from the left, one level of binding a call."""

    def __init__(self, tokens: list[tuple[str, str]], text: str) -> None:
        self._tokens = tokens
        self._text = text
        self._place = 0

    def kind(self) -> str:
        return self._tokens[self._place][0]

    def word(self) -> str:
        return self._tokens[self._place][1]

    def refusal(self) -> NotOurPromql:
        return NotOurPromql(f"Not understood at {self.word() or 'its end'!r}: {self._text}")

    def operation(self, level: int) -> Expression:
        if level == len(LEVELS):
            return self._operand()
        left = self.operation(level + 1)
        while self.kind() in ("sign", "name") and self.word() in LEVELS[level]:
            operator = self._take()
            left = Operation(operator, left, self.operation(level + 1))
        return left

    def _operand(self) -> Expression:
        if self.kind() == "number":
            return Number(float(self._take()))
        if self.word() == "(":
            return self._in_brackets()
        if self.kind() != "name":
            raise self.refusal()
        name = self._take()
        if name in AGGREGATIONS:
            by = self._names() if self._took("by") else ()
            operand = self._in_brackets()
            return Aggregation(name, self._names() if not by and self._took("by") else by, operand)
        if self.word() == "(":
            return self._call(name)
        return self._selector(name)

    def _call(self, name: str) -> Call:
        if name not in FUNCTIONS:
            raise NotOurPromql(f"We do not evaluate {name}(): {self._text}")
        self._expect("(")
        arguments = [self.operation(0)]
        while self._took(","):
            arguments.append(self.operation(0))
        self._expect(")")
        if len(arguments) != FUNCTIONS[name]:
            raise NotOurPromql(f"{name}() takes {FUNCTIONS[name]} arguments: {self._text}")
        return Call(name, tuple(arguments))

    def _selector(self, name: str) -> Selector:
        labels = []
        if self._took("{"):
            while not self._took("}"):
                label = self._take()
                self._expect("=")
                if self.kind() != "text":
                    raise self.refusal()
                labels.append((label, self._take()[1:-1]))
                if not self._took(",") and self.word() != "}":
                    raise self.refusal()
        seconds = None
        if self.kind() == "range":
            length = self._take().strip("[] ")
            seconds = int(length[:-1]) * UNITS[length[-1]]
        return Selector(name, tuple(sorted(labels)), seconds)

    def _names(self) -> tuple[str, ...]:
        self._expect("(")
        names = [self._take()]
        while self._took(","):
            names.append(self._take())
        self._expect(")")
        return tuple(names)

    def _in_brackets(self) -> Expression:
        self._expect("(")
        found = self.operation(0)
        self._expect(")")
        return found

    def _take(self) -> str:
        if self.kind() == "end":
            raise self.refusal()
        self._place += 1
        return self._tokens[self._place - 1][1]

    def _took(self, word: str) -> bool:
        if self.word() != word or self.kind() == "text":
            return False
        self._place += 1
        return True

    def _expect(self, word: str) -> None:
        if not self._took(word):
            raise self.refusal()
