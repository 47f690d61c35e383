"""An installation's database full of data, for `make measure`: a large migration that has ended, one under way, small
ones, a sync and one that never ran; more than 200,000 audit rows and what belongs to them."""

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
from worklogs import clock, figures, hours, models
from worklogs.models import AuditEntry, Entry, Fetched, Run, RunHours, TwinTrace
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
SOURCE = "contoso-7pace"
TWO_WAY = Plan("jca-tempo-jcb", "jcb", 4_000, 4_000, 100)
"""A sync whose entries all began on its left side, in Tempo."""
OPTIONS = {
    "source_timezone": "Europe/Berlin",
    "issues": {"match": "label", "on": "right", "label": "id-{id}"},
}
SYNC = {"issues": {"match": "key"}, "direction": "left-to-right"}
SITES, TOKENS = 40, 40
"""Sites in all, and personal tokens of one of them."""
OFTEN = 100_000
"""One of so many entries was written very often."""
ISSUES = 4_000

NAMES = ("Ada", "Ben", "Cy", "Di", "Eva", "Finn", "Gil", "Hana", "Ivo", "Jo")
PEOPLE = [
    Person(f"{name} Smith {number}", f"{name}.smith{number}@contoso.example".lower(), f"7p-{name}-{number}")
    for number in range(50)
    for name in NAMES
]
BUSY = [1 / (5 + place) for place in range(len(PEOPLE))]
STRANGERS = set(PEOPLE[-12:])
"""People without an account on the target."""

STANDINGS = {"written": 95.0, "linked": 2.0, "skipped": 1.5, "failed": 1.2, "parked": 0.3}
FAILING = [code for code, word in CODES.items() if word.kind in ("waiting", "passing", "final")]
CODES_OF = {"failed": FAILING, "parked": ["conflict", "lookalike"]}
ACTIONS = {"written": "create", "linked": "link", "skipped": "skip", "failed": "refuse", "parked": "park"}
TEXT = "Review of the export mapping, call with the team about what is open, and tests of part {}"
WIRE = {
    "method": "POST",
    "url": "https://jca.atlassian.net/rest/api/3/worklog",
    "status": 201,
    "seconds": 0.2,
}


def fill() -> None:
    sites = _sites()
    keep(_tokens(sites))
    jca, jcb = sites["jca"], sites["jcb"]
    Connection.objects.create(name="jca-jcb", kind="sync", left=jca, right=jcb, options=SYNC)
    first = 1_000_000
    for plan in PLANS:
        ends = {"left": sites[SOURCE], "right": sites[plan.target], "options": OPTIONS}
        connection = Connection.objects.create(name=plan.name, kind="migration", **ends)
        _fill_connection(connection, plan, list(_items(first, plan.fetched)))
        first += plan.fetched
    ends = {"left": sites["jca-tempo"], "right": jcb, "options": {"issues": {"match": "key"}}}
    two_way = Connection.objects.create(name=TWO_WAY.name, kind="sync", **ends)
    _fill_connection(two_way, TWO_WAY, list(_items(first, TWO_WAY.fetched)))
    _keep_reach(two_way)
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
    Site.objects.create(name=SOURCE, kind="sevenpace", url="https://c.7pace.example", azure=azure)
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


def _pair(connection: Connection, person: Person, how: str) -> UserMapping:
    return UserMapping(
        connection=connection, left_account=person.account, left_name=person.name, left_email=person.email,
        right_account=_account(person), right_name=person.name, found_by=how,
    )  # fmt: skip


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
            "entry": log.entry, "work": log.work, "issue": f"5{log.work}", "seconds": log.seconds,
            "issue_key": "" if self.code == "issue_not_found" else f"ABC-{log.work}",
            "person_name": log.person.name, "person_email": log.person.email,
            "day": moment.day, "start": moment.start,
            "code": self.code, "message": f"The site said no: {self.code}." if self.code else "",
        }  # fmt: skip


def _items(first: int, count: int) -> Iterator[Item]:
    for number in range(first, first + count):
        start = NOW - timedelta(days=DRAW.randrange(700), minutes=15 * DRAW.randrange(40))
        log = Worklog(
            entry=str(number), work=str(10_000 + DRAW.randrange(ISSUES)),
            person=DRAW.choices(PEOPLE, BUSY)[0], moment=clock.from_instant(start, "Europe/Berlin"),
            seconds=900 * DRAW.randint(1, 20), text=TEXT.format(number), updated=start.isoformat(),
        )  # fmt: skip
        standing = DRAW.choices([*STANDINGS], [*STANDINGS.values()])[0]
        yield Item(log, standing, DRAW.choice(CODES_OF.get(standing, [""])))


def _fetched(run: Run, item: Item, decided: bool) -> Fetched:
    log = item.log
    became = "created" if item.standing == "written" else item.standing
    return Fetched(
        run=run, entry=log.entry, work=log.work, person=log.person.label, account=_account(log.person),
        digest=log.digest, seconds=log.seconds, values=log.to_json(), mapped=True, issue=f"5{log.work}",
        outcome=became if decided else "",
    )  # fmt: skip


def _entry(run: Run, item: Item) -> Entry:
    return Entry(
        connection=run.connection, site=run.connection.left.name, digest=item.log.digest, values=item.log.to_json(),
        standing=item.standing, kind="waiting" if item.code else "", tried_at=NOW,
        settled_by=run, seen_by=run, **item.known,
    )  # fmt: skip


def _trace(run: Run, item: Item) -> TwinTrace:
    log = item.log
    return TwinTrace(
        connection=run.connection, left_id=log.entry, right_id=f"9{log.entry}", right_site=run.connection.right.name,
        right_issue=f"5{log.work}", origin="left", source_digest=log.digest, agreed=log.to_json(), agreed_digest="x",
        stored_seconds=log.seconds, run=run,
    )  # fmt: skip


def _acts(runs: Sequence[Run], item: Item) -> Iterator[AuditEntry]:
    """What these runs did with it: a few times something, with a few entries very often."""
    times = DRAW.choices((1, 2, 3), (70, 22, 8))[0] if int(item.log.entry) % OFTEN else 60
    for number, run in enumerate(sorted(DRAW.choices(runs, k=times), key=lambda run: run.pk)):
        again = number and item.standing == "written"
        yield _act(run, item, "update" if again else ACTIONS[item.standing], item.standing)


def _act(run: Run, item: Item, action: str, outcome: str) -> AuditEntry:
    values = item.log.to_json() | {"text": f"{item.log.text} {run.pk}"}
    bodies = {"request_body": {"comment": item.log.text}, "response_body": {"id": f"9{item.log.entry}"}}
    wrote = {"after": values, "exchange": WIRE | bodies} if outcome == "written" else {}
    return AuditEntry(
        run=run, connection=run.connection.name, at=NOW, settled_at=NOW,
        site=run.connection.left.name, target_site=run.connection.right.name, action=action, outcome=outcome,
        source=values, **item.known, **wrote,
    )  # fmt: skip


# --- connections and runs


def _fill_connection(connection: Connection, plan: Plan, items: Sequence[Item]) -> None:
    carried = items[: plan.carried]
    keep(_run(connection, is_dry=place % 10 == 8) for place in range(plan.runs))
    runs = list(connection.runs.select_related("connection__left", "connection__right").order_by("id"))
    writing = [run for run in runs if not run.is_dry]
    keep(_fetched(runs[-1], item, place < plan.carried) for place, item in enumerate(items))
    keep(_entry(runs[-1], item) for item in carried)
    keep(_trace(runs[-1], item) for item in carried if item.standing in ("written", "linked"))
    keep(act for item in carried for act in _acts(writing, item))
    keep(_act(runs[-2], item, ACTIONS[item.standing], "planned") for item in carried[::8])
    _keep_course(runs[-1])
    _keep_surroundings(connection)
    _keep_results(connection, runs)
    if plan.carried < plan.fetched:
        _go_on(runs[-1])


def _run(connection: Connection, *, is_dry: bool) -> Run:
    kind, state = ("dry_run", "planned") if is_dry else (connection.kind, "finished")
    ended = {"phase": "ended", "ended_at": NOW, "busy_seconds": 912.5}
    return Run(connection=connection, kind=kind, state=state, options_digest="x", **ended)


def _keep_course(run: Run) -> None:
    """How the run went: steps, log and calls."""
    keep(
        models.Step(
            run=run, kind="carry", key=str(n), lock=f"{run.pk}-{n}", state="waiting" if n % 3 else "done"
        )
        for n in range(ISSUES)
    )
    keep(
        models.RunLog(run=run, text=f"Part {n} of the source is read: {40 * n} entries.") for n in range(200)
    )
    keep(models.CallCount(run=run, site=site, method="POST", count=9_000) for site in ("jca", SOURCE))


def _keep_surroundings(connection: Connection) -> None:
    known = [person for person in PEOPLE if person not in STRANGERS]
    keep(_pair(connection, person, "manual" if n < 8 else "email") for n, person in enumerate(known))
    keep(_issues(connection))
    hours_ago = [NOW - timedelta(hours=back) for back in range(0, 24 * 60, 3)]
    keep(models.CarriedHour(connection=connection, hour=hour, created_seconds=90_000) for hour in hours_ago)
    found = {"site": "jca", "state": "ok", "need": "To write.", "hint": ""}
    checks = [found | {"what": f"Permission {n}"} for n in range(14)]
    ConnectionCheck.objects.create(connection=connection, at=NOW, status="ok", checks=checks)
    Proof.objects.create(connection=connection, at=NOW, balanced=True, different=0, **hours.terms(connection))


def _issues(connection: Connection) -> Iterator[models.IssuePair]:
    """Those of a sync are called by keys; work items of a migration have none."""
    for number in range(10_000, 10_000 + ISSUES):
        keys = {} if connection.is_migration else {"left_key": f"JCA-{number}", "right_key": f"ABC-{number}"}
        yield models.IssuePair(
            connection=connection, left=str(number), right=f"5{number}", found_by="label", **keys
        )


def _keep_reach(sync: Connection) -> None:
    """How far it has come, and the issues without a counterpart."""
    for side, key in (("left", "OPS"), ("right", "WEB")):
        keep(models.Cursor(connection=sync, side=side, feed=feed, at=NOW) for feed in models.Cursor.Feed)
        keep(
            models.OutOfScope(
                connection=sync, side=side, issue=str(80_000 + n), key=f"{key}-{n}", entries=1 + n % 40,
                seconds=900 * (1 + n % 400), misses=n % 6, look_after=NOW + timedelta(hours=n % 60),
            )
            for n in range(ISSUES)
        )  # fmt: skip


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
