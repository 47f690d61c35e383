"""A queued run is worked on in slices; however short they are, each brings it further, and none undoes another."""

import pytest
from twinlog_process import IMPATIENT, on_sqlite

from connections.sandbox import Fault, FaultKind

pytestmark = on_sqlite
JIRA = "contoso-to-jca"
SLICES = {"worklogs.tasks.SLICE_SECONDS": 0.7, "worklogs.tasks.PATIENCE_SECONDS": 0.0}
PAGES = {"connections.clients.sevenpace.REST_PAGE": 20}
MOST = 60
CARRY_ON = """
from worklogs.models import Run
from worklogs.tasks import carry_on
slices = 0
while Run.objects.get(pk=1).state == "running" and slices < {most}:
    carry_on(1)
    slices += 1
print(slices)
"""


def carry_on(twinlog, constants=SLICES, most=MOST):
    """What a worker does with the run's bell, again and again until the run has ended; the slices it took."""
    done = twinlog.run("shell", "-v0", "-c", CARRY_ON.format(most=most), constants=constants)
    return int(done.out.splitlines()[-1])


@pytest.mark.parametrize("read", ["rest", "odata"])
@pytest.mark.parametrize("scope", ["everything", "projects"])
def test_a_source_that_takes_many_slices_to_read_is_read(twinlog, contoso, serve, monkeypatch, read, scope):
    """A page takes a third of a slice: reading goes on where the last slice left it, each entry comes once."""
    contoso.log_many(100)
    monkeypatch.setattr("connections.sandbox.sevenpace._ODATA_PAGE", 20)
    sandbox = serve(contoso.world)
    changes = {"read": read} | ({"scope": {"projects": ["Contoso"]}} if scope == "projects" else {})
    twinlog.set_up(sandbox, sandbox.toml(JIRA, changes))
    sandbox.faults.add(Fault(FaultKind.DELAY, site="contoso-7pace", path="*/work[lL]ogs*", delay=0.2))
    twinlog.migrate(JIRA, "--queue", status=0)
    assert 1 < carry_on(twinlog, SLICES | PAGES) < MOST
    report = twinlog.run("report", JIRA, "--json").data
    assert (report["state"], report["fetched"], report["created"]) == ("finished", 100, 100)
    assert len(contoso.jira.worklogs) == 100


@pytest.mark.parametrize("site", ["jca", "contoso-7pace"])
def test_a_site_that_is_down_stops_a_queued_run_too(twinlog, contoso, serve, site):
    """No slice is as long as it takes to see a site down: its failed calls are remembered from slice to slice."""
    contoso.log_many(30)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    down = sandbox.faults.add(Fault(FaultKind.STATUS, site=site, status=503))
    twinlog.migrate(JIRA, "--queue", status=0)
    assert 1 < carry_on(twinlog, SLICES | IMPATIENT) < MOST
    report = twinlog.run("report", JIRA, "--json").data
    assert (report["state"], report["code"]) == ("stopped", "site_unavailable")
    assert down.hits >= 10
    sandbox.faults.clear()
    assert twinlog.migrate()["created"] == 30


def test_settings_that_change_between_two_slices_end_the_run(twinlog, contoso, serve):
    """Half a run by one rule and half by another is no run: it stops in words, and a new one begins."""
    contoso.log_many(60)
    contoso.world.set_latency(0.1)
    sandbox = serve(contoso.world)
    toml = sandbox.toml(JIRA)
    twinlog.set_up(sandbox, toml)
    twinlog.migrate(JIRA, "--queue", status=0)
    carry_on(twinlog, most=2)
    twinlog.set_up(sandbox, sandbox.toml(JIRA, {"minimum_seconds": 120}))
    carry_on(twinlog)
    report = twinlog.run("report", JIRA, "--json").data
    assert (report["run"], report["state"], report["code"]) == (1, "stopped", "changed_meanwhile")
    assert "Start again" in report["message"]
    contoso.world.set_latency(0)
    again = twinlog.migrate()
    assert (again["run"], again["state"]) == (2, "finished")
    assert len(contoso.jira.worklogs) == 60
