"""Whatever goes wrong on the wire, each entry stands in the target once, and the run tells the truth about itself."""

import pytest
from contoso import with_marker
from twinlog_process import DATABASES, IMPATIENT, SOON, on_sqlite

from connections.sandbox import Fault, FaultKind

JIRA, TEMPO = "contoso-to-jca", "contoso-to-jca-tempo"
WORKLOG = "*/issue/*/worklog"
LIMITED = {"Retry-After": "1", "RateLimit-Reason": "jira-burst-based", "X-RateLimit-Remaining": "0"}
PER_ISSUE = {"Retry-After": "1", "RateLimit-Reason": "jira-per-issue-on-write"}

WRITING = {
    "cut after it was done": Fault(FaultKind.CUT_AFTER, every=5, times=4),
    "cut before it was done": Fault(FaultKind.CUT_BEFORE, every=5, times=4),
    "500": Fault(FaultKind.STATUS, status=500, every=5, times=4),
    "500 though it was done": Fault(FaultKind.STATUS, status=500, every=5, times=4, done=True),
    "503 that names a time": Fault(
        FaultKind.STATUS, status=503, headers={"Retry-After": "1"}, every=9, times=2
    ),
    "half a body": Fault(FaultKind.BROKEN_BODY, every=5, times=4),
    "a page with 200": Fault(FaultKind.HTML, status=200, every=5, times=4),
    "a page with 200 though it was done": Fault(FaultKind.HTML, status=200, every=5, times=4, done=True),
    "a page with 503": Fault(FaultKind.HTML, status=503, every=5, times=4),
    "a slow answer": Fault(FaultKind.DELAY, delay=0.5, every=5, times=4),
}
THROTTLING = {
    "429 for all writes": Fault(FaultKind.STATUS, status=429, headers=LIMITED, every=8, times=2),
    "429 for one issue": Fault(FaultKind.STATUS, status=429, headers=PER_ISSUE, every=8, times=2),
    "429 without a word": Fault(FaultKind.STATUS, status=429, every=15, times=1),
}
READING = {
    "7pace answers 503": Fault(FaultKind.STATUS, site="contoso-7pace", after=1, times=2),
    "7pace sends half a page": Fault(FaultKind.BROKEN_BODY, site="contoso-7pace", after=1, times=2),
    "7pace sends a page of HTML": Fault(FaultKind.HTML, site="contoso-7pace", status=200, after=2, times=1),
    "7pace cuts": Fault(FaultKind.CUT_BEFORE, site="contoso-7pace", after=1, times=2),
    "7pace throttles": Fault(
        FaultKind.STATUS, site="contoso-7pace", status=429, headers={"Retry-After": "1"}, after=1, times=2
    ),
    "Jira's search fails": Fault(FaultKind.STATUS, path="*/search/jql", status=502, times=2),
    "Jira's people fail": Fault(FaultKind.CUT_AFTER, path="*/user/search", times=2),
    "Jira's worklogs come by half": Fault(FaultKind.BROKEN_BODY, method="GET", path=WORKLOG, times=2),
}


def again(fault, **changes):
    """The same fault, not struck yet."""
    names = (
        "what",
        "site",
        "method",
        "path",
        "after",
        "every",
        "times",
        "status",
        "headers",
        "delay",
        "done",
    )
    return Fault(**{name: getattr(fault, name) for name in names} | changes)


def each_once(contoso, entries):
    """Every entry has one copy with its own values, and nothing else stands there."""
    assert len(contoso.jira.worklogs) == len(entries)
    for entry in entries:
        copy = contoso.copy(entry)
        assert copy.seconds == entry.seconds
        assert copy.text.endswith(entry.comment)
        assert contoso.jira.issues[copy.issue_id].key == f"DEV-{entry.work_item_id}"
    for issue in contoso.jira.issues.values():
        assert issue.time_spent_seconds == sum(row.seconds for row in issue.worklogs.values())


@pytest.mark.parametrize(
    ("database", "case"),
    [("sqlite", case) for case in (*WRITING, *THROTTLING)]
    + [("postgresql", "cut after it was done"), ("postgresql", "cut before it was done")],
    indirect=["database"],
)
def test_a_write_that_goes_wrong_is_neither_lost_nor_doubled(twinlog, contoso, serve, case):
    """Nobody knows whether it was done: it is looked for before anything else, and written only where it is not."""
    entries = contoso.log_many(30)
    sandbox = serve(contoso.world)
    fault = sandbox.faults.add(again((WRITING | THROTTLING)[case], site="jca", method="POST", path=WORKLOG))
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    run = twinlog.migrate(constants=SOON)
    assert fault.hits
    assert (run["created"], run["failed"]) == (30, 0)
    each_once(contoso, entries)
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]
    sandbox.faults.clear()
    assert twinlog.migrate()["unchanged"] == 30
    unsettled = twinlog.rows("SELECT count(*) FROM worklogs_auditentry WHERE outcome = 'writing'")
    assert unsettled == [(0,)]


@on_sqlite
@pytest.mark.parametrize("case", READING)
def test_a_read_that_goes_wrong_is_repeated_until_it_is_whole(twinlog, contoso, serve, case):
    """Half a page is no page: nothing is left out because a call failed."""
    entries = contoso.log_many(30)
    sandbox = serve(contoso.world)
    fault = again(READING[case])
    if fault.site == "*":
        fault.site = "jca"
    sandbox.faults.add(fault)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    run = twinlog.migrate()
    assert fault.hits
    assert (run["fetched"], run["created"]) == (30, 30)
    each_once(contoso, entries)


@on_sqlite
def test_an_issue_that_cannot_be_read_costs_its_own_entries_alone(twinlog, contoso, serve):
    """Jira fails at one issue for ever and answers all else: that is no site that is down. The other entries are
    carried; these are open, and the next run tries them again by itself."""
    entries = contoso.log_many(12)
    sandbox = serve(contoso.world)
    path = f"*/issue/{contoso.issue(1).id}/worklog"
    sandbox.faults.add(Fault(FaultKind.STATUS, site="jca", path=path, status=500))
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    run = twinlog.migrate(status=1, constants=IMPATIENT)
    mine = {entry.id for entry in entries if entry.work_item_id == 1}
    assert (run["state"], run["created"], run["failed"]) == ("finished", 12 - len(mine), len(mine))
    assert {(row["entry"], row["code"]) for row in run["failures"]} == {(e, "site_unavailable") for e in mine}
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]
    sandbox.faults.clear()
    assert twinlog.migrate()["created"] == len(mine)
    each_once(contoso, entries)


@on_sqlite
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_write_that_never_arrives_is_given_up_for_this_run(twinlog, contoso, serve, method):
    """The target answers 500 to one issue's writes however often they are sent: the run ends, and says so."""
    entries = contoso.log_many(9)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    mine = [entry for entry in entries if entry.work_item_id == 1]
    if method == "PUT":
        twinlog.migrate()
        for entry in mine:
            entry.comment = "Edited"
    path = f"*/issue/{contoso.issue(1).id}/worklog*"
    sandbox.faults.add(Fault(FaultKind.STATUS, site="jca", method=method, path=path, status=500))
    run = twinlog.migrate(status=1, constants=SOON | IMPATIENT)
    assert {(row["entry"], row["code"]) for row in run["failures"]} == {
        (entry.id, "site_unavailable") for entry in mine
    }
    sandbox.faults.clear()
    assert twinlog.migrate()["written"] == len(mine)
    each_once(contoso, entries)


@on_sqlite
@pytest.mark.parametrize("marker", [False, True], ids=["without a marker", "with a marker"])
@pytest.mark.parametrize(
    "case", ["cut after it was done", "500", "a page with 200 though it was done", "half a body"]
)
def test_a_bulk_that_goes_wrong_is_neither_lost_nor_doubled(twinlog, contoso, serve, case, marker):
    """Tempo has no property to mark a copy with: without an attribute the same values, taken by count, tell it."""
    entries = contoso.log_many(24)
    sandbox = serve(contoso.world)
    fault = again(WRITING[case], site="jca-tempo", method="POST", path="*/bulk", every=2, times=2)
    sandbox.faults.add(fault)
    toml = sandbox.toml(TEMPO)
    twinlog.set_up(sandbox, with_marker(toml) if marker else toml)
    run = twinlog.migrate(TEMPO, constants=SOON)
    assert fault.hits
    assert run["created"] == len(contoso.tempo.worklogs) == 24
    for entry in entries:
        assert contoso.tempo_copy(entry).seconds == entry.seconds
    sandbox.faults.clear()
    assert twinlog.migrate(TEMPO)["unchanged"] == 24


@on_sqlite
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_an_edit_that_goes_wrong_is_carried_out_once(twinlog, contoso, serve, method):
    """An update or a move whose answer was lost ends as it should, without a second copy."""
    entries = contoso.log_many(9)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    twinlog.migrate()
    for entry in entries[:4]:
        if method == "PUT":
            entry.comment = "Edited"
        else:
            entry.work_item_id = entry.work_item_id % 3 + 1
    fault = sandbox.faults.add(Fault(FaultKind.CUT_AFTER, site="jca", method=method, times=2))
    other = sandbox.faults.add(Fault(FaultKind.CUT_BEFORE, site="jca", method=method, times=1))
    run = twinlog.migrate(constants=SOON)
    assert (fault.hits, other.hits) == (2, 1)
    assert (run["updated"], run["unchanged"]) == (4, 5)
    each_once(contoso, entries)


@on_sqlite
def test_not_there_counts_only_thirty_seconds_after_the_request_went_out(twinlog, contoso, serve):
    """The target may commit late: the entry waits at the end of its issue, while the other issues go on."""
    entries = contoso.log_many(12)
    sandbox = serve(contoso.world)
    sandbox.faults.add(Fault(FaultKind.CUT_BEFORE, site="jca", method="POST", path=WORKLOG, times=1))
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    assert twinlog.migrate()["created"] == 12
    each_once(contoso, entries)
    calls = sorted(
        (call for call in sandbox.calls_to("jca", "POST") if call.path.endswith("/worklog")),
        key=lambda call: call.at,
    )
    (lost,) = [call for call in calls if call.status is None]
    assert calls[-1].path == lost.path
    assert calls[-1].at - lost.at >= 30
    assert calls[-2].at - lost.at < 15


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_everything_at_once(twinlog, contoso, serve):
    """Cuts, errors, pages, throttling and slowness at random, on every call: each entry once, the hours balance."""
    entries = contoso.log_many(60)
    sandbox = serve(contoso.world)
    for seed, fault in enumerate([*WRITING.values(), *THROTTLING.values()]):
        one = again(fault, every=1, times=3)
        one.probability, one.seed, one.delay = 0.04, seed, min(fault.delay, 0.1)
        one.__post_init__()
        sandbox.faults.add(one)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    run = twinlog.migrate(status=None, constants=SOON)
    if "error" in run:
        run = twinlog.migrate(constants=SOON)
    assert (run["created"], run["failed"]) == (60, 0)
    each_once(contoso, entries)
    sandbox.faults.clear()
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]
