"""The receipt as a PDF. Pure: the same facts give the same bytes, today and next year."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from functools import lru_cache
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from invoices.documents.facts import ReceiptFacts

REGULAR, BOLD = "Vera", "VeraBd"
INK, QUIET, RULE = colors.HexColor("#1b1f24"), colors.HexColor("#5b6470"), colors.HexColor("#c9ced6")
MARGIN = 20 * mm
WIDTH = letter[0] - 2 * MARGIN


def receipt_pdf(facts: ReceiptFacts) -> bytes:
    """The receipt, on as many pages of letter size as it needs."""
    _register_fonts()
    out = BytesIO()
    document = SimpleDocTemplate(
        out,
        pagesize=letter,
        leftMargin=MARGIN,
        rightMargin=MARGIN,
        topMargin=MARGIN,
        bottomMargin=MARGIN,
        title=f"Receipt of invoice {dict(facts.heading)['Invoice']}",
        author="paymentsite",
        lang="en-CA",
        # Neither the clock nor chance gets into the file.
        invariant=1,
    )
    document.build(_story(facts), onFirstPage=_foot, onLaterPages=_foot)
    return out.getvalue()


def _story(facts: ReceiptFacts) -> list[Flowable]:
    return [
        Paragraph("Receipt", _style(20, bold=True, leading=26)),
        Paragraph(_text(facts.title), _style(11, colour=QUIET, leading=16)),
        Spacer(1, 6 * mm),
        _pairs(facts.heading + facts.details),
        Spacer(1, 6 * mm),
        _lines(facts),
        Spacer(1, 6 * mm),
        _payments(facts),
    ]


def _pairs(pairs: tuple[tuple[str, str], ...]) -> Flowable:
    label, value = _style(9, colour=QUIET), _style(9)
    rows = [[Paragraph(_text(name), label), Paragraph(_text(text), value)] for name, text in pairs]
    return _table(rows, [40 * mm, WIDTH - 40 * mm], [("BOTTOMPADDING", (0, 0), (-1, -1), 2)])


def _lines(facts: ReceiptFacts) -> Flowable:
    left, right = _style(9), _style(9, right=True)
    head, head_right = _style(8.5, colour=QUIET), _style(8.5, colour=QUIET, right=True)
    rows: list[list[Any]] = [
        [Paragraph("Item", head), *(Paragraph(name, head_right) for name in ("Quantity", "Fees", "GST"))]
    ]
    for line in facts.lines:
        cells = (str(line.quantity), _money(line.fees), _money(line.gst))
        rows.append([Paragraph(_text(line.description), left), *(Paragraph(cell, right) for cell in cells)])
    if facts.service_fees:
        cells = ("1", _money(facts.service_fees), _money(facts.service_gst))
        rows.append([Paragraph("Service fee", left), *(Paragraph(cell, right) for cell in cells)])
    sums = [("GST included", facts.gst), ("Total", facts.total), ("Paid", facts.paid)]
    if facts.given_back:
        sums.append(("Given back since", facts.given_back))
    first_sum = len(rows)
    for name, amount in sums:
        style = _style(10, bold=name == "Total"), _style(10, bold=name == "Total", right=True)
        rows.append([Paragraph(name, style[0]), "", "", Paragraph(f"{_money(amount)} {facts.currency}", style[1])])
    ruled = [
        ("LINEBELOW", (0, 0), (-1, 0), 0.6, RULE),
        ("LINEABOVE", (0, first_sum), (-1, first_sum), 0.6, RULE),
        *((("SPAN", (0, row), (1, row))) for row in range(first_sum, len(rows))),
        *((("SPAN", (2, row), (3, row))) for row in range(first_sum, len(rows))),
    ]
    for row in range(first_sum, len(rows)):
        rows[row][2], rows[row][3] = rows[row][3], ""
    return _table(rows, [WIDTH - 90 * mm, 24 * mm, 33 * mm, 33 * mm], ruled, repeats=1)


def _payments(facts: ReceiptFacts) -> Flowable:
    left, right = _style(9), _style(9, right=True)
    head, head_right = _style(8.5, colour=QUIET), _style(8.5, colour=QUIET, right=True)
    rows: list[list[Any]] = [
        [*(Paragraph(name, head) for name in ("Receipt number", "Date", "By")), Paragraph("Amount", head_right)]
    ]
    for payment in facts.payments:
        texts = (payment.number, payment.date, payment.source)
        amount = Paragraph(f"{_money(payment.amount)} {facts.currency}", right)
        rows.append([*(Paragraph(_text(text), left) for text in texts), amount])
    ruled = [("LINEBELOW", (0, 0), (-1, 0), 0.6, RULE)]
    return _table(rows, [WIDTH - 120 * mm, 48 * mm, 32 * mm, 40 * mm], ruled, repeats=1)


def _table(rows: list[list[Any]], widths: list[float], ruled: list[Any], *, repeats: int = 0) -> Flowable:
    plain = [("VALIGN", (0, 0), (-1, -1), "TOP"), ("LEFTPADDING", (0, 0), (-1, -1), 0)]
    plain += [("RIGHTPADDING", (0, 0), (-1, -1), 0)]
    table = Table(rows, colWidths=widths, repeatRows=repeats)
    table.setStyle(TableStyle([*plain, *ruled]))
    return table


def _foot(canvas: Any, document: Any) -> None:
    canvas.saveState()
    canvas.setFont(REGULAR, 8)
    canvas.setFillColor(QUIET)
    canvas.drawRightString(letter[0] - MARGIN, 12 * mm, f"Page {document.page}")
    canvas.restoreState()


def _style(
    size: float, *, bold: bool = False, right: bool = False, colour: Any = INK, leading: float = 0
) -> ParagraphStyle:
    return ParagraphStyle(
        "text",
        fontName=BOLD if bold else REGULAR,
        fontSize=size,
        leading=leading or size * 1.35,
        textColor=colour,
        splitLongWords=1,
        **({"alignment": TA_RIGHT} if right else {}),
    )


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"


def _text(text: str) -> str:
    # What a partner sent is text, never markup of ours.
    return escape("".join(_drawn(letter) for letter in unicodedata.normalize("NFC", text)))


def _drawn(letter: str) -> str:
    """The letter, or else the nearest that the font has: without marks and flourishes; `?` where nothing is near."""
    if not letter.isprintable():
        return " "
    has = pdfmetrics.getFont(REGULAR).face.charToGlyph
    if ord(letter) in has or unicodedata.combining(letter):
        return letter if ord(letter) in has else ""
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if ord(part) in has) or "?"


@lru_cache(maxsize=1)
def _register_fonts() -> None:
    for name in (REGULAR, BOLD):
        pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
