"""Two companies that share projects: Alice and Bob log time in either Jira, with Tempo or without.

Issues DEV-1, DEV-2, … of `jca` and EXT-1, EXT-2, … of `jcb` are pairs: those of `jcb` bear the label `twin-DEV-1`.
OWN-1 on both sides is nobody's twin.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from connections.sandbox import World
from connections.sandbox.world import JiraSite, JiraWorklog, TempoSite, TempoWorklog
from connections.sandbox.worlds.builder import Builder, Human

ALICE = Human("Alice Smith", "alice@example.com")
BOB = Human("Bob Jones", "bob@example.com", time_zone="America/New_York")

HEADER = re.compile(r"\[(Jira|Tempo) — (?P<name>.*) on \d{4}-\d{2}-\d{2}\](\n\n|\Z)")

type Row = JiraWorklog | TempoWorklog


@dataclass(frozen=True)
class Seen:
    """A worklog as a person sees it, whichever vendor keeps it."""

    id: int
    issue: str
    author: str
    started: str
    seconds: int
    text: str
    billable: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, order=True)
class Told:
    """What a worklog says to whoever reads it: by the number of its issue, whose work, the instant, the text that
    stands below a header."""

    work: str
    who: str
    when: str
    seconds: int
    text: str


class TwoClouds:
    """`left` and `right` are "tempo" or "jira"."""

    name = "jca-jcb"

    def __init__(self, left: str = "tempo", right: str = "tempo", issues: int = 3, **options: Any) -> None:
        self.builder = Builder(seed=11)
        self.world: World = self.builder.world
        self.jiras = {"left": self.builder.jira("jca"), "right": self.builder.jira("jcb")}
        self.sites: dict[str, JiraSite | TempoSite] = {
            side: self.builder.tempo(jira) if kind == "tempo" else jira
            for (side, jira), kind in zip(self.jiras.items(), (left, right), strict=True)
        }
        for jira in self.jiras.values():
            for human in (ALICE, BOB):
                self.builder.jira_account(jira, human)
        self.jiras["left"].add_project("DEV", "Development")
        self.jiras["right"].add_project("EXT", "External")
        for jira in self.jiras.values():
            jira.add_project("OWN", "Our own")
            jira.add_issue("OWN-1")
        for number in range(1, issues + 1):
            self.add_pair(number)
        self.world.connections[self.name] = {
            "kind": "sync",
            "left": self.sites["left"].name,
            "right": self.sites["right"].name,
            "issues": {"match": "label", "on": "right", "label": "twin-{key}"},
            **options,
        }

    def add_pair(self, number: int) -> None:
        self.jiras["left"].add_issue(f"DEV-{number}")
        self.jiras["right"].add_issue(f"EXT-{number}", labels=(f"twin-DEV-{number}",))

    def account(self, side: str, who: Human) -> str:
        account = self.jiras[side].account_of(who.email)
        if account is None:
            raise LookupError(who.name)
        return account.account_id

    def rows(self, side: str) -> list[Seen]:
        """What stands on one side, in the order of its ids."""
        site = self.sites[side]
        rows: list[Row] = sorted(site.worklogs.values(), key=lambda row: row.id)
        return [self._seen(side, row) for row in rows]

    def texts(self, side: str) -> list[str]:
        return [row.text for row in self.rows(side)]

    def told(self, side: str) -> list[Told]:
        """What one side tells of the issues that are pairs: the same as the other one, whoever wrote it down."""
        rows = (row for row in self.rows(side) if not row.issue.startswith("OWN-"))
        return sorted(self._told(side, row) for row in rows)

    def _told(self, side: str, row: Seen) -> Told:
        found = HEADER.match(row.text)
        who = found["name"] if found and row.author == "Twinlog Service" else row.author
        text = row.text[found.end() :] if found else row.text
        return Told(row.issue.rpartition("-")[2], who, self._instant(side, row), row.seconds, text)

    def _instant(self, side: str, row: Seen) -> str:
        moment = datetime.fromisoformat(row.started)
        if moment.tzinfo is None:
            account = next(one for one in self.jiras[side].accounts.values() if one.name == row.author)
            moment = moment.replace(tzinfo=ZoneInfo(account.time_zone))
        return moment.astimezone(UTC).isoformat()

    def _seen(self, side: str, row: Row) -> Seen:
        jira = self.jiras[side]
        issue = jira.issue(row.issue_id)
        account = jira.accounts.get(row.author_id)
        where = issue.key if issue else str(row.issue_id)
        who = account.name if account else row.author_id
        if isinstance(row, TempoWorklog):
            return Seen(
                row.id, where, who, row.started.isoformat(), row.seconds, row.description,
                row.billable_seconds, tuple(sorted(row.attributes.items())),
            )  # fmt: skip
        return Seen(row.id, where, who, row.started.isoformat(), row.seconds, text_of(row))


def text_of(row: JiraWorklog) -> str:
    from worklogs.texts import from_document

    return from_document(row.comment) if row.comment else ""


@dataclass
class Hands:
    """People at both sides of a served world."""

    clouds: TwoClouds
    sandbox: Any

    def log(
        self, side: str, who: Human, issue: str, started: str, length: str = "1h", text: str = "Work"
    ) -> int:
        """The id of what somebody logs."""
        before = {row.id for row in self.clouds.rows(side)}
        self.sandbox.by_hand(
            self._site(side), "log",
            author=self.clouds.account(side, who), on=issue, started=started, length=length, text=text,
        )  # fmt: skip
        self.settle()
        (made,) = [row.id for row in self.clouds.rows(side) if row.id not in before]
        return made

    def change(self, side: str, number: int, **values: Any) -> None:
        self.sandbox.by_hand(self._site(side), "change", number=str(number), **values)
        self.settle()

    def reword(self, side: str, number: int, text: str) -> None:
        """Changes the text, and leaves a header that stands above it."""
        (row,) = [row for row in self.clouds.rows(side) if row.id == number]
        found = HEADER.match(row.text)
        header = row.text[: found.end()] if found else ""
        self.change(side, number, text=f"{header}{text}")

    def move(self, side: str, number: int, issue: str) -> None:
        self.sandbox.by_hand(self._site(side), "move", number=str(number), on=issue)
        self.settle()

    def delete(self, side: str, number: int) -> None:
        self.sandbox.by_hand(self._site(side), "delete", number=str(number))
        self.settle()

    def settle(self) -> None:
        """Every mirror has caught up, and Jira's feeds tell what was done."""
        self.sandbox.settle()
        self.clouds.world.later(90)

    def _site(self, side: str) -> str:
        return self.clouds.sites[side].name


@dataclass
class Syncing:
    """Two companies on the wire, and the Twinlog between them."""

    twinlog: Any
    clouds: TwoClouds
    sandbox: Any
    hands: Hands = field(init=False)

    def __post_init__(self) -> None:
        self.hands = Hands(self.clouds, self.sandbox)
        self.set_up()

    def set_up(self, **changes: Any) -> None:
        """An operator writes the file, with these options changed, and applies it."""
        self.twinlog.set_up(self.sandbox, self.sandbox.toml(self.clouds.name, changes))

    def sync(self, *flags: str, status: int = 0, constants: Any = None) -> dict[str, Any]:
        """One run as its JSON; then the mirrors catch up, and the feeds tell what was written."""
        command = ("sync", self.clouds.name, *flags, "--json")
        run = self.twinlog.run(*command, status=status, constants=constants).data
        self.hands.settle()
        return run

    def rows(self, side: str) -> list[Seen]:
        return self.clouds.rows(side)

    def one(self, side: str, issue: str) -> Seen:
        """The only worklog of an issue."""
        (row,) = [row for row in self.rows(side) if row.issue == issue]
        return row

    def decide(self, site: str, entry: int, choice: str) -> None:
        """A person's word on one entry, as the page of open entries keeps it."""
        self.twinlog.change(
            'INSERT INTO worklogs_verdict (connection_id, site, entry, choice, "by", at) '
            f"SELECT id, '{site}', '{entry}', '{choice}', 'alice', CURRENT_TIMESTAMP FROM connections_connection"
        )

    def is_quiet(self) -> bool:
        """One more run has nothing to write, and hardly asks."""
        run = self.sync()
        calls = sum(sum(methods.values()) for methods in run["calls"].values())
        return run["written"] == 0 and calls <= 10


def changes(sandbox: Any) -> list[Any]:
    """Calls that wrote a worklog, or tried to."""
    reads = ("/search", "/list")
    written = [call for call in sandbox.calls if call.method in ("POST", "PUT", "DELETE")]
    return [call for call in written if "/worklog" in call.path and not call.path.endswith(reads)]


def day(number: int, hour: int = 9) -> str:
    return datetime(2026, 3, number, hour).isoformat()
