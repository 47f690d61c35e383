"""Contoso, which moves from 7pace to Jira: Alice and Bob have Jira accounts, Carol has left and has none."""

from datetime import datetime
from typing import Any

from connections.sandbox import World
from connections.sandbox.world import JiraIssue, JiraWorklog, PaceWorklog, TempoWorklog
from connections.sandbox.worlds.builder import Account, Builder, Human, migration

ALICE = Human("Alice Smith", "alice@example.com")
BOB = Human("Bob Jones", "bob@example.com")
CAROL = Human("Carol White", "carol@example.com", account=Account.NONE)


def with_marker(toml: str) -> str:
    """The same file, with a Tempo attribute that carries the source's id."""
    return toml.replace('kind = "tempo"\n', 'kind = "tempo"\nmarker_attribute = "_Twinlog_"\n')


class Contoso:
    """Work items 1, 2, 3 … are the issues DEV-1, DEV-2, DEV-3 … of `jca`, by label. 7pace holds no entry yet."""

    def __init__(self, issues: int = 3) -> None:
        self.builder = Builder(seed=7)
        self.world: World = self.builder.world
        self.jira = self.builder.jira("jca")
        self.azure = self.builder.azure("contoso", "Contoso", "Fabrikam")
        self.pace = self.builder.sevenpace(self.azure)
        self.tempo = self.builder.tempo(self.jira)
        self.world.connections["contoso-to-jca"] = migration(self.pace.name, "jca")
        self.world.connections["contoso-to-jca-tempo"] = migration(self.pace.name, self.tempo.name)
        self.jira.add_project("DEV", "Development")
        for number in range(1, issues + 1):
            self.add_issue(number)
        self.accounts = {who.name: self.builder.jira_account(self.jira, who) for who in (ALICE, BOB, CAROL)}
        self.users = {
            who.name: self.builder.pace_user(self.pace, self.azure, who) for who in (ALICE, BOB, CAROL)
        }

    def add_issue(self, number: int, project: str = "Contoso", **details: Any) -> JiraIssue:
        item = self.builder.work_item(self.azure, number, project, f"Work item {number}")
        return self.builder.issue_of(self.jira, f"DEV-{number}", item, **details)

    def issue(self, number: int) -> JiraIssue:
        found = self.jira.issue(f"DEV-{number}")
        if found is None:
            raise LookupError(number)
        return found

    def log(
        self,
        who: Human,
        work_item: int | None,
        start: str,
        seconds: int | None = 3600,
        text: str | None = "Work",
        billable: int | None = None,
    ) -> PaceWorklog:
        """Somebody enters time in 7pace."""
        wall = datetime.fromisoformat(start)
        entry = PaceWorklog(
            self.builder.guid(), self.users[who.name].id, wall, seconds, work_item, text, billable
        )
        return self.pace.put(entry)

    def log_many(self, count: int, issues: int = 3) -> list[PaceWorklog]:
        """As many entries of Alice and Bob in turn, over the first issues, none at the time of another."""
        people = (ALICE, BOB)
        return [
            self.log(
                people[number % 2],
                number % issues + 1,
                f"2024-03-{1 + number // 24 % 28:02}T{number % 24:02}:{number // 672:02}:00",
                600 + number,
                f"Entry {number}",
            )
            for number in range(count)
        ]

    def account(self, who: Human) -> str:
        account = self.accounts[who.name]
        if account is None:
            raise LookupError(who.name)
        return account.account_id

    @property
    def own_account(self) -> str:
        """Whom Twinlog's own token belongs to."""
        return self.jira.tokens[0].account_id

    def give_personal_token(self, who: Human) -> None:
        self.builder.personal_token(self.jira, self.accounts[who.name])

    def copies(self, entry: PaceWorklog) -> list[JiraWorklog]:
        """The Jira worklogs that bear this entry's marker."""
        rows = list(self.jira.worklogs.values())
        return [row for row in rows if row.properties.get("twinlog", {}).get("entry") == entry.id]

    def copy(self, entry: PaceWorklog) -> JiraWorklog:
        (row,) = self.copies(entry)
        return row

    def tempo_copy(self, entry: PaceWorklog) -> TempoWorklog:
        """The one Tempo worklog at this entry's time on its issue."""
        rows = self.tempo.worklogs_of(f"DEV-{entry.work_item_id}")
        (row,) = [row for row in rows if row.started == entry.timestamp]
        return row
