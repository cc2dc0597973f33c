"""What makes an incoming payment recordable: one list of rules, in SQL for staged rows and in words for everybody.

Webhooks and manual entry check the same rules in notices.py, under the same codes.
"""

from __future__ import annotations

from dataclasses import dataclass

REFERENCE_MAX_LENGTH = 255
ACCOUNT_MAX_LENGTH = 20
CHANNEL_MAX_LENGTH = 100
METADATA_MAX_BYTES = 64 * 1024
AMOUNT_MAX = "9999999999999.99"

# Control characters, and those that are not seen or look like a blank: zero-width and direction marks, fillers,
# variation selectors, tags, no-break and other wide or narrow blanks. Two references that look alike must be alike.
INVISIBLE = (
    r"[\u0001-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One way for a row to be wrong: a stable code, the field, what to do, and the SQL that is true when it is."""

    code: str
    field: str
    message: str
    is_broken_sql: str


def _text_rules(field: str, label: str, max_length: int) -> list[Rule]:
    return [
        Rule(f"{field}_missing", field, f"Give the {label}.", f"coalesce({field}, '') = ''"),
        Rule(
            f"{field}_too_long",
            field,
            f"The {label} has at most {max_length} characters.",
            f"coalesce(char_length({field}) > {max_length}, false)",
        ),
        Rule(
            f"{field}_invisible_character",
            field,
            f"The {label} must not hold control or invisible characters.",
            f"coalesce({field} ~ '{INVISIBLE}', false)",
        ),
    ]


RULES: tuple[Rule, ...] = (
    *_text_rules("reference_number", "reference number", REFERENCE_MAX_LENGTH),
    *_text_rules("loan_account_number", "loan account number", ACCOUNT_MAX_LENGTH),
    *_text_rules("cif", "CIF", ACCOUNT_MAX_LENGTH),
    Rule(
        "amount_not_a_number",
        "amount",
        "The amount must be a number.",
        "coalesce(amount in ('NaN', 'Infinity', '-Infinity'), true)",
    ),
    Rule(
        "amount_not_positive",
        "amount",
        "The amount must be more than zero; a reversal is recorded as such, not as a negative payment.",
        "coalesce(amount <= 0 and amount <> '-Infinity', false)",
    ),
    Rule(
        "amount_too_large",
        "amount",
        f"The amount is at most {AMOUNT_MAX}.",
        f"coalesce(amount > {AMOUNT_MAX} and amount not in ('NaN', 'Infinity'), false)",
    ),
    Rule(
        "amount_too_precise",
        "amount",
        "The amount has more decimals than its currency.",
        "coalesce(amount not in ('NaN', 'Infinity', '-Infinity') "
        "and amount <> trunc(amount, %(currency_exponent)s::int), false)",
    ),
    Rule(
        "payment_date_missing",
        "payment_date",
        "Give the date and time of the payment.",
        "payment_date is null",
    ),
    Rule(
        "payment_date_too_old",
        "payment_date",
        "The payment is older than the platform accepts. Check the date; the limit is a setting of the platform.",
        "coalesce(payment_date < %(oldest)s::timestamptz, false)",
    ),
    Rule(
        "payment_date_in_future",
        "payment_date",
        "The payment lies in the future. Check the date and its zone; the limit is a setting of the platform.",
        "coalesce(payment_date > %(newest)s::timestamptz, false)",
    ),
    Rule(
        "payment_channel_too_long",
        "payment_channel",
        f"The channel has at most {CHANNEL_MAX_LENGTH} characters.",
        f"coalesce(char_length(payment_channel) > {CHANNEL_MAX_LENGTH}, false)",
    ),
    Rule(
        "metadata_not_an_object",
        "metadata",
        "The metadata must be a JSON object.",
        "coalesce(jsonb_typeof(metadata) <> 'object', false)",
    ),
    Rule(
        "metadata_too_large",
        "metadata",
        f"The metadata has at most {METADATA_MAX_BYTES} bytes.",
        f"coalesce(pg_column_size(metadata) > {METADATA_MAX_BYTES}, false)",
    ),
    # Not found by SQL: said of lines that never reach the staging table, and of rows that the database refuses.
    Rule("not_storable", "", "The database refused the row; the raw content says what it holds.", "false"),
    Rule("line_malformed", "", "The line has another number of columns than the header.", "false"),
    Rule("metadata_not_json", "metadata", "The metadata must be JSON.", "false"),
    Rule(
        "payment_date_not_a_moment",
        "payment_date",
        "Give date and time, such as 2026-03-31 14:05:00.",
        "false",
    ),
)

RULE_BY_CODE = {rule.code: rule for rule in RULES}

_IN_SQL = tuple(rule for rule in RULES if rule.is_broken_sql != "false")

_TEXTS = ("reference_number", "loan_account_number", "cif")
# One search for invisible characters in all three texts; a text that is null is refused as missing.
_ANY_INVISIBLE = f"coalesce(({' || '.join(_TEXTS)}) ~ '{INVISIBLE}', false)"
_BROKEN_SQL = [rule.is_broken_sql for rule in _IN_SQL if not rule.code.endswith("_invisible_character")]

ACCEPTABLE_SQL = "not (" + "\n            or ".join(f"({sql})" for sql in [*_BROKEN_SQL, _ANY_INVISIBLE]) + ")"
REASONS_SQL = (
    "array_remove(array["
    + ", ".join(f"case when {rule.is_broken_sql} then '{rule.code}' end" for rule in _IN_SQL)
    + "]::text[], null)"
)


def reason_sentences(codes: list[str]) -> list[str]:
    """The sentence of each code, in the order given; a code that is not known any more stands for itself."""
    return [RULE_BY_CODE[code].message if code in RULE_BY_CODE else code for code in codes]
