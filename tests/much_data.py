"""An installation's database full of data, for `make measure`: a large migration that has ended, one under way, small
ones, a sync that never ran; more than 200,000 audit rows and what belongs to them."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from django.db import connection as database
from django.db.models import Model

from connections.models import Connection, ConnectionCheck, Site, Token, UserMapping
from connections.wording import CODES
from reports.models import Proof
from worklogs import clock, figures, hours
from worklogs.models import (
    AuditEntry, CallCount, CarriedHour, Entry, Fetched, IssuePair, Run, RunHours, RunLog, Step, TwinTrace,
)  # fmt: skip
from worklogs.worklog import Person, Worklog

NOW = datetime.now(UTC).replace(microsecond=0)
DRAW = random.Random(7)


@dataclass(frozen=True)
class Plan:
    """A migration; with fewer entries carried than fetched its newest run is under way."""

    name: str
    target: str
    carried: int
    fetched: int
    runs: int


PLANS = (
    Plan("contoso-to-jca", "jca", 100_000, 100_000, 180),
    Plan("fabrikam-to-jcb", "jcb", 40_000, 60_000, 60),
    Plan("northwind-to-tempo", "jca-tempo", 2_000, 2_000, 30),
    Plan("tailspin-to-jca", "jca", 1_000, 1_000, 20),
    Plan("wingtip-to-jcb", "jcb", 1_000, 1_000, 10),
)
OPTIONS = {
    "source_timezone": "Europe/Berlin",
    "issues": {"match": "label", "on": "right", "label": "id-{id}"},
}
SYNC = {"issues": {"match": "key"}, "direction": "left-to-right"}
SITES, TOKENS = 40, 40
"""Sites in all, and personal tokens of one of them."""
OFTEN_EVERY = 100_000
"""Of so many entries one was written very often."""

FIRST = "Ada Ben Cy Di Eva Finn Gil Hana Ivo Jo Kim Leo Mia Ned Ola Pia Quinn Rosa Sam Tia".split()
PEOPLE = [
    Person(f"{name} Smith {number}", f"{name}.smith{number}@contoso.example".lower(), f"7p-{name}-{number}")
    for number in range(25)
    for name in FIRST
]
STRANGERS = set(PEOPLE[-12:])
"""People without an account on the target."""
BUSY = [1 / (5 + place) for place in range(len(PEOPLE))]

STANDINGS = {"written": 95.0, "linked": 2.0, "skipped": 1.5, "failed": 1.2, "parked": 0.3}
FAILING = [code for code, word in CODES.items() if word.kind in ("waiting", "passing", "final")]
CODES_OF = {"failed": FAILING, "parked": ["conflict", "lookalike"]}
ACTIONS = {"written": "create", "linked": "link", "skipped": "skip", "failed": "refuse", "parked": "park"}
ISSUES = 4_000
TEXT = "Review of the export mapping, call with the team about what is open, and tests of part {}"


def fill() -> None:
    sites = _sites()
    keep(_tokens(sites))
    Connection.objects.create(
        name="jca-jcb", kind="sync", left=sites["jca"], right=sites["jcb"], options=SYNC
    )
    first = 1_000_000
    for plan in PLANS:
        _fill_connection(sites, plan, list(_items(first, plan.fetched)))
        first += plan.fetched
    with database.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def keep(rows: Iterable[Model]) -> None:
    for some in batched(rows, 2_000):
        type(some[0])._default_manager.bulk_create(some)


# --- sites and people


def _sites() -> dict[str, Site]:
    azure = Site.objects.create(name="contoso", kind="azure", url="https://dev.azure.com/contoso")
    jira = Site.objects.create(
        name="jca", kind="jira", url="https://jca.atlassian.net", email="bot@jca.example"
    )
    Site.objects.create(name="contoso-7pace", kind="sevenpace", url="https://c.7pace.example", azure=azure)
    Site.objects.create(name="jca-tempo", kind="tempo", url="https://api.tempo.io/4", jira=jira)
    others = ["jcb", *(f"jira-{number}" for number in range(SITES - 5))]
    keep(Site(name=name, kind="jira", url=f"https://{name}.atlassian.net") for name in others)
    return {site.name: site for site in Site.objects.all()}


def _tokens(sites: dict[str, Site]) -> Iterator[Token]:
    kept = {"ciphertext": "x", "key_id": "x", "last_check_at": NOW, "last_check_state": "ok"}
    for site in sites.values():
        yield Token(site=site, expires_at=NOW + timedelta(days=200), **kept)
    for person in PEOPLE[:TOKENS]:
        ends = NOW + timedelta(days=DRAW.choice((-3, 9, 200, 300)))
        yield Token(site=sites["jca"], email=person.email, expires_at=ends, **kept)


def _account(person: Person) -> str:
    return "" if person in STRANGERS else f"712020:{person.account}"


def _pairs(connection: Connection) -> Iterator[UserMapping]:
    for place, person in enumerate(PEOPLE):
        if person not in STRANGERS:
            yield UserMapping(
                connection=connection,
                left_account=person.account,
                left_name=person.name,
                left_email=person.email,
                right_account=_account(person),
                right_name=person.name,
                found_by="manual" if place < 8 else "email",
            )


# --- entries


@dataclass(frozen=True)
class Item:
    """One entry of a source, and what became of it."""

    log: Worklog
    standing: str
    code: str

    @property
    def known(self) -> dict[str, Any]:
        """What its standing and its audit rows say of it alike."""
        log, moment = self.log, self.log.moment
        assert moment
        return {
            "entry": log.entry,
            "work": log.work,
            "issue": f"5{log.work}",
            "issue_key": "" if self.code == "issue_not_found" else f"ABC-{log.work}",
            "person_name": log.person.name,
            "person_email": log.person.email,
            "day": moment.day,
            "start": moment.start,
            "seconds": log.seconds,
            "code": self.code,
            "message": f"The site said no: {self.code}." if self.code else "",
        }

    @property
    def outcome(self) -> str:
        return "created" if self.standing == "written" else self.standing


def _items(first: int, count: int) -> Iterator[Item]:
    for number in range(first, first + count):
        start = NOW - timedelta(days=DRAW.randrange(700), minutes=15 * DRAW.randrange(40))
        standing = DRAW.choices([*STANDINGS], [*STANDINGS.values()])[0]
        log = Worklog(
            entry=str(number),
            work=str(10_000 + DRAW.randrange(ISSUES)),
            person=DRAW.choices(PEOPLE, BUSY)[0],
            moment=clock.from_instant(start, "Europe/Berlin"),
            seconds=900 * DRAW.randint(1, 20),
            text=TEXT.format(number),
            updated=start.isoformat(),
        )
        yield Item(log, standing, DRAW.choice(CODES_OF.get(standing, [""])))


def _fetched(run: Run, items: Iterable[Item], decided: int) -> Iterator[Fetched]:
    for place, item in enumerate(items):
        log = item.log
        yield Fetched(
            run=run,
            entry=log.entry,
            work=log.work,
            person=log.person.label,
            account=_account(log.person),
            digest=log.digest,
            seconds=log.seconds,
            values=log.to_json(),
            mapped=True,
            issue=f"5{log.work}",
            outcome=item.outcome if place < decided else "",
        )


def _entry(run: Run, item: Item) -> Entry:
    return Entry(
        connection=run.connection,
        site="contoso-7pace",
        digest=item.log.digest,
        values=item.log.to_json(),
        standing=item.standing,
        kind="waiting" if item.code else "",
        tried_at=NOW,
        settled_by=run,
        seen_by=run,
        **item.known,
    )


def _trace(run: Run, item: Item) -> TwinTrace:
    return TwinTrace(
        connection=run.connection,
        left_id=item.log.entry,
        right_id=f"9{item.log.entry}",
        right_site=run.connection.right.name,
        right_issue=f"5{item.log.work}",
        origin="left",
        source_digest=item.log.digest,
        agreed=item.log.to_json(),
        agreed_digest="x",
        stored_seconds=item.log.seconds,
        run=run,
    )


def _acts(runs: Sequence[Run], item: Item) -> Iterator[AuditEntry]:
    """What these runs did with it: a few times something, with a few entries very often."""
    often = int(item.log.entry) % OFTEN_EVERY == 0
    times = 60 if often else DRAW.choices((1, 2, 3), (70, 22, 8))[0]
    chosen = sorted(DRAW.choices(runs, k=times), key=lambda run: run.pk)
    for number, run in enumerate(chosen):
        again = number and item.standing == "written"
        yield _act(run, item, "update" if again else ACTIONS[item.standing], item.standing)


def _act(run: Run, item: Item, action: str, outcome: str) -> AuditEntry:
    values = item.log.to_json() | {"text": f"{item.log.text} {run.pk}"}
    wire = {
        "method": "POST",
        "url": "https://jca.atlassian.net/rest/api/3/worklog",
        "status": 201,
        "seconds": 0.2,
    }
    bodies = {"request_body": {"comment": item.log.text}, "response_body": {"id": f"9{item.log.entry}"}}
    wrote = {"after": values, "exchange": wire | bodies} if outcome == "written" else {}
    return AuditEntry(
        run=run,
        connection=run.connection.name,
        at=NOW,
        settled_at=NOW,
        site="contoso-7pace",
        target_site=run.connection.right.name,
        action=action,
        outcome=outcome,
        source=values,
        **item.known,
        **wrote,
    )


# --- connections and runs


def _fill_connection(sites: dict[str, Site], plan: Plan, items: Sequence[Item]) -> None:
    connection = Connection.objects.create(
        name=plan.name,
        kind="migration",
        left=sites["contoso-7pace"],
        right=sites[plan.target],
        options=OPTIONS,
    )
    carried = items[: plan.carried]
    keep(_runs(connection, plan.runs))
    runs = list(connection.runs.select_related("connection__right").order_by("id"))
    writing = [run for run in runs if not run.is_dry]
    keep(_pairs(connection))
    keep(_fetched(runs[-1], items, plan.carried))
    keep(_entry(runs[-1], item) for item in carried)
    keep(_trace(runs[-1], item) for item in carried if item.standing in ("written", "linked"))
    keep(row for item in carried for row in _acts(writing, item))
    keep(_act(runs[-2], item, ACTIONS[item.standing], "planned") for item in carried[::8])
    _keep_course(runs[-1])
    _keep_surroundings(connection)
    _keep_results(connection, runs)
    if plan.carried < plan.fetched:
        _go_on(runs[-1])


def _runs(connection: Connection, count: int) -> Iterator[Run]:
    """The one before the newest is a dry run, and so is every tenth."""
    for place in range(count):
        dry = place % 10 == 8
        yield Run(
            connection=connection,
            kind="dry_run" if dry else "migration",
            state="planned" if dry else "finished",
            phase="ended",
            ended_at=NOW,
            busy_seconds=912.5,
            options_digest="x",
        )


def _keep_course(run: Run) -> None:
    """How the run went: steps, log and calls."""
    keep(
        Step(run=run, kind="carry", key=str(n), lock=f"{run.pk}-{n}", state="waiting" if n % 3 else "done")
        for n in range(ISSUES)
    )
    keep(RunLog(run=run, text=f"Part {n} of the source is read: {40 * n} entries.") for n in range(200))
    keep(CallCount(run=run, site=site, method="POST", count=9_000) for site in ("jca", "contoso-7pace"))


def _keep_surroundings(connection: Connection) -> None:
    keep(
        IssuePair(connection=connection, left=str(10_000 + n), right=f"5{10_000 + n}", found_by="label")
        for n in range(ISSUES)
    )
    keep(
        CarriedHour(connection=connection, hour=NOW - timedelta(hours=back), created_seconds=90_000)
        for back in range(0, 24 * 60, 3)
    )
    checks = [
        {"site": "jca", "what": f"Permission {n}", "state": "ok", "need": "To write.", "hint": ""}
        for n in range(14)
    ]
    ConnectionCheck.objects.create(connection=connection, at=NOW, status="ok", checks=checks)
    Proof.objects.create(connection=connection, at=NOW, balanced=True, different=0, **hours.terms(connection))


def _keep_results(connection: Connection, runs: Sequence[Run]) -> None:
    """What the newest run came to; earlier ones came to the same."""
    result, sums = figures.now(runs[-1]), hours.counted(runs[-1])
    connection.runs.update(result=result, counts=figures.counts_of(result))
    columns = [field.name for field in RunHours._meta.fields if field.name not in ("id", "run")]
    kept = {name: getattr(sums, name) for name in columns}
    keep(RunHours(run=run, **kept) for run in runs if not run.is_dry)


def _go_on(run: Run) -> None:
    """Has it under way, in somebody's hands."""
    RunHours.objects.filter(run=run).delete()
    hands = {"owner": "somebody", "lease_until": NOW + timedelta(days=9)}
    live = {"state": "running", "phase": "carrying", "ended_at": None, "result": {}, "counts": {}}
    Run.objects.filter(pk=run.pk).update(**live, **hands)
