"""Faults on request: what goes wrong, for which calls, how often."""

import random
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class FaultKind(StrEnum):
    STATUS = "status"
    """An error answer with `status`, `headers` and `body`."""
    DELAY = "delay"
    """`delay` seconds, then the call goes on as usual."""
    CUT_BEFORE = "cut_before"
    """The connection is reset; the work was not done."""
    CUT_AFTER = "cut_after"
    """The connection is reset; the work was done."""
    BROKEN_BODY = "broken_body"
    """The work was done; half of the JSON arrives."""
    HTML = "html"
    """A sign-in or maintenance page with `status`."""


PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in to go on</h1></body></html>"


@dataclass
class Fault:
    """One rule. Patterns are shell patterns; `path` is the whole path without the query.

    Of the calls that match, the first `after` pass; of the rest every `every`th is hit, or each with `probability`
    (drawn with `seed`), until it was hit `times` times (None: for ever). `done` lets a status or page fault happen
    after the work was done.
    """

    what: FaultKind | str
    site: str = "*"
    method: str = "*"
    path: str = "*"
    after: int = 0
    every: int = 1
    probability: float | None = None
    seed: int = 0
    times: int | None = None
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: str = '{"errorMessages":["The service is not available at the moment."],"errors":{}}'
    delay: float = 0.0
    done: bool = False

    seen: int = 0
    hits: int = 0
    _random: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.what = FaultKind(self.what)
        self._random = random.Random(self.seed)

    @property
    def spent(self) -> bool:
        return self.times is not None and self.hits >= self.times

    @property
    def works(self) -> bool:
        """Whether the call is carried out all the same."""
        return self.done or self.what in {FaultKind.DELAY, FaultKind.CUT_AFTER, FaultKind.BROKEN_BODY}

    def strikes(self, site: str, method: str, path: str) -> bool:
        """Counts this call and says whether it is hit."""
        if self.spent or not self._concerns(site, method, path):
            return False
        self.seen += 1
        if self.seen <= self.after or not self._due():
            return False
        self.hits += 1
        return True

    def _concerns(self, site: str, method: str, path: str) -> bool:
        return (
            fnmatchcase(site, self.site) and fnmatchcase(method, self.method) and fnmatchcase(path, self.path)
        )

    def _due(self) -> bool:
        if self.probability is not None:
            return self._random.random() < self.probability
        return (self.seen - self.after) % self.every == 0

    def summary(self) -> dict[str, object]:
        return {
            "what": str(self.what), "site": self.site, "method": self.method, "path": self.path, "status": self.status,
            "after": self.after, "every": self.every, "probability": self.probability, "times": self.times,
            "delay": self.delay, "seen": self.seen, "hits": self.hits,
        }  # fmt: skip


class Faults:
    """The faults in force, asked for every call in the order they were added; the first that strikes is used."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def __iter__(self):
        return iter(list(self._faults))

    def __len__(self) -> int:
        return len(self._faults)

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def pick(self, site: str, method: str, path: str) -> Fault | None:
        if not self._faults:
            return None
        with self._lock:
            return next((fault for fault in self._faults if fault.strikes(site, method, path)), None)
