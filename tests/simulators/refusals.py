"""How a simulated system says no."""

from __future__ import annotations


class Refusal(Exception):
    """Nothing was done: a status, a fault code and a sentence."""

    def __init__(self, fault: str, reason: str, *, status: int = 422) -> None:
        super().__init__(reason)
        self.status = status
        self.body = {"fault": fault, "reason": reason}


class Missing(Refusal):
    def __init__(self, what: str) -> None:
        super().__init__("not-found", f"There is no {what}.", status=404)


class KeyTaken(Refusal):
    def __init__(self, key: str) -> None:
        super().__init__("key-used-otherwise", f"{key} was used with other content.", status=409)
