"""Who an entry's author is on the other side, or that nobody was found.

Order: pairs made by hand or file, then the exact e-mail of one active account. Never the first search hit.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from django.db import transaction

from connections.clients.http import FaultKind, SiteError
from connections.clients.jira import JiraClient
from connections.models import Connection, UserMapping
from connections.options import PeopleMatch, Side
from worklogs.dialects.sevenpace import person_of_user
from worklogs.worklog import Person

AT_ONCE = 8
UNSEEN = (400, 403, 404)


class Known[K, V]:
    """Answers asked for once: many threads may ask, each question goes out once for all of them."""

    def __init__(self, ask: Callable[[K], V]) -> None:
        self._ask = ask
        self._answers: dict[K, V] = {}
        self._lock = threading.Lock()

    def of(self, questions: Iterable[K]) -> Mapping[K, V]:
        with self._lock:
            open_ = [question for question in dict.fromkeys(questions) if question not in self._answers]
            if open_:
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    self._answers.update(zip(open_, pool.map(self._ask, open_), strict=True))
            return dict(self._answers)


@dataclass(frozen=True, slots=True)
class Account:
    """An active account on the target."""

    id: str
    name: str
    email: str = ""


class SourceUsers(Protocol):
    def users(self) -> list[dict]: ...


class SourceIdentities(Protocol):
    def identities(self, ids: Iterable[str]) -> Mapping: ...


class SourcePeople:
    """Finds the e-mail of authors whose rows carry none: 7pace `users` by 7pace id, then Azure DevOps
    identities by the user id that 7pace calls vstsId."""

    def __init__(self, pace: SourceUsers, azure: SourceIdentities | None) -> None:
        self._pace = pace
        self._azure = azure
        self._users: dict[str, Person] | None = None
        self._emails: dict[str, str] = {}
        self._lock = threading.Lock()

    def complete(self, people: Iterable[Person]) -> dict[Person, Person]:
        """Each person with an e-mail wherever one could be found."""
        everybody = set(people)
        with self._lock:
            listed = {person: self._from_list(person) for person in everybody}
            self._ask_identities(listed.values())
            return {person: self._from_identities(found) for person, found in listed.items()}

    def _from_list(self, person: Person) -> Person:
        if person.email or not person.account:
            return person
        if self._users is None:
            rows = _or_nothing(self._pace.users) or []
            self._users = {user.account: user for user in map(person_of_user, rows)}
        known = self._users.get(person.account, Person())
        return replace(
            person, email=known.email, guid=person.guid or known.guid, name=person.name or known.name
        )

    def _ask_identities(self, people: Iterable[Person]) -> None:
        wanted = {p.guid.lower() for p in people if p.guid and not p.email} - self._emails.keys()
        if not wanted or self._azure is None:
            return
        found = _or_nothing(partial(self._azure.identities, sorted(wanted))) or {}
        emails = {guid.lower(): identity.email or "" for guid, identity in found.items()}
        self._emails |= {guid: emails.get(guid, "") for guid in wanted}

    def _from_identities(self, person: Person) -> Person:
        return person if person.email else replace(person, email=self._emails.get(person.guid.lower(), ""))


class TargetPeople:
    """Finds a source person's active account on the target's Jira, which is the connection's side `toward`."""

    def __init__(self, connection: Connection, jira: JiraClient, toward: Side = Side.RIGHT) -> None:
        self._connection = connection
        self._jira = jira
        self._toward = toward
        self._noted: set[Person] = set()
        self._noting = threading.Lock()
        self._by_email = connection.get_options().people.match is PeopleMatch.EMAIL
        self._pairs = _pairs(connection, toward)
        self._known = Known(self._ask)

    def find(self, people: Iterable[Person]) -> dict[Person, Account | None]:
        asked = {person: self._question(person) for person in set(people)}
        answers = self._known.of(question for question in asked.values() if question)
        return {person: answers.get(question) for person, question in asked.items()}

    def note(self, found: Mapping[Person, Account | None]) -> None:
        """Keeps who was found by e-mail, for people to see; who no longer is so found is forgotten."""
        with self._noting:
            new = {person: account for person, account in found.items() if person not in self._noted}
            if new:
                by_email = {
                    person: None if self._paired(person) else account for person, account in new.items()
                }
                _keep_found_by_email(self._connection, by_email, self._toward)
                self._noted |= new.keys()

    def ask(self, name: str) -> Account | None:
        """The active account of this id or e-mail address. Raises SiteError."""
        return self._ask(name)

    def _question(self, person: Person) -> str:
        """What to look for: the account id or e-mail of a pair, else the person's own e-mail."""
        return self._paired(person) or (person.email.casefold() if self._by_email else "")

    def _paired(self, person: Person) -> str:
        names = (person.account, person.guid, person.email)
        paired = (self._pairs.get(name.casefold(), "") for name in names if name)
        return next(filter(None, paired), "")

    def _ask(self, question: str) -> Account | None:
        return _or_nothing(partial(self._by_mail if "@" in question else self._by_id, question))

    def _by_mail(self, email: str) -> Account | None:
        users = self._jira.users_by_email(email)
        return _account(users[0]) if len(users) == 1 else None

    def _by_id(self, account_id: str) -> Account | None:
        user = self._jira.user(account_id)
        return _account(user) if user.get("active", True) else None


def _or_nothing[T](ask: Callable[[], T]) -> T | None:
    """The answer, None where we may not see it: whom that hides counts as not found, and the run goes on."""
    try:
        return ask()
    except SiteError as fault:
        if fault.kind is FaultKind.STOPS or fault.status not in UNSEEN:
            raise
        return None


def _account(user: dict) -> Account:
    return Account(
        id=str(user["accountId"]),
        name=str(user.get("displayName") or ""),
        email=str(user.get("emailAddress") or ""),
    )


def _keep_found_by_email(
    connection: Connection, found: Mapping[Person, Account | None], toward: Side
) -> None:
    """One row a person; rows of those that are found otherwise or not at all go."""
    source, target = ("left", "right") if toward is Side.RIGHT else ("right", "left")
    wanted = {
        (person.account[:200], person.email[:254]): (person, account) for person, account in found.items()
    }
    rows = UserMapping.objects.filter(connection=connection, found_by=UserMapping.FoundBy.EMAIL)
    held = {(getattr(row, f"{source}_account"), getattr(row, f"{source}_email")): row for row in rows}
    stale = []
    for key, (_, account) in wanted.items():
        row = held.get(key)
        if row and (account is None or getattr(row, f"{target}_account") != account.id):
            stale.append(row.pk)
            del held[key]
    new = [
        UserMapping(
            connection=connection,
            found_by=UserMapping.FoundBy.EMAIL,
            **{
                f"{source}_account": key[0],
                f"{source}_email": key[1],
                f"{source}_name": person.name[:200],
                f"{target}_account": account.id,
                f"{target}_name": account.name[:200],
                f"{target}_email": account.email[:254],
            },
        )
        for key, (person, account) in wanted.items()
        if account and key not in held
    ]
    with transaction.atomic():
        UserMapping.objects.filter(pk__in=stale).delete()
        UserMapping.objects.bulk_create(new, ignore_conflicts=True)


def _pairs(connection: Connection, toward: Side) -> dict[str, str]:
    """Account id or e-mail (case folded) of one side -> that of the side `toward`, as people set them."""
    rows = UserMapping.objects.filter(connection=connection).exclude(found_by=UserMapping.FoundBy.EMAIL)
    pairs: dict[str, str] = {}
    for row in rows:
        left, right = (row.left_account, row.left_email), (row.right_account, row.right_email)
        source, target = (left, right) if toward is Side.RIGHT else (right, left)
        found = target[0] or target[1].casefold()
        pairs |= {name.casefold(): found for name in source if name and found}
    return pairs
