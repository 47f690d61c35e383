"""Who was found by e-mail is kept, so that Dana can look it up; a pair that people made stays above it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from connections.models import Connection, Site, UserMapping
from worklogs.people import Account, TargetPeople
from worklogs.worklog import Person

ALICE = Person("Alice Smith", "Alice@Example.com", "p-alice")
BOB = Person("Bob Jones", "bob@example.com", "p-bob")
FOUND = {ALICE: Account("acc-alice", "Alice S.", "alice@example.com"), BOB: None}


@pytest.fixture
def migration(db):
    pace = Site.objects.create(name="pace", kind="sevenpace", url="https://c.7pace.com")
    jira = Site.objects.create(name="jca", kind="jira", url="https://jca.atlassian.net")
    options = {"issues": {"match": "label", "label": "ado-id-{id}"}}
    return Connection.objects.create(name="c", kind="migration", left=pace, right=jira, options=options)


def note(connection, found=FOUND):
    """A run's process that has found these people."""
    TargetPeople(connection, jira=None).note(found)


def kept(connection):
    rows = connection.user_mappings.filter(found_by="email")
    return {
        row.left_name: (row.left_account, row.left_email, row.right_account, row.right_name) for row in rows
    }


def test_who_was_found_is_kept_and_who_was_not_is_not(migration):
    note(migration)
    assert kept(migration) == {"Alice Smith": ("p-alice", "Alice@Example.com", "acc-alice", "Alice S.")}


def test_another_run_that_finds_the_same_changes_nothing(migration):
    note(migration)
    before = list(UserMapping.objects.values_list("pk", flat=True))
    note(migration)
    assert list(UserMapping.objects.values_list("pk", flat=True)) == before


def test_the_same_person_under_two_names_is_kept_once(migration):
    married = Person("Alice Brown", ALICE.email, ALICE.account)
    note(migration, {ALICE: FOUND[ALICE], married: FOUND[ALICE]})
    assert UserMapping.objects.count() == 1


def test_whose_account_changed_is_kept_with_the_new_one(migration):
    note(migration)
    note(migration, {ALICE: Account("acc-new", "Alice S.")})
    assert [row[2] for row in kept(migration).values()] == ["acc-new"]


def test_who_is_found_no_more_is_forgotten(migration):
    note(migration)
    note(migration, {ALICE: None})
    assert kept(migration) == {}


def test_who_was_paired_by_hand_is_not_said_to_be_found_by_email(migration):
    note(migration)
    UserMapping.objects.create(
        connection=migration, left_email="alice@example.com", right_account="acc-boss", found_by="manual"
    )
    note(migration, {ALICE: Account("acc-boss", "The Boss")})
    assert [row.found_by for row in UserMapping.objects.all()] == ["manual"]


def test_each_person_is_noted_once_a_process(migration, django_assert_num_queries):
    people = TargetPeople(migration, jira=None)
    people.note(FOUND)
    with django_assert_num_queries(0):
        people.note(FOUND)


@pytest.mark.django_db(transaction=True)
def test_two_processes_that_note_at_once_keep_one_row(migration):
    def one(_):
        try:
            note(migration)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(4)))
    assert len(kept(migration)) == 1
