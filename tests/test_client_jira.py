"""Jira: everything is read to the end, a write is understood when it is refused, and nobody is mailed."""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connections.clients.feeds import Change, FeedPage
from connections.clients.http import Address, Exchange, FaultKind, Gate, Scope, SiteError
from connections.clients.jira import LIMITS, IssuePace, JiraClient, refusal, throttled_scope, webhook_id
from connections.sandbox import Fault, Sandbox, worlds
from connections.sandbox import FaultKind as Broken


class Unlimited:
    """A budget that lets everything pass and knows which buckets exist."""

    def __init__(self):
        self.taken: list[str] = []

    def take(self, bucket: str) -> float:
        assert bucket in LIMITS
        self.taken.append(bucket)
        return 0.0

    def hold(self, bucket, seconds) -> None:
        raise AssertionError("nothing was throttled")


@dataclass
class Jira:
    """A site that answers from a table of routes: data, or a function of the request."""

    routes: dict[str, object] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        request.get_data()
        self.asked.append(request)
        route = self.routes[f"{request.method} {request.path.removeprefix('/ex/jira/c1/rest/api/3')}"]
        answer = route(request) if callable(route) else route
        status, data = answer if isinstance(answer, tuple) else (200, answer)
        return Response("" if data is None else json.dumps(data), status, content_type="application/json")


@pytest.fixture
def jira(httpserver: HTTPServer) -> Jira:
    site = Jira()
    httpserver.expect_request(re.compile("^/ex/jira/c1/rest/api/3/")).respond_with_handler(site)
    return site


@pytest.fixture
def client(httpserver: HTTPServer, jira: Jira) -> JiraClient:
    address = Address("jca", httpserver.url_for("/ex/jira/c1/"), allow_local=True)
    return JiraClient.open(address, "bot@example.com", "bots-secret", Gate(Unlimited(), pause=_no_pause))


def _no_pause(seconds: float) -> None:
    raise AssertionError(f"nobody should wait here, and {seconds} s were asked")


def worklog(number: int, **more) -> dict:
    return {"id": str(number), "issueId": "10001", "timeSpentSeconds": 60, **more}


def paged(read: Callable[[], list[dict]], cap: int) -> Callable[[Request], dict]:
    """The worklogs of an issue, `cap` a page, from a list that may change between the pages."""

    def answer(request: Request) -> dict:
        rows = read()
        start = int(request.args["startAt"])
        return {
            "startAt": start,
            "maxResults": cap,
            "total": len(rows),
            "worklogs": rows[start : start + cap],
        }

    return answer


# Reading


def test_all_pages_of_an_issues_worklogs_are_read_with_their_properties(jira, client):
    rows = [worklog(number) for number in range(12)]
    jira.routes["GET /issue/10001/worklog"] = paged(lambda: rows, cap=5)
    assert client.issue_worklogs(10001) == rows
    assert [request.args["startAt"] for request in jira.asked] == ["0", "4", "8"]
    assert {request.args["expand"] for request in jira.asked} == {"properties"}


def test_worklogs_are_read_again_when_one_is_deleted_between_two_pages(jira, client):
    rows = [worklog(number) for number in range(12)]

    def shrinking() -> list[dict]:
        if len(jira.asked) == 2 and len(rows) == 12:
            del rows[0]
        return list(rows)

    jira.routes["GET /issue/10001/worklog"] = paged(shrinking, cap=5)
    assert [row["id"] for row in client.issue_worklogs("10001")] == [str(number) for number in range(1, 12)]


def test_worklogs_are_read_again_when_one_is_deleted_and_another_added_between_two_pages(jira, client):
    rows = [worklog(number) for number in range(12)]

    def moving() -> list[dict]:
        if len(jira.asked) == 2 and rows[0]["id"] == "0":
            del rows[0]
            rows.append(worklog(12))
        return list(rows)

    jira.routes["GET /issue/10001/worklog"] = paged(moving, cap=5)
    assert [row["id"] for row in client.issue_worklogs("10001")] == [str(number) for number in range(1, 13)]


@pytest.mark.parametrize("cap", [1, 2, 3, 5000])
def test_a_server_may_give_fewer_worklogs_a_page_than_asked(jira, client, cap):
    rows = [worklog(number) for number in range(7)]
    jira.routes["GET /issue/10001/worklog"] = paged(lambda: rows, cap)
    assert client.issue_worklogs(10001) == rows


def test_a_total_that_never_adds_up_is_accepted_once_two_readings_agree(jira, client):
    jira.routes["GET /issue/10001/worklog"] = lambda request: {
        "total": 9,
        "worklogs": [worklog(1), worklog(2)] if request.args["startAt"] == "0" else [],
    }
    assert len(client.issue_worklogs(10001)) == 2


def test_worklogs_that_never_hold_still_are_not_taken_for_complete(jira, client):
    def restless(request: Request) -> dict:
        number = len(jira.asked)
        return {"total": 9, "worklogs": [worklog(number)] if request.args["startAt"] == "0" else []}

    jira.routes["GET /issue/10001/worklog"] = restless
    with pytest.raises(SiteError, match="did not give a complete list of worklogs of issue 10001") as caught:
        client.issue_worklogs(10001)
    assert caught.value.kind is FaultKind.PASSING


def test_a_window_is_asked_in_milliseconds(jira, client):
    jira.routes["GET /issue/10001/worklog"] = paged(list, cap=5)
    client.issue_worklogs(10001, datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC))
    assert jira.asked[0].args["startedAfter"] == "1772323200000"
    assert jira.asked[0].args["startedBefore"] == "1772409600000"


def test_a_search_goes_on_until_the_last_page_and_names_no_issue_twice(jira, client):
    def answer(request: Request) -> dict:
        match request.get_json().get("nextPageToken"):
            case None:
                return {"issues": [{"id": "1"}, {"id": "2"}], "isLast": False, "nextPageToken": "t"}
            case "t":
                return {"issues": [{"id": "2"}, {"id": "3"}], "isLast": True}

    jira.routes["POST /search/jql"] = answer
    assert [row["id"] for row in client.search('labels = "ado-id-1"', ["labels"])] == ["1", "2", "3"]


def test_a_search_that_breaks_off_is_an_error_and_no_shorter_list(jira, client):
    jira.routes["POST /search/jql"] = {"issues": [{"id": "1"}], "isLast": False}
    with pytest.raises(SiteError, match="complete search"):
        list(client.search("project = ABC"))


def test_issues_are_fetched_a_hundred_at_a_time_under_old_and_new_keys(jira, client):
    jira.routes["POST /issue/bulkfetch"] = lambda request: {
        "issues": [{"id": name} for name in request.get_json()["issueIdsOrKeys"]],
        "issueErrors": [],
    }
    assert len(client.issues([*range(250), 7], ["summary"])) == 250
    assert [len(request.get_json()["issueIdsOrKeys"]) for request in jira.asked] == [100, 100, 50]


def test_worklogs_by_id_are_asked_as_whole_numbers_a_thousand_at_a_time(jira, client):
    jira.routes["POST /worklog/list"] = lambda request: [
        worklog(number) for number in request.get_json()["ids"]
    ]
    assert len(client.worklogs(str(number) for number in range(1500))) == 1500
    assert jira.asked[1].get_json()["ids"][0] == 1000


def test_permissions_come_as_a_plain_table(jira, client):
    jira.routes["GET /mypermissions"] = {
        "permissions": {
            "WORK_ON_ISSUES": {"havePermission": True},
            "BROWSE_PROJECTS": {"havePermission": False},
        }
    }
    held = client.my_permissions(["WORK_ON_ISSUES", "BROWSE_PROJECTS"], "ABC")
    assert held == {"WORK_ON_ISSUES": True, "BROWSE_PROJECTS": False}
    assert jira.asked[0].args["permissions"] == "WORK_ON_ISSUES,BROWSE_PROJECTS"
    assert jira.asked[0].args["projectKey"] == "ABC"


def test_all_projects_are_listed(jira, client):
    jira.routes["GET /project/search"] = lambda request: (
        {"values": [{"key": "A"}], "isLast": False}
        if request.args["startAt"] == "0"
        else {"values": [{"key": "B"}], "isLast": True}
    )
    assert [row["key"] for row in client.projects()] == ["A", "B"]


def test_people_are_fetched_by_account_id(jira, client):
    jira.routes["GET /user/bulk"] = lambda request: {
        "values": [{"accountId": name} for name in request.args.getlist("accountId")]
    }
    assert len(client.users(f"a{number}" for number in range(70))) == 70


def test_an_email_matches_whole_and_without_case_and_only_active_people(jira, client):
    def person(name: str, email: str | None, **more) -> dict:
        return {"accountId": name, "emailAddress": email, "active": True, "accountType": "atlassian", **more}

    jira.routes["GET /user/search"] = [
        person("prefix", "alice@example.com.au"),
        person("alice", "Alice@Example.com"),
        person("gone", "alice@example.com", active=False),
        person("portal", "alice@example.com", accountType="customer"),
        person("hidden", None),
        {"accountId": "hidden too", "active": True},
    ]
    assert [row["accountId"] for row in client.users_by_email(" alice@example.com")] == ["alice"]


def test_an_issue_nobody_can_see_is_said_to_be_missing(jira, client):
    jira.routes["GET /issue/ABC-1/remotelink"] = (
        404,
        {"errorMessages": ["Issue does not exist."], "errors": {}},
    )
    with pytest.raises(SiteError) as caught:
        client.remote_links("ABC-1")
    assert (caught.value.code, caught.value.kind) == ("issue_not_found", FaultKind.WAITING)


# Feeds


def at(seconds: float) -> datetime:
    """So many seconds after noon, at which our feeds begin."""
    return datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(seconds=seconds)


def ms(seconds: float) -> int:
    return int(at(seconds).timestamp() * 1000)


def fed(*changes: tuple[int, float], until: float, last: bool, **more) -> dict:
    values = [
        {"worklogId": number, "updatedTime": ms(seconds), "properties": []} for number, seconds in changes
    ]
    return {"values": values, "until": ms(until), "lastPage": last, **more}


@pytest.mark.parametrize("name", ["updated", "deleted"])
def test_a_feed_is_followed_by_its_until_to_the_last_page_even_where_that_names_a_next_one(
    jira, client, name
):
    pages = {
        ms(0): fed((1, 1), (2, 2.5), until=2.5, last=False, nextPage="https://x.example/?since=1"),
        ms(2.5): fed((2, 2.5), (3, 3), until=3, last=True, nextPage="https://x.example/?since=2"),
    }
    jira.routes[f"GET /worklog/{name}"] = lambda request: pages[int(request.args["since"])]
    read = client.updated_worklogs if name == "updated" else client.deleted_worklogs
    assert list(read(at(0))) == [
        FeedPage((Change("1", at(1)), Change("2", at(2.5))), at(2.5)),
        FeedPage((Change("2", at(2.5)), Change("3", at(3))), at(3)),
    ]


def test_a_feed_without_a_since_is_asked_from_its_beginning(jira, client):
    jira.routes["GET /worklog/updated"] = fed(until=0, last=True)
    (page,) = client.updated_worklogs()
    assert jira.asked[0].args["since"] == "0"
    assert page.until == at(0)


def test_a_feed_that_stands_still_is_an_error_and_no_endless_walk(jira, client):
    jira.routes["GET /worklog/updated"] = fed((1, 0), until=0, last=False)
    with pytest.raises(SiteError, match="complete feed of updated worklogs") as caught:
        list(client.updated_worklogs(at(0)))
    assert caught.value.kind is FaultKind.PASSING
    assert len(jira.asked) == 1


def test_a_feed_that_stands_still_is_followed_where_its_next_page_leads_on(jira, client):
    def answer(request: Request) -> dict:
        if "cursor" in request.args:
            return fed((2, 0), until=0, last=True)
        return fed((1, 0), until=0, last=False, nextPage=f"https://x.example/a?since={ms(0)}&cursor=b")

    jira.routes["GET /worklog/updated"] = answer
    found = [change.worklog for page in client.updated_worklogs(at(0)) for change in page.changes]
    assert found == ["1", "2"]


def test_a_feed_whose_next_pages_go_in_a_circle_is_left(jira, client):
    circle = {"a": "b", "b": "a"}

    def answer(request: Request) -> dict:
        following = circle.get(request.args.get("cursor", "b"))
        return fed((1, 0), until=0, last=False, nextPage=f"/x?cursor={following}")

    jira.routes["GET /worklog/deleted"] = answer
    with pytest.raises(SiteError, match="complete feed"):
        list(client.deleted_worklogs(at(0)))


def test_a_row_of_a_feed_without_an_id_hides_no_other_and_one_without_a_time_is_no_newer_than_asked_for(
    jira, client
):
    rows = [
        {"worklogId": 1, "updatedTime": ms(1)},
        {"worklogId": "2", "updatedTime": ms(2)},
        {"worklogId": None, "updatedTime": ms(2)},
        {"worklogId": 3},
        {"worklogId": 4, "updatedTime": 10**30},
        "nonsense",
    ]
    jira.routes["GET /worklog/updated"] = {"values": rows}
    (page,) = client.updated_worklogs(at(0))
    told = (Change("1", at(1)), Change("2", at(2)), Change("3", at(0)), Change("4", at(0)))
    assert page == FeedPage(told, at(2))


def test_an_until_before_what_was_asked_for_takes_nobody_back(jira, client):
    jira.routes["GET /worklog/updated"] = fed(until=-3600, last=True)
    (page,) = client.updated_worklogs(at(0))
    assert page.until == at(0)


@pytest.mark.parametrize(
    ("answer", "zone"),
    [
        ({"serverTimeZone": "Australia/Sydney"}, "Australia/Sydney"),
        ({"serverTimeZone": "Middle-earth/Shire"}, ""),
        ({"serverTimeZone": "../../etc/passwd"}, ""),
        ({"serverTimeZone": None}, ""),
        ({}, ""),
        ((403, {}), ""),
    ],
)
def test_the_sites_own_zone_is_one_that_is_known_or_none(jira, client, answer, zone):
    jira.routes["GET /serverInfo"] = answer
    assert client.server_zone() == zone


# Writing


def test_a_worklog_is_created_without_a_mail_to_the_watchers_and_with_the_estimate_left_alone(jira, client):
    jira.routes["POST /issue/10001/worklog"] = (201, worklog(5))
    body = {"timeSpentSeconds": 60, "started": "2026-03-01T09:00:00.000+0000"}
    answer = client.create_worklog(10001, body)
    assert answer.data["id"] == "5"
    assert jira.asked[0].args.to_dict() == {"notifyUsers": "false", "adjustEstimate": "leave"}
    assert jira.asked[0].get_json() == body


def test_a_worklog_is_changed_and_deleted_where_it_stands(jira, client):
    jira.routes["PUT /issue/10001/worklog/5"] = worklog(5)
    jira.routes["DELETE /issue/10001/worklog/5"] = (204, None)
    assert client.update_worklog(10001, 5, {"timeSpentSeconds": 120}).status == 200
    assert client.delete_worklog(10001, "5", adjust_estimate="auto").data is None
    assert {request.args["notifyUsers"] for request in jira.asked} == {"false"}


def test_a_created_worklog_without_an_id_may_or_may_not_be_there(jira, client):
    jira.routes["POST /issue/10001/worklog"] = (201, {"timeSpentSeconds": 60})
    with pytest.raises(SiteError) as caught:
        client.create_worklog(10001, {})
    assert caught.value.code == "unknown_outcome"
    assert len(jira.asked) == 1


def test_alice_writes_with_her_own_token(jira, client):
    jira.routes["POST /issue/1/worklog"] = (201, worklog(5))
    client.as_person("ålice@example.com", "alices-secret").create_worklog(1, {})
    client.create_worklog(1, {})
    assert [request.authorization.username for request in jira.asked] == [
        "ålice@example.com",
        "bot@example.com",
    ]


@pytest.mark.parametrize(
    ("status", "words", "kind", "code"),
    [
        (413, "This issue has reached its limit.", FaultKind.FINAL, "issue_limit"),
        (
            400,
            "You can not edit the time tracking of this issue as it is not in an editable workflow state.",
            FaultKind.WAITING,
            "issue_not_editable",
        ),
        (400, "The issue is archived and cannot be modified.", FaultKind.WAITING, "issue_not_editable"),
        (400, "Logging is disabled on epics.", FaultKind.WAITING, "issue_not_editable"),
        (
            403,
            "You do not have the permission to associate a worklog to this issue.",
            FaultKind.WAITING,
            "no_permission",
        ),
        (
            400,
            "You do not have the permission to associate a worklog to this issue.",
            FaultKind.WAITING,
            "no_permission",
        ),
        (403, "", FaultKind.WAITING, "no_permission"),
        (404, "", FaultKind.WAITING, "issue_not_found"),
        (
            404,
            "Issue does not exist or you do not have permission to see it.",
            FaultKind.WAITING,
            "issue_not_found",
        ),
        (400, "Worklog must not be null.", FaultKind.WAITING, "entry_invalid"),
        (400, "You must indicate the time spent working.", FaultKind.WAITING, "entry_invalid"),
        (
            400,
            "Invalid date format. Please enter the date in the format …",
            FaultKind.WAITING,
            "entry_invalid",
        ),
        (400, "The entered text is too long.", FaultKind.WAITING, "entry_invalid"),
        (
            403,
            "To discard the user notification either admin or project admin permissions are required.",
            FaultKind.STOPS,
            "target_refused",
        ),
        (404, "Time Tracking is not enabled.", FaultKind.STOPS, "target_refused"),
        (400, "The moon is in the wrong house.", FaultKind.WAITING, "target_refused"),
    ],
)
def test_a_refused_worklog_gets_the_code_of_its_cause_and_keeps_jiras_words(status, words, kind, code):
    understood = refusal(_refused(status, words), 10001)
    assert (understood.kind, understood.code) == (kind, code)
    assert words in understood.message
    assert "issue 10001" in understood.message


def test_an_unknown_outcome_or_a_refused_token_is_no_refusal():
    for code, kind in (("unknown_outcome", FaultKind.PASSING), ("auth_failed", FaultKind.STOPS)):
        fault = SiteError("jca", kind, code, "…", _exchange(500, "archived"))
        assert refusal(fault, 1) is fault


def _refused(status: int, words: str) -> SiteError:
    return SiteError("jca", FaultKind.WAITING, "target_refused", "…", _exchange(status, words))


def _exchange(status: int, words: str) -> Exchange:
    body = {"errorMessages": [words] if words else [], "errors": {}}
    return Exchange("POST", "/rest/api/3/issue/1/worklog", None, status, body, datetime.now(UTC), 0.1)


# Pace


@pytest.mark.parametrize(
    ("reason", "scope"),
    [
        ("jira-quota-global-based", Scope.SITE),
        ("jira-quota-tenant-based", Scope.SITE),
        ("jira-burst-based", Scope.BUCKET),
        ("jira-per-issue-on-write", Scope.CALL),
        (None, Scope.BUCKET),
    ],
)
def test_a_429_is_understood_in_the_scope_jira_names(reason, scope):
    class Said:
        headers = {"RateLimit-Reason": reason} if reason else {}

    assert throttled_scope(Said()) is scope


def test_an_issue_takes_twenty_writes_in_two_seconds_and_a_hundred_in_thirty():
    now = [0.0]
    pace = IssuePace(clock=lambda: now[0])
    sent = []
    for _ in range(250):
        now[0] += pace.wait_before_next() + 0.01
        pace.sent()
        sent.append(now[0])
    for limit, window in ((20, 2.0), (100, 30.0)):
        assert all(later - earlier > window for earlier, later in zip(sent, sent[limit:], strict=False))
    assert sent[-1] < 250 / 3.2


# Against the sandbox, which is built from the vendor's own contract


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.jira["jca"]


@pytest.fixture
def live(sandbox, site) -> JiraClient:
    address = Address("jca", f"{sandbox.url}/jira/jca", allow_local=True)
    email = next(
        row["email"] for row in tomllib.loads(sandbox.toml("contoso-to-jca"))["site"] if row["name"] == "jca"
    )
    return JiraClient.open(address, email, sandbox.secrets()["JCA_TOKEN"], Gate(Unlimited(), pause=_no_pause))


def body(**changes) -> dict:
    return {"started": "2024-05-02T09:00:00.000+0000", "timeSpentSeconds": 3600, **changes}


def test_a_worklog_lives_in_the_sandbox(site, live):
    issue = site.issue("ABC-1").id
    marker = [{"key": "twinlog", "value": {"entry": "x"}}]
    made = live.create_worklog(issue, body(properties=marker)).data
    live.update_worklog(issue, made["id"], {"timeSpentSeconds": 7200})
    (again,) = live.worklogs([made["id"]])
    assert (again["timeSpentSeconds"], again["properties"]) == (7200, marker)
    assert made["id"] in {row["id"] for row in live.issue_worklogs(issue)}
    live.delete_worklog(issue, made["id"])
    assert live.worklogs([made["id"]]) == []


@pytest.mark.parametrize("page", [2, 3, 5000])
def test_a_full_issue_is_read_to_the_end_in_the_sandbox(site, live, page):
    site.page_cap = page
    assert len(live.issue_worklogs(site.issue("ABC-9").id)) == 30


@pytest.mark.parametrize(
    ("key", "changes", "code"),
    [
        ("ABC-3", {}, "issue_not_editable"),
        ("ABC-4", {}, "issue_not_editable"),
        ("ABC-7", {}, "issue_not_found"),
        ("ABC-8", {}, "no_permission"),
        ("ABC-9", {}, "issue_limit"),
        ("ABC-1", {"timeSpentSeconds": 59}, "entry_invalid"),
        ("ABC-1", {"timeSpentSeconds": 0}, "entry_invalid"),
        ("ABC-1", {"started": "2024-05-02T09:00:00Z"}, "entry_invalid"),
        ("ABC-1", {"comment": "no document"}, "entry_invalid"),
    ],
)
def test_what_the_sandbox_refuses_is_understood(site, live, key, changes, code):
    with pytest.raises(SiteError) as caught:
        live.create_worklog(site.issue(key).id, body(**changes))
    assert caught.value.code == code


def test_who_we_are_and_what_we_may_in_the_sandbox(site, live):
    assert live.myself()["accountId"] in site.accounts
    assert live.configuration()["timeTrackingEnabled"] is True
    assert live.my_permissions(["WORK_ON_ISSUES"], "ABC") == {"WORK_ON_ISSUES": True}
    assert "WORK_ON_ISSUES" in live.all_permissions()
    assert {row["key"] for row in live.projects()} == {"ABC", "XYZ"}
    assert "ADO ID" in {row["name"] for row in live.fields()}
    assert len(live.remote_links("ABC-1")) == 1


def test_issues_and_people_are_found_in_the_sandbox(site, live):
    found = live.search('labels in ("ado-id-101", "ado-id-102")', ["labels"])
    assert {row["key"] for row in found} == {"ABC-1", "ABC-2"}
    assert [row["key"] for row in live.issues(["OLD-10"])] == ["ABC-10"]
    (alice,) = live.users_by_email("ALICE@example.com")
    assert live.user(alice["accountId"])["displayName"] == "Alice Smith"
    assert [row["accountId"] for row in live.users([alice["accountId"]])] == [alice["accountId"]]
    assert live.users_by_email("carol@example.com") == []
    assert len(live.users_by_email("erin@example.com")) == 2


def test_a_create_whose_answer_is_lost_is_done_once_in_the_sandbox(sandbox, site, live):
    sandbox.faults.add(Fault(site="jca", method="POST", what=Broken.CUT_AFTER))
    issue = site.issue("ABC-2")
    before = len(site.worklogs_of("ABC-2"))
    with pytest.raises(SiteError) as caught:
        live.create_worklog(issue.id, body())
    assert caught.value.code == "unknown_outcome"
    assert len(site.worklogs_of("ABC-2")) == before + 1


def test_the_feeds_tell_in_the_sandbox_what_was_logged_and_deleted_a_minute_ago(sandbox, site, live):
    began = datetime.fromtimestamp(sandbox.world.clock(), UTC)
    issue = site.issue("ABC-1").id
    kept, gone = (live.create_worklog(issue, body()).data["id"] for _ in range(2))
    live.delete_worklog(issue, gone)
    told = [change for page in live.updated_worklogs(began) for change in page.changes]
    assert told == []
    sandbox.world.later(61)
    (updated,), (deleted,) = live.updated_worklogs(began), live.deleted_worklogs(began)
    assert [change.worklog for change in updated.changes] == [kept]
    assert [change.worklog for change in deleted.changes] == [gone]
    assert updated.until == updated.changes[0].at >= began


def test_a_long_feed_is_read_to_its_end_in_the_sandbox(sandbox, site, live):
    known = {str(number) for number in site.worklogs}
    site.changes += [(ms(number), 10_000 + number) for number in range(2500)]
    sample = next(iter(site.worklogs.values()))
    site.worklogs.update({10_000 + number: sample for number in range(2500)})
    pages = list(live.updated_worklogs())
    told = {change.worklog for page in pages for change in page.changes}
    assert told == known | {str(10_000 + number) for number in range(2500)}
    assert len(pages) == 3


def test_the_sites_zone_in_the_sandbox(site, live):
    assert live.server_zone() == site.time_zone


def test_a_webhook_is_registered_listed_and_deleted_in_the_sandbox(site, live):
    wanted = {"name": "Twinlog", "url": "https://twinlog.example/", "events": ["worklog_created"]}
    made = live.register_admin_webhook(wanted | {"secret": "It's a Secret to Everybody"})
    assert made["isSigned"] is True
    assert live.admin_webhooks() == [made]
    live.delete_admin_webhook(webhook_id(made))
    live.delete_admin_webhook(webhook_id(made))
    assert live.admin_webhooks() == []


def test_who_is_no_administrator_is_told_so_about_webhooks_in_the_sandbox(site, live):
    site.accounts[site.tokens[0].account_id].permissions -= {"ADMINISTER"}
    body = {"name": "x", "url": "https://x.example/", "events": ["worklog_created"], "secret": "very secret"}
    for call in (live.admin_webhooks, lambda: live.register_admin_webhook(body)):
        with pytest.raises(SiteError, match="Administer Jira") as caught:
            call()
        assert (caught.value.code, caught.value.kind) == ("no_permission", FaultKind.WAITING)
        assert "very secret" not in str(caught.value.exchange)
