"""Two sides that hold the same work, as the lanes of a sync see them. Everybody works in Berlin.

Alice and Dora have an account on both sides, Bob on the left only, Carol on the right only. Each side has a bot that
writes for whoever has none there, and in Jira for whoever's token is not held. Issue `L1` is `R1` on the other side,
and the work attribute `_Task_` of the left is `_Aufgabe_` on the right.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from connections.options import Conflicts, LongText, Lookalikes, Rounding, Side
from worklogs import merge, rules
from worklogs.clock import from_instant, from_wall
from worklogs.merge import Lane, Twin
from worklogs.plan import Mapped
from worklogs.plan_twins import Found
from worklogs.rules import Author, Policy, Target
from worklogs.worklog import Person, Worklog

LEFT, RIGHT = Side.LEFT, Side.RIGHT
JIRA, TEMPO = Target.JIRA, Target.TEMPO
NAMES = {TEMPO: "Tempo", JIRA: "Jira"}
BERLIN = "Europe/Berlin"
NINE = datetime(2026, 3, 2, 9, 0)
DAWN = datetime(2026, 3, 2, tzinfo=UTC)

ALICE, BOB, CAROL, DORA, BOT = "Alice Smith", "Bob Jones", "Carol White", "Dora Lee", "Bot"
ACCOUNTS = {
    LEFT: {ALICE: "l-alice", BOB: "l-bob", DORA: "l-dora", BOT: "l-bot"},
    RIGHT: {ALICE: "r-alice", CAROL: "r-carol", DORA: "r-dora", BOT: "r-bot"},
}
NAME_OF = {account: name for accounts in ACCOUNTS.values() for name, account in accounts.items()}
TASK = {LEFT: "_Task_", RIGHT: "_Aufgabe_"}


def other(side):
    return RIGHT if side is LEFT else LEFT


def person(name, side):
    return Person(name, account=ACCOUNTS[side][name])


def clock(minutes):
    """What a vendor writes as the time of an update, so many minutes into the day."""
    return (DAWN + timedelta(minutes=minutes)).isoformat()


def counterpart(issue):
    return {"L": "R", "R": "L"}[issue[0]] + issue[1:]


def shown(row, kind):
    """A worklog as a vendor of this kind keeps it: Jira its instant, Tempo its wall clock, billable, attributes."""
    if kind is JIRA:
        moment = row.moment and from_instant(row.moment.instant, BERLIN)
        return row.with_(moment=moment, billable=None, attributes=())
    return row.with_(moment=row.moment and from_wall(row.moment.wall, BERLIN), marker="", marked_account="")


def by_hand(side, kind, entry, name=ALICE, at=NINE, seconds=3600, text="Fixed the pump", **more):
    """A worklog that its person entered on this side."""
    billable = more.pop("billable", seconds if kind is TEMPO else None)
    work = more.pop("work", f"{side[0].upper()}1")
    row = Worklog(
        entry, work, person(name, side), from_wall(at, BERLIN), seconds, text, billable, updated=clock(0)
    )
    return shown(row.with_(**more), kind)


def carried(attributes, source):
    """A side's attributes in the other's keys; one that the other lacks is left out."""
    return tuple((TASK[other(source)], value) for key, value in attributes if key == TASK[source])


@dataclass(frozen=True)
class Sync:
    """A connection: what its sides are, and whose personal tokens are held for Jira."""

    left: Target = TEMPO
    right: Target = TEMPO
    conflicts: Conflicts = Conflicts.LATEST
    lookalikes: Lookalikes = Lookalikes.LINK
    goes_back: bool = True
    tokens: tuple[str, ...] = ()
    has_markers: bool = field(default=True, kw_only=True)

    def kind(self, side):
        return self.left if side is LEFT else self.right

    def own(self, side):
        holders = self.tokens if self.kind(side) is JIRA else ()
        return frozenset(ACCOUNTS[side][name] for name in (BOT, *holders) if name in ACCOUNTS[side])

    def lane(self, source):
        target = other(source)
        return Lane(
            source,
            self.kind(source),
            self.kind(target),
            self.own(source),
            self.own(target),
            self.conflicts,
            self.goes_back,
        )

    def policy(self, source):
        target = self.kind(other(source))
        least = 60 if target is JIRA else 0
        marks = target is JIRA and self.has_markers
        name = NAMES[self.kind(source)]
        return Policy(target, name, least, Rounding.NONE, 1, self.lookalikes, LongText.CUT, marks)

    def mapped(self, row, source):
        """The entry with its author and issue found, and the copy as it would be written anew."""
        target = other(source)
        plain = merge.plain(row, self.own(source))
        name = plain.person.name or NAME_OF.get(plain.person.account, "")
        plain = plain.with_(person=replace(plain.person, name=name))
        account = ACCOUNTS[target].get(name, "")
        true = bool(account) and (self.kind(target) is TEMPO or name in self.tokens or name == BOT)
        token = name if true and self.kind(target) is JIRA and name in self.tokens else ""
        author = Author(account if true else ACCOUNTS[target][BOT], true, token)
        copy = rules.copy_of(plain, counterpart(row.work), author, self.policy(source))
        if self.kind(source) is self.kind(target) is TEMPO:
            copy = copy.with_(attributes=carried(row.attributes, source))
        return Mapped(plain, copy, account, token)

    def found(self, row, source, twin=None, **more):
        return Found(row, self.mapped(row, source), twin, **more)

    def copy(self, row, source, entry, **more):
        """The worklog as the other side shows it once it was carried there."""
        mapped = self.mapped(row, source)
        marked = {"marker": row.entry, "marked_account": mapped.account}
        return shown(mapped.copy.with_(entry=entry, **marked), self.kind(other(source))).with_(**more)


def twin(source_row, copy, source, **more):
    """What a trace remembers, seen from a lane; both began on the left."""
    told = {"carried": carried(source_row.attributes, source), "target_is_copy": source is LEFT}
    return Twin(source_row, copy, **{**told, **more})
