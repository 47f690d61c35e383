"""What a target's answer is taken for."""

from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from worklogs import clock
from worklogs.worklog import Person, Worklog
from worklogs.write import matched

ALICE, BOB = Person(account="acc-alice"), Person(account="acc-bob")


def worklog(person=ALICE, start="2024-03-15T09:00:00", seconds=3600, text=""):
    moment = clock.from_wall(datetime.fromisoformat(start), "Europe/Berlin")
    return Worklog("", "10001", person, moment, seconds, text)


def test_a_bulks_rows_are_told_apart_in_any_order():
    sent = [worklog(), worklog(BOB), worklog(seconds=1800), worklog(text="Second")]
    assert matched(sent, sent[::-1]) == [3, 2, 1, 0]


def test_rows_that_are_the_same_are_taken_by_count():
    assert sorted(matched([worklog()] * 3, [worklog()] * 3)) == [0, 1, 2]


def test_what_the_vendor_rounds_or_moves_is_no_other_entry():
    """Tempo may store whole minutes, or another start where start times are off: the rows are still these."""
    sent = [worklog(seconds=90), worklog(BOB, seconds=90), worklog(seconds=600)]
    kept = [
        worklog(BOB, seconds=60),
        worklog(seconds=600),
        worklog(start="2024-03-15T08:00:00", seconds=60),
    ]
    assert matched(sent, kept) == [2, 0, 1]
    unknown = [replace(row, person=Person(account="fallback")) for row in sent]
    assert matched(sent, unknown) == [0, 1, 2]


rows = st.builds(
    worklog,
    st.sampled_from([ALICE, BOB]),
    seconds=st.sampled_from([60, 90, 600]),
    text=st.sampled_from(["", "x"]),
)


@given(st.lists(st.tuples(rows, rows), max_size=50))
def test_each_row_is_one_entrys(pairs):
    """However different what came back is, each entry gets one row and no row two entries."""
    sent, kept = [one for one, _ in pairs], [other for _, other in pairs]
    assert sorted(matched(sent, kept)) == list(range(len(sent)))
