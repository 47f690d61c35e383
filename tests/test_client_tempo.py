"""Tempo: every page is read, a bulk waits for its turn, and a refusal names its cause."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connections.clients.feeds import Change, FeedPage
from connections.clients.http import Address, Exchange, FaultKind, Gate, SiteError
from connections.clients.tempo import TempoClient, refusal
from connections.sandbox import Fault, Sandbox, worlds
from connections.sandbox import FaultKind as Broken
from connections.sandbox.world import TempoAttribute


class Unlimited:
    def take(self, bucket: str) -> float:
        return 0.0

    def hold(self, bucket, seconds) -> None:
        raise AssertionError("nothing was throttled")


@dataclass
class Tempo:
    """A site that answers each request with the next of its answers, or with what a function says."""

    answer: Callable[[Request], object] | None = None
    answers: list[tuple[int, object]] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        request.get_data()
        self.asked.append(request)
        status, data = (200, self.answer(request)) if self.answer else self.answers.pop(0)
        text = data if isinstance(data, str) else "" if data is None else json.dumps(data)
        return Response(text, status)

    def pause(self, seconds: float) -> None:
        assert len(self.waits) < 10, "no test here needs so much patience"
        self.waits.append(seconds)


@pytest.fixture
def tempo(httpserver: HTTPServer) -> Tempo:
    site = Tempo()
    httpserver.expect_request(re.compile("^/tempo/(4|papertrail)/")).respond_with_handler(site)
    return site


@pytest.fixture(params=["/tempo", "/tempo/", "/tempo/4", "/tempo/4/"])
def client(request, httpserver: HTTPServer, tempo: Tempo) -> TempoClient:
    return _client(httpserver.url_for(request.param), tempo)


@pytest.fixture
def one(httpserver: HTTPServer, tempo: Tempo) -> TempoClient:
    return _client(httpserver.url_for("/tempo"), tempo)


def _client(url: str, tempo: Tempo) -> TempoClient:
    return TempoClient.open(Address("jca-tempo", url, True), "a-secret", Gate(Unlimited(), tempo.pause))


def worklog(number: int) -> dict:
    return {"tempoWorklogId": number, "issue": {"id": 1}, "timeSpentSeconds": 60}


def paged(rows: list[dict], cap: int = 1000, before: Callable[[int], None] = lambda calls: None):
    """A search whose links name another host, as behind a gateway; `before` may change the rows."""
    calls = 0

    def answer(request: Request) -> dict:
        nonlocal calls
        calls += 1
        before(calls)
        offset = int(request.args.get("offset", 0))
        limit = min(int(request.args.get("limit", 50)), cap)
        page = rows[offset : offset + limit]
        metadata = {"count": len(page), "offset": offset, "limit": limit}
        if offset + limit < len(rows):
            metadata["next"] = f"https://inner.example.com/4/x?offset={offset + limit}&limit={limit}"
        return {"metadata": metadata, "results": page}

    return answer


# Reading


def test_the_address_may_carry_the_version_or_not(tempo, client):
    tempo.answers = [(200, {"startAndEndTimesEnabled": True})]
    assert client.configuration() == {"startAndEndTimesEnabled": True}
    assert tempo.asked[0].path == "/tempo/4/globalconfiguration"
    assert tempo.asked[0].headers["Authorization"] == "Bearer a-secret"


def test_a_search_posts_its_filters_again_with_every_page(tempo, one):
    tempo.answer = paged([worklog(number) for number in range(25)], cap=10)
    found = list(
        one.search_worklogs(
            [7, 7, 8], date(2026, 3, 1), date(2026, 3, 2), datetime(2026, 3, 1, 12, tzinfo=UTC), ["a"]
        )
    )
    assert [row["tempoWorklogId"] for row in found] == list(range(25))
    assert {request.method for request in tempo.asked} == {"POST"}
    for request in tempo.asked:
        assert request.get_json() == {
            "issueIds": [7, 8],
            "authorIds": ["a"],
            "from": "2026-03-01",
            "to": "2026-03-02",
            "updatedFrom": "2026-03-01T12:00:00Z",
            "orderBy": [{"field": "ID", "order": "ASC"}],
        }


def test_an_empty_list_of_issues_finds_nothing_rather_than_everything(tempo, one):
    assert list(one.search_worklogs(issue_ids=[])) == []
    assert list(one.search_worklogs(author_ids=[])) == []
    assert tempo.asked == []


def test_a_row_deleted_between_two_pages_hides_no_other(tempo, one):
    rows = [worklog(number) for number in range(30)]

    def someone_deletes(calls: int) -> None:
        if calls == 2:
            del rows[0]

    tempo.answer = paged(rows, cap=10, before=someone_deletes)
    found = [row["tempoWorklogId"] for row in one.search_worklogs()]
    assert found == list(range(30))


def test_a_list_that_never_holds_still_is_not_taken_for_complete(tempo, one):
    rows = [worklog(number) for number in range(90)]
    tempo.answer = paged(rows, cap=10, before=lambda calls: rows.pop(0))
    with pytest.raises(SiteError, match="complete list") as caught:
        list(one.search_worklogs())
    assert caught.value.kind is FaultKind.PASSING


def test_links_without_an_offset_are_followed_as_they_are(tempo, one):
    tempo.answers = [
        (
            200,
            {
                "metadata": {"next": "/4/work-attributes?cursor=b"},
                "results": [{"key": "_A_"}, {"key": "_B_"}],
            },
        ),
        (200, {"metadata": {}, "results": [{"key": "_C_"}]}),
    ]
    assert [row["key"] for row in one.work_attributes()] == ["_A_", "_B_", "_C_"]
    assert tempo.asked[1].query_string == b"cursor=b"


# Feeds

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=2)


def changed(number: int, seconds: int) -> dict:
    return worklog(number) | {"updatedAt": after(seconds)}


def after(seconds: int) -> str:
    """So many seconds after noon, as Tempo writes it."""
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def numbers(pages) -> list[list[int]]:
    return [[row["tempoWorklogId"] for row in rows] for rows in pages]


def test_changed_worklogs_come_in_pages_by_the_time_of_their_change_and_without_another_filter(tempo, one):
    tempo.answer = paged([changed(number, number) for number in range(25)], cap=10)
    pages = numbers(one.changed_worklogs(NOON, date(2026, 3, 1)))
    assert pages == [list(range(10)), list(range(10, 19)), list(range(19, 25))]
    for request in tempo.asked:
        assert request.get_json() == {
            "updatedFrom": after(0),
            "orderBy": [{"field": "UPDATED", "order": "ASC"}, {"field": "ID", "order": "ASC"}],
        }


def test_a_first_reading_may_begin_at_a_work_day(tempo, one):
    tempo.answer = paged([changed(1, 0)])
    list(one.changed_worklogs(None, date(2026, 3, 1)))
    list(one.changed_worklogs(None))
    asked = [request.get_json() for request in tempo.asked]
    assert [body.get("from") for body in asked] == ["2026-03-01", None]
    assert all("updatedFrom" not in body for body in asked)


def test_a_worklog_changed_between_two_pages_comes_again_as_it_is_now_and_hides_no_other(tempo, one):
    rows = [changed(number, number) for number in range(30)]

    def someone_edits(calls: int) -> None:
        if calls == 2:
            rows.append(changed(rows.pop(0)["tempoWorklogId"], 100))

    tempo.answer = paged(rows, cap=10, before=someone_edits)
    found = [row for page in one.changed_worklogs(NOON) for row in page]
    assert [row["tempoWorklogId"] for row in found] == [*range(30), 0]
    assert found[-1]["updatedAt"] == after(100)


def test_deleted_worklogs_are_read_from_the_audit_log_by_its_tokens(tempo, one):
    def row(number, seconds):
        return {
            "entityId": number,
            "entityType": "worklog",
            "action": "Deleted",
            "timestamp": after(seconds),
        }

    tempo.answers = [
        (200, {"metadata": {"nextPageToken": "t"}, "results": [row("7", 9), row("", 9), row("8", 3)]}),
        (200, {"metadata": {}, "results": [row(9, 5), {"entityId": "10", "timestamp": "soon"}]}),
    ]
    pages = list(one.deleted_worklogs(NOON))
    moment = {seconds: NOON + timedelta(seconds=seconds) for seconds in (3, 5, 9)}
    assert pages == [
        FeedPage((Change("7", moment[9]), Change("8", moment[3])), NOON),
        FeedPage((Change("9", moment[5]), Change("10", NOON)), moment[9]),
    ]
    first, second = tempo.asked
    assert first.path == second.path == "/tempo/4/papertrail/search"
    assert first.get_json() == second.get_json()
    assert first.get_json() == {
        "from": after(0),
        "entityType": ["worklog", "bulkeditworklog"],
        "action": ["Deleted", "Synced"],
    }
    assert (first.args.get("nextPageToken"), second.args.get("nextPageToken")) == (None, "t")


def test_the_audit_log_is_asked_no_further_back_than_it_reaches(tempo, one):
    tempo.answers = [(200, {"metadata": {}, "results": []})]
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    (page,) = one.deleted_worklogs(long_ago)
    asked = datetime.fromisoformat(tempo.asked[0].get_json()["from"])
    assert timedelta(days=179) < datetime.now(UTC) - asked < timedelta(days=180)
    assert page == FeedPage((), long_ago)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_where_the_audit_log_is_refused_the_older_list_is_read_and_from_then_on_at_once(tempo, one, status):
    deleted = {"tempoWorklogId": "7", "jiraWorklogId": "70", "deletedAt": after(4)}
    more = {"metadata": {"lastEvaluatedKey": "opaque/a+b="}, "results": [deleted]}
    last = {"metadata": {}, "results": [deleted | {"tempoWorklogId": 8}]}
    tempo.answers = [(status, "no"), (200, more), (200, last), (200, last)]
    told = [change.worklog for page in one.deleted_worklogs(NOON) for change in page.changes]
    assert told == ["7", "8"]
    assert [page.until for page in one.deleted_worklogs(NOON)] == [NOON + timedelta(seconds=4)]
    _, first, second, third = tempo.asked
    assert {request.path for request in (first, second, third)} == {
        "/tempo/papertrail/1/events/deleted/types/worklog"
    }
    assert first.args["updatedFrom"] == after(0)
    assert (first.args.get("lastEvaluatedKey"), second.args["lastEvaluatedKey"]) == (None, "opaque/a+b=")


def test_where_both_are_refused_it_says_that_deletions_are_not_seen_and_what_to_grant(tempo, one):
    tempo.answers = [(403, "<html>Forbidden</html>"), (404, "gone")]
    with pytest.raises(
        SiteError, match=r"not show which worklogs were deleted.*Tempo Administrator"
    ) as caught:
        list(one.deleted_worklogs(NOON))
    assert (caught.value.code, caught.value.kind) == ("no_permission", FaultKind.WAITING)


def test_a_refused_token_is_no_reason_to_look_elsewhere_for_deletions(tempo, one):
    tempo.answers = [(401, "")]
    with pytest.raises(SiteError) as caught:
        list(one.deleted_worklogs(NOON))
    assert caught.value.code == "auth_failed"


def test_a_list_of_deletions_that_leads_back_to_itself_is_left(tempo, one):
    tempo.answer = lambda _: {"metadata": {"nextPageToken": "t"}, "results": []}
    with pytest.raises(SiteError, match="complete list of deleted worklogs"):
        list(one.deleted_worklogs(NOON))
    assert len(tempo.asked) == 2


# Webhooks


def test_a_subscriptions_secret_is_in_no_record_of_the_call(tempo, one):
    secret = "s" * 128
    tempo.answers = [(400, {"errors": {"message": "no"}, "sharedSecret": secret, "more": "x" * 30_000})]
    with pytest.raises(SiteError) as caught:
        one.subscribe("worklog.created", "https://twinlog.example/", "Twinlog")
    assert secret not in str(caught.value.exchange)
    tempo.answers = [(400, {"errors": {"message": "no"}, "sharedSecret": secret})]
    with pytest.raises(SiteError) as caught:
        one.subscribe("worklog.created", "https://twinlog.example/", "Twinlog")
    assert secret not in str(caught.value.exchange)


# Writing


def test_one_worklog_is_created_read_changed_and_deleted(tempo, one):
    tempo.answers = [(200, worklog(5)), (200, worklog(5)), (200, worklog(5)), (204, None)]
    assert one.create_worklog({"issueId": 1, "billableSeconds": 0}).data["tempoWorklogId"] == 5
    assert one.worklog(5) == worklog(5)
    assert one.update_worklog(5, {"timeSpentSeconds": 90}).status == 200
    assert one.delete_worklog(5).status == 204
    assert [f"{r.method} {r.path.removeprefix('/tempo/4')}" for r in tempo.asked] == [
        "POST /worklogs",
        "GET /worklogs/5",
        "PUT /worklogs/5",
        "DELETE /worklogs/5",
    ]
    assert tempo.asked[0].get_json()["billableSeconds"] == 0


def test_a_bulk_creation_waits_while_another_one_runs_on_the_issue(tempo, one):
    busy = (409, {"errors": [{"message": "Bulk creation already in progress"}]})
    tempo.answers = [busy, busy, (200, [worklog(1), worklog(2)])]
    assert len(one.create_bulk(10001, [{}, {}]).data) == 2
    assert tempo.waits == [1, 2]


def test_a_bulk_creation_that_never_gets_its_turn_is_left_for_later(tempo, one):
    tempo.answer = None
    tempo.answers = [(409, "busy")] * 6
    with pytest.raises(SiteError) as caught:
        one.create_bulk(10001, [{}])
    assert (caught.value.kind, caught.value.code) == (FaultKind.PASSING, "rate_limited")


@pytest.mark.parametrize("answer", [[worklog(1)], [{}, {}], {"results": []}, "done"])
def test_a_bulk_answer_that_does_not_name_every_worklog_is_an_unknown_outcome(tempo, one, answer):
    tempo.answers = [(200, answer)]
    with pytest.raises(SiteError) as caught:
        one.create_bulk(10001, [{}, {}])
    assert caught.value.code == "unknown_outcome"


@pytest.mark.parametrize("count", [0, 51])
def test_a_bulk_holds_one_to_fifty(one, count):
    with pytest.raises(ValueError, match="1 to 50"):
        one.create_bulk(1, [{}] * count)


def test_a_refused_token_suggests_the_universal_host(tempo, one):
    tempo.answers = [(401, "<html>Unauthorized</html>")]
    with pytest.raises(SiteError, match=r"https://api\.tempo\.io") as caught:
        one.configuration()
    assert (caught.value.kind, caught.value.code) == (FaultKind.STOPS, "auth_failed")


@pytest.mark.parametrize(
    ("status", "words", "code"),
    [
        (400, "The period 2026-02 is closed.", "period_closed"),
        (400, "Timesheet for this worker has been approved", "period_closed"),
        (400, "Cannot create worklogs in a closed period", "period_closed"),
        (400, "Work attribute _Account_ is required", "attribute_required"),
        (400, "Missing required work attribute '_Kind_'", "attribute_required"),
        (400, "Worker 712020:abc is inactive", "author_inactive"),
        (400, "Author not found", "author_inactive"),
        (403, "You do not have permission to log work for other users", "author_not_allowed"),
        (400, "The worker is not allowed to log work on this project", "author_not_allowed"),
        (400, "User 712:a does not have permission to log work on this issue", "author_not_allowed"),
        (403, "You do not have permission to log work for this issue", "no_permission"),
        (403, "<html><title>Forbidden</title></html>", "no_permission"),
        (403, "", "no_permission"),
        (400, "Worklogs cannot be logged more than 30 days into the future", "entry_invalid"),
        (400, "Maximum hours per day exceeded for this user", "entry_invalid"),
        (400, "'date' must be valid on the format: 'yyyy-MM-dd'", "entry_invalid"),
        (400, "Issue id cannot be null.", "issue_not_found"),
        (404, "Issue 10001 not found", "issue_not_found"),
        (400, "The issue is archived", "issue_not_editable"),
        (400, "The moon is in the wrong house.", "target_refused"),
    ],
)
def test_a_refusal_gets_the_code_of_its_cause(status, words, code):
    fault = SiteError(
        "jca-tempo", FaultKind.WAITING, "target_refused", f"refused: {words}", _exchange(status, words)
    )
    understood = refusal(fault)
    assert (understood.kind, understood.code) == (FaultKind.WAITING, code)
    assert words in understood.message


def _exchange(status: int, words: str) -> Exchange:
    body = {"errors": [{"message": words}]} if words else None
    return Exchange("POST", "/4/worklogs", None, status, body, datetime.now(UTC), 0.1)


# Against the sandbox, which is built from the vendor's own contract


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.tempo["jcb-tempo"]


@pytest.fixture
def live(sandbox, tempo) -> TempoClient:
    address = Address("jcb-tempo", f"{sandbox.url}/tempo/jcb-tempo", allow_local=True)
    return TempoClient.open(address, sandbox.secrets()["JCB_TEMPO_TOKEN"], Gate(Unlimited(), tempo.pause))


@pytest.fixture
def entry(site):
    """Alice worked on ABC-1: a body Tempo accepts, with changes."""
    whole = {
        "authorAccountId": site.jira.account_of("alice@example.com").account_id,
        "issueId": site.jira.issue("ABC-1").id,
        "startDate": "2024-05-02",
        "startTime": "09:00:00",
        "timeSpentSeconds": 61,
    }
    return lambda **changes: whole | changes


def test_a_worklog_lives_in_the_sandbox(site, live, entry):
    made = live.create_worklog(entry(billableSeconds=0)).data
    assert (made["timeSpentSeconds"], made["billableSeconds"]) == (61, 0)
    live.update_worklog(made["tempoWorklogId"], {**entry(timeSpentSeconds=90), "issueId": None})
    assert live.worklog(made["tempoWorklogId"])["timeSpentSeconds"] == 90
    live.delete_worklog(made["tempoWorklogId"])
    with pytest.raises(SiteError) as caught:
        live.worklog(made["tempoWorklogId"])
    assert caught.value.status == 404


def test_bulks_and_searches_agree_in_the_sandbox(site, live, entry):
    issue = entry()["issueId"]
    bodies = [{key: value for key, value in entry().items() if key != "issueId"}] * 50
    made = [row["tempoWorklogId"] for _ in range(3) for row in live.create_bulk(issue, bodies).data]
    found = [row["tempoWorklogId"] for row in live.search_worklogs([issue], from_=date(2024, 5, 2))]
    assert found == sorted(made)


def test_a_search_over_many_pages_loses_nothing_in_the_sandbox(site, live, entry, monkeypatch):
    monkeypatch.setattr("connections.clients.tempo.SEARCH_PAGE", 7)
    for _ in range(20):
        live.create_worklog(entry())
    assert len(list(live.search_worklogs([entry()["issueId"]]))) == 20


@pytest.mark.parametrize("shape", ["list", "object", "text"])
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda site: site.closed_periods.append((date(2024, 5, 1), date(2024, 5, 31))), "period_closed"),
        (
            lambda site: site.attributes.update(
                _Kind_=TempoAttribute("_Kind_", "Kind", "STATIC_LIST", required=True)
            ),
            "attribute_required",
        ),
        (lambda site: setattr(site.jira.account_of("alice@example.com"), "active", False), "author_inactive"),
        (lambda site: setattr(site, "max_hours_per_day", 0), "entry_invalid"),
        (lambda site: setattr(site.jira.issue("ABC-1"), "editable", False), "issue_not_editable"),
        (lambda site: setattr(site.jira.issue("ABC-1"), "visible", False), "issue_not_found"),
    ],
)
def test_what_the_sandbox_refuses_is_understood_in_every_shape(site, live, entry, spoil, code, shape):
    site.error_shape = shape
    spoil(site)
    with pytest.raises(SiteError) as caught:
        live.create_worklog(entry())
    assert caught.value.code == code


def test_a_create_whose_answer_is_lost_is_done_once_in_the_sandbox(sandbox, site, live, entry):
    sandbox.faults.add(Fault(site="jcb-tempo", method="POST", what=Broken.CUT_AFTER))
    before = len(site.worklogs)
    with pytest.raises(SiteError) as caught:
        live.create_worklog(entry())
    assert caught.value.code == "unknown_outcome"
    assert len(site.worklogs) == before + 1


def test_changes_and_deletions_are_told_in_the_sandbox(sandbox, site, live, entry):
    began = datetime.fromtimestamp(sandbox.world.clock(), UTC)
    kept, gone = (live.create_worklog(entry()).data["tempoWorklogId"] for _ in range(2))
    live.delete_worklog(gone)
    assert numbers(live.changed_worklogs(began)) == [[kept]]
    for _ in range(2):
        (page,) = live.deleted_worklogs(began - timedelta(days=400))
        assert [change.worklog for change in page.changes] == [str(gone)]
        assert page.until == page.changes[0].at


def test_deletions_are_told_in_the_sandbox_without_the_permission_for_the_audit_log(
    sandbox, site, live, entry
):
    began = datetime.fromtimestamp(sandbox.world.clock(), UTC)
    site.jira.accounts[site.tokens[0].account_id].permissions -= {site.audit_permission}
    gone = live.create_worklog(entry()).data["tempoWorklogId"]
    live.delete_worklog(gone)
    (page,) = live.deleted_worklogs(began)
    assert [change.worklog for change in page.changes] == [str(gone)]


def test_all_changes_are_told_once_in_the_sandbox_over_many_pages(site, live, entry, monkeypatch):
    monkeypatch.setattr("connections.clients.tempo.SEARCH_PAGE", 7)
    issue = entry()["issueId"]
    bodies = [{key: value for key, value in entry().items() if key != "issueId"}] * 50
    live.create_bulk(issue, bodies)
    found = [row for rows in live.changed_worklogs(None) for row in rows]
    assert sorted(row["tempoWorklogId"] for row in found) == sorted(site.worklogs)
    assert [row["updatedAt"] for row in found] == sorted(row["updatedAt"] for row in found)


def test_a_subscription_lives_in_the_sandbox(sandbox, site, live, httpserver):
    url = httpserver.url_for("/hook")
    httpserver.expect_request("/hook").respond_with_handler(
        lambda request: Response(request.args["randomString"], content_type="text/plain")
    )
    made = live.subscribe("worklog.created", url, "Twinlog")
    with pytest.raises(SiteError) as caught:
        live.subscribe("worklog.created", url, "Twinlog")
    assert caught.value.status == 409
    sandbox.settle()
    site.subscriptions[made["id"]].active = False
    live.refresh_webhook(made["id"])
    (again,) = live.webhooks()
    assert (again["id"], again["active"], again["sharedSecret"]) == (made["id"], True, made["sharedSecret"])
    live.unsubscribe(made["id"])
    live.unsubscribe(made["id"])
    assert live.webhooks() == []
