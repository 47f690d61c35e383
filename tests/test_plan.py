"""What a run does with what it finds in one issue: every line of the plan, then what must hold for any world.

Alice has an account on the target (and, where said, a personal token), Bob has none: the bot writes for him.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.options import LongText, Lookalikes, Rounding
from worklogs import rules
from worklogs.clock import from_instant, from_wall
from worklogs.plan import (
    Agreed,
    Create,
    Decline,
    Keep,
    Link,
    Mapped,
    Move,
    Update,
    differences,
    find_written,
    is_updated,
    plan_issue,
)
from worklogs.rules import Author, Policy, Refuse, Target
from worklogs.worklog import Person, Worklog

JIRA = Policy(Target.JIRA, "7pace", 60, Rounding.NONE, 1, Lookalikes.LINK, LongText.CUT, has_markers=True)
TEMPO = replace(JIRA, target=Target.TEMPO, has_markers=False)
MARKED_TEMPO = replace(TEMPO, has_markers=True)
PARK, ANEW = replace(JIRA, lookalikes=Lookalikes.PARK), replace(JIRA, lookalikes=Lookalikes.CREATE)
POLICIES = (JIRA, TEMPO, MARKED_TEMPO)

ALICE = Person("Alice Smith", "alice@example.com", "p-alice")
BOB = Person("Bob Jones", "bob@example.com", "p-bob")
ACCOUNTS = {ALICE: "acc-alice"}
BOT = "acc-bot"
NINE = datetime(2024, 3, 15, 9, 0)


def work(entry="e1", person=ALICE, at=NINE, seconds=3600, text="Fixed the pump", **more):
    return Worklog(entry, "42", person, from_wall(at, "Europe/Berlin"), seconds, text, **more)


def mapped(source, policy=JIRA, issue="10001", token=False, agreed=None):
    """The entry with its author found: in Tempo whoever has an account, in Jira whoever's token is held."""
    account = ACCOUNTS.get(source.person, "")
    true = bool(account) and (policy.target is Target.TEMPO or token)
    author = Author(account if true else BOT, true, token=source.person.email if true and token else "")
    copy = rules.copy_of(source, issue, author, policy)
    return Mapped(source, copy, account, author.token, agreed)


def stored(copy, id_, policy=JIRA, **changes):
    """The copy as the target shows it: Jira its instant, Tempo its wall clock, a marker where it keeps one."""
    moment = copy.moment
    shown = (
        from_instant(moment.instant, "UTC") if policy.target is Target.JIRA else from_wall(moment.wall, "UTC")
    )
    marker = copy.marker if policy.has_markers else ""
    return copy.with_(**{"entry": id_, "moment": shown, "marker": marker, **changes})


def by_hand(source, id_, policy=JIRA, **changes):
    """The worklog its person entered on the target long ago: her own author, no header, no marker."""
    account = ACCOUNTS.get(source.person, "acc-other")
    copy = rules.copy_of(source, "10001", Author(account, true=True), policy)
    return stored(copy, id_, policy, **{"marker": "", **changes})


def copied(source, id_, policy=JIRA, **changes):
    return stored(mapped(source, policy).copy, id_, policy, **changes)


def agreed_on(row, source):
    return Agreed(row.entry, row.work, source.digest, row.digest)


def said(action):
    """An action in words: what, to which worklog, and which fields or code."""
    if isinstance(action, Update):
        return f"update {action.before.entry}: {', '.join(action.changed)}"
    if isinstance(action, Link | Keep):
        return f"{type(action).__name__.lower()} {action.standing.entry}"
    if isinstance(action, Move):
        return f"move {action.before.entry}"
    if isinstance(action, Decline):
        return f"{'park' if action.why.parked else 'refuse'}: {action.why.code}"
    return "create"


def plan(entries, standing=(), owned=(), policy=JIRA):
    return [said(action) for action in plan_issue(entries, standing, owned, policy)]


# --- entries that were never carried

ONE = work()
TWO = work("e2")
THREE = work("e3")
BOBS = work("b1", BOB)

FIRST = [
    # the rule, policy, entries, what stands there, what traces own, plan
    ("nothing there: created", JIRA, [ONE], [], [], ["create"]),
    ("nothing there: created in Tempo", TEMPO, [ONE], [], [], ["create"]),
    ("a copy that bears our marker is ours", JIRA, [ONE], [copied(ONE, "7")], [], ["link 7"]),
    (
        "a marker counts whatever else differs",
        JIRA,
        [ONE],
        [copied(ONE, "7", text="?", seconds=60)],
        [],
        ["link 7"],
    ),
    (
        "a marker counts for its own entry only",
        JIRA,
        [ONE],
        [copied(ONE, "7", marker="e9")],
        [],
        ["create"],
    ),
    ("Alice entered it herself", JIRA, [ONE], [by_hand(ONE, "7")], [], ["link 7"]),
    ("Alice entered it herself, in Tempo", TEMPO, [ONE], [by_hand(ONE, "7", TEMPO)], [], ["link 7"]),
    ("another text is no other entry", JIRA, [ONE], [by_hand(ONE, "7", text="?")], [], ["link 7"]),
    ("another billable time is no other entry", TEMPO, [ONE], [by_hand(ONE, "7", TEMPO, billable=0)], [], ["link 7"]),
    ("another second is", JIRA, [ONE], [by_hand(ONE, "7", seconds=3601)], [], ["create"]),
    ("another issue is", JIRA, [ONE], [by_hand(ONE, "7", work="10002")], [], ["create"]),
    ("another start is", JIRA, [ONE], [by_hand(work(at=NINE + timedelta(seconds=1)), "7")], [], ["create"]),
    ("another day is", JIRA, [ONE], [by_hand(work(at=NINE + timedelta(days=1)), "7")], [], ["create"]),
    ("another person is", JIRA, [ONE], [by_hand(work(person=BOB), "7")], [], ["create"]),
    ("one that a trace owns is spoken for", JIRA, [ONE], [by_hand(ONE, "7")], ["7"], ["create"]),
    ("a header names Bob, who has no account", JIRA, [BOBS], [copied(BOBS, "7", marker="")], [], ["link 7"]),
    ("a header names Bob, in Tempo", TEMPO, [BOBS], [copied(BOBS, "7", TEMPO)], [], ["link 7"]),
    ("a header names somebody else", JIRA, [ONE], [copied(BOBS, "7", marker="")], [], ["create"]),
    ("the bot's own work is nobody else's", JIRA, [BOBS], [copied(BOBS, "7", marker="", text="x")], [], ["create"]),
    (
        "of a person without account nothing is taken without a header",
        TEMPO,
        [BOBS],
        [by_hand(BOBS, "7", TEMPO)],
        [],
        ["create"],
    ),
    ("two equal entries own two", JIRA, [ONE, TWO], [by_hand(ONE, "7"), by_hand(ONE, "8")], [], ["link 7", "link 8"]),
    ("two equal entries own the one there is", JIRA, [ONE, TWO], [by_hand(ONE, "7")], [], ["link 7", "create"]),
    ("one entry owns but one", JIRA, [ONE], [by_hand(ONE, "7"), by_hand(ONE, "8")], [], ["link 7"]),
    (
        "each takes the one with its own text",
        JIRA,
        [ONE, work("e2", text="Wrote it down")],
        [by_hand(ONE, "7", text="Wrote it down"), by_hand(ONE, "8")],
        [],
        ["link 8", "link 7"],
    ),
    (
        "who comes first does not take the copy of another's text",
        JIRA,
        [work("e2", text="Wrote it down"), ONE],
        [by_hand(ONE, "7")],
        [],
        ["create", "link 7"],
    ),
    (
        "who comes first does not take the marked copy of another",
        JIRA,
        [ONE, TWO],
        [copied(TWO, "7")],
        [],
        ["create", "link 7"],
    ),
    (
        "a marker before a lookalike",
        JIRA,
        [ONE],
        [by_hand(ONE, "7"), copied(ONE, "8")],
        [],
        ["link 8"],
    ),
    ("park: a person decides", PARK, [ONE], [by_hand(ONE, "7")], [], ["park: lookalike"]),
    (
        "park by count too",
        PARK,
        [ONE, TWO],
        [by_hand(ONE, "7")],
        [],
        ["park: lookalike", "create"],
    ),
    ("park: our own marker leaves no doubt", PARK, [ONE], [copied(ONE, "7")], [], ["link 7"]),
    ("create: lookalikes do not count", ANEW, [ONE], [by_hand(ONE, "7")], [], ["create"]),
    ("create: our own marker does", ANEW, [ONE], [copied(ONE, "7")], [], ["link 7"]),
    (
        "in Tempo a lookalike is one by its wall clock",
        TEMPO,
        [work(at=datetime(2024, 10, 27, 2, 30))],
        [by_hand(work(at=datetime(2024, 10, 27, 2, 30)), "7", TEMPO)],
        [],
        ["link 7"],
    ),
    (
        "rounded as the copy would be",
        replace(TEMPO, rounding=Rounding.UP, rounding_minutes=15),
        [work(seconds=3500)],
        [by_hand(ONE, "7", TEMPO)],
        [],
        ["link 7"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "sources", "standing", "owned", "expected"),
    [row[1:] for row in FIRST],
    ids=[row[0] for row in FIRST],
)
def test_an_entry_carried_for_the_first_time(policy, sources, standing, owned, expected):
    entries = [mapped(source, policy) for source in sources]
    assert plan(entries, standing, owned, policy) == expected


def test_a_parked_lookalike_says_which_worklog_it_means():
    (action,) = plan_issue([mapped(ONE)], [by_hand(ONE, "7")], [], PARK)
    assert "7" in action.why.message
    assert action.why.kind == "parked"


def test_a_link_says_why():
    by_marker, by_looks = (
        plan_issue([mapped(ONE)], [row], [], JIRA)[0].reason for row in (copied(ONE, "7"), by_hand(ONE, "7"))
    )
    assert "marker" in by_marker
    assert "same person" in by_looks


# --- entries that have a copy, edited at their source since


def again(edited, policy=JIRA, now="as agreed", was=ONE, issue="10001", **changes):
    """The plan for Alice's entry after an edit; `now` is the copy as it stands, "as agreed" or None for gone."""
    row = copied(was, "7", policy)
    entry = mapped(edited, policy, issue, agreed=agreed_on(row, was))
    standing = [] if now is None else [row.with_(**changes)]
    return plan([entry], standing, ["7"], policy)[0]


LONGER, LATER, REWORDED = work(seconds=7200), work(at=NINE + timedelta(hours=1)), work(text="Fixed it")


@pytest.mark.parametrize(
    ("edited", "policy", "expected"),
    [
        (ONE, JIRA, "keep 7"),
        (ONE, TEMPO, "keep 7"),
        (LONGER, JIRA, "update 7: seconds"),
        (LONGER, TEMPO, "update 7: seconds, billable"),
        (LATER, JIRA, "update 7: start"),
        (LATER, TEMPO, "update 7: start"),
        (REWORDED, JIRA, "update 7: text"),
        (work(text=""), JIRA, "update 7: text"),
        (work(at=NINE + timedelta(days=1)), JIRA, "update 7: start, text"),
        (work(billable=0), TEMPO, "update 7: billable"),
        (work(billable=3600), TEMPO, "keep 7"),
        (work(billable=0), JIRA, "keep 7"),
        (work(person=BOB), TEMPO, "update 7: author, text"),
        (work(person=BOB), JIRA, "update 7: text"),
        (work(updated="2025-01-01"), JIRA, "keep 7"),
        (work(seconds=7200, text="Fixed it"), JIRA, "update 7: seconds, text"),
    ],
)
def test_an_edit_at_the_source_updates_the_copy_that_nobody_touched(edited, policy, expected):
    assert again(edited, policy) == expected


@pytest.mark.parametrize("policy", [JIRA, TEMPO])
@pytest.mark.parametrize(
    "touched", [{"seconds": 60}, {"text": "Nobody"}, {"person": Person(account="acc-carol")}, {"billable": 7}]
)
def test_a_copy_that_somebody_touched_is_parked(policy, touched):
    assert again(LONGER, policy, **touched) == "park: conflict"


def test_a_copy_that_somebody_made_what_the_source_became_is_kept():
    assert again(LONGER, seconds=7200) == "keep 7"


def test_a_copy_that_was_deleted_by_hand_is_not_written_again():
    assert again(LONGER, now=None) == "park: conflict"


@pytest.mark.parametrize("policy", [JIRA, TEMPO])
def test_an_entry_of_another_work_item_moves_to_its_issue(policy):
    assert again(ONE, policy, issue="10002") == "move 7"
    assert again(LONGER, policy, issue="10002") == "move 7"
    assert again(LONGER, policy, issue="10002", text="Nobody") == "park: conflict"


def test_a_copy_with_the_day_or_hour_in_another_offset_is_the_same_copy():
    row = copied(ONE, "7").with_(moment=from_instant(ONE.moment.instant, "Asia/Kolkata"))
    assert differences(mapped(ONE).copy, row, JIRA) == ()


def test_the_own_copy_is_free_for_nobody_else():
    """An entry new today looks like the copy of yesterday's: the copy stays yesterday's."""
    row = copied(ONE, "7", TEMPO)
    entries = [mapped(TWO, TEMPO), mapped(LONGER, TEMPO, agreed=agreed_on(row, ONE))]
    assert plan(entries, [row], [], TEMPO) == ["create", "update 7: seconds, billable"]


def authored(before, after, edited=REWORDED):
    """The plan and action for Alice's edited entry whose copy was written with (`before`) or without her token."""
    first = mapped(ONE, token=before)
    row = stored(first.copy, "7")
    entry = mapped(edited, token=after, agreed=agreed_on(row, ONE))
    return plan_issue([entry], [row], ["7"], JIRA)[0]


def test_jira_keeps_a_copys_author_so_the_bots_copy_keeps_its_header():
    """Alice's token came later. Without the header the bot's worklog would be nobody's."""
    update = authored(before=False, after=True)
    assert said(update) == "update 7: text"
    assert update.mapped.copy.text == "[7pace — Alice Smith on 2024-03-15]\n\nFixed it"
    assert (update.mapped.copy.person.account, update.mapped.token) == (BOT, "")


def test_jira_keeps_a_copys_author_so_alices_copy_gets_no_header():
    """Alice's token is gone: the bot may edit her worklog, but she stays its author."""
    update = authored(before=True, after=False)
    assert said(update) == "update 7: text"
    assert update.mapped.copy.text == "Fixed it"
    assert (update.mapped.copy.person.account, update.mapped.token) == ("acc-alice", "")


def test_with_her_token_alice_edits_her_own_copy():
    update = authored(before=True, after=True)
    assert update.mapped.token == "alice@example.com"
    assert update.mapped.copy.text == "Fixed it"


def test_a_token_that_came_or_went_is_no_edit():
    assert said(authored(before=False, after=True, edited=work(billable=0))) == "keep 7"
    assert said(authored(before=True, after=False, edited=work(billable=0))) == "keep 7"


def test_a_text_too_long_for_the_header_its_copy_needs_is_refused():
    policy = replace(JIRA, long_text=LongText.REFUSE)
    row = copied(ONE, "7")
    entry = mapped(work(text="x" * 32_767), token=True, agreed=agreed_on(row, ONE))
    assert plan([entry], [row], ["7"], policy) == ["refuse: text_too_long"]


# --- writes of unknown outcome


def test_what_was_written_is_found_by_its_marker():
    copies = [mapped(ONE).copy, mapped(TWO).copy]
    found = find_written(copies, [copied(TWO, "7")], [], JIRA)
    assert {entry: row.entry for entry, row in found.items()} == {"e2": "7"}


def test_where_markers_are_kept_a_lookalike_was_not_written_by_us():
    assert find_written([mapped(ONE).copy], [by_hand(ONE, "7")], [], JIRA) == {}


def test_where_none_are_kept_it_is_found_by_looks_and_by_count():
    copies = [mapped(one, TEMPO).copy for one in (ONE, TWO, THREE)]
    rows = [copied(ONE, str(number), TEMPO) for number in (7, 8, 9)]
    found = find_written(copies, rows, ["7"], TEMPO)
    assert {entry: row.entry for entry, row in found.items()} == {"e1": "8", "e2": "9"}


@pytest.mark.parametrize(
    "other",
    [
        {"text": "?"},
        {"seconds": 60},
        {"person": Person(account="x")},
        {"moment": LATER.moment},
        {"work": "10002"},
    ],
)
def test_looks_alone_must_match_in_everything_that_was_sent(other):
    assert find_written([mapped(ONE, TEMPO).copy], [copied(ONE, "7", TEMPO, **other)], [], TEMPO) == {}


def test_billable_seconds_that_tempo_chose_itself_do_not_hide_a_write():
    assert find_written([mapped(ONE, TEMPO).copy], [copied(ONE, "7", TEMPO, billable=0)], [], TEMPO)


@pytest.mark.parametrize(
    ("standing", "happened"),
    [
        ({}, False),
        ({"seconds": 5430, "text": "Fixed it"}, True),
        ({"seconds": 5400, "text": "Fixed it"}, True),
        ({"seconds": 5460, "text": "Fixed it"}, True),
        ({"seconds": 5340, "text": "Fixed it"}, False),
        ({"seconds": 5400}, False),
        ({"text": "Fixed it"}, False),
    ],
)
def test_an_update_happened_where_its_values_stand_to_what_jira_makes_of_the_seconds(standing, happened):
    """Jira seems to keep whole minutes, and nobody says whether it cuts or rounds."""
    before = copied(ONE, "7")
    wanted = mapped(work(seconds=5430, text="Fixed it")).copy
    now = before.with_(**standing)
    if "text" in standing:
        now = now.with_(text=wanted.text)
    assert is_updated(wanted, now, before.digest, JIRA) is happened


def test_a_target_that_trims_texts_does_not_hide_what_was_written():
    source = work(text="  Fixed  \nthe pump \n")
    copy = mapped(source, TEMPO).copy
    trimmed = copied(source, "7", TEMPO, text="Fixed\nthe pump")
    assert find_written([copy], [trimmed], [], TEMPO)
    assert is_updated(copy, trimmed, copied(ONE, "7", TEMPO).digest, TEMPO)
    assert not is_updated(copy, trimmed, trimmed.digest, TEMPO)


def test_an_update_that_only_the_rounding_hides_did_not_happen():
    """Half a minute more at the source, nothing changed on the target: the update is still owed."""
    before = copied(work(seconds=5400), "7")
    assert not is_updated(mapped(work(seconds=5430)).copy, before, before.digest, JIRA)


# --- what holds in any world


@dataclass
class World:
    """The target as a list of worklogs, and what traces remember of it."""

    policy: Policy
    rows: dict[str, Worklog] = field(default_factory=dict)
    traces: dict[str, Agreed] = field(default_factory=dict)

    def plan(self, sources):
        """Like a run: entries that stand as they are at their source are not planned again."""
        due = [s for s in sources if not (t := self.traces.get(s.entry)) or t.source_digest != s.digest]
        entries = [mapped(source, self.policy, agreed=self.traces.get(source.entry)) for source in due]
        owned = {trace.twin for trace in self.traces.values()}
        return plan_issue(entries, list(self.rows.values()), owned, self.policy)

    def carry_out(self, actions):
        for action in actions:
            if isinstance(action, Create):
                row = stored(action.mapped.copy, f"r{len(self.rows)}", self.policy)
            elif isinstance(action, Update):
                row = stored(action.mapped.copy, action.before.entry, self.policy)
            elif isinstance(action, Link | Keep):
                row = action.standing
            else:
                continue
            self.rows[row.entry] = row
            self.traces[action.mapped.source.entry] = agreed_on(row, action.mapped.source)


SOURCES = st.lists(
    st.builds(
        work,
        person=st.sampled_from([ALICE, BOB]),
        at=st.sampled_from([NINE, NINE + timedelta(hours=1), datetime(2024, 10, 27, 2, 30)]),
        seconds=st.sampled_from([3600, 3630]),
        text=st.sampled_from(["", "Fixed the pump", "Wrote\n\nit down"]),
        billable=st.sampled_from([None, 0, 1800]),
    ),
    max_size=8,
).map(lambda entries: [one.with_(entry=f"e{number}") for number, one in enumerate(entries)])
POLICY = st.builds(
    replace,
    st.sampled_from(POLICIES),
    lookalikes=st.sampled_from(Lookalikes),
    rounding=st.sampled_from(Rounding),
    rounding_minutes=st.sampled_from([1, 15]),
)


@st.composite
def worlds(draw):
    """A target where some worklogs stand already, by hand or under a header, and the entries to carry there."""
    policy, sources, others = draw(POLICY), draw(SOURCES), draw(SOURCES)
    world = World(policy)
    for number, other in enumerate(others):
        make = draw(st.sampled_from([by_hand, copied]))
        world.rows[f"h{number}"] = make(other, f"h{number}", policy, marker="")
    return world, sources


def writes(actions):
    return [action for action in actions if isinstance(action, Create | Update | Move)]


def twins(actions):
    taken = [action.standing.entry for action in actions if isinstance(action, Link | Keep)]
    return taken + [action.before.entry for action in actions if isinstance(action, Update | Move)]


@given(worlds())
def test_every_entry_gets_one_action_and_no_worklog_two_twins(found):
    world, sources = found
    actions = world.plan(sources)
    assert [action.mapped.source for action in actions] == sources
    assert len(twins(actions)) == len(set(twins(actions)))


@given(worlds())
def test_the_same_world_gives_the_same_plan(found):
    world, sources = found
    assert world.plan(sources) == world.plan(sources)


@given(worlds())
def test_a_second_run_writes_nothing(found):
    world, sources = found
    world.carry_out(world.plan(sources))
    second = world.plan(sources)
    assert writes(second) == []
    assert {action.mapped.source.entry for action in second}.isdisjoint(world.traces)


@given(worlds())
def test_whatever_was_written_is_kept_when_it_is_planned_once_more(found):
    world, sources = found
    world.carry_out(created := world.plan(sources))
    again_ = [
        replace(action.mapped, agreed=world.traces[action.mapped.source.entry]) for action in writes(created)
    ]
    owned = [trace.twin for trace in world.traces.values()]
    kept = plan_issue(again_, list(world.rows.values()), owned, world.policy)
    assert all(isinstance(action, Keep) for action in kept)


@given(worlds())
def test_who_lost_all_memory_still_writes_nothing_twice(found):
    """By markers always; without them by looks, unless the operator wants lookalikes made anew."""
    world, sources = found
    if world.policy.lookalikes is Lookalikes.CREATE and not world.policy.has_markers:
        return
    first = world.plan(sources)
    world.carry_out(first)
    world.traces.clear()
    linked = {action.mapped.source.entry for action in first if isinstance(action, Link)}
    created = [action.mapped.source.entry for action in writes(world.plan(sources))]
    assert set(created) <= (linked if world.policy.lookalikes is Lookalikes.CREATE else set())


@given(worlds(), SOURCES)
def test_edits_bring_the_copies_to_what_the_source_became(found, edits):
    world, sources = found
    world.carry_out(world.plan(sources))
    edited = [new.with_(entry=old.entry, person=old.person) for old, new in zip(sources, edits, strict=False)]
    world.carry_out(actions := world.plan(edited))
    for action in actions:
        if trace := world.traces.get(action.mapped.source.entry):
            assert not differences(action.mapped.copy, world.rows[trace.twin], world.policy) or isinstance(
                action, Link
            )
    assert writes(world.plan(edited)) == []


@given(worlds(), st.data())
def test_however_the_answers_were_lost_exactly_what_arrived_is_found(found, data):
    """Some creates arrived, some did not, all answers were lost. What stood there before is not taken for them."""
    world, sources = found
    if world.policy.lookalikes is not Lookalikes.LINK and not world.policy.has_markers:
        return
    actions = world.plan(sources)
    before = set(world.rows)
    creates = [one for one in actions if isinstance(one, Create)]
    arrived = [one for one in creates if data.draw(st.booleans())]
    world.carry_out(arrived)
    copies = [one.mapped.copy for one in creates]
    seen = find_written(copies, list(world.rows.values()), twins(actions), world.policy)
    rows = {row.entry for row in seen.values()}
    assert rows == set(world.rows) - before
    assert len(seen) == len(arrived)


def test_a_refusal_is_not_an_exception():
    """What cannot be carried is data: code, words, and what to do."""
    refuse = plan_issue([mapped(ONE)], [by_hand(ONE, "7")], [], PARK)[0].why
    assert isinstance(refuse, Refuse)
    assert refuse.code
    assert refuse.message
    assert refuse.hint


@pytest.mark.parametrize("policy", POLICIES)
def test_a_standing_row_that_nobody_can_read_matches_nothing(policy):
    """Somebody else's worklog without start, author or issue is no lookalike and no write of ours."""
    one = mapped(work(), policy)
    odd = [
        stored(one.copy, "1", policy, marker="", moment=None),
        stored(one.copy, "2", policy, marker="", person=Person(), text="Fixed the pump"),
        Worklog("3", "", Person(), None, 0),
    ]
    assert plan_issue([one], odd, (), policy) == [Create(one)]
    assert find_written([one.copy], odd, (), policy) == {}
    agreed = Agreed("1", "10001", "", odd[0].digest)
    again = plan_issue([replace(one, agreed=agreed)], odd, (), policy)
    assert [type(action) for action in again] == [Update]
