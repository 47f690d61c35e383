"""An author is found by a pair, else by the exact e-mail of one active account; else nobody is."""

import threading
from datetime import UTC, datetime

import pytest

from connections.clients.azure import Identity
from connections.clients.http import Exchange, FaultKind, SiteError
from connections.models import Connection, Site, UserMapping
from worklogs.people import Account, Known, SourcePeople, TargetPeople
from worklogs.worklog import Person

ALICE = Person("Alice Smith", "alice@example.com", "p-alice", "g-alice")
BOB = Person("Bob Jones", "", "p-bob", "g-bob")


def refused(status, kind=FaultKind.WAITING):
    exchange = Exchange("GET", "https://x.example", None, status, {}, datetime.now(UTC), 0.1)
    return SiteError("site", kind, "no_permission", "no", exchange)


# --- the source: where an e-mail may be hidden


class Pace:
    def __init__(self, *users):
        self._users = users
        self.asked = 0

    def users(self):
        self.asked += 1
        if self._users and isinstance(self._users[0], SiteError):
            raise self._users[0]
        return list(self._users)


class Azure:
    def __init__(self, known=(), fault=None):
        self._known = dict(known)
        self._fault = fault
        self.asked = []

    def identities(self, ids):
        self.asked.append(list(ids))
        if self._fault:
            raise self._fault
        return {one: Identity(self._known[one], "", True) for one in ids if one in self._known}


def completed(person, pace=None, azure=None):
    return SourcePeople(pace or Pace(), azure).complete([person])[person]


def test_who_has_an_email_is_asked_about_nowhere():
    pace, azure = Pace(), Azure()
    assert completed(ALICE, pace, azure) == ALICE
    assert (pace.asked, azure.asked) == (0, [])


def test_7paces_own_list_may_know_the_email():
    pace = Pace({"id": "p-bob", "uniqueName": "bob@example.com", "name": "Robert"})
    assert completed(BOB, pace, Azure()).email == "bob@example.com"
    assert completed(BOB, pace, Azure()).name == "Bob Jones"


def test_else_azure_devops_may_by_the_id_7pace_calls_vsts_id():
    azure = Azure({"g-bob": "bob@example.com"})
    assert completed(BOB, Pace(), azure).email == "bob@example.com"
    assert azure.asked == [["g-bob"]]


def test_an_id_that_only_the_list_knows_leads_on_to_azure_devops():
    """OData rows name a person by 7pace's id alone."""
    bob = Person("Bob Jones", "", "p-bob")
    pace = Pace({"id": "p-bob", "uniqueName": "CONTOSO\\bob", "vstsId": "G-BOB"})
    assert completed(bob, pace, Azure({"g-bob": "bob@example.com"})).email == "bob@example.com"


def test_whom_nobody_knows_stays_without_an_email():
    assert completed(BOB, Pace(), Azure({"g-bob": None})).email == ""
    assert completed(BOB, Pace(), None).email == ""
    assert completed(Person("Carol"), Pace(), Azure()) == Person("Carol")


def test_each_source_is_asked_once_a_run():
    pace, azure = Pace(), Azure()
    people = SourcePeople(pace, azure)
    for _ in range(3):
        people.complete([BOB, ALICE])
    assert (pace.asked, azure.asked) == (1, [["g-bob"]])


@pytest.mark.parametrize("status", [403, 404])
def test_a_list_we_may_not_see_leaves_people_unknown_and_the_run_alive(status):
    assert completed(BOB, Pace(refused(status)), Azure(fault=refused(status))) == BOB


def test_a_list_we_may_not_see_is_not_asked_for_again():
    pace = Pace(refused(403))
    people = SourcePeople(pace, None)
    people.complete([BOB])
    people.complete([BOB])
    assert pace.asked == 1


@pytest.mark.parametrize(
    "fault", [refused(401, FaultKind.STOPS), refused(403, FaultKind.STOPS), refused(503, FaultKind.PASSING)]
)
def test_refused_credentials_and_a_site_that_is_down_are_no_answer(fault):
    with pytest.raises(SiteError):
        completed(BOB, Pace(fault))
    with pytest.raises(SiteError):
        completed(BOB, Pace(), Azure(fault=fault))


# --- the target: one active account, or nobody


class Jira:
    """Accounts by exact e-mail, as the client gives them (active ones only), and by id."""

    def __init__(self, by_email=(), by_id=()):
        self._by_email = dict(by_email)
        self._by_id = dict(by_id)
        self.asked = []

    def users_by_email(self, email):
        self.asked.append(email)
        found = self._by_email.get(email, [])
        if isinstance(found, SiteError):
            raise found
        return found

    def user(self, account_id):
        self.asked.append(account_id)
        if account_id not in self._by_id:
            raise refused(404)
        return self._by_id[account_id]


def account(id_, **more):
    return {"accountId": id_, "displayName": id_.title(), "active": True, **more}


@pytest.fixture
def connection(db):
    azure = Site.objects.create(name="contoso", kind="azure", url="https://dev.azure.com/contoso")
    pace = Site.objects.create(
        name="pace", kind="sevenpace", url="https://contoso.timehub.7pace.com", azure=azure
    )
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    options = {"issues": {"match": "label", "label": "ado-id-{id}"}}
    return Connection.objects.create(name="c", kind="migration", left=pace, right=jira, options=options)


def pair(connection, found_by="manual", **sides):
    UserMapping.objects.create(connection=connection, found_by=found_by, **sides)


def person_found(connection, jira, person=ALICE):
    found = TargetPeople(connection, jira).find([person])[person]
    return found.id if found else None


def test_one_active_account_with_the_email_is_the_person(connection):
    jira = Jira({"alice@example.com": [account("alice")]})
    assert TargetPeople(connection, jira).find([ALICE]) == {ALICE: Account("alice", "Alice")}


def test_emails_are_compared_without_case(connection):
    shouting = Person("Alice", "Alice@Example.COM")
    assert person_found(connection, Jira({"alice@example.com": [account("alice")]}), shouting) == "alice"


def test_two_accounts_with_one_email_are_nobody(connection):
    assert person_found(connection, Jira({"alice@example.com": [account("a"), account("b")]})) is None


def test_a_hidden_email_or_none_at_all_is_nobody(connection):
    jira = Jira()
    assert person_found(connection, jira) is None
    assert person_found(connection, jira, BOB) is None
    assert jira.asked == ["alice@example.com"]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_where_people_may_not_be_searched_they_are_not_found(connection, status):
    assert person_found(connection, Jira({"alice@example.com": refused(status)})) is None


def test_refused_credentials_stop_the_search(connection):
    with pytest.raises(SiteError):
        person_found(connection, Jira({"alice@example.com": refused(401, FaultKind.STOPS)}))


@pytest.mark.parametrize(
    "left", [{"left_email": "ALICE@example.com"}, {"left_account": "p-alice"}, {"left_account": "G-Alice"}]
)
def test_a_pair_comes_before_the_email(connection, left):
    pair(connection, **left, right_account="acc:boss")
    jira = Jira({"alice@example.com": [account("alice")]}, {"acc:boss": account("acc:boss")})
    assert person_found(connection, jira) == "acc:boss"


def test_a_pair_may_name_the_other_side_by_email(connection):
    pair(connection, "file", left_account="p-bob", right_email="Robert@example.com")
    assert person_found(connection, Jira({"robert@example.com": [account("bob")]}), BOB) == "bob"


def test_what_was_found_by_email_once_is_no_pair(connection):
    pair(connection, "email", left_email="alice@example.com", right_account="old")
    jira = Jira({"alice@example.com": [account("alice")]}, {"old": account("old")})
    assert person_found(connection, jira) == "alice"


@pytest.mark.parametrize("known", [{}, {"gone": account("gone", active=False)}])
def test_a_pair_with_an_inactive_or_deleted_account_is_nobody_and_email_is_not_tried(connection, known):
    pair(connection, left_email="alice@example.com", right_account="gone")
    jira = Jira({"alice@example.com": [account("alice")]}, known)
    assert person_found(connection, jira) is None


def test_pairs_of_another_connection_are_not_ours(connection):
    other = Connection.objects.create(
        name="d", kind="migration", left=connection.left, right=connection.right, options=connection.options
    )
    pair(other, left_email="alice@example.com", right_account="boss")
    jira = Jira({"alice@example.com": [account("alice")]}, {"boss": account("boss")})
    assert person_found(connection, jira) == "alice"


def test_without_matching_by_email_only_pairs_count(connection):
    connection.options = {**connection.options, "people": {"match": "none"}}
    pair(connection, left_account="p-bob", right_account="bob")
    jira = Jira({"alice@example.com": [account("alice")]}, {"bob": account("bob")})
    assert person_found(connection, jira) is None
    assert person_found(connection, jira, BOB) == "bob"


def test_each_email_is_asked_for_once_a_run(connection):
    jira = Jira({"alice@example.com": [account("alice")]})
    people = TargetPeople(connection, jira)
    for _ in range(3):
        people.find([ALICE, Person("A. Smith", "ALICE@example.com"), BOB])
    assert jira.asked == ["alice@example.com"]


# --- asked once, by many


def test_many_threads_ask_each_question_once():
    asked = []
    known = Known(lambda question: asked.append(question) or question * 2)
    threads = [threading.Thread(target=known.of, args=(range(10),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(asked) == list(range(10))
    assert known.of([3])[3] == 6


def test_a_question_that_failed_is_asked_again():
    answers = iter([refused(503), "answer"])

    def ask(question):
        answer = next(answers)
        if isinstance(answer, SiteError):
            raise answer
        return answer

    known = Known(ask)
    with pytest.raises(SiteError):
        known.of(["q"])
    assert known.of(["q"]) == {"q": "answer"}
