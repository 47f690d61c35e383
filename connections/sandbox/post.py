"""The sandbox's post: a thread that lets the mirror follow and makes the calls webhooks were promised."""

import contextlib
import logging
import math
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

import requests

from connections.sandbox import mirror
from connections.sandbox.news import Letter
from connections.sandbox.world import JiraSite, TempoSite, World

log = logging.getLogger(__name__)

type Sender = JiraSite | TempoSite

_LOOK_AGAIN = 0.1
_REFUSALS_JIRA_RETRIES = {408, 409, 425, 429}


@dataclass(frozen=True)
class Attempt:
    """One call that was made; `status` is None where nobody answered."""

    site: str
    letter: Letter
    status: int | None


class Post:
    """Delivers one call after the other, each at once, until it is told otherwise.

    post.copies = 2                        everything arrives twice
    post.hold(); ...; post.release(backwards=True)    what was held arrives in the wrong order
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.copies = 1
        self.attempts: list[Attempt] = []
        self._bell = threading.Condition()
        self._held = self._stopping = self._busy = False
        self._thread: threading.Thread | None = None
        self._jitter = random.Random(1)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._work, name="sandbox-post", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        with self._bell:
            self._stopping = True
            self._bell.notify_all()

    def ring(self) -> None:
        """Wakes the post where there is anything for it to do."""
        if self._owes():
            with self._bell:
                self._bell.notify_all()

    def hold(self) -> None:
        """Keeps everything back until `release`."""
        with self._bell:
            self._held = True

    def release(self, *, backwards: bool = False) -> None:
        with self._bell:
            if backwards:
                for site in self.world.senders():
                    site.outbox.reverse()
            self._held = False
            self._bell.notify_all()

    def waiting(self) -> list[Letter]:
        """What is under way, retries that are not due yet among it."""
        return [letter for site in self.world.senders() for letter in site.outbox]

    def wait(self, timeout: float = 10.0) -> None:
        """Returns when everything due is delivered, at once where it is held back; TimeoutError after so long."""
        with self._bell:
            self._bell.notify_all()
            if not self._bell.wait_for(self._is_done, timeout):
                raise TimeoutError(f"not delivered after {timeout} s: {self.waiting()}")

    def _is_done(self) -> bool:
        return not self._busy and (self._held or self._next() is None)

    def _owes(self) -> bool:
        return mirror.is_owing(self.world) or any(site.outbox for site in self.world.senders())

    def _next(self) -> tuple[Sender, Letter] | None:
        now = self.world.clock()
        for site in self.world.senders():
            for letter in list(site.outbox):
                if letter.due <= now:
                    return site, letter
        return None

    def _work(self) -> None:
        while not self._stopping:
            try:
                self._work_once()
            except Exception:
                log.exception("the sandbox failed to mirror a worklog or to call a webhook")

    def _work_once(self) -> None:
        mirror.catch_up(self.world)
        found = self._take()
        if found:
            self._deliver(*found)

    def _take(self) -> tuple[Sender, Letter] | None:
        """The next letter, or None after a while without one."""
        with self._bell:
            self._busy = False
            found = None if self._held else self._next()
            if found:
                self._busy = True
                found[0].outbox.remove(found[1])
                return found
            self._bell.notify_all()
            if not self._stopping:
                self._bell.wait(_LOOK_AGAIN if self._owes() else None)
            return None

    def _deliver(self, site: Sender, letter: Letter) -> None:
        for _ in range(self.copies):
            answer = _call(letter, site)
            self.attempts.append(
                Attempt(site.name, letter, answer.status_code if answer is not None else None)
            )
        _RULES[site.kind](site, letter, answer, self._later())

    def _later(self) -> float:
        """Both vendors try again after 5 to 15 minutes."""
        return self.world.clock() + self._jitter.uniform(300, 900)


def _call(letter: Letter, site: Sender) -> requests.Response | None:
    timeout = (5, 20) if site.kind == "jira" else 30
    session = requests.Session()
    session.trust_env = False
    with session, contextlib.suppress(requests.RequestException):
        return session.request(
            letter.method,
            letter.url,
            data=letter.body,
            headers=letter.headers,
            timeout=timeout,
            allow_redirects=False,
        )
    return None


def _after_jiras_call(site: JiraSite, letter: Letter, answer: requests.Response | None, later: float) -> None:
    """Developer community 30554: five retries, not of what was refused for good."""
    status = math.inf if answer is None else answer.status_code
    if (status >= 500 or status in _REFUSALS_JIRA_RETRIES) and letter.retries < 5:
        _put_back(site, letter, later)
        letter.headers["X-Atlassian-Webhook-Retry"] = str(letter.retries)


def _after_tempos_call(
    site: TempoSite, letter: Letter, answer: requests.Response | None, later: float
) -> None:
    """Tempo v4, "Retry policy": ten retries of whatever failed, then the subscription is inactive."""
    subscription = site.subscriptions.get(letter.hook)
    if subscription is None:
        return
    if letter.method == "GET":
        asked = letter.url.rpartition("=")[2]
        right = answer is not None and answer.status_code == 200 and answer.text.strip() == asked
        subscription.active = subscription.verified = right
    elif answer is not None and answer.status_code < 400:
        return
    elif letter.retries < 10:
        _put_back(site, letter, later)
    else:
        subscription.active = False


def _put_back(site: Sender, letter: Letter, due: float) -> None:
    letter.retries += 1
    letter.due = due
    site.outbox.append(letter)


_RULES: dict[str, Callable[..., None]] = {"jira": _after_jiras_call, "tempo": _after_tempos_call}
