"""Tempo: every page is read, a bulk waits for its turn, and a refusal names its cause."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

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
    httpserver.expect_request(re.compile("^/tempo/4/")).respond_with_handler(site)
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
