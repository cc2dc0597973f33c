"""Why a webhook request was refused: pure diagnosis. Keys come in, and only causes and sentences come out."""

from __future__ import annotations

from payments.signaturedoctor.causes import CAUSES, Certainty, Finding
from payments.signaturedoctor.diagnosis import Diagnosis, diagnose
from payments.signaturedoctor.given import GivenRequest, HeadersUnreadable, KnownChannel, KnownSecret, read_headers

__all__ = [
    "CAUSES",
    "Certainty",
    "Diagnosis",
    "Finding",
    "GivenRequest",
    "HeadersUnreadable",
    "KnownChannel",
    "KnownSecret",
    "diagnose",
    "read_headers",
]
