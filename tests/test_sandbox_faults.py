"""Faults hit the calls they name, as often as they say, and the control page shows and changes them."""

import time

import pytest
import requests

from connections.sandbox import Fault, FaultKind, Sandbox, worlds

LOG = {"started": "2024-05-01T09:00:00.000+0200", "timeSpentSeconds": 600}


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def log(sandbox):
    """Logs ten minutes on ABC-2; gives the answer or raises as requests does."""
    auth = ("twinlog@jca.example", sandbox.secrets()["JCA_TOKEN"])
    address = f"{sandbox.url}/jira/jca/rest/api/3/issue/ABC-2/worklog"
    return lambda: requests.post(address, json=LOG, auth=auth, timeout=5)


@pytest.fixture
def held(sandbox):
    """How many worklogs ABC-2 holds by now, beyond those it began with."""
    site = sandbox.world.jira["jca"]
    before = len(site.worklogs_of("ABC-2"))
    return lambda: len(site.worklogs_of("ABC-2")) - before


def test_a_status_fault_answers_in_place_of_the_work(sandbox, log, held):
    sandbox.faults.add(
        Fault("status", method="POST", path="*/worklog", status=503, headers={"Retry-After": "7"}, times=1)
    )
    answer = log()
    assert (answer.status_code, answer.headers["Retry-After"], held()) == (503, "7", 0)
    assert (log().status_code, held()) == (201, 1)


def test_a_status_fault_may_come_after_the_work_was_done(sandbox, log, held):
    sandbox.faults.add(Fault("status", status=500, done=True, times=1))
    assert (log().status_code, held()) == (500, 1)


@pytest.mark.parametrize(("kind", "done"), [(FaultKind.CUT_BEFORE, 0), (FaultKind.CUT_AFTER, 1)])
def test_a_cut_ends_the_connection_without_an_answer(sandbox, log, held, kind, done):
    sandbox.faults.add(Fault(kind, times=1))
    with pytest.raises(requests.ConnectionError):
        log()
    assert held() == done
    assert sandbox.calls[-1].status is None
    assert log().status_code == 201


def test_a_broken_body_is_half_of_the_json_of_work_that_was_done(sandbox, log, held):
    sandbox.faults.add(Fault("broken_body", times=1))
    answer = log()
    assert (answer.status_code, held()) == (201, 1)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_page_in_place_of_json(sandbox, log, held):
    sandbox.faults.add(Fault("html", status=200, times=1))
    answer = log()
    assert (answer.status_code, answer.headers["Content-Type"][:9], held()) == (200, "text/html", 0)


def test_a_delay_and_a_latency_take_their_time(sandbox, log):
    sandbox.faults.add(Fault("delay", delay=0.1, times=1))
    sandbox.world.jira["jca"].latency = 0.1
    begun = time.monotonic()
    assert log().status_code == 201
    assert time.monotonic() - begun >= 0.2


@pytest.mark.parametrize(
    ("fault", "hits"),
    [
        (Fault("status", after=2, times=2), [3, 4]),
        (Fault("status", every=3), [3, 6, 9]),
        (Fault("status", after=1, every=4), [5, 9]),
        (Fault("status", site="jcb"), []),
        (Fault("status", method="GET"), []),
        (Fault("status", path="*/issue/*/worklog", times=1), [1]),
        (Fault("status", path="*/comment"), []),
        (Fault("status", probability=1.0, times=3), [1, 2, 3]),
        (Fault("status", probability=0.0), []),
    ],
)
def test_a_fault_hits_the_calls_it_names(fault, hits):
    calls = range(1, 11)
    assert [
        n for n in calls if fault.strikes("jca", "POST", "/jira/jca/rest/api/3/issue/ABC-2/worklog")
    ] == hits


def test_a_probable_fault_draws_the_same_lots_for_the_same_seed():
    def draws(seed):
        fault = Fault("status", probability=0.3, seed=seed)
        return [fault.strikes("jca", "GET", "/") for _ in range(200)]

    assert draws(4) == draws(4)
    assert draws(4) != draws(5)
    assert 30 < sum(draws(4)) < 90


def test_every_call_is_on_record(sandbox, log):
    log()
    (call,) = sandbox.calls_to("jca", "POST")
    assert (call.method, call.path, call.status) == ("POST", "/jira/jca/rest/api/3/issue/ABC-2/worklog", 201)


def test_the_page_lists_sites_and_an_operator_adds_and_clears_faults_by_form(sandbox, log):
    page = requests.get(sandbox.url).text
    assert all(name in page for name in ("jca", "jcb-tempo", "contoso-7pace", "Done by hand"))
    form = {
        "what": "status",
        "site": "jca",
        "method": "*",
        "path": "*",
        "status": "502",
        "times": "",
        "after": "",
    }
    assert requests.post(f"{sandbox.url}/control/faults", data=form).url == f"{sandbox.url}/"
    assert log().status_code == 502
    assert "status" in requests.get(sandbox.url).text
    requests.post(f"{sandbox.url}/control/faults", data={"action": "clear"})
    assert log().status_code == 201


def test_the_page_shows_hostile_text_as_text(sandbox):
    site = sandbox.world.jira["jca"]
    issue, author = site.issue("ABC-1"), site.account_of("bob@example.com")
    site.add_worklog(issue, author, site.worklogs_of("ABC-1")[0].started, 60, "<script>alert(1)</script>")
    assert "<script>" not in requests.get(sandbox.url).text


def test_the_page_as_json_counts_and_takes_faults(sandbox):
    data = requests.post(f"{sandbox.url}/control/faults", json={"what": "cut_after", "every": 2}).json()
    assert data["faults"][0]["what"] == "cut_after"
    assert {site["name"]: site["counts"] for site in data["sites"]}["jca"]["worklogs"] == 32
    assert requests.post(f"{sandbox.url}/control/faults", json={"what": "nonsense"}).status_code == 400
    assert (
        requests.post(f"{sandbox.url}/control/faults", json={"what": "status", "color": 1}).status_code == 400
    )
    assert requests.get(f"{sandbox.url}/jira/nowhere/rest/api/3/myself").status_code == 404
