"""The simulators as a process of their own, for tests: faults on demand, what they did, what they were asked."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

CHECKOUT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 30


class RunningSimulators:
    """A process between `start` and `stop`; its address file is what settings.SIMULATORS_ADDRESS_FILE may name."""

    def __init__(self, folder: Path, *, settle_seconds: float = 86400, believes_earlier: bool = False) -> None:
        """What is paid is not booked by itself within a test, only by `book`."""
        self.options = ["--believes-earlier"] if believes_earlier else []
        self.address_file = folder / "simulators.json"
        self.settle_seconds = settle_seconds

    def start(self) -> None:
        self._popen = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.simulators", "--port", "0"),
                *("--address-file", str(self.address_file), "--settle-seconds", str(self.settle_seconds)),
                *self.options,
            ],
            cwd=CHECKOUT,
        )
        deadline = time.monotonic() + START_SECONDS
        while not self.address_file.exists():
            if self._popen.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("The simulators did not start.")
            time.sleep(0.02)
        access = json.loads(self.address_file.read_text())
        self.url, self.api_key, self.secret = access["url"], access["api_key"], access["secret"]

    def stop(self) -> None:
        self._popen.terminate()
        self._popen.wait(10)

    def fault(self, system: str, fault: str, *, times: int | None = 1, code: str = "61", seconds: float = 2.0) -> None:
        """The next calls of `card` or `prepaid` go wrong so (faults.FAULTS); times=None: until `clear`."""
        asked = {"system": system, "fault": fault, "times": times, "code": code, "seconds": seconds}
        assert self._control("POST", "/faults", asked)[0] == 200

    def calls(self, system: str | None = None, *, method: str | None = None) -> list[dict[str, Any]]:
        """Every call since the last `clear`, the decisions on the payment page as method PAGE."""
        found = self._control("GET", "/calls")[1]["calls"]
        return [
            call
            for call in found
            if (system is None or call["system"] == system) and (method is None or call["method"] == method)
        ]

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._control("GET", "/books")[1]["orders"]
        return found

    def debits(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._control("GET", "/books")[1]["debits"]
        return found

    def book(self, reference: str, key: str, status: str, *, error: str = "") -> None:
        """Moves the booking of a card refund: INPRG, PAID, CMPLT, RJCT, DECLINED."""
        asked = {"reference": reference, "key": key, "status": status, "error": error}
        assert self._control("POST", "/card/booking", asked)[0] == 200

    def reverse(self, key: str) -> None:
        """The prepaid help desk gives a debit back."""
        assert self._control("POST", "/prepaid/reversals", {"key": key})[0] == 200

    def decide(self, link: str, *, pays: bool = True, timeout: float = 30) -> str:
        """What the payer's browser does with a payment link; the address that it is redirected to.

        Raises OSError when the gateway never answers.
        """
        url = urlsplit(link)
        connection = http.client.HTTPConnection(url.netloc, timeout=timeout)
        try:
            body = urlencode({"decision": "pay" if pays else "decline"})
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", f"{url.path}?{url.query}", body, headers)
            answer = connection.getresponse()
            assert answer.status == 303, answer.read()[:500]
            return answer.getheader("Location") or ""
        finally:
            connection.close()

    def clear(self) -> None:
        """Books, faults and log are as after the start; address and keys stay."""
        for path in ("/faults", "/calls", "/books"):
            assert self._control("DELETE", path)[0] == 200

    def _control(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=30)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()
