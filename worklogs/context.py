"""What the steps of one run work with: the sites, opened once, the options, and the way to be stopped."""

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connections, transaction
from django.db.models import F
from django.utils import timezone

from connections.budgets import budget_for
from connections.clients.azure import AzureClient
from connections.clients.http import FaultKind, Gate, SiteError, SiteHealth
from connections.clients.jira import IssuePace, JiraClient
from connections.clients.sevenpace import SevenPaceClient
from connections.models import Connection, Site
from connections.opening import open_client, open_jira
from connections.options import ConnectionOptions
from worklogs.issues import Issue, IssueFinder, LinkPage, open_finder
from worklogs.models import CallCount, LinksRead, Run, RunLog, TwinTrace
from worklogs.people import SourcePeople, TargetPeople
from worklogs.rules import Policy, Target
from worklogs.sides import JiraSide, Side, TempoSide, open_side
from worklogs.worklog import digest_of
from worklogs.write import Manner

SOURCE_NAME = "7pace"
TOKENS_AT_ONCE = 8
RUNS_REMEMBERED = 64


class InterruptedRunError(Exception):
    """Somebody wants the run to end, or the time this process has for it is up. Nothing was sent meanwhile."""


class NotReadyError(Exception):
    """The run cannot begin: `code` for machines, the message for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Halt:
    """Tells every thread of a run to stop, and why (the first reason given counts), or to hold still for a while.

    `deadline` is the monotonic time at which this process has to let go of the run.
    """

    def __init__(self, deadline: float | None = None) -> None:
        self._called = threading.Event()
        self._going = threading.Event()
        self._going.set()
        self._lock = threading.Lock()
        self.deadline = deadline
        self.reason: BaseException | str = ""

    def call(self, reason: BaseException | str) -> None:
        with self._lock:
            if not self._called.is_set():
                self.reason = reason
                self._called.set()
                self._going.set()

    def hold(self, still: bool) -> None:
        """Threads stop between two entries until it is lifted or the run is called to a halt."""
        if still and not self.called:
            self._going.clear()
        else:
            self._going.set()

    @property
    def called(self) -> bool:
        return self._called.is_set()

    def check(self, seconds: float = 0) -> None:
        """Waits while the run is held; raises InterruptedRunError where it has to stop within so many seconds."""
        self._going.wait(self._seconds_left())
        late = self.deadline is not None and time.monotonic() + seconds > self.deadline
        if self.called or late:
            raise InterruptedRunError

    def _seconds_left(self) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    def pause(self, seconds: float) -> None:
        self.check(seconds)
        if self._called.wait(seconds):
            raise InterruptedRunError


class Calls:
    """Counts the calls a process makes for a run, and adds them to the run's row now and then."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()

    def counter(self, site: str) -> Callable[[str], None]:
        def count(method: str) -> None:
            with self._lock:
                self._counts[site, method] += 1

        return count

    def save(self) -> None:
        with self._lock:
            counts, self._counts = self._counts, Counter()
        with transaction.atomic():
            for (site, method), count in sorted(counts.items()):
                CallCount.objects.get_or_create(run=self._run, site=site, method=method)
                CallCount.objects.filter(run=self._run, site=site, method=method).update(
                    count=F("count") + count
                )


@dataclass
class Waits:
    """Where the run waits and until when, for the people who watch it."""

    reason: str = ""
    until: datetime | None = None

    def note(self, seconds: float, reason: str) -> None:
        self.reason, self.until = reason[:200], timezone.now() + timedelta(seconds=seconds)


class KeptLinks:
    """The links a run has read so far. Keeping a page is where reading them lets go when the time is up."""

    def __init__(self, run: Run, halt: Halt) -> None:
        self._run = run
        self._halt = halt

    def kept(self) -> list[LinkPage]:
        return [
            LinkPage(
                row.query,
                row.following,
                {work: [Issue(**issue) for issue in issues] for work, issues in row.found.items()},
            )
            for row in self._run.links_read.all()
        ]

    def keep(self, page: LinkPage) -> None:
        found = {work: [asdict(issue) for issue in issues] for work, issues in page.found.items()}
        LinksRead.objects.create(run=self._run, query=page.query, following=page.following, found=found)
        self._halt.check()


@dataclass
class Context:
    """What one direction of a run works with. Safe to share between its threads.

    `source_site` is the site it carries from, `jira_site` the one that holds the issues it writes into; `book` puts
    down what both sides have agreed on, where that is not as a migration does it.
    """

    run: Run
    connection: Connection
    options: ConnectionOptions
    policy: Policy
    manner: Manner
    halt: Halt
    calls: Calls
    waits: Waits
    source_site: str
    jira_site: str
    target_people: TargetPeople
    side: Side
    tokens: dict[str, str] = field(default_factory=dict)
    refused_tokens: dict[str, str] = field(default_factory=dict)
    paces: dict[str, IssuePace] = field(default_factory=dict)
    book: Callable[..., None] | None = None

    def key_of(self, issue: str) -> str:
        """The key of the carry step that writes into this issue of the target."""
        return issue

    def step_before(self, issue: str) -> str:  # noqa: ARG002
        """The key of the carry step that has to be done before the one of this issue, "" for none."""
        return ""

    def token_behind(self, account: str, email: str) -> str:
        """Which personal token a write for this person stands on, be it held or refused."""
        return self.tokens.get(account) or self.refused_tokens.get(email.casefold(), "")

    def spec_of(self, issue: dict[str, Any], **more: Any) -> dict[str, Any]:
        """What such a step has to know."""
        return {"issue": issue, **more}

    def traces_of(self, entries: Collection[str]) -> dict[str, TwinTrace]:
        """What is agreed of these entries of the source, by entry."""
        traces = TwinTrace.objects.filter(connection=self.connection, left_id__in=entries)
        return {trace.left_id: trace for trace in traces}

    def claimed(self, copies: Collection[str]) -> set[str]:
        """Those of these worklogs of the target that a trace of any connection claims."""
        traces = TwinTrace.objects.filter(right_site=self.side.name, right_id__in=copies)
        return set(traces.values_list("right_id", flat=True))

    def stop_if_target_is_down(self) -> None:
        """After enough writes without an answer in a row nothing more is sent. Raises SiteError."""
        client = self.side.tempo if isinstance(self.side, TempoSide) else self.side.jira
        if client.http.down:
            raise SiteError(
                self.side.name,
                FaultKind.STOPS,
                "site_unavailable",
                f"{self.side.name} is down. Start again when it is back: the run goes on where it stopped.",
            )

    def log(self, text: str, level: str = RunLog.Level.INFO) -> None:
        RunLog.objects.create(run=self.run, text=text, level=level)

    def pace_of(self, issue: str) -> IssuePace:
        return self.paces.setdefault(issue, IssuePace())


@dataclass(kw_only=True)
class MigrationContext(Context):
    """A migration's world: its source, and how the target's issues are found."""

    pace: SevenPaceClient
    azure: AzureClient | None
    source_people: SourcePeople
    finder: IssueFinder


class Opener:
    """Opens a run's sites, each with the shared budget, the run's halt and its counters."""

    def __init__(self, run: Run, halt: Halt) -> None:
        self.calls = Calls(run)
        self.waits = Waits()
        self._halt = halt
        self._healths = _healths(os.getpid(), run.pk)

    def open(self, site: Site) -> Any:
        """The site's client, of the class its kind asks for."""
        return open_client(site, self._gate(site))

    def open_as(self, person: str, site: Site) -> JiraClient:
        """A jira site with the personal token of this e-mail."""
        return open_jira(site, self._gate(site), person)

    def _gate(self, site: Site) -> Gate:
        return Gate(
            budget=budget_for(site),
            pause=self._halt.pause,
            on_call=self.calls.counter(site.name),
            on_wait=self.waits.note,
            health=self._healths[site.name],
        )


@lru_cache(RUNS_REMEMBERED)
def _healths(_pid: int, _run: int) -> defaultdict[str, SiteHealth]:
    """What this process knows of a run's sites, by name: a slice is shorter than the time it takes to see one down."""
    return defaultdict(SiteHealth)


def forget_healths(run: int) -> None:
    """A run that has ended tries its sites afresh, should it be started again."""
    _healths(os.getpid(), run).clear()


def open_migration(run: Run, halt: Halt) -> MigrationContext:
    """Opens both sides and asks each who we are. Raises SiteError, UnusableIssueRuleError, TokenError."""
    connection = Connection.objects.with_sites().get(pk=run.connection_id)
    options = connection.get_options()
    opener = Opener(run, halt)
    left, right = connection.left, connection.right
    pace: SevenPaceClient = opener.open(left)
    azure: AzureClient | None = opener.open(left.azure) if left.azure else None
    pace.me()
    if azure:
        _refuse_without_identity(azure)
    side = open_side(right, options.people.fallback.right, opener.open)
    refuse_without_time_tracking(side.jira, right)
    context = MigrationContext(
        run=run,
        connection=connection,
        options=options,
        policy=policy_of(connection, right, SOURCE_NAME),
        manner=Manner(str(connection.estimate_on(right)), {"source": SOURCE_NAME, "site": left.name}),
        halt=halt,
        calls=opener.calls,
        waits=opener.waits,
        source_site=left.name,
        jira_site=(right.jira or right).name,
        pace=pace,
        azure=azure,
        source_people=SourcePeople(pace, azure),
        target_people=TargetPeople(connection, side.jira),
        finder=open_finder(options.issues, side.jira, KeptLinks(run, halt)),
        side=side,
    )
    open_personal_tokens(context, right, opener)
    return context


def _refuse_without_identity(azure: AzureClient) -> None:
    """Only a refused token matters: the call is a preview, which a server may not know."""
    try:
        azure.connection_data()
    except SiteError as fault:
        if fault.kind is FaultKind.STOPS:
            raise


def refuse_without_time_tracking(jira: JiraClient, site: Site) -> None:
    """Without it Jira answers 404 to every worklog, which looks like missing issues."""
    try:
        enabled = jira.configuration().get("timeTrackingEnabled", True)
    except SiteError as fault:
        if fault.status in (403, 404):
            return
        raise
    if not enabled:
        raise NotReadyError(
            "time_tracking_off",
            f"Time tracking is switched off in Jira ({site.name}): no worklog can be written. "
            "Switch it on under Settings > Issues > Time tracking, then start again.",
        )


def open_personal_tokens(context: Context, site: Site, opener: Opener) -> None:
    """Each personal token is asked whose it is, several at once; one that is refused fails its person's entries,
    not the run."""
    if not isinstance(context.side, JiraSide):
        return
    clients = {token.email: opener.open_as(token.email, site) for token in site.tokens.exclude(email="")}
    with ThreadPoolExecutor(TOKENS_AT_ONCE) as pool:
        answers = list(pool.map(_account_or_refusal, clients.values()))
    for (email, client), answer in zip(clients.items(), answers, strict=True):
        if isinstance(answer, SiteError):
            context.refused_tokens[email.casefold()] = answer.message
            context.log(f"The personal token of {email} is refused: {answer.message}", RunLog.Level.WARNING)
        else:
            context.tokens[answer] = email
            context.side.people[email] = client


def _account_or_refusal(client: JiraClient) -> str | SiteError:
    """Whose token it is. Raises SiteError where that is not known."""
    try:
        return str(client.myself()["accountId"])
    except SiteError as fault:
        if fault.code != "auth_failed":
            raise
        return fault
    finally:
        # A thread has a connection to the database of its own: the budget is kept there.
        connections.close_all()


def policy_of(connection: Connection, target: Site, source_name: str) -> Policy:
    """`source_name` is the vendor as a header line names it."""
    options = connection.get_options()
    tempo = target.kind == Site.Kind.TEMPO
    return Policy(
        target=Target.TEMPO if tempo else Target.JIRA,
        source_name=source_name,
        minimum_seconds=connection.minimum_seconds,
        rounding=options.rounding,
        rounding_minutes=options.rounding_minutes,
        lookalikes=options.lookalikes,
        long_text=options.long_text,
        has_markers=bool(target.marker_attribute) if tempo else True,
    )


HALF = 32


def options_digest(connection: Connection) -> str:
    """Changes with anything that would make a plan another one: in its first half options, sites and addresses, in
    its second people set by hand."""
    sites = [
        (site.name, site.kind, site.url, site.marker_attribute)
        for site in (connection.left, connection.right)
    ]
    people = list(
        connection.user_mappings.exclude(found_by="email")
        .order_by("id")
        .values_list("left_account", "left_email", "right_account", "right_email")
    )
    return digest_of([connection.options, sites])[:HALF] + digest_of(people)[:HALF]


def has_other_settings(run: Run, connection: Connection) -> bool:
    """Whether options or sites are not what they were when the run began. People may be paired while it goes on."""
    return options_digest(connection)[:HALF] != run.options_digest[:HALF]
