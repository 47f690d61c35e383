"""A migration that is started again carries what changed at the source, and never undoes what people did."""

import pytest
from contoso import ALICE, BOB, with_marker
from twinlog_process import on_sqlite

from connections.sandbox import adf
from connections.sandbox.world import PaceWorklog

JIRA, TEMPO = "contoso-to-jca", "contoso-to-jca-tempo"


def changes(sandbox):
    """Calls that wrote, or tried to."""
    written = [call for call in sandbox.calls if call.method in ("POST", "PUT", "DELETE")]
    return [
        call for call in written if "/worklog" in call.path and not call.path.endswith(("/search", "/list"))
    ]


@pytest.fixture
def migrated(twinlog, contoso, serve):
    """Ten entries, migrated into Jira."""
    entries = contoso.log_many(10, issues=2)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml())
    twinlog.migrate()
    sandbox.calls.clear()
    return sandbox, entries


def test_only_what_is_new_edited_or_moved_is_written(twinlog, contoso, migrated):
    """Alice adds an entry, changes one and moves one to another work item: one create, two updates, nothing else."""
    sandbox, entries = migrated
    contoso.log(ALICE, 3, "2024-04-01T09:00:00", 1800, "New")
    edited, moved = entries[0], entries[1]
    copy_of_moved = contoso.copy(moved).id
    edited.seconds, edited.comment = 5400, "Longer than I thought"
    moved.work_item_id = 3
    run = twinlog.migrate()
    assert (run["created"], run["updated"], run["deleted"], run["written"]) == (1, 2, 0, 3)
    assert run["unchanged"] == 8
    copy = contoso.copy(edited)
    assert (copy.seconds, copy.text.partition("\n\n")[2]) == (5400, "Longer than I thought")
    assert contoso.jira.issues[contoso.copy(moved).issue_id].key == "DEV-3"
    assert copy_of_moved not in contoso.jira.worklogs
    assert sorted(call.method for call in changes(sandbox)) == ["DELETE", "POST", "POST", "PUT"]
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]
    assert twinlog.migrate()["unchanged"] == 11


def test_a_moved_entry_is_open_until_its_old_copy_is_gone(twinlog, contoso, migrated):
    """Nobody may delete on the old issue: the hours stand twice, so the entry is open and says why; once it is
    allowed, the old copy goes, and the history holds the request that deleted it."""
    sandbox, entries = migrated
    moved = entries[0]
    old = contoso.copy(moved)
    contoso.jira.issues[old.issue_id].denied |= {"DELETE_OWN_WORKLOGS", "DELETE_ALL_WORKLOGS"}
    moved.work_item_id = 3
    run = twinlog.migrate(status=1)
    assert (run["created"], run["updated"], run["failed"], run["unchanged"]) == (0, 0, 1, 9)
    (row,) = run["failures"]
    assert (row["entry"], row["issue"], row["code"]) == (moved.id, "DEV-3", "no_permission")
    assert str(old.id) in row["message"]
    assert len(contoso.copies(moved)) == 2
    sandbox.calls.clear()
    assert twinlog.migrate(status=1)["failed"] == 1
    assert changes(sandbox) == []
    contoso.jira.issues[old.issue_id].denied.clear()
    assert twinlog.migrate(JIRA, "--retry")["unchanged"] == 10
    assert [call.method for call in changes(sandbox)] == ["DELETE"]
    assert len(contoso.copies(moved)) == 1
    (kept,) = twinlog.rows(
        "SELECT entry, twin FROM worklogs_auditentry WHERE action = 'delete' AND outcome = 'written'"
    )
    assert kept == (moved.id, str(old.id))
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]


@on_sqlite
def test_an_edited_time_follows_and_an_emptied_text_leaves_the_header(twinlog, contoso, migrated):
    """Each field a person may change in 7pace changes in the copy, and the copy keeps its id and marker."""
    _, entries = migrated
    one, other = entries[0], entries[1]
    before = contoso.copy(one)
    one.timestamp = one.timestamp.replace(day=20, hour=7)
    other.comment = None
    assert twinlog.migrate()["updated"] == 2
    after = contoso.copy(one)
    assert after.id == before.id
    assert after.started.isoformat() == "2024-03-20T06:00:00+00:00"
    assert after.text.startswith("[7pace — Alice Smith on 2024-03-20]")
    assert contoso.copy(other).text == "[7pace — Bob Jones on 2024-03-01]"


@on_sqlite
def test_an_entry_deleted_at_the_source_keeps_its_copy_and_is_named(twinlog, contoso, migrated):
    """A migration deletes nothing; the report says which entries are no longer there."""
    sandbox, entries = migrated
    gone = entries[4]
    del contoso.pace.worklogs[gone.id]
    run = twinlog.migrate()
    assert (run["fetched"], run["unchanged"]) == (9, 9)
    assert changes(sandbox) == []
    assert contoso.copy(gone)
    report = twinlog.run("report", JIRA).out
    assert f"No longer found at the source, their copies stay (1):\n  entry {gone.id}" in report
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]


@on_sqlite
def test_a_copy_edited_by_hand_is_not_overwritten(twinlog, contoso, migrated):
    """Bob corrects a copy in Jira and Alice the entry in 7pace: a person decides, nobody's edit is lost."""
    sandbox, entries = migrated
    by_hand = contoso.copy(entries[0])
    by_hand.seconds, by_hand.comment = 1234 * 60, adf.document("Corrected in Jira")
    entries[0].seconds = 7200
    run = twinlog.migrate(status=1)
    assert (run["parked"], run["updated"]) == (1, 0)
    (row,) = run["failures"]
    assert (row["entry"], row["code"], row["parked"]) == (entries[0].id, "conflict", True)
    assert changes(sandbox) == []
    assert contoso.copy(entries[0]).text == "Corrected in Jira"
    assert twinlog.migrate(status=1)["parked"] == 1
    assert changes(sandbox) == []


@on_sqlite
def test_both_sides_edited_to_the_same_are_agreed_again(twinlog, contoso, migrated):
    """Alice makes the same correction in 7pace and in Jira: nothing is left to do."""
    sandbox, entries = migrated
    contoso.copy(entries[0]).seconds = 7200
    entries[0].seconds = 7200
    run = twinlog.migrate()
    assert (run["unchanged"], run["parked"]) == (10, 0)
    assert changes(sandbox) == []


@on_sqlite
def test_a_conflict_that_a_person_settled_is_settled(twinlog, contoso, migrated):
    """Edited on both sides, then made to say the same in Jira: the next run sees that the two agree."""
    sandbox, entries = migrated
    entries[0].seconds, contoso.copy(entries[0]).seconds = 5400, 7200
    assert twinlog.migrate(status=1)["failures"][0]["code"] == "conflict"
    assert twinlog.migrate(status=1)["parked"] == 1
    told = twinlog.rows("SELECT count(*) FROM worklogs_auditentry WHERE code = 'conflict'")
    assert told == [(1,)]
    contoso.copy(entries[0]).seconds = 5400
    assert twinlog.migrate()["unchanged"] == 10
    assert changes(sandbox) == []


@on_sqlite
def test_a_refused_update_keeps_no_new_entry_back(twinlog, contoso, migrated):
    """Somebody may add worklogs and may not edit them: the edit fails with its reason, the new entry is written."""
    _, entries = migrated
    edited = entries[0]
    edited.seconds = 5400
    issue = contoso.issue(edited.work_item_id)
    issue.denied |= {"EDIT_OWN_WORKLOGS", "EDIT_ALL_WORKLOGS"}
    new = contoso.log(ALICE, edited.work_item_id, "2024-04-01T09:00:00", 1800, "New")
    run = twinlog.migrate(status=1)
    assert (run["created"], run["failed"]) == (1, 1)
    assert [(row["entry"], row["code"]) for row in run["failures"]] == [(edited.id, "no_permission")]
    assert contoso.copy(new).seconds == 1800


@on_sqlite
def test_a_copy_deleted_by_hand_is_never_written_again(twinlog, contoso, migrated):
    """Neither as it was nor edited at its source: an edit of it is a conflict for a person."""
    sandbox, entries = migrated
    for entry in entries[:2]:
        copy = contoso.copy(entry)
        contoso.jira.drop_worklog(contoso.jira.issues[copy.issue_id], copy, copy.updated)
    entries[1].comment = "Edited since"
    run = twinlog.migrate(status=1)
    assert (run["written"], run["unchanged"], run["parked"]) == (0, 9, 1)
    assert run["failures"][0]["code"] == "conflict"
    assert changes(sandbox) == []
    assert contoso.copies(entries[0]) == contoso.copies(entries[1]) == []


@on_sqlite
@pytest.mark.parametrize("marker", [False, True], ids=["without a marker", "with a marker"])
def test_tempo_copies_follow_and_keep_what_twinlog_does_not_carry(twinlog, contoso, serve, marker):
    """Tempo's PUT replaces everything: attributes somebody added and billable seconds survive an edit."""
    entry = contoso.log(ALICE, 1, "2024-03-15T09:00:00", billable=0)
    moved = contoso.log(BOB, 1, "2024-03-16T09:00:00")
    sandbox = serve(contoso.world)
    toml = sandbox.toml(TEMPO)
    twinlog.set_up(sandbox, with_marker(toml) if marker else toml)
    twinlog.migrate(TEMPO)
    entry.comment, moved.work_item_id = "Edited", 2
    run = twinlog.migrate(TEMPO)
    assert (run["updated"], run["created"], run["deleted"]) == (2, 0, 0)
    copy = contoso.tempo_copy(entry)
    assert (copy.description, copy.billable_seconds, copy.author_id) == ("Edited", 0, contoso.account(ALICE))
    assert copy.attributes == ({"_Twinlog_": entry.id} if marker else {})
    assert contoso.tempo_copy(moved).seconds == 3600
    assert len(contoso.tempo.worklogs) == 2
    assert twinlog.migrate(TEMPO)["unchanged"] == 2


def test_a_waiting_failure_is_not_posted_again_until_its_cause_changed(twinlog, contoso, serve):
    """The issue is closed: the next run leaves it alone; once it is reopened the next run carries the entry."""
    closed = contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    homeless = contoso.log(ALICE, 9, "2024-03-15T10:00:00")
    contoso.log(BOB, 2, "2024-03-15T09:00:00")
    contoso.issue(1).editable = False
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    codes = {row["entry"]: row["code"] for row in twinlog.migrate(status=1)["failures"]}
    assert codes == {closed.id: "issue_not_editable", homeless.id: "issue_not_found"}
    sandbox.calls.clear()
    again = twinlog.migrate(status=1)
    assert (again["failed"], again["unchanged"], changes(sandbox)) == (2, 1, [])
    contoso.issue(1).editable = True
    assert [row["code"] for row in twinlog.migrate(status=1)["failures"]] == ["issue_not_found"]
    assert contoso.copy(closed)
    contoso.add_issue(9)
    assert twinlog.migrate()["created"] == 1
    assert contoso.copy(homeless)
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]


@on_sqlite
def test_a_corrected_entry_or_another_pair_is_a_changed_cause(twinlog, contoso, serve):
    """What is mended in 7pace, and an issue that is named instead, are tried at once."""
    broken = contoso.log(ALICE, 1, "2024-03-15T09:00:00", seconds=None)
    denied = contoso.log(ALICE, 2, "2024-03-15T10:00:00")
    contoso.issue(2).denied.add("WORK_ON_ISSUES")
    pairs = {"match": "pairs", "pairs": [["1", "DEV-1"], ["2", "DEV-2"]]}
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA, {"issues": pairs}))
    codes = {row["entry"]: row["code"] for row in twinlog.migrate(status=1)["failures"]}
    assert codes == {broken.id: "entry_invalid", denied.id: "no_permission"}
    broken.seconds = 900
    assert twinlog.migrate(status=1)["created"] == 1
    pairs["pairs"][1] = ["2", "DEV-3"]
    twinlog.set_up(sandbox, sandbox.toml(JIRA, {"issues": pairs}))
    assert twinlog.migrate()["created"] == 1
    assert contoso.jira.issues[contoso.copy(denied).issue_id].key == "DEV-3"


@on_sqlite
def test_an_operator_may_ask_for_another_try(twinlog, contoso, serve):
    """A permission was granted, which no read tells: the next run waits, `--retry` does not."""
    entry = contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    contoso.issue(1).denied.add("WORK_ON_ISSUES")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    assert twinlog.migrate(status=1)["failures"][0]["code"] == "no_permission"
    contoso.issue(1).denied.clear()
    sandbox.calls.clear()
    assert twinlog.migrate(status=1)["failed"] == 1
    assert changes(sandbox) == []
    assert twinlog.migrate(JIRA, "--retry")["created"] == 1
    assert contoso.copy(entry)


@on_sqlite
def test_a_failure_is_tried_again_after_a_day(twinlog, contoso, serve):
    """Once a day even what shows no change is tried; what only a person can decide is not."""
    contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    contoso.issue(1).denied.add("WORK_ON_ISSUES")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    twinlog.migrate(status=1)
    contoso.issue(1).denied.clear()
    twinlog.change("UPDATE worklogs_entry SET tried_at = '2024-01-01 00:00:00'")
    assert twinlog.migrate()["created"] == 1


def test_a_dry_run_plans_everything_and_writes_nothing(twinlog, contoso, serve):
    """The plan counts what a run would do; the run then does exactly that."""
    contoso.log_many(10, issues=2)
    contoso.log(ALICE, 9, "2024-03-15T10:00:00")
    contoso.log(ALICE, 1, "2024-03-15T11:00:00", 30)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    planned = twinlog.migrate(JIRA, "--dry-run", status=1)
    assert planned["state"] == "planned"
    assert contoso.jira.worklogs == {}
    assert changes(sandbox) == []
    done = twinlog.migrate(status=1)
    names = ("fetched", "created", "linked", "skipped", "parked", "failed")
    assert {name: planned[name] for name in names} == {name: done[name] for name in names}
    assert [row["code"] for row in planned["failures"]] == ["issue_not_found"]
    again = twinlog.migrate(JIRA, "--dry-run", status=1)
    assert (again["created"], again["unchanged"], again["failed"]) == (0, 10, 1)


@on_sqlite
def test_an_entry_that_becomes_too_short_is_parked_and_its_copy_stays(twinlog, contoso, migrated):
    """Its copy still says ten minutes: a person decides, and nothing is deleted behind anybody's back."""
    sandbox, entries = migrated
    entries[0].seconds = 20
    run = twinlog.migrate(status=1)
    assert (run["parked"], run["skipped"], run["deleted"]) == (1, 0, 0)
    (row,) = run["failures"]
    assert (row["entry"], row["code"], row["parked"]) == (entries[0].id, "conflict", True)
    assert changes(sandbox) == []
    assert contoso.copy(entries[0]).seconds == 600
    entries[0].seconds = 600
    assert twinlog.migrate()["unchanged"] == 10


@on_sqlite
def test_the_same_entry_id_in_another_spelling_of_its_row_is_no_change(twinlog, contoso, migrated):
    """Somebody renames himself, an activity changes, 7pace touches its edit stamp: nothing that was carried changed."""
    sandbox, entries = migrated
    entry: PaceWorklog = entries[0]
    entry.activity_id = "11111111-1111-4111-8111-111111111111"
    entry.edited = entry.edited.replace(year=2025)
    contoso.pace.users[entry.user_id].name = "Alice Smith-Miller"
    run = twinlog.migrate()
    assert run["unchanged"] == 10
    assert changes(sandbox) == []
