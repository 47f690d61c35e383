"""The sandbox's 7pace keeps 7pace's rules and traps, checked against the contract where it is at hand."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
import requests
from vendor_sheets import check, check_keys, example

from connections.sandbox import Sandbox, worlds
from connections.sandbox.world import PaceToken, PaceWorklog
from connections.sandbox.worlds.small import EXAMPLES

ALL = len(EXAMPLES)


class Caller:
    def __init__(self, sandbox, token=""):
        self.base = f"{sandbox.url}/7pace/contoso/api"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Bearer {token or sandbox.secrets()['PACE_TOKEN']}"

    def rest(self, path, query="", **more):
        return self.session.get(f"{self.base}/rest/{path}?api-version=3.2{query}", **more)

    def rows(self, query="", path="workLogs/all"):
        return self.rest(path, query).json()["data"]

    def odata(self, query=""):
        return self.session.get(f"{self.base}/odata/v3.2/workLogsOnly?{query}")

    def ask(self, query):
        headers = {"Content-Type": "text/plain"}
        return self.session.post(f"{self.base}/odata/v3.2/workLogsOnly/$query", data=query, headers=headers)


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def org(sandbox):
    return sandbox.world.sevenpace["contoso"]


@pytest.fixture
def operator(sandbox):
    return Caller(sandbox)


def refusal(answer):
    body = answer.json()
    check("7pace", "ErrorEnvelope", body)
    return body["error"]["errorCode"]


# REST


def test_the_token_opens_as_bearer_and_as_the_password_of_basic(sandbox, operator):
    assert operator.rest("me").status_code == 200
    token = sandbox.secrets()["PACE_TOKEN"]
    plain = requests.get(f"{operator.base}/rest/me?api-version=3.2", auth=("", token))
    assert plain.status_code == 200
    refused = Caller(sandbox, "wrong").rest("me")
    assert (refused.status_code, refusal(refused)) == (401, "UnauthorizedError")


def test_me_users_and_activities_have_the_recorded_shape(operator, org):
    me = operator.rest("me").json()["data"]
    check("7pace", "Me", {name: value for name, value in me.items() if value is not None})
    sample = example("7pace-rest-me.json")
    check_keys(me, sample and sample["data"])
    users = operator.rest("users").json()["data"]
    sample = example("7pace-rest-users.json")
    check_keys(users[0], sample and sample["data"][0])
    one = operator.rest(f"users/{users[1]['id']}").json()["data"]
    assert one == users[1]
    assert refusal(operator.rest("users/nobody")) == "EntityNotFound"
    sample = example("7pace-rest-activityTypes.json")
    check_keys(operator.rest("activityTypes").json()["data"], sample and sample["data"])


def test_a_row_has_the_recorded_keys_and_a_wall_clock_without_a_zone(operator):
    rows = operator.rows("&$workItemIds=101")
    sample = example("7pace-rest-workLogs-list.json")
    for row in rows:
        check("7pace", "WorkLog", row)
        check_keys(row, sample and sample["data"][0])
    assert rows[-1]["timestamp"] == "2024-03-15T09:00:00"
    assert rows[-1]["length"] == 3_600


def test_all_worklogs_come_newest_first_and_need_a_role(sandbox, operator, org):
    rows = operator.rows()
    assert len(rows) == ALL
    assert [row["timestamp"] for row in rows] == sorted((row["timestamp"] for row in rows), reverse=True)
    bob = next(user for user in org.users.values() if user.name == "Bob Jones")
    org.tokens.append(PaceToken("bobs-token", bob.id))
    caller = Caller(sandbox, "bobs-token")
    assert refusal(caller.rest("workLogs/all")) == "AccessDenied"
    assert {row["user"]["id"] for row in caller.rows(path="workLogs")} == {bob.id}


def test_an_encoded_dollar_or_an_unknown_parameter_is_ignored_without_a_word(operator):
    assert len(operator.rows("&%24workItemIds=101")) == ALL
    assert len(operator.rows("&_workItemIds=101")) == ALL
    assert (
        len(
            operator.session.get(
                f"{operator.base}/rest/workLogs/all", params={"api-version": "3.2", "$count": 1}
            ).json()["data"]
        )
        == ALL
    )


def test_time_filters_are_strict(operator):
    start, before = "2024-03-15T09:00:00", "2024-03-15T08:59:59"
    only = "&$workItemIds=101&$toTimestamp=2024-03-15T10:00:00"
    assert operator.rows(f"{only}&$fromTimestamp={start}") == []
    assert [row["timestamp"] for row in operator.rows(f"{only}&$fromTimestamp={before}")] == [start]


def test_pages_are_counted_and_skipped_and_never_longer_than_the_largest(operator, org):
    first, second = operator.rows("&$count=20"), operator.rows("&$count=20&$skip=20")
    assert (len(first), len(second)) == (20, 20)
    assert not {row["id"] for row in first} & {row["id"] for row in second}
    org.largest_count = 10
    assert len(operator.rows("&$count=5000")) == 10


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("&$workItemIds=" + ",".join(map(str, range(101))), "FilterWorkItemIdsCountExceeded"),
        ("&$workItemIds=abc", "ApiVersionError"),
        ("&$fromTimestamp=yesterday", "ApiVersionError"),
        ("&$count=many", "ApiVersionError"),
    ],
)
def test_a_bad_parameter_is_refused_in_the_envelope(operator, query, code):
    answer = operator.rest("workLogs/all", query)
    assert (answer.status_code, refusal(answer)) == (400, code)


def test_the_version_is_required_and_checked(operator):
    assert refusal(operator.session.get(f"{operator.base}/rest/me")) == "ApiVersionError"
    assert refusal(operator.session.get(f"{operator.base}/rest/me?api-version=9.9")) == "ApiVersionError"


def test_addresses_are_not_sensitive_to_case(operator):
    assert len(operator.rows(path="worklogs/ALL")) == ALL


def test_one_worklog_is_read_by_its_id(operator, org):
    number = next(iter(org.worklogs))
    assert operator.rest(f"workLogs/{number}").json()["data"]["id"] == number
    assert refusal(operator.rest("workLogs/none")) == "ApiVersionError"
    assert operator.rest("workLogs/00000000-0000-4000-8000-999999999999").status_code == 404


def test_a_display_name_is_shown_only_when_asked_for(operator):
    assert operator.rows("&$count=1")[0]["user"]["displayName"] is None
    assert operator.rows("&$count=1&$expand=user.displayName")[0]["user"]["displayName"]


def test_an_authors_address_may_be_in_the_row_or_only_elsewhere(operator):
    rows = {row["user"]["name"]: row["user"] for row in operator.rows("&$workItemIds=101")}
    users = {user["name"]: user for user in operator.rest("users").json()["data"]}
    assert rows["Alice Smith"]["email"] == "alice@example.com"
    assert (rows["Grace Hill"]["email"], rows["Grace Hill"]["uniqueName"]) == (None, "grace@example.com")
    assert (rows["Heidi Lake"]["email"], users["Heidi Lake"]["email"]) == (None, "heidi@example.com")
    assert (rows["Ivan Stone"]["email"], users["Ivan Stone"]["email"]) == (None, None)


def test_ten_calls_a_second_and_a_hundred_a_minute_are_served(sandbox, operator, org):
    moment = [sandbox.world.clock()]
    sandbox.world.clock = lambda: moment[0]
    org.limits = True
    answers = [operator.rest("me") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert (refusal(answers[-1]), answers[-1].headers["Retry-After"]) == ("QuoteExceededError", "1")
    moment[0] += 1
    for _ in range(90):
        moment[0] += 0.2
        assert operator.rest("me").status_code == 200
    moment[0] += 2
    assert int(operator.rest("me").headers["Retry-After"]) > 30


# OData


def test_an_odata_row_has_the_properties_of_the_vendors_metadata(operator):
    answer = operator.odata("$filter=WorkItemId eq 101 and Timestamp le 2024-03-15T08:00:00Z").json()
    (row,) = answer["value"]
    assert answer["@odata.context"].endswith("$metadata#workLogsOnly")
    assert (row["Timestamp"], row["PeriodLength"], row["WorkItemId"]) == ("2024-03-15T08:00:00Z", 3_600, 101)
    assert row["User"] == {"Id": row["UserId"], "Name": "Alice Smith", "Email": "alice@example.com"}
    assert row["WorklogDate"] == {"Year": 2024, "Month": 3, "Day": 15, "ShortDate": "2024-03-15"}


@pytest.mark.parametrize(
    ("query", "items"),
    [
        ("$filter=WorkItemId in (103,104)", {103: 1, 104: 1}),
        ("$filter=WorkItemId eq 103 or WorkItemId eq 104", {103: 1, 104: 1}),
        ("$filter=WorkItemId eq null", {None: 1}),
        (
            "$filter=(WorkItemId eq 101 or WorkItemId eq 103) and User/Email eq 'alice@example.com'",
            {101: 1, 103: 1},
        ),
        ("worklogsFilter=WorkItemId eq 103", {103: 1}),
        ("$filter=Timestamp ge 2024-05-06T07:00:00Z and Timestamp lt 2024-05-06T07:00:01Z", {103: 1, 201: 1}),
        ("$filter=WorklogDate/Year eq 2023", {109: 1}),
    ],
)
def test_a_filter_finds_what_it_says_in_the_address_and_in_a_body(operator, query, items):
    for answer in (operator.odata(query), operator.ask(query)):
        assert Counter(row["WorkItemId"] for row in answer.json()["value"]) == items


@pytest.mark.parametrize(
    "query", ["$filter=Nothing eq 1", "$filter=WorkItemId about 1", "$filter=WorkItemId eq", "$orderby=X"]
)
def test_a_filter_nobody_understands_is_a_400(operator, query):
    assert operator.odata(query).status_code == 400


def test_the_in_operator_can_be_refused(operator, org):
    org.odata_in = False
    assert operator.ask("$filter=WorkItemId in (1,2)").status_code == 400


def test_a_wall_clock_may_be_stamped_as_utc(operator, org):
    org.odata_wall = True
    (row,) = operator.odata("$filter=WorkItemId eq 103").json()["value"]
    assert row["Timestamp"] == "2024-05-06T09:00:00Z"


def test_a_query_in_a_body_must_be_plain_text(operator):
    address = f"{operator.base}/odata/v3.2/workLogsOnly/$query"
    assert operator.session.post(address, json={"query": ""}).status_code == 415


def test_pages_hold_a_thousand_rows_and_link_to_the_next(operator, org):
    user = next(iter(org.users))
    for number in range(2_100):
        start = datetime(2020, 1, 1) + timedelta(minutes=number)
        org.put(PaceWorklog(f"10000000-0000-4000-8000-{number:012d}", user, start, 60, 5000))
    answer = operator.ask("$filter=WorkItemId in (5000,5001)&$orderby=Timestamp desc").json()
    rows = answer["value"]
    pages = 1
    while "@odata.nextLink" in answer:
        answer = operator.session.get(answer["@odata.nextLink"]).json()
        rows += answer["value"]
        pages += 1
    assert (pages, len({row["Id"] for row in rows})) == (3, 2_100)
    assert len(operator.odata("$filter=WorkItemId eq 5000&$top=10&$skip=2095").json()["value"]) == 5


def test_reporting_needs_a_service_account(operator, org):
    org.service_account = False
    answer = operator.odata("$top=1")
    assert (answer.status_code, refusal(answer)) == (403, "ServiceAccountNotSet")
