"""The two ways vendors count calls: a bucket that refills, and a window that slides."""

import threading
from collections import deque
from dataclasses import dataclass, field


@dataclass
class TokenBucket:
    """`rate` calls a second, at most `rate` saved up."""

    rate: float
    _tokens: float = field(init=False)
    _at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._tokens = self.rate

    @property
    def remaining(self) -> int:
        return int(self._tokens)

    def wait(self, now: float) -> float:
        """Takes one call and returns 0, or the seconds until one is free."""
        with self._lock:
            self._tokens = min(self.rate, self._tokens + max(0.0, now - self._at) * self.rate)
            self._at = now
            if self._tokens < 1:
                return (1 - self._tokens) / self.rate
            self._tokens -= 1
            return 0.0


@dataclass
class SlidingWindows:
    """At most `count` calls in any `seconds`, for each pair given. A refused call does not count."""

    windows: tuple[tuple[int, float], ...]
    _calls: deque[float] = field(default_factory=deque)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def wait(self, now: float) -> float:
        """Takes one call and returns 0, or the seconds until every window has room."""
        with self._lock:
            self._forget(now)
            wait = max(self._wait_for(count, seconds, now) for count, seconds in self.windows)
            if wait <= 0:
                self._calls.append(now)
            return max(wait, 0.0)

    def _forget(self, now: float) -> None:
        longest = max(seconds for _, seconds in self.windows)
        while self._calls and self._calls[0] <= now - longest:
            self._calls.popleft()

    def _wait_for(self, count: int, seconds: float, now: float) -> float:
        if len(self._calls) < count:
            return 0.0
        return self._calls[-count] + seconds - now
