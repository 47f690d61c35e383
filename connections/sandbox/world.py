"""What the sandbox stands for: sites, people, issues and worklogs as plain data, kept in memory.

Tests read and change these objects directly. Seconds are whole seconds, instants are aware datetimes in UTC,
7pace's and Tempo's own times are wall clocks without a zone.
"""

import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from connections.sandbox import adf
from connections.sandbox.limits import SlidingWindows, TokenBucket
from connections.sandbox.news import AuditRow, JiraWebhook, Letter, MirrorJob, TempoSubscription

ORDINARY = frozenset(
    {
        "BROWSE_PROJECTS", "WORK_ON_ISSUES", "EDIT_ISSUES", "EDIT_OWN_WORKLOGS", "DELETE_OWN_WORKLOGS", "USER_PICKER",
        "io.tempo.jira__tempo-timesheets-access", "io.tempo.jira__view-issue-hours",
    }
)  # fmt: skip
EVERYTHING = ORDINARY | {
    "EDIT_ALL_WORKLOGS", "DELETE_ALL_WORKLOGS", "ADMINISTER_PROJECTS", "ADMINISTER", "BULK_CHANGE",
    "io.tempo.jira__log-work-for-others", "io.tempo.jira__set-billable-hours", "io.tempo.jira__view-all-worklogs",
    "io.tempo.jira__tempo-administrator", "io.tempo.jira__tempo-team-administrator",
    "io.tempo.jira__tempo-account-administrator",
}  # fmt: skip


# Jira


@dataclass
class JiraAccount:
    """A person, an app or a customer. `email_shown` False: privacy hides the address and the zone from everybody."""

    account_id: str
    name: str
    email: str
    active: bool = True
    email_shown: bool = True
    hidden_as: str = "absent"
    """absent | empty: how a hidden address looks in an answer."""
    time_zone: str = "Europe/Berlin"
    kind: str = "atlassian"
    groups: set[str] = field(default_factory=lambda: {"jira-software-users"})
    permissions: frozenset[str] = ORDINARY


@dataclass
class JiraToken:
    email: str
    token: str = field(repr=False)
    account_id: str = ""
    variable: str = ""
    """The environment variable the TOML text names for it."""


@dataclass
class JiraProject:
    id: int
    key: str
    name: str
    denied: set[str] = field(default_factory=set)
    """Permission keys that nobody has in this project."""
    archived: bool = False


@dataclass
class JiraField:
    """A custom field; `kind` is number or text."""

    id: str
    name: str
    kind: str

    @property
    def number(self) -> int:
        return int(self.id.removeprefix("customfield_"))


@dataclass
class JiraWorklog:
    id: int
    issue_id: int
    author_id: str
    started: datetime
    seconds: int
    comment: dict[str, Any] | None
    created: datetime
    updated: datetime
    update_author_id: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    visibility: dict[str, str] | None = None

    @property
    def text(self) -> str:
        return adf.plain(self.comment)


@dataclass
class JiraIssue:
    id: int
    key: str
    project: JiraProject
    summary: str = ""
    labels: list[str] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)
    """Custom field id -> value."""
    kind: str = "Task"
    editable: bool = True
    archived: bool = False
    visible: bool = True
    denied: set[str] = field(default_factory=set)
    old_keys: list[str] = field(default_factory=list)
    remote_links: list[dict[str, Any]] = field(default_factory=list)
    original_seconds: int | None = None
    remaining_seconds: int | None = None
    time_spent_seconds: int = 0
    """The issue's own total, kept by each write; wrong for good once writes overlapped."""
    worklogs: dict[int, JiraWorklog] = field(default_factory=dict, repr=False)
    open_totals: list["Total"] = field(default_factory=list, repr=False)
    """The totals of the writes under way."""
    edited: datetime = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    """When something else of it than its worklogs last changed."""
    pace: SlidingWindows = field(default_factory=lambda: SlidingWindows(((20, 2.0), (100, 30.0))), repr=False)

    @property
    def is_archived(self) -> bool:
        return self.archived or self.project.archived

    @property
    def updated(self) -> datetime:
        return max([self.edited, *(worklog.updated for worklog in self.worklogs.values())])


@dataclass
class JiraSite:
    name: str
    url_name: str
    accounts: dict[str, JiraAccount] = field(default_factory=dict)
    tokens: list[JiraToken] = field(default_factory=list)
    """The first one is the site's own; the others are personal tokens."""
    projects: dict[str, JiraProject] = field(default_factory=dict)
    custom_fields: list[JiraField] = field(default_factory=list)
    issues: dict[int, JiraIssue] = field(default_factory=dict, repr=False)
    worklogs: dict[int, JiraWorklog] = field(default_factory=dict, repr=False)
    changes: list[tuple[int, int]] = field(default_factory=list, repr=False)
    """(milliseconds, worklog id), oldest first; only the newest one of a worklog counts."""
    deletions: list[tuple[int, int]] = field(default_factory=list, repr=False)
    corrupted_issues: set[str] = field(default_factory=set)
    """Keys of issues whose total was damaged by writes that overlapped."""

    time_tracking: bool = True
    tempo_installed: bool = False
    rounding: str = "none"
    """none | down | up | nearest: how seconds are stored as whole minutes."""
    worklog_limit: int = 10_000
    notify_needs_admin: bool = False
    permission_status: int = 400
    """400 by the specification; 403 has been seen."""
    feed_lag_seconds: float = 60.0
    page_cap: int = 5000
    bulk_delete_fires: bool = True
    """Whether a bulk deletion fires events: the specification denies it for bulk moves only."""
    limits: bool = False
    latency: float = 0.0
    time_zone: str = "Europe/Berlin"

    tempo: "TempoSite | None" = field(default=None, repr=False, compare=False)
    webhooks: dict[int, JiraWebhook] = field(default_factory=dict)
    outbox: list[Letter] = field(default_factory=list, repr=False)
    home: str = ""
    """Its address where it is served."""

    by_label: dict[str, set[int]] = field(default_factory=dict, repr=False)
    by_key: dict[str, int] = field(default_factory=dict, repr=False)
    buckets: dict[tuple[str, str], TokenBucket] = field(default_factory=dict, repr=False)
    next_worklog_id: int = 10_000
    last_change: int = 0
    lock: Any = field(default_factory=threading.RLock, repr=False, compare=False)

    kind = "jira"

    @property
    def path(self) -> str:
        return f"/jira/{self.url_name}"

    def add_project(self, key: str, name: str) -> JiraProject:
        project = JiraProject(10_000 + len(self.projects), key, name)
        self.projects[key] = project
        return project

    def add_issue(self, key: str, *, labels: tuple[str, ...] = (), **details: Any) -> JiraIssue:
        """The project must be there; the id follows from the number of issues."""
        project = self.projects[key.rpartition("-")[0]]
        issue = JiraIssue(10_001 + len(self.issues), key, project, labels=list(labels), **details)
        self.issues[issue.id] = issue
        for name in (key, *issue.old_keys):
            self.by_key[name.upper()] = issue.id
        for label in labels:
            self.by_label.setdefault(label, set()).add(issue.id)
        return issue

    def issue(self, id_or_key: str | int) -> JiraIssue | None:
        """By id, key or a key it had before it was moved."""
        text = str(id_or_key)
        number = int(text) if text.isdecimal() else self.by_key.get(text.upper(), 0)
        return self.issues.get(number)

    def worklogs_of(self, id_or_key: str | int) -> list[JiraWorklog]:
        """The issue's worklogs in the order they were created."""
        issue = self.issue(id_or_key)
        return sorted(issue.worklogs.values(), key=lambda row: (row.created, row.id)) if issue else []

    def account_of(self, email: str) -> JiraAccount | None:
        wanted = email.casefold()
        return next((person for person in self.accounts.values() if person.email.casefold() == wanted), None)

    def put_worklog(self, issue: JiraIssue, worklog: JiraWorklog) -> None:
        """Stores a new or changed worklog and notes the change in the feed; the issue's total stays as it is."""
        with self.lock:
            issue.worklogs[worklog.id] = worklog
            self.worklogs[worklog.id] = worklog
            self.changes.append((milliseconds(worklog.updated), worklog.id))

    def add_worklog(
        self, issue: JiraIssue, author: JiraAccount, started: datetime, seconds: int, text: str = ""
    ) -> JiraWorklog:
        """A worklog that was always there; it was created when the work began."""
        worklog = JiraWorklog(
            self.new_worklog_id(), issue.id, author.account_id, started, seconds, adf.document(text), started, started,
            author.account_id,
        )  # fmt: skip
        self.put_worklog(issue, worklog)
        issue.time_spent_seconds += seconds
        self.changes.sort()
        return worklog

    def drop_worklog(self, issue: JiraIssue, worklog: JiraWorklog, at: datetime) -> None:
        with self.lock:
            del issue.worklogs[worklog.id]
            del self.worklogs[worklog.id]
            self.deletions.append((milliseconds(at), worklog.id))

    def new_worklog_id(self) -> int:
        with self.lock:
            self.next_worklog_id += 1
            return self.next_worklog_id

    def tick(self, now: float) -> datetime:
        """The time of a change: never the same millisecond twice on one site."""
        with self.lock:
            self.last_change = max(self.last_change + 1, int(now * 1000))
            return datetime.fromtimestamp(self.last_change / 1000, UTC)

    @contextmanager
    def writing(self, issue: JiraIssue) -> Iterator["Total"]:
        """The total is read when a write begins and stored when it ends: two that overlap lose one of the changes."""
        with self.lock:
            total = Total(issue.time_spent_seconds)
            issue.open_totals.append(total)
            if len(issue.open_totals) > 1:
                self.corrupted_issues.add(issue.key)
        try:
            yield total
        finally:
            with self.lock:
                issue.time_spent_seconds = total.seconds
                issue.open_totals.remove(total)

    def add_to_total(self, issue: JiraIssue, seconds: int) -> None:
        """Changes the total without harm to writes under way: whose fault a wrong total is must stay plain."""
        with self.lock:
            issue.time_spent_seconds += seconds
            for total in issue.open_totals:
                total.seconds += seconds


@dataclass(eq=False)
class Total:
    seconds: int


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


# Tempo


@dataclass
class TempoToken:
    token: str = field(repr=False)
    account_id: str = ""
    variable: str = ""
    read_only: bool = False


@dataclass
class TempoAttribute:
    """`kind` is ACCOUNT, CHECKBOX, DYNAMIC_DROPDOWN, INPUT_FIELD, INPUT_NUMERIC or STATIC_LIST.

    `names`: a static list's value -> label.
    """

    key: str
    name: str
    kind: str = "INPUT_FIELD"
    required: bool = False
    names: dict[str, str] = field(default_factory=dict)


@dataclass
class TempoWorklog:
    id: int
    issue_id: int
    author_id: str
    day: date
    start: str
    """HH:MM:SS of the author's clock."""
    seconds: int
    billable_seconds: int
    description: str
    attributes: dict[str, str]
    created: datetime
    updated: datetime
    jira_worklog_id: int | None = None

    @property
    def started(self) -> datetime:
        """The wall clock, without a zone."""
        return datetime.fromisoformat(f"{self.day.isoformat()}T{self.start}")


@dataclass
class TempoRole:
    """A permission role: what its members may do with the worklogs of some teams or, without `teams`, of everybody."""

    id: int
    name: str
    permissions: tuple[str, ...] = ("permissions.worklog.view",)
    members: tuple[str, ...] = ()
    teams: tuple[int, ...] = ()


@dataclass
class TempoSite:
    name: str
    url_name: str
    jira: JiraSite
    tokens: list[TempoToken] = field(default_factory=list)
    attributes: dict[str, TempoAttribute] = field(default_factory=dict)
    roles: list[TempoRole] = field(default_factory=list)
    worklogs: dict[int, TempoWorklog] = field(default_factory=dict, repr=False)
    by_issue: dict[int, dict[int, TempoWorklog]] = field(default_factory=dict, repr=False)
    closed_periods: list[tuple[date, date]] = field(default_factory=list)
    approved: dict[str, list[tuple[date, date]]] = field(default_factory=dict)
    """Account id -> approved timesheets, first and last day."""
    in_review: dict[str, list[tuple[date, date]]] = field(default_factory=dict)
    """The same for timesheets handed in and not approved yet: these lock nothing."""
    accounts: dict[str, str] = field(default_factory=dict)
    """Tempo account key -> name; where there are none, an attribute of that type takes any key."""

    days_into_future: int = 365
    max_hours_per_day: int | None = None
    description_optional: bool = True
    estimate_optional: bool = True
    approval_period: str = "WEEK"
    override_mode: bool = False
    error_shape: str = "list"
    """list | object | text: the three shapes clients have met."""
    limits: bool = False
    latency: float = 0.0

    mirror_lag: float = 0.5
    """Seconds until what changed on one side is seen on the other."""
    mirror_rounding: str = "nearest"
    """none | down | up | nearest: how the worklog in Jira gets its whole minutes."""
    mirror_comment: str | None = None
    """What every mirrored worklog says in Jira, on sites that keep the real text in Tempo."""
    mirror: deque[MirrorJob] = field(default_factory=deque, repr=False)
    twins: dict[int, int] = field(default_factory=dict, repr=False)
    """Id in Jira -> id in Tempo."""
    buried: set[int] = field(default_factory=set, repr=False)
    """Ids in Jira of worklogs that were deleted in Tempo; nothing follows them any more."""

    audit: list[AuditRow] = field(default_factory=list, repr=False)
    audit_permission: str = "io.tempo.jira__tempo-administrator"
    """Who may read the audit log; the vendor does not say."""
    audit_ids: str = "tempo"
    """tempo | jira: which id the audit log tells; the vendor does not say."""
    audit_synced: bool = False
    """True: what came from Jira is logged as Synced, not as what was done."""
    subscriptions: dict[str, TempoSubscription] = field(default_factory=dict)
    outbox: list[Letter] = field(default_factory=list, repr=False)
    home: str = ""
    """Its address where it is served."""

    bulk_running: set[int] = field(default_factory=set)
    rate: TokenBucket = field(default_factory=lambda: TokenBucket(5), repr=False)
    next_id: int = 0
    lock: Any = field(default_factory=threading.RLock, repr=False, compare=False)

    kind = "tempo"

    def __post_init__(self) -> None:
        self.jira.tempo = self
        _ = self.app

    @property
    def path(self) -> str:
        return f"/tempo/{self.url_name}"

    @property
    def app(self) -> JiraAccount:
        """Tempo's own user in Jira, whose worklogs are those that Tempo mirrored; another one on every site."""
        account_id = f"557058:{uuid.uuid5(uuid.NAMESPACE_DNS, self.jira.name)}"
        name = "Timesheets by Tempo - Jira Time Tracking"
        if account_id not in self.jira.accounts:
            app = JiraAccount(account_id, name, "", email_shown=False, kind="app", permissions=EVERYTHING)
            self.jira.accounts[account_id] = app
        return self.jira.accounts[account_id]

    def put(self, worklog: TempoWorklog) -> None:
        with self.lock:
            self.worklogs[worklog.id] = worklog
            self.by_issue.setdefault(worklog.issue_id, {})[worklog.id] = worklog
            if worklog.jira_worklog_id:
                self.twins[worklog.jira_worklog_id] = worklog.id

    def drop(self, worklog: TempoWorklog) -> None:
        with self.lock:
            del self.worklogs[worklog.id]
            del self.by_issue[worklog.issue_id][worklog.id]
            self.twins.pop(worklog.jira_worklog_id or 0, None)

    def twin_of(self, jira_worklog_id: int) -> TempoWorklog | None:
        return self.worklogs.get(self.twins.get(jira_worklog_id, 0))

    def join(self, worklog: TempoWorklog, jira_worklog_id: int) -> None:
        """Notes that the two are one worklog."""
        with self.lock:
            worklog.jira_worklog_id = jira_worklog_id
            self.twins[jira_worklog_id] = worklog.id

    def new_id(self) -> int:
        with self.lock:
            self.next_id += 1
            return self.next_id

    def worklogs_of(self, issue: str | int) -> list[TempoWorklog]:
        found = self.jira.issue(issue)
        return list(self.by_issue.get(found.id, {}).values()) if found else []

    def seconds_on(self, account_id: str, day: date) -> int:
        rows = list(self.worklogs.values())
        return sum(row.seconds for row in rows if row.author_id == account_id and row.day == day)


# 7pace Timetracker


@dataclass
class PaceUser:
    """A 7pace person: what a worklog row tells and what /users tells may differ."""

    id: str
    name: str
    unique_name: str
    vsts_id: str
    row_email: str | None = None
    listed_email: str | None = None
    role: str = "User"
    """User | Product | Budget | Administrator; workLogs/all needs one of the last three."""
    listed_unique_name: str | None = None


@dataclass
class PaceToken:
    token: str = field(repr=False)
    user_id: str = ""
    variable: str = "PACE_TOKEN"


@dataclass
class PaceWorklog:
    """`timestamp` is the wall clock; `seconds` None is a broken row without a length."""

    id: str
    user_id: str
    timestamp: datetime
    seconds: int | None
    work_item_id: int | None
    comment: str | None = ""
    billable_seconds: int | None = None
    activity_id: str = "00000000-0000-0000-0000-000000000000"
    created: datetime = field(default_factory=lambda: datetime(2024, 1, 2, 3, 4, 5))  # noqa: DTZ001
    edited: datetime = field(default_factory=lambda: datetime(2024, 1, 2, 3, 4, 5))  # noqa: DTZ001


@dataclass
class SevenPaceOrg:
    name: str
    url_name: str
    users: dict[str, PaceUser] = field(default_factory=dict)
    tokens: list[PaceToken] = field(default_factory=list)
    activities: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Activity id -> name, colour."""
    worklogs: dict[str, PaceWorklog] = field(default_factory=dict, repr=False)
    azure: str = ""
    """Name of its azure site."""

    time_zone: str = "Europe/Berlin"
    odata_wall: bool = False
    """True: OData stamps the wall clock with Z instead of converting it."""
    odata_in: bool = True
    """False: the `in` operator is refused."""
    service_account: bool = True
    largest_count: int = 500
    limits: bool = False
    latency: float = 0.0
    pace: SlidingWindows = field(default_factory=lambda: SlidingWindows(((10, 1.0), (100, 60.0))), repr=False)
    lock: Any = field(default_factory=threading.RLock, repr=False, compare=False)

    kind = "sevenpace"

    @property
    def path(self) -> str:
        return f"/7pace/{self.url_name}"

    def put(self, worklog: PaceWorklog) -> PaceWorklog:
        with self.lock:
            self.worklogs[worklog.id] = worklog
        return worklog


# Azure DevOps


@dataclass
class AzureProject:
    id: str
    name: str


@dataclass
class AzureWorkItem:
    id: int
    project: str
    title: str
    kind: str = "Task"
    state: str = "Active"
    visible: bool = True


@dataclass
class AzureIdentity:
    id: str
    name: str
    mail: str | None = None
    account: str = ""
    active: bool = True
    group: bool = False


@dataclass
class AzureToken:
    token: str = field(repr=False)
    identity_id: str = ""
    variable: str = "ADO_PAT"


@dataclass
class AzureOrg:
    name: str
    url_name: str
    tokens: list[AzureToken] = field(default_factory=list)
    projects: dict[str, AzureProject] = field(default_factory=dict)
    work_items: dict[int, AzureWorkItem] = field(default_factory=dict, repr=False)
    identities: dict[str, AzureIdentity] = field(default_factory=dict, repr=False)
    sign_in_page: bool = True
    """What a bad token gets: a page with 203, else a 401."""
    wiql_limit: int = 20_000
    limits: bool = False
    latency: float = 0.0
    lock: Any = field(default_factory=threading.RLock, repr=False, compare=False)

    kind = "azure"

    @property
    def path(self) -> str:
        return f"/azure/{self.url_name}"


type Site = JiraSite | TempoSite | SevenPaceOrg | AzureOrg


@dataclass
class World:
    """All sites by their name in the address, and the connections a TOML text may declare between them."""

    jira: dict[str, JiraSite] = field(default_factory=dict)
    tempo: dict[str, TempoSite] = field(default_factory=dict)
    sevenpace: dict[str, SevenPaceOrg] = field(default_factory=dict)
    azure: dict[str, AzureOrg] = field(default_factory=dict)
    connections: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    """Seconds since 1970, for created and updated times and for the feeds."""

    def sites(self) -> list[Site]:
        return [*self.jira.values(), *self.tempo.values(), *self.sevenpace.values(), *self.azure.values()]

    def senders(self) -> list[JiraSite | TempoSite]:
        """The sites that have webhooks."""
        return [*self.jira.values(), *self.tempo.values()]

    def at(self, prefix: str, url_name: str) -> Site | None:
        """The site behind the first two segments of an address."""
        families: dict[str, dict[str, Any]] = {
            "jira": self.jira, "tempo": self.tempo, "7pace": self.sevenpace, "azure": self.azure,
        }  # fmt: skip
        return families.get(prefix, {}).get(url_name)

    def set_limits(self, on: bool) -> None:
        for site in self.sites():
            site.limits = on

    def set_latency(self, seconds: float) -> None:
        for site in self.sites():
            site.latency = seconds

    def later(self, seconds: float) -> None:
        """Moves this world's clock forward, so that the feeds show what happened a moment ago."""
        before = self.clock
        self.clock = lambda: before() + seconds


def days(first: date, last: date) -> Iterator[date]:
    """Every day from first to last, both included."""
    for number in range((last - first).days + 1):
        yield first + timedelta(days=number)
