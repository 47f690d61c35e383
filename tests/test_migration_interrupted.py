"""A migration that was killed, stopped or cut off goes on where it was when it is started again."""

import random
import signal
from functools import partial

import pytest
from contoso import ALICE
from twinlog_process import DATABASES, IMPATIENT, SOON, comes_to_rest, marked, on_sqlite, until

from connections.sandbox import Fault, FaultKind, worlds

JIRA = "contoso-to-jca"
QUICK, SLOW = 0.02, 1.0
COMMAND = ("migrate_worklogs", JIRA, "--json")


def copies(world):
    return list(marked(world.jira["jca"]))


def each_once(world):
    """Every entry of the world has one copy, with its seconds."""
    found = copies(world)
    assert len(found) == len(dict(found)) == len(world.sevenpace["contoso"].worklogs)
    assert len(world.jira["jca"].worklogs) == len(found)
    for entry, row in found:
        assert row.seconds == world.sevenpace["contoso"].worklogs[entry].seconds


@pytest.fixture
def large(request, twinlog, serve):
    """Some hundred entries on 30 issues, at the speed of a real site."""
    world = worlds.many(getattr(request, "param", 300), issues=30, people=6, latency=QUICK)
    sandbox = serve(world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    return world


def in_the_midst(world, count):
    """Once so many copies stand, each call takes a second: whatever the test does next, the run is still at work."""
    until(lambda: len(copies(world)) > count)
    world.set_latency(SLOW)


@pytest.mark.parametrize("large", [600], indirect=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_migration_that_is_killed_three_times_carries_each_entry_once(twinlog, large, seed):
    """At any moment, reading or writing; started again at once, without waiting for a lease; one run all the while."""
    draw = random.Random(f"{seed}{twinlog.database_url[:4]}")
    kill(twinlog, lambda: twinlog.rows("SELECT count(*) FROM worklogs_step") != [(0,)])
    for _ in range(2):
        enough = len(copies(large)) + draw.randrange(20, 250)
        kill(twinlog, partial(has_at_least, large, enough))
    run = twinlog.migrate(constants=SOON)
    each_once(large)
    assert run["run"] == 1
    assert (run["state"], run["fetched"], run["created"]) == ("finished", 600, 600)
    assert run["calls"]["jca"]["POST"] > 300
    assert twinlog.run("balance", JIRA, "--json").data["balanced"]
    assert twinlog.migrate()["unchanged"] == 600


def kill(twinlog, when):
    """Starts the migration and kills it in the midst of its work."""
    running = twinlog.begin(*COMMAND, constants=SOON)
    until(lambda: when() or running.ended)
    assert not running.ended
    running.kill()
    running.wait()


def has_at_least(world, count):
    return len(copies(world)) >= count


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_ends_a_run_between_two_entries(twinlog, large, number):
    """SIGTERM and Ctrl-C: status 3, a stopped run, no write in doubt; while it ran a second command was refused."""
    running = twinlog.begin_manage(*COMMAND)
    in_the_midst(large, 100)
    second = twinlog.run(*COMMAND, status=2).data
    assert second["error"]["code"] == "run_active"
    running.signal(number)
    done = running.wait()
    assert done.status == 3
    assert done.data["state"] == "stopped"
    assert 100 < done.data["created"] == len(copies(large)) < 300
    in_doubt = twinlog.rows("SELECT count(*) FROM worklogs_auditentry WHERE outcome = 'writing'")
    assert in_doubt == [(0,)]
    assert "stopped" in twinlog.run("report", JIRA).out
    large.set_latency(QUICK)
    run = twinlog.migrate()
    assert (run["run"], run["created"], run["fetched"]) == (done.data["run"], 300, 300)
    each_once(large)


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_a_run_can_be_held_and_cancelled(twinlog, large):
    """Pause takes effect between two entries and holds; cancel ends the run; the next run carries the rest."""
    running = twinlog.begin(*COMMAND)
    in_the_midst(large, 50)
    twinlog.change("UPDATE worklogs_run SET wish = 'pause'")
    still = comes_to_rest(lambda: len(copies(large)), 2 * SLOW)
    assert still < 300
    assert not running.ended
    twinlog.change("UPDATE worklogs_run SET wish = ''")
    until(lambda: len(copies(large)) > still)
    twinlog.change("UPDATE worklogs_run SET wish = 'cancel'")
    done = running.wait()
    assert (done.status, done.data["state"]) == (3, "cancelled")
    assert len(copies(large)) < 300
    large.set_latency(QUICK)
    run = twinlog.migrate()
    assert run["run"] > done.data["run"]
    assert run["created"] + run["unchanged"] == 300
    each_once(large)


def test_a_token_revoked_meanwhile_stops_the_run(twinlog, large):
    """The site's own token is refused mid-way: status 3; with the token back in place it goes on."""
    own = large.jira["jca"].tokens[0]
    secret = own.token
    running = twinlog.begin(*COMMAND)
    in_the_midst(large, 80)
    own.token = "sandbox-revoked"
    done = running.wait()
    assert (done.status, done.data["state"], done.data["code"]) == (3, "stopped", "auth_failed")
    refused = twinlog.migrate(status=2)
    assert refused["error"]["code"] == "auth_failed"
    own.token = secret
    large.set_latency(QUICK)
    run = twinlog.migrate()
    assert (run["run"], run["created"]) == (done.data["run"], 300)
    each_once(large)


@on_sqlite
@pytest.mark.parametrize("site", ["jca", "contoso-7pace"])
def test_a_site_that_is_down_stops_the_run(twinlog, contoso, serve, site):
    """Ten failed calls in a row over a minute (here: two seconds) and nothing more is sent; later it goes on."""
    entries = contoso.log_many(60)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    after = 40 if site == "jca" else 2
    sandbox.faults.add(Fault(FaultKind.STATUS, site=site, status=503, after=after))
    done = twinlog.migrate(status=3, constants=IMPATIENT | SOON)
    assert (done["state"], done["code"]) == ("stopped", "site_unavailable")
    assert site in done["message"]
    sandbox.faults.clear()
    if site == "jca":
        # What was read and not decided is no hours that balance.
        assert twinlog.run("balance", JIRA, "--json", status=1).data["balanced"] is False
    run = twinlog.migrate(constants=SOON)
    assert (run["run"], run["created"]) == (done["run"], 60)
    assert all(len(contoso.copies(entry)) == 1 for entry in entries)


@on_sqlite
def test_a_stopped_run_of_other_options_is_not_gone_on_with(twinlog, large):
    """Another rule would make another plan: a new run begins, and what was written stays known."""
    running = twinlog.begin(*COMMAND)
    in_the_midst(large, 50)
    running.signal(signal.SIGTERM)
    first = running.wait().data
    large.set_latency(QUICK)
    toml = (twinlog.folder / "twinlog.toml").read_text()
    (twinlog.folder / "twinlog.toml").write_text(
        toml.replace("[connection.issues]", 'long_text = "refuse"\n[connection.issues]', 1)
    )
    twinlog.run("apply", str(twinlog.folder / "twinlog.toml"))
    run = twinlog.migrate()
    assert run["run"] > first["run"]
    assert run["created"] + run["unchanged"] == 300
    each_once(large)


@pytest.fixture
def in_doubt(twinlog, contoso, serve):
    """Alice's entry, sent by a run that was killed before it had an answer: nobody knows whether it arrived."""
    entry = contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    sent = sandbox.faults.add(Fault(FaultKind.DELAY, site="jca", method="POST", path="*/worklog", delay=5))
    running = twinlog.begin(*COMMAND)
    until(lambda: sent.hits)
    running.kill()
    running.wait()
    sandbox.faults.clear()
    return entry


@on_sqlite
def test_a_dry_run_says_of_which_entries_nobody_knows(twinlog, contoso, in_doubt):
    """It writes nothing, so it looks for nothing either; the next run does, and the entry stands once."""
    planned = twinlog.migrate(JIRA, "--dry-run", status=1)
    assert [row["code"] for row in planned["failures"]] == ["unknown_outcome"]
    assert twinlog.migrate(constants=SOON)["failed"] == 0
    assert contoso.copy(in_doubt)


@on_sqlite
def test_an_issue_that_vanished_with_a_write_in_doubt_holds_no_run_up(twinlog, contoso, in_doubt):
    """The work item has another issue now: the entry is open, for the old one cannot be looked at. An operator who
    knows that it is gone for good has it written anew."""
    contoso.issue(1).visible = False
    contoso.jira.add_issue("DEV-77", labels=("ado-id-1",))
    run = twinlog.migrate(status=1, constants=SOON)
    assert [(row["entry"], row["code"]) for row in run["failures"]] == [(in_doubt.id, "unknown_outcome")]
    assert twinlog.migrate(status=1, constants=SOON)["failed"] == 1
    assert twinlog.migrate(JIRA, "--retry", constants=SOON)["created"] == 1
    assert twinlog.migrate()["unchanged"] == 1


@on_sqlite
def test_two_commands_at_the_same_moment_make_one_run(twinlog, contoso, serve):
    """One of them begins, the others are told so; each entry is written once."""
    contoso.log_many(60)
    contoso.world.set_latency(0.02)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    started = [twinlog.begin(*COMMAND) for _ in range(3)]
    statuses = sorted(running.wait().status for running in started)
    assert statuses.count(0) >= 1
    assert set(statuses) <= {0, 2}
    assert len(contoso.jira.worklogs) == 60


@on_sqlite
def test_an_owner_on_another_machine_is_waited_for_until_its_lease_ends(twinlog, contoso, serve):
    """Its process cannot be seen from here: only its lease tells, and it is taken over when that has run out."""
    contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    search = sandbox.faults.add(Fault(FaultKind.DELAY, site="jca", path="*/search/jql", delay=30, times=1))
    running = twinlog.begin(*COMMAND)
    until(lambda: search.hits)
    running.kill()
    running.wait()
    away = "elsewhere/1/pid:[1]|1|1|abc"
    twinlog.change(f"UPDATE worklogs_run SET owner = '{away}', lease_until = {in_seconds(3)}")
    twinlog.change(f"UPDATE worklogs_step SET owner = '{away}' WHERE state = 'claimed'")
    twinlog.change(f"UPDATE worklogs_step SET lease_until = {in_seconds(3)} WHERE state = 'claimed'")
    assert twinlog.migrate()["created"] == 1


def in_seconds(seconds):
    return f"strftime('%Y-%m-%d %H:%M:%f', 'now', '+{seconds} seconds')"
