"""What becomes of an entry on its way: skipped, refused, rounded, under a header or not."""

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.options import LongText, Lookalikes, Rounding
from worklogs import rules, texts
from worklogs.clock import from_wall
from worklogs.rules import Author, Policy, Refuse, Skip, Target
from worklogs.worklog import Person, Worklog

TO_JIRA = Policy(Target.JIRA, "7pace", 60, Rounding.NONE, 1, Lookalikes.LINK, LongText.CUT, has_markers=True)
TO_TEMPO = replace(TO_JIRA, target=Target.TEMPO, has_markers=False)
ALICE = Person(name="Alice Smith", email="alice@example.com", account="p1")
MOMENT = from_wall(datetime(2024, 3, 15, 23, 30), "America/New_York")
ENTRY = Worklog("e1", "42", ALICE, MOMENT, 3600, text="Fixed the pump")
HERSELF, THE_BOT = Author("acc-alice", true=True), Author("acc-bot", true=False)


# --- what is not carried


@pytest.mark.parametrize(
    ("policy", "seconds", "carried"),
    [
        (TO_JIRA, 60, True),
        (TO_JIRA, 59, False),
        (TO_JIRA, 61, True),
        (replace(TO_JIRA, minimum_seconds=0), 59, False),
        (replace(TO_JIRA, minimum_seconds=0), 60, True),
        (replace(TO_JIRA, minimum_seconds=900), 899, False),
        (replace(TO_JIRA, minimum_seconds=0, rounding=Rounding.UP), 1, True),
        (replace(TO_JIRA, rounding=Rounding.UP), 59, False),
        (replace(TO_JIRA, rounding=Rounding.DOWN, rounding_minutes=15), 899, False),
        (replace(TO_JIRA, minimum_seconds=0, rounding=Rounding.NEAREST), 29, False),
        (replace(TO_JIRA, minimum_seconds=0, rounding=Rounding.NEAREST), 30, True),
        (TO_TEMPO, 59, False),
        (replace(TO_TEMPO, minimum_seconds=0), 1, True),
        (replace(TO_TEMPO, minimum_seconds=0, rounding=Rounding.DOWN), 59, False),
        (TO_TEMPO, 10**8, True),
    ],
)
def test_what_is_too_short_is_skipped_and_there_is_no_maximum(policy, seconds, carried):
    why = rules.unfit(ENTRY.with_(seconds=seconds), policy)
    assert why is None if carried else isinstance(why, Skip)


@pytest.mark.parametrize(
    "changes",
    [
        {"work": ""},
        {"seconds": 0, "defect": "it has no length"},
        {"seconds": -60, "defect": "its length is -60 s"},
        {"moment": None, "defect": "its start 'soon' is no date and time"},
    ],
)
def test_an_entry_without_work_item_length_or_start_is_refused_by_name(changes):
    why = rules.unfit(ENTRY.with_(**changes), TO_JIRA)
    assert isinstance(why, Refuse)
    assert (why.code, why.kind, why.parked) == ("entry_invalid", "waiting", False)
    assert why.hint


def test_a_short_entry_is_skipped_whatever_else_is_wrong_with_it():
    assert isinstance(rules.unfit(ENTRY.with_(work="", seconds=30), TO_JIRA), Skip)
    assert isinstance(rules.unfit(ENTRY.with_(moment=None, seconds=30, defect="no start"), TO_JIRA), Skip)


# --- seconds


@pytest.mark.parametrize(
    ("seconds", "rounding", "minutes", "planned"),
    [
        (5430, Rounding.NONE, 15, 5430),
        (5430, Rounding.UP, 1, 5460),
        (5430, Rounding.DOWN, 1, 5400),
        (5430, Rounding.NEAREST, 1, 5460),
        (5429, Rounding.NEAREST, 1, 5400),
        (5400, Rounding.UP, 1, 5400),
        (5401, Rounding.UP, 15, 6300),
        (5399, Rounding.DOWN, 15, 4500),
        (5400 + 450, Rounding.NEAREST, 15, 6300),
        (5400 + 449, Rounding.NEAREST, 15, 5400),
    ],
)
def test_seconds_are_rounded_only_as_the_connection_says(seconds, rounding, minutes, planned):
    assert rules.rounded(seconds, rounding, minutes) == planned


@given(st.integers(1, 10**6), st.sampled_from(Rounding), st.integers(1, 1440))
def test_rounding_stays_within_its_unit_and_is_done_once(seconds, rounding, minutes):
    planned = rules.rounded(seconds, rounding, minutes)
    assert abs(planned - seconds) < minutes * 60
    assert rules.rounded(planned, rounding, minutes) == planned
    assert {
        Rounding.NONE: planned == seconds,
        Rounding.UP: planned >= seconds,
        Rounding.DOWN: planned <= seconds,
        Rounding.NEAREST: abs(planned - seconds) <= minutes * 30,
    }[rounding]


@given(
    st.lists(st.integers(1, 10**5), max_size=20),
    st.sampled_from(Rounding),
    st.integers(1, 60),
    st.sampled_from(Target),
)
def test_the_hours_are_conserved(lengths, rounding, minutes, target):
    """Source = written + skipped + booked as rounding, to the second; the copy never says other than was booked."""
    policy = replace(TO_JIRA, target=target, rounding=rounding, rounding_minutes=minutes)
    entries = [ENTRY.with_(entry=str(number), seconds=seconds) for number, seconds in enumerate(lengths)]
    carried = [entry for entry in entries if rules.unfit(entry, policy) is None]
    copies = [rules.copy_of(entry, "10001", HERSELF, policy) for entry in carried]
    booked = sum(entry.seconds - copy.seconds for entry, copy in zip(carried, copies, strict=True))
    skipped = sum(entry.seconds for entry in entries if entry not in carried)
    assert sum(lengths) == sum(copy.seconds for copy in copies) + skipped + booked
    assert all(copy.seconds >= 1 for copy in copies)


# --- the copy


def test_alices_own_copy_bears_her_text_and_nothing_else():
    copy = rules.copy_of(ENTRY, "10001", HERSELF, TO_JIRA)
    assert (copy.work, copy.person.account, copy.text) == ("10001", "acc-alice", "Fixed the pump")
    assert copy.moment == ENTRY.moment
    assert copy.marker == "e1"


def test_a_copy_by_the_bot_names_alice_and_the_day_of_her_wall_clock():
    """23:30 in New York is the next day in UTC; the header's day is Alice's."""
    copy = rules.copy_of(ENTRY, "10001", THE_BOT, TO_JIRA)
    assert copy.text == "[7pace — Alice Smith on 2024-03-15]\n\nFixed the pump"
    assert copy.person == Person(account="acc-bot")


def test_who_has_no_name_is_named_by_email_in_the_header():
    entry = ENTRY.with_(person=Person(email="alice@example.com"), text="")
    assert rules.copy_of(entry, "1", THE_BOT, TO_JIRA).text == "[7pace — alice@example.com on 2024-03-15]"


@pytest.mark.parametrize(
    ("policy", "billable", "copied"),
    [
        (TO_TEMPO, 0, 0),
        (TO_TEMPO, 1800, 1800),
        (TO_TEMPO, 7200, 7200),
        (TO_TEMPO, None, 3600),
        (TO_JIRA, 0, None),
        (TO_JIRA, None, None),
    ],
)
def test_billable_seconds_become_tempos_and_zero_is_a_value(policy, billable, copied):
    assert rules.copy_of(ENTRY.with_(billable=billable), "1", HERSELF, policy).billable == copied


def test_a_long_text_is_cut_or_refused_as_the_connection_says():
    entry = ENTRY.with_(text="x" * (texts.LIMIT + 1))
    assert texts.length(rules.copy_of(entry, "1", HERSELF, TO_JIRA).text) == texts.LIMIT
    refused = rules.copy_of(entry, "1", HERSELF, replace(TO_JIRA, long_text=LongText.REFUSE))
    assert isinstance(refused, Refuse)
    assert (refused.code, refused.kind) == ("text_too_long", "waiting")


def test_a_text_that_is_too_long_only_under_its_header_counts_as_too_long():
    strict = replace(TO_JIRA, long_text=LongText.REFUSE)
    entry = ENTRY.with_(text="x" * texts.LIMIT)
    assert rules.copy_of(entry, "1", HERSELF, strict).text == entry.text
    assert isinstance(rules.copy_of(entry, "1", THE_BOT, strict), Refuse)


def test_an_entry_without_a_start_is_never_made_a_copy_of():
    with pytest.raises(ValueError, match="no start"):
        rules.copy_of(ENTRY.with_(moment=None), "1", HERSELF, TO_JIRA)
