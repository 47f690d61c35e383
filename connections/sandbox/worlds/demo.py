"""What the demo migrates: five years of work in the organisation contoso, to be carried to the Jira site `jca`.

A right migration (everything, REST, label ado-id-{id}, people by e-mail) finds 8,432 entries: 8,401 are written,
14 are shorter than 60 s, 17 fail:

    4  their work item has no issue               4  their issue is closed and not editable
    1  its issue is archived and not to be found  1  its issue is at the worklog limit
    3  have no work item                          2  nobody may log work in their issue's project
    2  have no length

140 people wrote them; 43 of these have no active account that shows their e-mail (26 unknown, 10 inactive, 7 hidden).
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from connections.sandbox.world import AzureOrg, JiraSite, PaceUser, PaceWorklog, SevenPaceOrg, World
from connections.sandbox.worlds.builder import Account, Builder, Found, Human, email_of, migration
from connections.sandbox.worlds.demo_texts import FIRST_NAMES, LAST_NAMES, SPECIAL_COMMENTS, comment, title

WRITTEN, SKIPPED, FAILED = 8_401, 14, 17
MISSING = {Account.NONE: 26, Account.INACTIVE: 10, Account.HIDDEN: 5, Account.EMPTY: 2}
PEOPLE = 140
ISSUES = 1_290
MOST_ON_ONE_ISSUE = 56
WORKLOG_LIMIT = 200
ZONE = "Europe/Berlin"

_FIRST_DAY, _LAST_DAY = date(2021, 1, 4), date(2025, 12, 19)
_CHAIN = [Found.UNIQUE_NAME] * 6 + [Found.USERS] * 5 + [Found.AZURE_MAIL] * 5 + [Found.AZURE_ACCOUNT] * 2
_PROJECTS = (("WEB", "Web shop", "Contoso"), ("OPS", "Platform", "Contoso"),
             ("MOB", "Mobile apps", "Contoso Mobile"), ("ERP", "Back office", "Tailspin"))  # fmt: skip
_LENGTHS = [900, 1800, 1800, 2700, 3600, 3600, 5400, 7200, 9000, 10_800, 14_400, 27_000]
_CLOCK_CHANGES = [date(2022, 3, 27), date(2024, 3, 31), date(2022, 10, 30), date(2024, 10, 27)]


def demo(seed: int = 2026, *, limits: bool = True, latency: float = 0.0) -> World:
    """The world described above; the vendors' rate limits are enforced unless told otherwise."""
    builder = Builder(seed)
    world = builder.world
    jira, azure = builder.jira("jca"), builder.azure("contoso", "Contoso", "Contoso Mobile", "Tailspin")
    pace = builder.sevenpace(azure)
    world.connections["contoso-to-jca"] = migration(pace.name, jira.name)
    humans = _humans(builder)
    users = [builder.pace_user(pace, azure, human) for human in humans]
    _accounts(builder, jira, humans)
    items = _issues(builder, jira, azure)
    diary = Diary(builder, pace, users)
    _good_entries(builder, diary, items)
    _short_entries(builder, diary, items)
    _failing_entries(builder, diary)
    _former_work(builder, jira)
    world.set_limits(limits)
    world.set_latency(latency)
    return world


# People


def _humans(builder: Builder) -> list[Human]:
    """140 people in a fixed order: those without an account are spread among the others."""
    names = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    names = builder.draw.sample(names, PEOPLE)
    accounts = [account for account, count in MISSING.items() for _ in range(count)]
    accounts += [Account.ACTIVE] * (PEOPLE - len(accounts))
    builder.draw.shuffle(accounts)
    found = _CHAIN + [Found.ROW] * (PEOPLE - len(_CHAIN))
    builder.draw.shuffle(found)
    return [
        Human(name, email_of(name), where, account)
        for name, where, account in zip(names, found, accounts, strict=True)
    ]


def _accounts(builder: Builder, jira: JiraSite, humans: list[Human]) -> None:
    """Everybody's Jira account, three personal tokens, and thirty people who never logged time in 7pace."""
    for human in humans:
        builder.jira_account(jira, human)
    holders = [human for human in humans if human.account == Account.ACTIVE][:3]
    for human in holders:
        builder.personal_token(jira, jira.accounts[builder.account_id(human.email)])
    for number in range(1, 31):
        builder.jira_account(jira, Human(f"Jira Person {number}", f"jira.person{number}@contoso.example"))


# Issues


def _issues(builder: Builder, jira: JiraSite, azure: AzureOrg) -> list[int]:
    """Work items and their issues, numbered in no common order; gives the ids of those that can take work."""
    numbers = builder.draw.sample(range(1_000, 9_000), ISSUES)
    for key, name, _ in _PROJECTS:
        jira.add_project(key, name)
    for count, number in enumerate(numbers):
        key, _, project = _PROJECTS[count % len(_PROJECTS)]
        item = builder.work_item(azure, number, project, title(builder.draw))
        issue = builder.issue_of(jira, f"{key}-{count // len(_PROJECTS) + 1}", item)
        if count % 7 == 0:
            issue.original_seconds = issue.remaining_seconds = 40 * 3600
    _trouble(builder, jira, azure)
    return numbers


def _trouble(builder: Builder, jira: JiraSite, azure: AzureOrg) -> None:
    """Work items 9001 to 9008, whose entries must fail."""
    for number in range(9_001, 9_009):
        builder.work_item(azure, number, "Contoso", title(builder.draw))
    item = azure.work_items.__getitem__
    builder.issue_of(jira, "WEB-901", item(9_003), editable=False)
    builder.issue_of(jira, "WEB-902", item(9_004), editable=False)
    builder.issue_of(jira, "OPS-901", item(9_005), archived=True)
    builder.issue_of(jira, "OPS-902", item(9_006))
    jira.add_project("PRV", "Works council").denied.add("WORK_ON_ISSUES")
    builder.issue_of(jira, "PRV-1", item(9_007))
    jira.worklog_limit = WORKLOG_LIMIT


def _former_work(builder: Builder, jira: JiraSite) -> None:
    """What was in Jira before: on some issues by people of Jira alone, and as much on one as it can hold.

    They begin at odd seconds, so that none looks like an entry of 7pace.
    """
    people = [account for account in jira.accounts.values() if account.name.startswith("Jira Person")]
    issues = [issue for issue in jira.issues.values() if issue.editable and not issue.is_archived]
    for number in range(150):
        start = datetime(2025, 1, 1, 8, 0, 37, tzinfo=UTC) + timedelta(hours=number)
        issue = builder.draw.choice(issues)
        if issue.key != "OPS-902":
            jira.add_worklog(issue, builder.draw.choice(people), start, 1800, "Entered by hand")
    full = next(issue for issue in issues if issue.key == "OPS-902")
    for number in range(WORKLOG_LIMIT):
        start = datetime(2023, 1, 2, 8, 0, 37, tzinfo=UTC) + timedelta(days=number)
        jira.add_worklog(full, people[0], start, 900, "Daily duties")


# Entries


class Diary:
    """Writes entries into 7pace; no two of a person on one day, no two of a work item at one start."""

    def __init__(self, builder: Builder, pace: SevenPaceOrg, users: list[PaceUser]) -> None:
        self.builder = builder
        self.pace = pace
        self.authors = self._authors(users)
        self.taken: set[tuple[str, date]] = set()
        self.starts: set[tuple[int | None, datetime]] = set()
        self.activities = list(pace.activities)

    def _authors(self, users: list[PaceUser]) -> Iterator[PaceUser]:
        """Everybody once, then some more often than others."""
        yield from users
        weights = [1 / (1 + number % 17) for number in range(len(users))]
        while True:
            yield from self.builder.draw.choices(users, weights, k=100)

    def write(
        self, work_item: int | None, seconds: int | None, text: str | None, on: date | None = None
    ) -> PaceWorklog:
        """An entry of the next author, at a free time (on a given day: half past two at night)."""
        author = next(self.authors)
        start = datetime.combine(on, time(2, 30)) if on else self._free_start(author, work_item)
        self.starts.add((work_item, start))
        self.taken.add((author.id, start.date()))
        made = start + timedelta(seconds=max(0, seconds or 0), minutes=3)
        return self.pace.put(
            PaceWorklog(
                self.builder.guid(), author.id, start, seconds, work_item, text, self._billable(seconds),
                self.builder.draw.choice(self.activities), made, made,
            )
        )  # fmt: skip

    def _free_start(self, author: PaceUser, work_item: int | None) -> datetime:
        draw = self.builder.draw
        while True:
            day = _FIRST_DAY + timedelta(days=draw.randrange((_LAST_DAY - _FIRST_DAY).days))
            start = datetime.combine(day, time(draw.randrange(7, 18), draw.randrange(0, 60, 5)))
            free = (author.id, day) not in self.taken and (work_item, start) not in self.starts
            if day.weekday() < 5 and free:
                return start

    def _billable(self, seconds: int | None) -> int | None:
        """Most entries are billable as worked; some not at all, some in part."""
        chance = self.builder.draw.random()
        if seconds is None or chance > 0.12:
            return None
        return 0 if chance < 0.08 else seconds // 2


def _good_entries(builder: Builder, diary: Diary, items: list[int]) -> None:
    """Every issue at least once, a few up to 56 times; some at night when the clocks change."""
    for number, item in enumerate(_spread(builder, items)):
        day = _CLOCK_CHANGES[number] if number < len(_CLOCK_CHANGES) else None
        diary.write(item, _length(builder), _text(builder, number), day)


def _spread(builder: Builder, items: list[int]) -> list[int]:
    counts = dict.fromkeys(items, 1)
    weights = [1 / (5 + number) ** 0.6 for number in range(len(items))]
    missing = WRITTEN - len(items)
    while missing:
        item = builder.draw.choices(items, weights)[0]
        if counts[item] < MOST_ON_ONE_ISSUE:
            counts[item] += 1
            missing -= 1
    rest = [item for item, count in counts.items() for _ in range(count - 1)]
    builder.draw.shuffle(rest)
    return items + rest


def _length(builder: Builder) -> int:
    """Typed in by hand as a rule; tracked to the second now and then."""
    if builder.draw.random() < 0.1:
        return builder.draw.randrange(60, 18_000)
    return builder.draw.choice(_LENGTHS)


def _text(builder: Builder, number: int) -> str | None:
    if number % 23 == 5:
        return SPECIAL_COMMENTS[(number // 23) % len(SPECIAL_COMMENTS)]
    return comment(builder.draw)


def _short_entries(builder: Builder, diary: Diary, items: list[int]) -> None:
    """Tracked by mistake: the timer was stopped at once."""
    for item in builder.draw.sample(items[200:], SKIPPED):
        diary.write(item, builder.draw.randrange(3, 60), "")


def _failing_entries(builder: Builder, diary: Diary) -> None:
    """The seventeen of the table above."""
    for work_item in (9_001, 9_001, 9_001, 9_002, 9_003, 9_003, 9_003, 9_004, 9_005, 9_006, 9_007, 9_007):
        diary.write(work_item, 3600, comment(builder.draw))
    for text in ("Job interview", "Works meeting", "Travel to the customer"):
        diary.write(None, 5400, text)
    for item in list(builder.world.azure["contoso"].work_items)[:2]:
        diary.write(item, None, "Timer never stopped")
