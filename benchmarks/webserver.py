"""The web process of the product, started with the very command line of `manage.py up`."""

from __future__ import annotations

from types import TracebackType

from paymentsite.stack.children import Child
from paymentsite.stack.composition import own_programs
from paymentsite.stack.folders import StateFolder
from paymentsite.stack.programs import OwnProgram

PRODUCT = "paymentsite.wsgi:application"


class WebServer:
    """Up between entering and leaving. `application` is another WSGI application than the product's."""

    def __init__(self, state: StateFolder, *, application: str = PRODUCT) -> None:
        state.make()
        self.program = next(program for program in own_programs() if program.name == "web")
        assert isinstance(self.program, OwnProgram)
        *options, product = self.program.arguments
        assert product == PRODUCT, product
        self.program.arguments = [*options, application]
        self.child: Child | None = None

    def __enter__(self) -> Child:
        self.child = self.program.start()
        return self.child

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        assert self.child is not None
        self.child.ask_to_stop()
        self.child.wait_until_stopped(seconds=10)
