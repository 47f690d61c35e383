"""A worklog's own form: it is kept and read back as it was, and its digest tells what a person entered."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklogs.clock import from_instant, from_wall
from worklogs.worklog import Person, Worklog, digest_of

ALICE = Person(name="Alice Smith", email="alice@example.com", account="a1", guid="g1")
MOMENT = from_wall(datetime(2024, 3, 15, 9, 0), "Europe/Berlin")
ENTRY = Worklog(
    "e1", "42", ALICE, MOMENT, 3600, text="Fixed the pump", billable=1800, updated="2024-03-16T09:00"
)

WORDS = st.text(max_size=20)
MOMENTS = st.builds(
    from_instant,
    st.datetimes(datetime(1920, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "Africa/Monrovia", "UTC"]),
) | st.builds(
    from_wall, st.datetimes(datetime(1920, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["Europe/Berlin"])
)
WORKLOGS = st.builds(
    Worklog,
    entry=WORDS,
    work=WORDS,
    person=st.builds(Person, name=WORDS, email=WORDS, account=WORDS, guid=WORDS),
    moment=st.none() | MOMENTS,
    seconds=st.integers(-10, 10**9),
    text=WORDS,
    billable=st.none() | st.integers(0, 10**9),
    attributes=st.lists(st.tuples(WORDS, WORDS)).map(tuple),
    updated=WORDS,
    marker=WORDS,
    defect=WORDS,
    has_length=st.booleans(),
)


@given(WORKLOGS)
def test_a_worklog_is_read_back_from_json_as_it_was(worklog):
    kept = json.loads(json.dumps(worklog.to_json()))
    assert Worklog.from_json(kept) == worklog
    assert Worklog.from_json(kept).digest == worklog.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"work": "43"},
        {"person": Person(account="b1")},
        {"moment": from_wall(datetime(2024, 3, 15, 9, 1), "Europe/Berlin")},
        {"moment": from_wall(datetime(2024, 3, 15, 9, 0), "Europe/London")},
        {"moment": None},
        {"seconds": 3601},
        {"billable": 0},
        {"billable": None},
        {"text": "Fixed the pump "},
        {"attributes": (("_Account_", "INTERNAL"),)},
        {"defect": "it has no length"},
    ],
)
def test_whatever_a_person_enters_changes_the_digest(changes):
    assert ENTRY.with_(**changes).digest != ENTRY.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"entry": "e2"},
        {"updated": "2025-01-01T00:00"},
        {"marker": "e9"},
        {"person": Person(name="Alice Smith-Jones", email="asj@example.com", account="a1")},
    ],
)
def test_ids_update_times_and_a_new_name_are_no_edit(changes):
    assert ENTRY.with_(**changes).digest == ENTRY.digest


def test_nothing_billable_is_not_the_same_as_nothing_said():
    assert ENTRY.with_(billable=0).digest != ENTRY.with_(billable=None).digest


def test_the_order_of_attributes_is_no_edit():
    two = (("a", "1"), ("b", "2"))
    assert ENTRY.with_(attributes=two).digest == ENTRY.with_(attributes=two[::-1]).digest


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest_of({"a": 1, "b": "é"}) == digest_of({"b": "é", "a": 1})


@pytest.mark.parametrize(
    ("person", "label"),
    [
        (ALICE, "alice@example.com"),
        (Person(name="Alice Smith", account="a1"), "Alice Smith"),
        (Person(account="a1"), "a1"),
        (Person(), ""),
    ],
)
def test_somebody_without_an_account_is_named_by_email_else_name_else_id(person, label):
    assert person.label == label
