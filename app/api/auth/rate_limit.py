"""Rate limit: a token bucket per client."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MAX_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class _Bucket:
    """The remaining tokens, and the time of that count (s, monotonic)."""

    tokens: float
    at: float


class RateLimit:
    """Limits each client to a number of requests per second, after a burst.

    A full bucket equals that of an unknown client, and is dropped. If there are too many other buckets, the least
    recently used one is dropped, so that memory stays bounded: a client with that many addresses evades the limit
    anyway.

    Args:
        per_s: tokens that a bucket gains per second; a request takes one.
        burst: tokens of a full bucket.
        max_buckets: maximum number of clients remembered.
        clock: monotonic clock in seconds.
    """

    def __init__(
        self,
        per_s: float,
        burst: int,
        max_buckets: int = _MAX_BUCKETS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._max_buckets = max_buckets
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, client: str) -> float:
        """Take a token from a client's bucket.

        Returns:
            0 if there was a token, otherwise the seconds until there is one.
        """
        now = self._clock()
        self._forget_full(now)
        tokens = self._tokens(self._buckets.get(client, _Bucket(self._burst, now)), now)
        passes = tokens >= 1
        self._buckets[client] = _Bucket(tokens - passes, now)
        self._buckets.move_to_end(client)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        return 0 if passes else (1 - tokens) / self._per_s

    def _tokens(self, bucket: _Bucket, now: float) -> float:
        return min(self._burst, bucket.tokens + (now - bucket.at) * self._per_s)

    def _forget_full(self, now: float) -> None:
        while self._buckets:
            client, oldest = next(iter(self._buckets.items()))
            if self._tokens(oldest, now) < self._burst:
                break
            del self._buckets[client]
