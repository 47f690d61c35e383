"""Reading 7pace: every entry asked for once, none that was not, whatever happens while it is read."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connections.clients.http import Address, FaultKind, Gate, SiteError
from connections.clients.sevenpace import PaceAddressError, Reading, SevenPaceClient, normalise_url

NINE = datetime(2026, 3, 2, 9, 0)


class Unlimited:
    def take(self, bucket: str) -> float:
        return 0.0

    def hold(self, bucket: str | None, seconds: float) -> None:
        raise AssertionError("nothing was throttled")


@dataclass
class Pace:
    """A small 7pace: newest entries first, strict bounds, and no ear for a parameter it does not know."""

    rows: list[dict] = field(default_factory=list)
    cap: int = 500
    deaf: tuple[str, ...] = ()
    refusal: tuple[int, object] | None = None
    before_page: dict[int, Callable[[], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    shuffled: Random | None = None

    def __call__(self, request: Request) -> Response:
        self.asked.append(request.query_string.decode())
        self.before_page.get(len(self.asked), lambda: None)()
        if self.refusal:
            status, body = self.refusal
            text = body if isinstance(body, str) else json.dumps(body)
            return Response(text, status, content_type="application/json")
        return _reply({"data": self._page(self._heard(request))})

    def _heard(self, request: Request) -> dict[str, str]:
        pairs = (part.partition("=")[::2] for part in request.query_string.decode().split("&"))
        return {name: value for name, value in pairs if name not in self.deaf}

    def _page(self, asked: dict[str, str]) -> list[dict]:
        rows = [row for row in self.rows if _matches(row, asked)]
        if self.shuffled:
            self.shuffled.shuffle(rows)
        skip = int(asked.get("$skip", 0))
        return rows[skip : skip + min(int(asked.get("$count", 500)), self.cap)]


def _matches(row: dict, asked: dict[str, str]) -> bool:
    ids = asked.get("$workItemIds")
    return (
        row["timestamp"] > asked.get("$fromTimestamp", "")
        and row["timestamp"] < asked.get("$toTimestamp", "~")
        and (ids is None or str(row["workItemId"]) in ids.split(","))
    )


def _reply(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body), status, content_type="application/json")


def entry(number: int, at: datetime = NINE, work_item: int | None = 7) -> dict:
    return {"id": f"log-{number}", "timestamp": at.isoformat(), "length": 60, "workItemId": work_item}


def entries(count: int) -> list[dict]:
    return [entry(number, NINE - timedelta(minutes=number)) for number in range(count)]


def ids(pages: Iterator[list[dict]]) -> list[str]:
    return [row["id"] for page in pages for row in page]


def read(pages: Iterator[list[dict]]) -> list[dict]:
    return [row for page in pages for row in page]


def client_of(server: HTTPServer, path: str = "/7pace/contoso") -> SevenPaceClient:
    address = Address("contoso-7pace", server.url_for(path), allow_local=True)
    return SevenPaceClient.open(address, "not-a-real-token", Gate(Unlimited(), lambda _: None, patience=0))


@pytest.fixture
def pace(httpserver: HTTPServer) -> Pace:
    pace = Pace()
    httpserver.expect_request("/7pace/contoso/api/rest/workLogs/all").respond_with_handler(pace)
    return pace


@pytest.fixture
def client(httpserver: HTTPServer) -> SevenPaceClient:
    return client_of(httpserver)


# addresses


@pytest.mark.parametrize(
    ("given_as", "rest", "version", "odata"),
    [
        ("contoso.timehub.7pace.com", "https://contoso.timehub.7pace.com/api/rest", "3.2", False),
        ("  https://contoso.timehub.7pace.com/ ", "https://contoso.timehub.7pace.com/api/rest", "3.2", False),
        (
            "HTTPS://Contoso.TimeHub.7pace.com/API/Rest/timetracking/V3.2/",
            "https://contoso.timehub.7pace.com/api/rest",
            "3.2",
            False,
        ),
        ("https://c.timehub.7pace.com/api/rest", "https://c.timehub.7pace.com/api/rest", "3.2", False),
        (
            "https://c.timehub.7pace.com/api/rest/workLogs/all?api-version=3.1&$count=5",
            "https://c.timehub.7pace.com/api/rest",
            "3.1",
            False,
        ),
        (
            "https://c.timehub.7pace.com/api/rest?API-Version=3.3-beta",
            "https://c.timehub.7pace.com/api/rest",
            "3.3-beta",
            False,
        ),
        ("https://c.timehub.7pace.com/api/odata/v3.2", "https://c.timehub.7pace.com/api/rest", "3.2", True),
        (
            "https://c.timehub.7pace.com/api/odata/v3.0/workLogsOnly?$top=1",
            "https://c.timehub.7pace.com/api/rest",
            "3.0",
            True,
        ),
        ("https://c.timehub.7pace.com/api/v3.1/", "https://c.timehub.7pace.com/api/rest", "3.1", False),
        ("https://c.timehub.7pace.com/Settings#x", "https://c.timehub.7pace.com/api/rest", "3.2", False),
        (
            "https://server:8090/api/DefaultCollection/rest",
            "https://server:8090/api/DefaultCollection/rest",
            "3.2",
            False,
        ),
        (
            "https://server:8090/api/My%20Team/odata/v3.0/",
            "https://server:8090/api/My%20Team/rest",
            "3.0",
            True,
        ),
        (
            "http://127.0.0.1:9000/7pace/Contoso/api/rest/timetracking/v3.2",
            "http://127.0.0.1:9000/7pace/Contoso/api/rest",
            "3.2",
            False,
        ),
        ("http://127.0.0.1:9000/7pace/x", "http://127.0.0.1:9000/7pace/x/api/rest", "3.2", False),
    ],
)
def test_every_known_form_of_an_address_is_understood(given_as, rest, version, odata):
    address = normalise_url(given_as)
    assert address.rest_url("me") == f"{rest}/me"
    assert (address.version, address.odata) == (version, odata)
    assert address.odata_url("workLogsOnly") == f"{rest[:-5]}/odata/v{version}/workLogsOnly"
    assert normalise_url(address.shown) == address


@pytest.mark.parametrize(
    ("given_as", "because"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("ftp://contoso.timehub.7pace.com", "https://"),
        ("https://", "names no host"),
        ("not a host", "names no host"),
        ("https://host:port/api/rest", "not an address"),
        ("https://me:secret@contoso.timehub.7pace.com", "user or password"),
        ("https://timehubmdy.7pace.com/api/v1", "monday.com or Jira"),
        ("TimeHubJra.7pace.com", "monday.com or Jira"),
        ("https://c.timehub.7pace.com/api/odata/v2.1", "retired"),
    ],
)
def test_an_address_of_something_else_is_refused_in_plain_words(given_as, because):
    with pytest.raises(PaceAddressError, match=because):
        normalise_url(given_as)


# windows of time


def test_alice_asks_for_a_day_and_gets_its_first_second_but_not_the_next_days(pace, client):
    day = datetime(2026, 3, 2)
    inside = [day, day + timedelta(microseconds=500), day + timedelta(hours=23, minutes=59, seconds=59)]
    outside = [day - timedelta(seconds=1), day - timedelta(milliseconds=1), day + timedelta(days=1)]
    pace.rows = [entry(number, at) for number, at in enumerate(inside + outside)]
    assert ids(client.worklogs_between(day, day + timedelta(days=1))) == ["log-0", "log-1", "log-2"]
    assert "$fromTimestamp=2026-03-01T23:59:59&$toTimestamp=2026-03-03T00:00:00" in pace.asked[0]
    assert client.ignored_rows == 0


def test_the_dollar_of_a_parameter_is_never_encoded(pace, client):
    ids(client.worklogs_between(NINE, None))
    assert pace.asked == ["api-version=3.2&$count=500&$skip=0&$fromTimestamp=2026-03-02T08:59:59"]


def test_without_bounds_the_whole_history_is_read(pace, client):
    pace.rows = entries(1234)
    assert sorted(ids(client.worklogs_between(None, None))) == sorted(row["id"] for row in pace.rows)
    assert [dict(parse_qsl(query))["$skip"] for query in pace.asked] == ["0", "499", "998"]


@pytest.mark.parametrize("count", [0, 1, 49, 50, 499, 500, 501, 999, 1000])
def test_a_window_of_any_size_is_read_whole(pace, client, count):
    pace.rows = entries(count)
    assert len(ids(client.worklogs_between(None, None))) == count


@pytest.mark.parametrize("cap", [50, 100, 250])
def test_a_server_that_gives_shorter_pages_than_asked_is_read_to_the_end(pace, client, cap):
    pace.rows = entries(620)
    pace.cap = cap
    assert len(ids(client.worklogs_between(None, None))) == 620


def test_an_entry_that_bob_adds_while_it_is_read_shifts_nothing_out(pace, client):
    pace.rows = entries(1100)
    pace.before_page[2] = lambda: pace.rows.insert(0, entry(9999, NINE + timedelta(hours=1)))
    found = ids(client.worklogs_between(None, None))
    assert sorted(found) == sorted(row["id"] for row in pace.rows)


def test_entries_that_bob_deletes_while_it_is_read_shift_nothing_out(pace, client):
    pace.rows = entries(1100)
    pace.before_page[2] = lambda: pace.rows.__delitem__(slice(0, 30))
    found = ids(client.worklogs_between(None, None))
    assert set(found) >= {row["id"] for row in pace.rows}
    assert len(found) == len(set(found)) == 1100


def test_an_entry_that_bob_moves_to_the_front_while_it_is_read_is_still_found(pace, client):
    pace.rows = entries(1100)
    pace.before_page[3] = lambda: pace.rows.insert(0, pace.rows.pop())
    assert len(ids(client.worklogs_between(None, None))) == 1100


def test_a_server_that_mixes_its_pages_up_is_an_error_and_not_a_short_list(pace, client):
    pace.rows = entries(5000)
    pace.shuffled = Random(1)
    with pytest.raises(SiteError, match="kept moving") as caught:
        ids(client.worklogs_between(None, None))
    assert caught.value.kind is FaultKind.PASSING


def test_a_server_that_ignores_skip_is_an_error_and_not_an_endless_loop(pace, client):
    pace.rows = entries(700)
    pace.deaf = ("$skip",)
    with pytest.raises(SiteError, match="kept moving"):
        ids(client.worklogs_between(None, None))


def test_a_page_that_fails_fails_the_window(pace, client):
    pace.rows = entries(700)
    pace.before_page[2] = lambda: setattr(pace, "refusal", (500, {}))
    pages = client.worklogs_between(None, None)
    assert len(next(pages)) == 500
    with pytest.raises(SiteError):
        next(pages)


def test_rows_nobody_asked_for_are_dropped_and_counted(pace, client):
    pace.rows = [entry(1), entry(2, NINE - timedelta(days=1)), entry(3, NINE + timedelta(days=1))]
    pace.deaf = ("$fromTimestamp", "$toTimestamp")
    assert ids(client.worklogs_between(NINE, NINE + timedelta(hours=1))) == ["log-1"]
    assert (client.take_ignored(), client.take_ignored()) == (2, 0)


def test_an_entry_whose_time_cannot_be_read_is_kept_to_be_refused_by_name(pace, client):
    pace.rows = [entry(1) | {"timestamp": "soon"}]
    pace.deaf = ("$fromTimestamp", "$toTimestamp")
    assert ids(client.worklogs_between(NINE, NINE + timedelta(hours=1))) == ["log-1"]


@pytest.mark.parametrize(
    "stamp", ["2026-03-02T09:00:00.3890636", "2026-03-02T09:00:00Z", "2026-03-02T09:00:00+05:30"]
)
def test_a_timestamp_is_a_wall_clock_however_it_is_written(pace, client, stamp):
    pace.rows = [entry(1) | {"timestamp": stamp}]
    assert ids(client.worklogs_between(NINE, NINE + timedelta(hours=1))) == ["log-1"]


@given(
    standing=st.integers(0, 220),
    changes=st.lists(st.lists(st.tuples(st.booleans(), st.floats(0, 0.999))), max_size=6),
)
def test_what_stands_while_a_window_is_read_is_handed_out_exactly_once(standing, changes):
    rows = [{"id": f"old-{number}"} for number in range(standing)]
    reading, handed_out, number = Reading(), [], 0
    while not reading.settled:
        handed_out += reading.take(rows[reading.skip : reading.skip + 50])
        for added, where in changes.pop() if changes else []:
            number += 1
            if added:
                rows.insert(int(where * (len(rows) + 1)), {"id": f"new-{number}"})
            elif rows:
                del rows[int(where * len(rows))]
    names = [row["id"] for row in handed_out]
    assert len(names) == len(set(names))
    assert {row["id"] for row in rows if row["id"].startswith("old")} <= set(names)


# work items


def test_two_hundred_work_items_are_asked_for_in_two_calls_of_a_hundred(pace, client):
    pace.rows = [entry(number, work_item=number) for number in range(3, 301)]
    found = read(client.worklogs_of(range(1, 199)))
    assert sorted(row["workItemId"] for row in found) == list(range(3, 199))
    assert [len(dict(parse_qsl(query))["$workItemIds"].split(",")) for query in pace.asked] == [100, 98]


def test_no_work_items_means_no_call_since_an_empty_filter_means_everything(pace, client):
    pace.rows = entries(3)
    assert read(client.worklogs_of([])) == []
    assert read(client.odata_of([])) == []
    assert pace.asked == []


def test_an_entry_of_another_work_item_or_of_none_is_dropped_and_counted(pace, client):
    pace.rows = [entry(1, work_item=7), entry(2, work_item=8), entry(3, work_item=None)]
    pace.deaf = ("$workItemIds",)
    assert ids(client.worklogs_of([7, 7])) == ["log-1"]
    assert client.ignored_rows == 2


@pytest.mark.parametrize("spelt", [42, 42.0, "42", " 42 ", "42.0"])
def test_a_whole_number_is_one_however_it_is_spelt(pace, client, spelt):
    """As a work item it is asked for and found, as a length it counts; nothing is dropped in silence."""
    pace.rows = [entry(1, work_item=42) | {"workItemId": spelt, "length": spelt, "billableLength": spelt}]
    pace.deaf = ("$workItemIds",)
    (row,) = read(client.worklogs_of([42]))
    numbers = [row[name] for name in ("workItemId", "length", "billableLength")]
    assert (numbers, {type(number) for number in numbers}) == ([42] * 3, {int})
    assert client.take_ignored() == 0


@pytest.mark.parametrize("spelt", ["42 and more", "", "4.2", 4.2, True, None, "٤٢"])
def test_what_is_no_whole_number_stays_as_it_is(pace, client, spelt):
    pace.rows = [entry(1) | {"length": spelt}]
    (row,) = read(client.worklogs_between(None, None))
    assert row["length"] is spelt or row["length"] == spelt


# people


@pytest.mark.parametrize(("count", "deaf"), [(140, ()), (640, ()), (150, ("$skip",)), (500, ("$skip",))])
def test_everybody_is_read_even_where_users_come_in_one_piece(httpserver, client, count, deaf):
    people = Pace(entries(count), deaf=deaf)
    httpserver.expect_request("/7pace/contoso/api/rest/users").respond_with_handler(people)
    assert len(client.users()) == count


def test_me_and_users_are_read(httpserver, client):
    httpserver.expect_request("/7pace/contoso/api/rest/me").respond_with_json({"data": {"timeZone": 60}})
    people = [{"id": "u1", "name": "Alice"}, {"id": "u2", "name": "Bob"}]
    httpserver.expect_request("/7pace/contoso/api/rest/users").respond_with_json({"data": people})
    assert client.me() == {"timeZone": 60}
    assert client.users() == people


# refusals


def refusal(code: str, status: int) -> dict:
    return {
        "error": {"statusCode": status, "errorCode": code, "errorDescription": "Not today", "message": ""}
    }


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "remedy"),
    [
        (403, refusal("AccessDenied", 403), "waiting", "no_permission", "Product, Budget or Administrator"),
        (403, "forbidden", "waiting", "no_permission", "Product, Budget or Administrator"),
        (400, refusal("AccessDenied", 400), "waiting", "no_permission", "Product, Budget or Administrator"),
        (403, refusal("ServiceAccountNotSet", 403), "waiting", "no_permission", "service account"),
        (400, refusal("ApiVersionError", 400), "stops", "target_refused", "use 3.2"),
        (403, refusal("ApiDisabled", 403), "stops", "target_refused", "switched off"),
        (401, refusal("UnauthorizedError", 401), "stops", "auth_failed", "Create New Token"),
        (401, "", "stops", "auth_failed", "Create New Token"),
        (422, refusal("DbValidationError", 422), "waiting", "target_refused", "Not today"),
        (429, refusal("QuoteExceededError", 429), "passing", "rate_limited", "more slowly"),
        (503, "busy", "passing", "site_unavailable", "503"),
    ],
)
def test_a_refusal_is_understood_and_names_its_remedy(httpserver, status, body, kind, code, remedy):
    held = []
    budget = Unlimited()
    budget.hold = lambda bucket, seconds: held.append(seconds)
    httpserver.expect_request("/api/rest/workLogs/all").respond_with_handler(Pace(refusal=(status, body)))
    address = Address("contoso-7pace", httpserver.url_for(""), allow_local=True)
    client = SevenPaceClient.open(address, "not-a-real-token", Gate(budget, lambda _: None, patience=0))
    with pytest.raises(SiteError, match=remedy) as caught:
        client.try_worklogs()
    assert (caught.value.kind, caught.value.code) == (kind, code)
    assert "not-a-real-token" not in str(caught.value) + json.dumps(caught.value.exchange.as_json())
    assert bool(held) == (status == 429)


@pytest.mark.parametrize("body", [{}, {"value": []}, [], "<html>"])
def test_an_answer_without_its_envelope_is_no_empty_list(pace, client, body):
    pace.refusal = (200, body)
    with pytest.raises(SiteError) as caught:
        ids(client.worklogs_between(None, None))
    assert caught.value.kind is FaultKind.PASSING


@pytest.mark.parametrize("rows", [None, [None], [{"length": 60}]])
def test_rows_without_an_id_are_an_error(pace, client, rows):
    pace.refusal = (200, {"data": rows})
    with pytest.raises(SiteError, match="no id"):
        ids(client.worklogs_between(None, None))


# the reporting API


@dataclass
class Reports:
    """A small reporting API with pages of two rows, whose links are made by `link`."""

    rows: list[dict]
    link: str = "https://inner.example.net/api/odata/v3.2/workLogsOnly?{query}"
    knows_in: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        query = request.get_data(as_text=True) or request.query_string.decode()
        self.asked.append((request.method, unquote(query)))
        options = dict(parse_qsl(query))
        if " in (" in options.get("$filter", "") and not self.knows_in:
            return _reply(
                {"error": {"code": "", "message": "The query specified in the URI is not valid."}}, 400
            )
        skip = int(options.get("$skip", 0))
        page = {"value": self.rows[skip : skip + 2]}
        if skip + 2 < len(self.rows):
            kept = f"$filter={options['$filter']}&" if "$filter" in options else ""
            page["@odata.nextLink"] = self.link.format(query=f"{kept}%24skip={skip + 2}".replace(" ", "%20"))
        return _reply(page)


def reported(number: int, work_item: int = 7, at: str = "2026-03-02T09:00:00Z") -> dict:
    return {"Id": f"log-{number}", "WorkItemId": work_item, "Timestamp": at, "PeriodLength": 60}


def serve(httpserver: HTTPServer, reports: Reports) -> Reports:
    for path in ("workLogsOnly", "workLogsOnly/$query"):
        httpserver.expect_request(f"/7pace/contoso/api/odata/v3.2/{path}").respond_with_handler(reports)
    return reports


DAY = datetime(2026, 3, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "link",
    [
        "https://inner.example.net/api/odata/v3.2/workLogsOnly?{query}",
        "/api/DefaultCollection/odata/v3.2/workLogsOnly?{query}",
        "workLogsOnly?{query}",
        "?{query}",
    ],
)
def test_the_next_page_is_asked_for_at_our_own_address_whatever_host_the_link_names(httpserver, client, link):
    reports = serve(httpserver, Reports([reported(number) for number in range(5)], link))
    pages = client.odata_between(DAY, DAY + timedelta(days=1))
    assert [row["Id"] for page in pages for row in page] == [f"log-{number}" for number in range(5)]
    asked = "$filter=Timestamp ge 2026-03-02T00:00:00Z and Timestamp lt 2026-03-03T00:00:00Z"
    assert [query for _, query in reports.asked] == [asked, f"{asked}&$skip=2", f"{asked}&$skip=4"]


def test_reported_rows_outside_the_window_are_dropped_and_counted(httpserver, client):
    stamps = [
        "2026-03-02T00:00:00Z",
        "2026-03-03T01:59:59.9+02:00",
        "2026-03-03T00:00:00Z",
        "2026-03-01T23:59:59Z",
    ]
    serve(httpserver, Reports([reported(number, at=at) for number, at in enumerate(stamps)]))
    pages = client.odata_between(DAY, DAY + timedelta(days=1))
    assert [row["Id"] for page in pages for row in page] == ["log-0", "log-1"]
    assert client.ignored_rows == 2


def test_two_hundred_work_items_are_one_long_query(httpserver, client):
    reports = serve(httpserver, Reports([reported(1, 1), reported(2, 200), reported(3, 201)]))
    assert [row["Id"] for row in read(client.odata_of(range(1, 201)))] == ["log-1", "log-2"]
    numbers = ",".join(map(str, range(1, 201)))
    assert reports.asked[0] == ("POST", f"$filter=WorkItemId in ({numbers})")
    assert client.ignored_rows == 1


@pytest.mark.parametrize(
    "link", ["workLogsOnly?$skip=2", "http://inner/api/odata/v3.2/workLogsOnly/$query?$skip=2"]
)
def test_a_next_link_that_lost_the_filter_gets_it_back(httpserver, client, link):
    reports = serve(httpserver, Reports([reported(1), reported(2), reported(3)], link))
    assert len(read(client.odata_of([7]))) == 3
    assert reports.asked[1] == ("POST" if "query" in link else "GET", "$filter=WorkItemId in (7)&$skip=2")


def test_where_in_is_refused_alternatives_are_asked_for_and_the_refusal_is_remembered(httpserver, client):
    reports = serve(httpserver, Reports([reported(1, 3), reported(2, 12)], knows_in=False))
    assert [row["Id"] for row in read(client.odata_of(range(1, 13)))] == ["log-1", "log-2"]
    assert len(read(client.odata_of([3]))) == 1
    queries = [query for _, query in reports.asked]
    assert queries[2:] == ["$filter=WorkItemId eq 11 or WorkItemId eq 12", "$filter=WorkItemId eq 3"]


def test_links_that_go_round_in_a_circle_are_an_error(httpserver, client):
    serve(httpserver, Reports([reported(number) for number in range(9)], "workLogsOnly?$skip=2"))
    with pytest.raises(SiteError, match="again and again"):
        list(client.odata_between(None, None))


def test_an_operator_learns_that_the_service_account_is_missing(httpserver, client):
    body = refusal("ServiceAccountNotSet", 403)
    httpserver.expect_request("/7pace/contoso/api/odata/v3.2/workLogsOnly").respond_with_json(body, 403)
    with pytest.raises(SiteError, match="service account") as caught:
        client.try_odata()
    assert caught.value.code == "no_permission"


def test_the_token_travels_as_bearer_to_the_collection_named_in_the_address(httpserver):
    handled = []
    httpserver.expect_request("/api/Default/rest/me").respond_with_handler(
        lambda request: handled.append(request.headers["Authorization"]) or _reply({"data": {}})
    )
    client = client_of(httpserver, "/api/Default/odata/v3.0")
    client.me()
    assert handled == ["Bearer not-a-real-token"]
    assert urlsplit(client.pace.odata_url("workLogsOnly")).path == "/api/Default/odata/v3.0/workLogsOnly"
