"""A small world with every kind of oddity once, and an empty one.

Work items 101 to 201 of the organisation contoso; the same issues on `jca` (native worklogs) and `jcb` (Tempo):

    ABC-1  101  ordinary, 10 h remaining            ABC-7  106  nobody may see it
    ABC-2  102  ordinary, holds a lookalike         ABC-8  107  no permission to log work
    ABC-3  103  closed, not editable                ABC-9  108  at its worklog limit (jca)
    ABC-4  104  archived                            ABC-10 109  moved, once was OLD-10
    ABC-5  105  and ABC-6 105: two for one id       XYZ-1  201  in another project
    -      110  has no issue

The custom fields "ADO ID" (number) and "ADO reference" (text) and a remote link hold the work item's id as well.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from connections.sandbox.world import (
    AzureOrg,
    AzureWorkItem,
    JiraAccount,
    JiraField,
    JiraIssue,
    JiraSite,
    PaceUser,
    PaceWorklog,
    TempoSite,
    TempoWorklog,
    World,
)
from connections.sandbox.worlds.builder import Account, Builder, Found, Human, migration

ALICE = Human("Alice Smith", "alice@example.com")
BOB = Human("Bob Jones", "BOB@Example.com")
CAROL = Human("Carol White", "carol@example.com", account=Account.INACTIVE)
DAN = Human("Dan Brown", "dan@example.com", account=Account.HIDDEN)
DORA = Human("Dora Green", "dora@example.com", account=Account.EMPTY)
ERIN = Human("Erin Black", "erin@example.com")
FRANK = Human("Frank Nobody", "frank@example.com", account=Account.NONE)
GRACE = Human("Grace Hill", "grace@example.com", Found.UNIQUE_NAME)
HEIDI = Human("Heidi Lake", "heidi@example.com", Found.USERS)
IVAN = Human("Ivan Stone", "ivan@example.com", Found.AZURE_MAIL, time_zone="Asia/Kolkata")
JUDY = Human("Judy Wood", "judy@example.com", Found.AZURE_ACCOUNT, time_zone="America/New_York")
MALLORY = Human("Mallory Unknown", "mallory@example.com", Found.NOWHERE, Account.NONE)
HUMANS = (ALICE, BOB, CAROL, DAN, DORA, ERIN, FRANK, GRACE, HEIDI, IVAN, JUDY, MALLORY)


@dataclass(frozen=True)
class Example:
    """One entry: who worked when on what, why it is here, and what a migration to `jca` makes of it.

    `outcome` is written, skipped, linked, or the code of the failure; "either" where both skipping and refusing are
    right.
    """

    why: str
    human: Human
    work_item: int | None
    start: str
    seconds: int | None
    comment: str | None = "Work"
    billable: int | None = None
    outcome: str = "written"


LONG = "All work and no play. " * 2000
FITTING = "x" * 32_767

EXAMPLES = (
    # people
    Example("found by e-mail, holds a personal token", ALICE, 101, "2024-03-15T09:00:00", 3600, "Plain work"),
    Example("the e-mail is spelt in capitals", BOB, 101, "2024-03-15T10:00:00", 1800),
    Example("the account is inactive", CAROL, 101, "2024-03-15T11:00:00", 900),
    Example("the e-mail is hidden (absent)", DAN, 101, "2024-03-15T12:00:00", 900),
    Example("the e-mail is hidden (empty)", DORA, 101, "2024-03-15T13:00:00", 900),
    Example("two accounts share the e-mail", ERIN, 101, "2024-03-15T14:00:00", 900),
    Example("nobody has that e-mail", FRANK, 101, "2024-03-15T15:00:00", 900),
    Example("the e-mail is only the unique name", GRACE, 101, "2024-03-15T16:00:00", 900),
    Example("the e-mail is only in /users", HEIDI, 101, "2024-03-15T17:00:00", 900),
    Example("the e-mail is only Azure's Mail", IVAN, 101, "2024-03-15T18:00:00", 900),
    Example("the e-mail is only Azure's Account", JUDY, 101, "2024-03-15T19:00:00", 900),
    Example("no e-mail anywhere, only a name", MALLORY, 101, "2024-03-15T20:00:00", 900),
    # lengths
    Example("too short", ALICE, 102, "2024-04-02T08:00:00", 30, outcome="skipped"),
    Example("one second too short", ALICE, 102, "2024-04-02T08:05:00", 59, outcome="skipped"),
    Example("just long enough", ALICE, 102, "2024-04-02T08:10:00", 60),
    Example("not whole minutes", ALICE, 102, "2024-04-02T08:15:00", 3725),
    Example("longer than a day", BOB, 102, "2024-04-02T08:20:00", 100_000),
    Example("no length at all", BOB, 102, "2024-04-02T08:25:00", None, outcome="entry_invalid"),
    Example("zero seconds", BOB, 102, "2024-04-02T08:30:00", 0, outcome="either"),
    Example("less than nothing", BOB, 102, "2024-04-02T08:35:00", -600, outcome="either"),
    Example("nothing of it is billable", ALICE, 102, "2024-04-02T09:00:00", 3600, billable=0),
    Example("more is billable than was worked", ALICE, 102, "2024-04-02T10:00:00", 3600, billable=7200),
    # issues
    Example("the issue is closed", ALICE, 103, "2024-05-06T09:00:00", 3600, outcome="issue_not_editable"),
    Example("the issue is archived", ALICE, 104, "2024-05-06T10:00:00", 3600, outcome="issue_not_found"),
    Example("two issues for one id", ALICE, 105, "2024-05-06T11:00:00", 3600, outcome="issue_ambiguous"),
    Example("nobody may see the issue", ALICE, 106, "2024-05-06T12:00:00", 3600, outcome="issue_not_found"),
    Example("no permission to log work", ALICE, 107, "2024-05-06T13:00:00", 3600, outcome="no_permission"),
    Example("the issue is full", ALICE, 108, "2024-05-06T14:00:00", 3600, outcome="issue_limit"),
    Example("the issue was moved", ALICE, 109, "2024-05-06T15:00:00", 3600),
    Example("there is no issue", ALICE, 110, "2024-05-06T16:00:00", 3600, outcome="issue_not_found"),
    Example("another project", BOB, 201, "2024-05-06T09:00:00", 3600),
    Example(
        "no work item, only a comment",
        BOB,
        None,
        "2024-05-06T17:00:00",
        3600,
        "Hiring",
        outcome="entry_invalid",
    ),
    # times
    Example("a clock that summer time skips", BOB, 109, "2024-03-31T02:30:00", 1800),
    Example("a clock that winter time repeats", BOB, 109, "2024-10-27T02:30:00", 1800),
    Example("the last second of a year", BOB, 109, "2023-12-31T23:59:59", 600),
    Example("just after midnight: UTC is still on the day before", BOB, 109, "2024-07-01T00:10:00", 600),
    # texts
    Example(
        "line breaks and an empty line",
        ALICE,
        201,
        "2024-06-03T08:00:00",
        600,
        "First\nsecond\n\nnext paragraph",
    ),
    Example(
        "emoji, right-to-left, a tab", ALICE, 201, "2024-06-03T08:10:00", 600, "Fixed 🚀\tעברית \u200f(1)"
    ),
    Example(
        "looks like a formula", BOB, 201, "2024-06-03T08:20:00", 600, '=HYPERLINK("http://x.example","x")'
    ),
    Example(
        "looks like HTML", BOB, 201, "2024-06-03T08:30:00", 600, "<b>not bold</b> & <script>alert(1)</script>"
    ),
    Example("leading and trailing blanks", BOB, 201, "2024-06-03T08:40:00", 600, "  indented\n  twice  "),
    Example("empty text", ALICE, 201, "2024-06-03T08:50:00", 600, ""),
    Example("no text", ALICE, 201, "2024-06-03T09:00:00", 600, None),
    Example("as long as Jira allows", ALICE, 201, "2024-06-03T09:10:00", 600, FITTING),
    Example("longer than Jira allows", BOB, 201, "2024-06-03T09:20:00", 600, LONG),
    # twins
    Example("looks like the next one", ALICE, 109, "2024-06-04T09:00:00", 1200, "Stand-up"),
    Example("looks like the one before", ALICE, 109, "2024-06-04T09:00:00", 1200, "Stand-up"),
    Example(
        "is on the target already", ALICE, 102, "2024-06-05T09:00:00", 2700, "Done by hand", outcome="linked"
    ),
)

_LIMIT = 30


def empty(seed: int = 1) -> World:
    """Sites of every kind, their token owners, and nothing else."""
    return _sites(seed).world


def small(seed: int = 1) -> World:
    """The world of the table above."""
    builder = _sites(seed)
    world = builder.world
    for site in world.jira.values():
        _people(builder, site)
        _issues(builder, site)
        _former_work(site)
    builder.personal_token(world.jira["jca"], _account(world.jira["jca"], ALICE.email))
    _tempo_work(world.tempo["jcb-tempo"])
    _entries(builder)
    return world


def entry_id(example: Example) -> str:
    """The id of an example's worklog in 7pace."""
    return f"00000000-0000-4000-8000-{EXAMPLES.index(example) + 1:012d}"


def _sites(seed: int) -> Builder:
    builder = Builder(seed)
    world = builder.world
    jca, jcb = builder.jira("jca"), builder.jira("jcb")
    tempo = builder.tempo(jcb)
    azure = builder.azure("contoso", "Contoso", "Fabrikam's Lab")
    pace = builder.sevenpace(azure)
    for site in (jca, jcb):
        site.add_project("ABC", "Alphabet")
        site.add_project("XYZ", "Last letters")
        site.custom_fields = [
            JiraField("customfield_10010", "ADO ID", "number"),
            JiraField("customfield_10011", "ADO reference", "text"),
        ]
    world.connections["contoso-to-jca"] = migration(pace.name, jca.name)
    world.connections["contoso-to-jcb-tempo"] = migration(pace.name, tempo.name)
    world.connections["jca-jcb"] = {
        "kind": "sync",
        "left": jca.name,
        "right": tempo.name,
        "direction": "both",
        "issues": {"match": "key"},
        "people": {"match": "email"},
    }
    return builder


def _people(builder: Builder, site: JiraSite) -> None:
    for human in HUMANS:
        builder.jira_account(site, human)
    builder.jira_account(site, Human("Alicia Smithers", "alice@example.com.au"))
    builder.jira_account(site, Human("Erin Black (old)", "erin.old@example.com"), email=ERIN.email)


def _account(site: JiraSite, email: str) -> JiraAccount:
    account = site.account_of(email)
    if account is None:
        raise LookupError(email)
    return account


def _issues(builder: Builder, site: JiraSite) -> None:
    items = _work_items(builder, builder.world.azure["contoso"])
    for key, number, details in _issue_table():
        issue = builder.issue_of(site, key, items[number], **details)
        issue.fields = {"customfield_10010": float(number), "customfield_10011": f"ADO {number}"}
        address = f"https://dev.azure.com/contoso/Contoso/_workitems/edit/{number}"
        issue.remote_links = [
            {"id": issue.id, "globalId": address, "object": {"url": address, "title": f"Work item {number}"}}
        ]


def _issue_table() -> Iterable[tuple[str, int, dict]]:
    return (
        ("ABC-1", 101, {"original_seconds": 72_000, "remaining_seconds": 36_000}),
        ("ABC-2", 102, {}),
        ("ABC-3", 103, {"editable": False}),
        ("ABC-4", 104, {"archived": True}),
        ("ABC-5", 105, {}),
        ("ABC-6", 105, {}),
        ("ABC-7", 106, {"visible": False}),
        ("ABC-8", 107, {"denied": {"WORK_ON_ISSUES"}}),
        ("ABC-9", 108, {}),
        ("ABC-10", 109, {"old_keys": ["OLD-10"]}),
        ("XYZ-1", 201, {}),
    )


def _work_items(builder: Builder, azure: AzureOrg) -> dict[int, AzureWorkItem]:
    for number in (*range(101, 111), 201):
        if number not in azure.work_items:
            project = "Contoso" if number < 200 else "Fabrikam's Lab"
            builder.work_item(azure, number, project, f"Work item {number}")
    return azure.work_items


def _former_work(site: JiraSite) -> None:
    """Worklogs people wrote by hand: one that looks like an entry, and as many as fill ABC-9."""
    site.worklog_limit = _LIMIT
    alice, bob = _account(site, ALICE.email), _account(site, BOB.email)
    twin = datetime(2024, 6, 5, 7, 0, tzinfo=UTC)
    site.add_worklog(_issue(site, "ABC-2"), alice, twin, 2700, "Done by hand")
    site.add_worklog(_issue(site, "ABC-1"), bob, datetime(2024, 3, 1, 8, 0, tzinfo=UTC), 3600, "Old work")
    for number in range(_LIMIT):
        site.add_worklog(
            _issue(site, "ABC-9"), bob, datetime(2023, 1, 1 + number, 8, 0, tzinfo=UTC), 600, "Admin"
        )


def _issue(site: JiraSite, key: str) -> JiraIssue:
    issue = site.issue(key)
    if issue is None:
        raise LookupError(key)
    return issue


def _tempo_work(site: TempoSite) -> None:
    """The lookalike of ABC-2 once more, as Tempo holds it."""
    alice, made = _account(site.jira, ALICE.email), datetime(2024, 6, 5, 8, 0, tzinfo=UTC)
    issue = _issue(site.jira, "ABC-2")
    day = date(2024, 6, 5)
    site.put(
        TempoWorklog(
            site.new_id(),
            issue.id,
            alice.account_id,
            day,
            "09:00:00",
            2700,
            2700,
            "Done by hand",
            {},
            made,
            made,
        )
    )


def _entries(builder: Builder) -> None:
    world = builder.world
    pace, azure = world.sevenpace["contoso"], world.azure["contoso"]
    users: dict[str, PaceUser] = {human.name: builder.pace_user(pace, azure, human) for human in HUMANS}
    activity = next(iter(pace.activities))
    for example in EXAMPLES:
        start = datetime.fromisoformat(example.start)
        pace.put(
            PaceWorklog(
                entry_id(example), users[example.human.name].id, start, example.seconds, example.work_item,
                example.comment, example.billable, activity, start, start,
            )
        )  # fmt: skip
