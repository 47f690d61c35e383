"""Tempo's audit log of worklogs in the sandbox: who did what when, and what is gone."""

from datetime import UTC, datetime, timedelta

import pytest
from sandbox_callers import ORDINARY, Caller, Person
from vendor_sheets import check, check_keys, example

from connections.sandbox import Sandbox, worlds

SEARCH = "/papertrail/search"
DELETED = "/1/events/deleted/types/worklog"


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        stopped = running.world.clock()
        running.world.clock = lambda: stopped
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.tempo["jcb-tempo"]


@pytest.fixture
def tempo(sandbox):
    return Caller(sandbox)


@pytest.fixture
def older(sandbox):
    return Caller(sandbox, version="/papertrail")


@pytest.fixture
def owner(site):
    return site.tokens[0].account_id


@pytest.fixture
def alice(site):
    return site.jira.account_of("alice@example.com").account_id


@pytest.fixture
def ago(sandbox):
    """A moment so long before now, as the API wants it."""
    return lambda **long: (datetime.fromtimestamp(sandbox.world.clock(), UTC) - timedelta(**long)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


@pytest.fixture
def log(tempo, site, alice):
    def logged(**changes):
        body = {
            "authorAccountId": alice, "issueId": site.jira.issue("ABC-1").id, "startDate": "2024-05-02",
            "timeSpentSeconds": 600, "description": "Text",
        }  # fmt: skip
        return tempo("POST", "/worklogs", json=body | changes).json()["tempoWorklogId"]

    return logged


@pytest.fixture
def rows(tempo, ago):
    def found(**body):
        return tempo("POST", SEARCH, json={"from": ago(hours=1)} | body).json()["results"]

    return found


def test_a_worklogs_life_is_on_record_with_who_did_it_and_whose_it_is(
    tempo, log, rows, ago, site, owner, alice
):
    number = log()
    body = {
        "authorAccountId": alice,
        "startDate": "2024-05-03",
        "timeSpentSeconds": 900,
        "description": "Text",
    }
    tempo("PUT", f"/worklogs/{number}", json=body)
    tempo("DELETE", f"/worklogs/{number}")
    answer = tempo("POST", SEARCH, json={"from": ago(hours=1)}).json()
    check("tempo", "PageableAuditLogEvent", answer)
    assert "nextPageToken" not in answer["metadata"]
    assert [row["action"] for row in rows()] == ["Created", "Updated", "Deleted"]
    (updated,) = rows(action=["Updated"])
    assert (updated["entityType"], updated["entityId"]) == ("worklog", str(number))
    assert updated["parentId"] == str(site.jira.issue("ABC-1").id)
    assert (updated["author"], updated["worker"]) == (owner, alice)
    changes = {change["field"]: (change["previous"], change["new"]) for change in updated["changes"]}
    assert changes["timeSpentSeconds"] == ("600", "900")
    assert changes["startDate"] == ("2024-05-02", "2024-05-03")
    assert "description" not in changes


def test_the_search_filters_by_action_type_author_worker_and_time(log, rows, ago, owner, alice):
    log()
    assert len(rows(entityType=["worklog", "bulkeditworklog"], author=[owner], worker=[alice])) == 1
    assert rows(entityType=["team"]) == rows(action=["Deleted"]) == rows(worker=[owner]) == []
    assert rows(author=[alice]) == []
    assert rows(to=ago(minutes=1)) == []


def test_the_search_pages_by_token(log, tempo, ago):
    for _ in range(5):
        log()
    body, seen, address = {"from": ago(hours=1)}, [], f"{SEARCH}?limit=2"
    while address:
        page = tempo("POST", address, json=body).json()
        seen += [row["entityId"] for row in page["results"]]
        assert page["metadata"]["limit"] == 2
        address = page["metadata"].get("nextPageUrl")
    assert len(seen) == len(set(seen)) == 5


@pytest.mark.parametrize(
    "body",
    [{}, {"from": "2026-01-01"}, {"from": "yesterday"}, {"from": 1}, {"from": ..., "action": ["Vanished"]}],
)
def test_a_search_tempo_cannot_carry_out_is_a_400(tempo, ago, log, body):
    log()
    sent = {key: ago(hours=1) if value is ... else value for key, value in body.items()}
    assert tempo("POST", SEARCH, json=sent).status_code == 400


def test_the_search_reaches_back_180_days(tempo, ago, log):
    log()
    assert tempo("POST", SEARCH, json={"from": ago(days=180, minutes=-1)}).status_code == 200
    assert tempo("POST", SEARCH, json={"from": ago(days=180, minutes=1)}).status_code == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "nextPageToken=x"])
def test_a_page_that_cannot_be_is_a_400(tempo, ago, query):
    assert tempo("POST", f"{SEARCH}?{query}", json={"from": ago(hours=1)}).status_code == 400


def test_the_search_is_forbidden_without_the_permission(tempo, ago, site, owner):
    site.jira.accounts[owner].permissions -= {site.audit_permission}
    assert tempo("POST", SEARCH, json={"from": ago(hours=1)}).status_code == 403


def test_a_site_may_tell_jiras_ids(sandbox, site, log, rows):
    site.audit_ids = "jira"
    number = log()
    sandbox.settle()
    copy = site.worklogs[number].jira_worklog_id
    Caller(sandbox)("DELETE", f"/worklogs/{number}")
    (row,) = rows(action=["Deleted"])
    assert row["entityId"] == str(copy)


@pytest.mark.parametrize(("synced", "action"), [(False, "Created"), (True, "Synced")])
def test_what_came_from_jira_is_on_record_by_the_person_who_did_it(
    sandbox, site, rows, owner, synced, action
):
    site.audit_synced = synced
    Person(sandbox, "jcb", "twinlog@jcb.example", sandbox.secrets()["JCB_TOKEN"]).log(ORDINARY)
    sandbox.settle()
    (row,) = rows()
    assert (row["action"], row["author"]) == (action, owner)


def test_what_tempo_mirrors_into_jira_is_no_second_event(sandbox, log, rows):
    log()
    sandbox.settle()
    assert len(rows()) == 1


def test_the_older_list_tells_deleted_worklogs_by_text_ids(sandbox, site, older, tempo, log, ago):
    number = log()
    sandbox.settle()
    copy = site.worklogs[number].jira_worklog_id
    tempo("DELETE", f"/worklogs/{number}")
    page = older("GET", DELETED, params={"updatedFrom": ago(hours=1)}).json()
    check("tempo", "DeletedWorklogAuditEventsBean", page)
    (row,) = page["results"]
    assert (row["tempoWorklogId"], row["jiraWorklogId"]) == (str(number), str(copy))
    sample = example("tempo-get-deleted-worklogs-audit.test.json")
    check_keys(row, sample and sample["row"])
    assert older("GET", DELETED, params={"updatedFrom": ago(hours=-1)}).json()["results"] == []


def test_the_older_list_holds_what_was_deleted_in_jira_too(sandbox, older, ago):
    person = Person(sandbox, "jcb", "twinlog@jcb.example", sandbox.secrets()["JCB_TOKEN"])
    number = person.log().json()["id"]
    sandbox.settle()
    person("DELETE", f"/issue/{ORDINARY}/worklog/{number}")
    sandbox.settle()
    page = older("GET", DELETED, params={"updatedFrom": ago(hours=1)}).json()
    assert [row["jiraWorklogId"] for row in page["results"]] == [number]


def test_the_older_list_pages_by_its_last_key(older, tempo, log, ago):
    for _ in range(51):
        tempo("DELETE", f"/worklogs/{log()}")
    query = {"updatedFrom": ago(hours=1), "limit": 50}
    first = older("GET", DELETED, params=query).json()
    assert (first["metadata"]["count"], first["metadata"]["limit"]) == (50, 50)
    key = first["metadata"]["lastEvaluatedKey"]
    second = older("GET", DELETED, params=query | {"lastEvaluatedKey": key}).json()
    assert second == older("GET", first["metadata"]["next"]).json()
    assert (len(second["results"]), "lastEvaluatedKey" in second["metadata"]) == (1, False)


@pytest.mark.parametrize("query", [{}, {"updatedFrom": "2026-01-01"}, {"updatedFrom": ..., "limit": 49}])
def test_the_older_list_wants_a_full_time_and_at_least_fifty(older, ago, query):
    sent = {key: ago(hours=1) if value is ... else value for key, value in query.items()}
    assert older("GET", DELETED, params=sent).status_code == 400
