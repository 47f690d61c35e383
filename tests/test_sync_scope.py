"""Which entries a sync carries: those of issues that have a twin, and of these what its rules want."""

import pytest
from twinlog_process import DATABASES, on_sqlite
from two_clouds import ALICE, BOB, Syncing, TwoClouds, changes, day

from connections.sandbox.world import JiraField


def left_out(pair):
    """Issues without a counterpart as they are told: side, issue, entries, seconds."""
    rows = pair.twinlog.rows(
        "SELECT side, issue, entries, seconds FROM worklogs_outofscope ORDER BY side, issue"
    )
    return [
        (side, pair.clouds.jiras[side].issue(issue).key, entries, seconds)
        for side, issue, entries, seconds in rows
    ]


def look_again(pair):
    """The patience with issues without a counterpart is over."""
    pair.twinlog.change("UPDATE worklogs_outofscope SET look_after = '2024-01-01 00:00:00'")


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_an_issue_without_a_twin_is_counted_and_later_read_whole(syncing, twinlog):
    """Its entries are skipped, by issue with their hours, no row each; once Bob labels a twin, all of them come."""
    pair = syncing()
    for number in (1, 2):
        pair.hands.log("left", ALICE, "OWN-1", day(number))
    pair.hands.log("right", BOB, "OWN-1", day(3), length="30m")
    pair.hands.log("left", ALICE, "DEV-1", day(4))
    run = pair.sync()
    assert (run["skipped"], run["created"], run["failed"]) == (3, 1, 0)
    assert left_out(pair) == [("left", "OWN-1", 2, 7200), ("right", "OWN-1", 1, 1800)]
    assert "2 entries, 2.00 h" in twinlog.run("report", pair.clouds.name).out
    assert twinlog.rows("SELECT count(*) FROM worklogs_auditentry") == [(1,)]
    assert pair.is_quiet()
    assert left_out(pair) == [("left", "OWN-1", 2, 7200), ("right", "OWN-1", 1, 1800)]

    issue = pair.clouds.jiras["right"].add_issue("EXT-77", labels=("twin-OWN-1",))
    issue.edited = pair.clouds.jiras["right"].tick(pair.clouds.world.clock())
    look_again(pair)
    assert pair.sync()["created"] == 2
    assert [row.issue for row in pair.rows("right") if row.author == "Alice Smith"] == [
        "EXT-1",
        "EXT-77",
        "EXT-77",
    ]
    assert left_out(pair) == [("right", "OWN-1", 1, 1800)]
    assert pair.is_quiet()


@on_sqlite
def test_entries_of_both_sides_come_when_a_twin_is_named(syncing):
    """The new pair is read whole on each side, though nothing of it changed for long."""
    clouds = TwoClouds("jira", "tempo")
    clouds.jiras["left"].add_issue("DEV-9")
    unlabelled = clouds.jiras["right"].add_issue("EXT-9")
    pair = syncing(clouds=clouds)
    pair.hands.log("left", ALICE, "DEV-9", day(1), text="left")
    pair.hands.log("right", BOB, "EXT-9", day(2), text="right")
    assert pair.sync()["skipped"] == 2
    unlabelled.labels.append("twin-DEV-9")
    clouds.jiras["right"].by_label["twin-DEV-9"] = {unlabelled.id}
    look_again(pair)
    assert pair.sync()["created"] == 2
    assert clouds.told("left") == clouds.told("right")
    assert [one.text for one in clouds.told("left")] == ["left", "right"]
    assert pair.is_quiet()


def by_key(clouds, _home):
    clouds.jiras["right"].add_project("DEV", "Development")
    clouds.jiras["right"].add_issue("DEV-1")
    return {"match": "key"}


def by_field(clouds, _home):
    jira = clouds.jiras["right"]
    jira.custom_fields.append(JiraField("customfield_10050", "Twin key", "text"))
    jira.issue("EXT-2").fields["customfield_10050"] = "DEV-1"
    return {"match": "field", "on": "right", "field": "Twin key"}


def by_link(clouds, home):
    jira = clouds.jiras["right"]
    url = f"{home}/jira/jca/browse/DEV-1"
    jira.issue("EXT-2").remote_links.append({"object": {"url": url, "title": "DEV-1"}})
    return {"match": "link", "on": "right"}


def by_pairs(_clouds, _home):
    return {"match": "pairs", "pairs": [["DEV-1", "EXT-2"]]}


@pytest.mark.parametrize("rule", [by_key, by_field, by_link, by_pairs], ids=lambda rule: rule.__name__)
@on_sqlite
def test_twins_are_found_by_every_rule(twinlog, serve, rule):
    """By the same key, a field, a remote link, or pairs of an operator: from the one side and from the other."""
    clouds = TwoClouds()
    sandbox = serve(clouds.world)
    clouds.world.connections[clouds.name]["issues"] = rule(clouds, sandbox.url)
    pair = Syncing(twinlog, clouds, sandbox)
    twin = "DEV-1" if rule is by_key else "EXT-2"
    pair.hands.log("left", ALICE, "DEV-1", day(1), text="left")
    pair.hands.log("right", BOB, twin, day(2), text="right")
    run = pair.sync()
    assert (run["created"], run["failed"], run["skipped"]) == (2, 0, 0)
    assert sorted(row.text for row in pair.rows("right") if row.issue == twin) == ["left", "right"]
    assert sorted(row.text for row in pair.rows("left") if row.issue == "DEV-1") == ["left", "right"]
    assert pair.is_quiet()


@on_sqlite
def test_several_issues_may_be_paired_with_one(syncing):
    """Two of ours belong to one of theirs: both travel there; what begins there has two places and waits."""
    clouds = TwoClouds()
    pairs = {"match": "pairs", "pairs": [["DEV-1", "EXT-1"], ["DEV-2", "EXT-1"]]}
    clouds.world.connections[clouds.name]["issues"] = pairs
    pair = syncing(clouds=clouds)
    pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.hands.log("left", ALICE, "DEV-2", day(2))
    theirs = pair.hands.log("right", BOB, "EXT-1", day(3))
    run = pair.sync(status=1)
    assert run["created"] == 2
    assert [(row["entry"], row["code"], row["parked"]) for row in run["failures"]] == [
        (str(theirs), "issue_ambiguous", True)
    ]
    assert pair.sync(status=1)["written"] == 0


@on_sqlite
def test_two_issues_that_claim_one_are_for_a_person(syncing):
    """Bob labels a second twin of DEV-1: new entries of it are parked, and what is a twin already stays one."""
    pair = syncing()
    known = pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.sync()
    pair.clouds.jiras["right"].add_issue("EXT-50", labels=("twin-DEV-2",))
    new = pair.hands.log("left", ALICE, "DEV-2", day(2))
    pair.hands.change("left", known, length="2h")
    run = pair.sync(status=1)
    assert run["updated"] == 1
    assert [(row["entry"], row["code"]) for row in run["failures"]] == [(str(new), "issue_ambiguous")]


@on_sqlite
def test_an_issue_that_was_moved_keeps_its_twin(syncing):
    """DEV-1 becomes OPS-7: pairs are held by id, so that both old and new entries go on."""
    pair = syncing("jira", "tempo")
    entry = pair.hands.log("left", ALICE, "DEV-1", day(1))
    pair.sync()
    jira = pair.clouds.jiras["left"]
    issue, project = jira.issue("DEV-1"), jira.add_project("OPS", "Operations")
    issue.key, issue.project, issue.old_keys = "OPS-7", project, ["DEV-1"]
    jira.by_key["OPS-7"] = issue.id
    pair.hands.change("left", entry, length="2h")
    pair.hands.log("left", BOB, "OPS-7", day(2))
    pair.hands.log("right", BOB, "EXT-1", day(3))
    run = pair.sync()
    assert (run["updated"], run["created"], run["failed"]) == (1, 2, 0)
    assert [row.issue for row in pair.rows("left")] == ["OPS-7"] * 3
    assert pair.is_quiet()


@on_sqlite
def test_what_is_older_than_since_is_left_alone(syncing):
    """`since`: work of earlier days stays on its side, new or edited; work of that day travels."""
    pair = syncing("tempo", "jira", since="2026-03-02")
    old = pair.hands.log("left", ALICE, "DEV-1", day(1, 23))
    pair.hands.log("left", ALICE, "DEV-1", day(2, 0), text="that day")
    pair.hands.log("right", BOB, "EXT-2", day(1), text="old as well")
    assert pair.sync()["created"] == 1
    pair.hands.change("left", old, length="2h")
    assert pair.sync("--full")["written"] == 0
    assert pair.is_quiet()


@on_sqlite
def test_a_twin_moved_before_since_is_still_a_twin(syncing):
    """Its day is corrected to one that is left alone: the copy follows, since it is known."""
    pair = syncing(since="2026-03-02")
    entry = pair.hands.log("left", ALICE, "DEV-1", day(2))
    pair.sync()
    pair.hands.change("left", entry, started=day(1))
    assert pair.sync()["updated"] == 1
    assert pair.one("right", "EXT-1").started == day(1) + ":00" or pair.one("right", "EXT-1").started == day(
        1
    )
    assert pair.is_quiet()


@on_sqlite
def test_short_entries_are_skipped(syncing):
    """Under `minimum_seconds` nothing travels; each is one of the skipped."""
    pair = syncing(minimum_seconds=300)
    pair.hands.log("left", ALICE, "DEV-1", day(1), length="299s")
    pair.hands.log("left", ALICE, "DEV-1", day(2), length="300s")
    run = pair.sync()
    assert (run["created"], run["skipped"], run["failed"]) == (1, 1, 0)
    assert pair.is_quiet()


@on_sqlite
def test_jira_gets_nothing_under_a_minute(syncing):
    """Jira refuses it: skipped and never sent. Between two Tempos the same entry travels."""
    pair = syncing("tempo", "jira")
    short = pair.hands.log("left", ALICE, "DEV-1", day(1), length="59s")
    run = pair.sync()
    assert (run["created"], run["skipped"], run["failed"]) == (0, 1, 0)
    assert changes(pair.sandbox) == []
    pair.hands.change("left", short, length="60s")
    assert pair.sync()["created"] == 1
    assert pair.is_quiet()


@on_sqlite
def test_between_tempos_a_second_is_enough(syncing):
    pair = syncing()
    pair.hands.log("left", ALICE, "DEV-1", day(1), length="1s")
    assert pair.sync()["created"] == 1
    assert pair.one("right", "EXT-1").seconds == 1


@pytest.mark.parametrize(
    ("direction", "source", "target"),
    [("left-to-right", "left", "right"), ("right-to-left", "right", "left")],
)
@on_sqlite
def test_one_direction_never_writes_the_other_way(syncing, direction, source, target):
    """What begins on the target stays there; what somebody does to a copy stays, until its original changes there."""
    pair = syncing(direction=direction)
    here, there = {"left": "DEV-1", "right": "EXT-1"}[source], {"left": "DEV-2", "right": "EXT-2"}[target]
    entry = pair.hands.log(source, ALICE, here, day(1), text="agreed")
    pair.hands.log(target, BOB, there, day(2))
    assert pair.sync()["created"] == 1
    (copy,) = [row for row in pair.rows(target) if row.author == "Alice Smith"]
    pair.hands.change(target, copy.id, text="changed there")
    assert pair.sync()["written"] == 0
    assert [row.text for row in pair.rows(source)] == ["agreed"]
    pair.hands.change(source, entry, length="2h")
    assert pair.sync()["updated"] == 1
    (copy,) = [row for row in pair.rows(target) if row.author == "Alice Smith"]
    assert (copy.text, copy.seconds) == ("changed there", 7200)
    pair.hands.delete(source, entry)
    assert pair.sync(status=None)["failed"] == 0
    assert pair.is_quiet()


# --- several connections


def three_companies(carry_on):
    """A, B and C, each with the issue ONE-1, in a circle: A-B, B-C, C-A."""
    clouds = TwoClouds("jira", "jira")
    builder, world = clouds.builder, clouds.world
    world.connections.clear()
    sites = [*clouds.jiras.values(), builder.jira("jcc")]
    for human in (ALICE, BOB):
        builder.jira_account(sites[2], human)
    for site in sites:
        site.add_project("ONE", "One")
        site.add_issue("ONE-1")
    names = [site.name for site in sites]
    for left, right in zip(names, names[1:] + names[:1], strict=True):
        world.connections[f"{left}-{right}"] = {
            "kind": "sync", "left": left, "right": right, "carry_on": carry_on, "issues": {"match": "key"},
        }  # fmt: skip
    return clouds


@pytest.mark.parametrize("carry_on", ["migrated", "all", "none"])
@on_sqlite
def test_no_entry_comes_round_in_a_circle(twinlog, serve, carry_on):
    """Alice logs an hour at A. A-B and C-A carry it; B-C carries the copy on only where told so, and never what C has
    already. Run after run nothing more is written."""
    clouds = three_companies(carry_on)
    sandbox = serve(clouds.world)
    twinlog.set_up(sandbox, sandbox.toml())
    sandbox.by_hand("jca", "log", author=ALICE.email, on="ONE-1", started=day(1), length="1h", text="Work")
    clouds.world.later(90)

    def circle():
        for name in clouds.world.connections:
            twinlog.run("sync", name, "--json")
            sandbox.settle()
            clouds.world.later(90)
        return {site.name: len(site.worklogs) for site in clouds.world.jira.values()}

    assert circle() == {"jca": 1, "jcb": 1, "jcc": 1}
    assert circle() == {"jca": 1, "jcb": 1, "jcc": 1}
