"""One budget of calls a site, shared by every thread, process and machine that calls it.

Limits over a second or two are kept by evenly spaced slots, longer ones by a log of the last calls. A
process reserves the slots of about a sixth of a second at once, as far as it uses them up, so that a fast
site costs few commits.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction

from connections.clients import azure, jira, sevenpace, tempo
from connections.clients.http import RESERVED_WITHIN, Budget, Rate
from connections.models import Site, SiteBudget

FILL = 0.97
"""How much of a limit is used: the vendors' clocks and windows are not ours."""
SPACED_UP_TO = 2.0
BLOCK_SECONDS = 0.16
WORTH_RESERVING_AHEAD = 8
WHOLE_SITE = ""

LIMITS: dict[str, Mapping[str, tuple[Rate, ...]]] = {
    Site.Kind.JIRA: jira.LIMITS,
    Site.Kind.TEMPO: tempo.LIMITS,
    Site.Kind.SEVENPACE: sevenpace.LIMITS,
    Site.Kind.AZURE: azure.LIMITS,
}


def budget_for(site: Site) -> Budget:
    """The budget of this site; the same one for all callers in this process."""
    return _budget(os.getpid(), site.name, site.kind, settings.REDIS_URL)


@cache
def _budget(_pid: int, name: str, kind: str, redis_url: str) -> "SharedBudget":
    store = RedisStore.open(redis_url) if redis_url else DatabaseStore()
    return SharedBudget(name, LIMITS[kind], store)


@dataclass(frozen=True)
class Pace:
    """A bucket's limits as they are kept: seconds between two slots, and logs over longer windows."""

    interval: float
    logs: tuple[Rate, ...]

    @classmethod
    def of(cls, rates: tuple[Rate, ...]) -> "Pace":
        spaced = [rate.window / (rate.limit * FILL) for rate in rates if rate.window <= SPACED_UP_TO]
        logs = [Rate(int(rate.limit * FILL), rate.window) for rate in rates if rate.window > SPACED_UP_TO]
        return cls(max(spaced, default=0.0), tuple(logs))

    @property
    def largest_block(self) -> int:
        return 1 if self.logs or not self.interval else max(1, round(BLOCK_SECONDS / self.interval))

    @property
    def remembered(self) -> int:
        return max((rate.limit for rate in self.logs), default=0)


class Store(Protocol):
    """Where the slots of all processes are kept."""

    def reserve(self, site: str, bucket: str, pace: Pace, count: int) -> float:
        """Reserve `count` slots in a row; seconds from now until the first, less than 0 where it took long.

        Beyond RESERVED_WITHIN nothing is reserved.
        """

    def hold(self, site: str, bucket: str, seconds: float) -> None:
        """No slot of this bucket (WHOLE_SITE: of any) before so many seconds have passed."""


class SharedBudget:
    """One site's budget as one process sees it."""

    def __init__(
        self,
        site: str,
        limits: Mapping[str, tuple[Rate, ...]],
        store: Store,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._store = store
        self._lanes = {
            bucket: _Lane(site, bucket, Pace.of(rates), store, clock) for bucket, rates in limits.items()
        }

    def take(self, bucket: str) -> float:
        return self._lanes[bucket].take()

    def hold(self, bucket: str | None, seconds: float) -> None:
        self._store.hold(self._site, bucket or WHOLE_SITE, seconds)
        for lane in [self._lanes[bucket]] if bucket else self._lanes.values():
            lane.forget()


class _Lane:
    """The slots of one bucket that this process has reserved and not yet given away.

    Whoever takes a block past its half reserves the next one, while the others go on with the rest of it: a
    commit may take as long as many slots.
    """

    def __init__(self, site: str, bucket: str, pace: Pace, store: Store, clock: Callable[[], float]) -> None:
        self._reserve = lambda count: store.reserve(site, bucket, pace, count)
        self._pace = pace
        self._clock = clock
        self._lock = threading.Lock()
        self._reserving = threading.Lock()
        self._slots: deque[float] = deque()
        self._block = 1
        self._forgotten = 0

    def take(self) -> float:
        while (slot := self._next()) is None:
            with self._reserving:
                if self._slots:
                    continue
                wait = self._refill()
                if wait > RESERVED_WITHIN:
                    return wait
                if (slot := self._first()) is not None:
                    break
        if self._runs_low and self._reserving.acquire(blocking=False):
            try:
                self._refill()
            finally:
                self._reserving.release()
        return max(0.0, slot - self._clock())

    def forget(self) -> None:
        with self._lock:
            self._slots.clear()
            self._forgotten += 1

    @property
    def _runs_low(self) -> bool:
        return self._block >= WORTH_RESERVING_AHEAD and len(self._slots) <= self._block // 2

    def _next(self) -> float | None:
        with self._lock:
            self._drop_missed()
        return self._first()

    def _first(self) -> float | None:
        """Whoever reserved a block takes its first slot however late: the commit may have taken long."""
        with self._lock:
            return self._slots.popleft() if self._slots else None

    def _drop_missed(self) -> None:
        """Slots nobody used in time are gone, else they would be a burst; and fewer are reserved next time."""
        earliest = self._clock() - 2 * self._pace.interval
        if self._slots and self._slots[0] < earliest:
            self._block = 1
        while self._slots and self._slots[0] < earliest:
            self._slots.popleft()

    def _refill(self) -> float:
        block, forgotten = self._block, self._forgotten
        wait = self._reserve(block)
        with self._lock:
            if wait <= RESERVED_WITHIN and forgotten == self._forgotten:
                first = self._clock() + wait
                self._slots.extend(first + number * self._pace.interval for number in range(block))
                self._block = min(block * 2, self._pace.largest_block)
        return wait


def first_slot(now: float, next_free: float, blocked_until: float, recent: list[float], pace: Pace) -> float:
    """When the next call may be sent (epoch seconds), by everything that is known of a bucket."""
    logged = [recent[-rate.limit] + rate.window for rate in pace.logs if len(recent) >= rate.limit]
    return max(now, next_free, blocked_until, *logged)


class DatabaseStore:
    """Slots in one row a site and bucket."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def reserve(self, site: str, bucket: str, pace: Pace, count: int) -> float:
        with transaction.atomic():
            row = self._locked(site, bucket)
            held = SiteBudget.objects.filter(site=site, bucket=WHOLE_SITE).values_list(
                "blocked_until", flat=True
            )
            now = self._clock()
            blocked = max(row.blocked_until, *held, 0.0)
            slot = first_slot(now, row.next_free, blocked, row.recent, pace)
            if slot - now <= RESERVED_WITHIN:
                row.next_free = slot + count * pace.interval
                row.recent = [*row.recent, slot][-pace.remembered :] if pace.logs else []
                row.save(update_fields=["next_free", "recent"])
        return slot - self._clock()

    def hold(self, site: str, bucket: str, seconds: float) -> None:
        with transaction.atomic():
            row = self._locked(site, bucket)
            row.blocked_until = max(row.blocked_until, self._clock() + seconds)
            row.save(update_fields=["blocked_until"])

    def _locked(self, site: str, bucket: str) -> SiteBudget:
        rows = SiteBudget.objects.select_for_update()
        row = rows.filter(site=site, bucket=bucket).first()
        return row or rows.get_or_create(site=site, bucket=bucket)[0]


_RESERVE = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local count, interval, within, remembered = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local slot = math.max(now, tonumber(redis.call('GET', KEYS[1]) or 0), tonumber(redis.call('GET', KEYS[2]) or 0),
                      tonumber(redis.call('GET', KEYS[3]) or 0))
local keep = 1
for i = 5, #ARGV, 2 do
  local logged = redis.call('LINDEX', KEYS[4], -tonumber(ARGV[i]))
  if logged then slot = math.max(slot, tonumber(logged) + tonumber(ARGV[i + 1])) end
  keep = math.max(keep, tonumber(ARGV[i + 1]))
end
if slot - now <= within then
  redis.call('SET', KEYS[3], string.format('%.6f', slot + count * interval), 'EX', 3600)
  if remembered > 0 then
    redis.call('RPUSH', KEYS[4], string.format('%.6f', slot))
    redis.call('LTRIM', KEYS[4], -remembered, -1)
    redis.call('EXPIRE', KEYS[4], math.ceil(keep + within + 60))
  end
end
return string.format('%.6f', slot - now)
"""

_HOLD = """
local time = redis.call('TIME')
local untilthen = time[1] + time[2] / 1000000 + tonumber(ARGV[1])
if untilthen > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.6f', untilthen), 'EX', math.ceil(tonumber(ARGV[1])) + 60)
end
"""


class RedisStore:
    """The same slots in Redis, by Redis' own clock."""

    def __init__(self, server: Any) -> None:
        self._reserve = server.register_script(_RESERVE)
        self._hold = server.register_script(_HOLD)

    @classmethod
    def open(cls, url: str) -> "RedisStore":
        import redis

        return cls(redis.Redis.from_url(url))

    def reserve(self, site: str, bucket: str, pace: Pace, count: int) -> float:
        keys = [_key(site, WHOLE_SITE, "held"), _key(site, bucket, "held")]
        keys += [_key(site, bucket, "next"), _key(site, bucket, "recent")]
        logs = [number for rate in pace.logs for number in (rate.limit, rate.window)]
        return float(self._reserve(keys, [count, pace.interval, RESERVED_WITHIN, pace.remembered, *logs]))

    def hold(self, site: str, bucket: str, seconds: float) -> None:
        self._hold([_key(site, bucket, "held")], [seconds])


def _key(site: str, bucket: str, what: str) -> str:
    return f"twinlog:budget:{{{site}}}:{bucket}:{what}"
