"""Rate limit: a token bucket for each client."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

_MAX_BUCKETS = 10_000


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What was left of the tokens, and when (s, monotonic)."""

    tokens: float
    at: float


class RateLimit:
    """So many requests a second for each client, after so many at once.

    A full bucket is that of a client never heard of, and is forgotten. If there are too many others, that of the client
    heard of least lately is forgotten: who has that many addresses has no limit anyway, and memory stays bounded.

    Args:
        per_s: tokens that a bucket gains a second; a request takes one.
        burst: tokens of a full bucket.
        max_buckets: clients remembered.
        clock: seconds; never goes back.
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
            0; or, if there is none, seconds until there is one.
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
