"""Signals that stop a run: it finishes the current step, and saves."""

import signal
from types import FrameType, TracebackType


class Interruption:
    """Context that records SIGINT (Ctrl-C) or SIGTERM; a second signal goes to the previous handler.

    Attributes:
        signal: the first signal received, or None.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self._before = {number: signal.getsignal(number) for number in self._SIGNALS}

    def __enter__(self) -> "Interruption":
        for number in self._SIGNALS:
            signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
