"""The sandbox's Jira keeps Jira's rules, checked against the vendor's contract where it is at hand."""

import threading
from datetime import UTC, datetime

import pytest
from sandbox_callers import ORDINARY, Person, adf
from vendor_sheets import check, check_keys, example

from connections.sandbox import Sandbox, worlds


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.jira["jca"]


@pytest.fixture
def operator(sandbox):
    return Person(sandbox)


@pytest.fixture
def alice(sandbox):
    return Person(sandbox, email="alice@example.com", token=sandbox.secrets()["ALICE_TOKEN"])


def messages(answer):
    body = answer.json()
    check("jira", "ErrorCollection", body)
    return " ".join([*body["errorMessages"], *body["errors"].values()])


# Who is there


def test_a_wrong_token_is_refused_but_server_info_is_open_to_everybody(sandbox):
    stranger = Person(sandbox, token="wrong")
    assert stranger("GET", "/myself").status_code == 401
    info = stranger("GET", "/serverInfo")
    check("jira", "ServerInformation", info.json())
    check_keys(
        info.json(), example("jira-get-serverinfo.official.json"),
        absent=("defaultLocale", "displayUrl", "displayUrlConfluence", "displayUrlServicedeskHelpCenter"),
    )  # fmt: skip


def test_the_caller_is_named_in_a_header_and_sees_their_own_address(operator, site):
    answer = operator("GET", "/myself")
    assert answer.headers["X-AAccountId"] == answer.json()["accountId"] == site.tokens[0].account_id
    assert answer.json()["emailAddress"] == "twinlog@jca.example"
    check("jira", "User", answer.json())
    check_keys(answer.json(), example("jira-get-myself.real.json"))


def test_searching_people_finds_prefixes_active_accounts_and_hidden_addresses(operator):
    found = operator("GET", "/user/search", params={"query": "alice@example.com"}).json()
    assert {person["displayName"] for person in found} == {"Alice Smith", "Alicia Smithers"}
    check("jira", {"type": "array", "items": {"$ref": "#/components/schemas/User"}}, found)
    assert operator("GET", "/user/search", params={"query": "carol@example.com"}).json() == []
    hidden = operator("GET", "/user/search", params={"query": "dan@example.com"}).json()
    assert "emailAddress" not in hidden[0]
    emptied = operator("GET", "/user/search", params={"query": "dora@example.com"}).json()
    assert emptied[0]["emailAddress"] == ""


def test_without_the_permission_a_search_for_people_is_silently_empty(sandbox, site, alice):
    site.account_of("alice@example.com").permissions -= {"USER_PICKER"}
    assert alice("GET", "/user/search", params={"query": "bob"}).json() == []
    assert alice("GET", "/users/search").status_code == 403


def test_people_are_listed_by_id_ten_at_a_time_and_all_of_them_with_the_inactive(operator, site):
    ids = [("accountId", number) for number in site.accounts]
    page = operator("GET", "/user/bulk", params=ids).json()
    check("jira", "PageBeanUser", page)
    assert (len(page["values"]), page["isLast"], page["total"]) == (10, False, len(site.accounts))
    everybody = operator("GET", "/users/search", params={"maxResults": 1000}).json()
    assert [person["active"] for person in everybody if person["displayName"] == "Carol White"] == [False]
    assert operator("GET", "/user", params={"accountId": "nobody"}).status_code == 404


# Permissions and settings


def test_permissions_are_told_for_a_project_and_an_unknown_key_refuses_all(operator):
    answer = operator(
        "GET", "/mypermissions", params={"permissions": "WORK_ON_ISSUES", "issueKey": "ABC-8"}
    ).json()
    check("jira", "Permissions", answer)
    assert answer["permissions"]["WORK_ON_ISSUES"]["havePermission"] is False
    sample = example("jira-get-mypermissions.official.json")
    if sample:
        check_keys(answer["permissions"]["WORK_ON_ISSUES"], sample["permissions"]["EDIT_ISSUES"])
    assert operator("GET", "/mypermissions").status_code == 400
    assert operator("GET", "/mypermissions", params={"permissions": "WORK_ON_ISSUES,FLY"}).status_code == 400


def test_tempos_permissions_are_known_where_tempo_is_installed(sandbox, operator):
    key = "io.tempo.jira__log-work-for-others"
    assert operator("GET", "/mypermissions", params={"permissions": key}).status_code == 400
    other = Person(sandbox, "jcb", "twinlog@jcb.example", sandbox.secrets()["JCB_TOKEN"])
    assert other("GET", "/mypermissions", params={"permissions": key}).json()["permissions"][key][
        "havePermission"
    ]
    listed = other("GET", "/permissions").json()
    check("jira", "Permissions", listed)
    assert key in listed["permissions"]


def test_fields_configuration_and_projects_follow_the_contract(operator):
    fields = operator("GET", "/field").json()
    check("jira", {"type": "array", "items": {"$ref": "#/components/schemas/FieldDetails"}}, fields)
    assert "customfield_10010" in {row["id"] for row in fields}
    check("jira", "Configuration", operator("GET", "/configuration").json())
    projects = operator("GET", "/project/search").json()
    check("jira", "PageBeanProject", projects)
    assert [row["key"] for row in projects["values"]] == ["ABC", "XYZ"]


def test_the_limit_report_names_full_issues_and_is_for_administrators(operator, alice, site):
    report = operator("GET", "/issue/limit/report").json()
    check("jira", "IssueLimitReportResponseBean", report)
    assert report["issuesBreachingLimit"]["worklog"] == {f"{site.issue('ABC-9').id}L": 30}
    assert report["issuesApproachingLimit"] == {}
    site.worklog_limit = 33
    report = operator("GET", "/issue/limit/report", params={"isReturningKeys": "true"}).json()
    assert (report["issuesApproachingLimit"], report["issuesBreachingLimit"]) == (
        {"worklog": {"ABC-9": 30}},
        {},
    )
    assert alice("GET", "/issue/limit/report").status_code == 403


# Finding issues


@pytest.mark.parametrize(
    ("query", "keys"),
    [
        ('labels in ("ado-id-101", "ado-id-105")', ["ABC-1", "ABC-5", "ABC-6"]),
        ("labels = ado-id-101", ["ABC-1"]),
        ('project = XYZ AND labels in ("ado-id-101", "ado-id-201")', ["XYZ-1"]),
        ('project in (ABC, "Last letters") and cf[10010] in (102, 201)', ["ABC-2", "XYZ-1"]),
        ("cf[10010] = 103", ["ABC-3"]),
        ('cf[10011] ~ "109"', ["ABC-10"]),
        ('"ADO reference" ~ "109"', ["ABC-10"]),
        ('"ADO reference" ~ "10"', []),
        ("key in (ABC-1, XYZ-1) ORDER BY key DESC", ["XYZ-1", "ABC-1"]),
        ("id in (10001) OR labels = ado-id-201", ["ABC-1", "XYZ-1"]),
        ("labels = ado-id-104", []),
        ("labels = ado-id-106", []),
        ("project = XYZ AND NOT labels = ado-id-1", ["XYZ-1"]),
        ("labels is EMPTY", []),
        ("project = XYZ AND labels is not EMPTY", ["XYZ-1"]),
        ("project = XYZ AND cf[10010] is not null", ["XYZ-1"]),
        ("project = XYZ AND cf[10011] is EMPTY", []),
    ],
)
def test_a_query_finds_the_visible_issues_that_are_not_archived(operator, query, keys):
    answer = operator("POST", "/search/jql", json={"jql": query, "fields": ["summary"]}).json()
    check("jira", "SearchAndReconcileResults", answer)
    assert [row["key"] for row in answer["issues"]] == keys
    assert answer["isLast"] is True


@pytest.mark.parametrize(
    "query",
    [
        "", "order by key", "labels", "labels = ", 'labels ~ "x"', "cf[10010] ~ 1", "cf[10011] = x", "project = NONE",
        "cf[99999] = 1", '"No such field" ~ "1"', "key = ABC-999", "labels = a nonsense", "labels in (a",
        "cf[10010] = x", "labels is full", "updated >= yesterday", "labels >= -5m", "updated >=",
    ],
)  # fmt: skip
def test_a_query_jira_cannot_answer_is_a_400_with_words(operator, query):
    answer = operator("POST", "/search/jql", json={"jql": query})
    assert answer.status_code == 400
    assert messages(answer)


def test_a_query_finds_the_issues_that_changed_in_the_last_minutes(operator, alice, sandbox):
    def changed(minutes):
        query = {"jql": f"updated >= -{minutes}m ORDER BY updated DESC", "fields": ["summary"]}
        return [row["key"] for row in operator("POST", "/search/jql", json=query).json()["issues"]]

    assert changed(5) == []
    alice.log("ABC-1")
    assert changed(5) == ["ABC-1"]
    sandbox.world.later(600)
    assert changed(5) == []
    assert changed(15) == ["ABC-1"]


def test_a_search_gives_ids_only_and_pages_by_token(operator):
    first = operator("POST", "/search/jql", json={"jql": "project = ABC", "maxResults": 5}).json()
    assert [set(row) for row in first["issues"]] == [{"id"}] * 5
    query = {"jql": "project = ABC", "maxResults": 5, "nextPageToken": first["nextPageToken"]}
    second = operator("POST", "/search/jql", json=query).json()
    assert second["isLast"] is True
    assert "nextPageToken" not in second
    assert not {row["id"] for row in first["issues"]} & {row["id"] for row in second["issues"]}
    assert operator("POST", "/search/jql", json=query | {"jql": "project = XYZ"}).status_code == 400


def test_issues_are_fetched_by_id_or_old_key_and_unseen_ones_are_left_out(operator, site):
    asked = ["OLD-10", site.issue("ABC-1").id, "ABC-7", "ABC-999"]
    answer = operator("POST", "/issue/bulkfetch", json={"issueIdsOrKeys": [str(key) for key in asked]}).json()
    check("jira", "BulkIssueResults", answer)
    assert [row["key"] for row in answer["issues"]] == ["ABC-1", "ABC-10"]
    too_many = {"issueIdsOrKeys": [str(number) for number in range(101)]}
    assert operator("POST", "/issue/bulkfetch", json=too_many).status_code == 400


def test_one_issue_answers_to_its_old_key_and_an_unseen_one_is_missing(operator):
    issue = operator("GET", "/issue/OLD-10", params={"fields": "labels,timetracking"}).json()
    check("jira", "IssueBean", issue)
    assert (issue["key"], set(issue["fields"])) == ("ABC-10", {"labels", "timetracking"})
    assert operator("GET", "/issue/ABC-7").status_code == 404


def test_remote_links_point_at_the_work_item(operator):
    links = operator("GET", "/issue/ABC-1/remotelink").json()
    check("jira", {"type": "array", "items": {"$ref": "#/components/schemas/RemoteIssueLink"}}, links)
    assert links[0]["object"]["url"].endswith("_workitems/edit/101")


# Writing worklogs


def test_a_worklog_belongs_to_the_caller_whatever_author_is_sent(alice, site):
    answer = alice.log(comment=adf("Built it"), author={"accountId": site.tokens[0].account_id})
    assert answer.status_code == 201
    assert answer.json()["author"]["displayName"] == "Alice Smith"
    check("jira", "Worklog", {**answer.json(), "comment": {}})
    check_keys(answer.json(), example("jira-post-worklog.201.real-2021.json"))
    (written,) = [row for row in site.worklogs_of(ORDINARY) if row.id == int(answer.json()["id"])]
    assert (written.text, written.seconds) == ("Built it", 600)
    assert written.started == datetime(2024, 5, 1, 7, 0, tzinfo=UTC)


def test_properties_are_set_by_the_create_and_shown_when_asked_for(operator):
    marks = [{"key": "twinlog", "value": {"entry": "e1"}}]
    number = operator.log(properties=marks).json()["id"]
    assert (
        operator("GET", f"/issue/{ORDINARY}/worklog/{number}", params={"expand": "properties"}).json()[
            "properties"
        ]
        == marks
    )
    assert "properties" not in operator("GET", f"/issue/{ORDINARY}/worklog/{number}").json()
    listed = operator("GET", f"/issue/{ORDINARY}/worklog", params={"expand": "properties"}).json()
    assert listed["worklogs"][-1]["properties"] == marks


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"comment": "plain"}, "Operation value must be an Atlassian Document"),
        ({"comment": adf("")}, "not valid"),
        ({"comment": adf("bell \x07")}, "not valid"),
        ({"comment": adf("x" * 32_768)}, "32,767"),
        ({"started": "2024-05-01T09:00:00.000Z"}, "Invalid date format"),
        ({"started": "2024-05-01T09:00:00+0200"}, "Invalid date format"),
        ({"started": "2024-05-01T09:00:00.000+02:00"}, "Invalid date format"),
        ({"started": "2024-02-30T09:00:00.000+0200"}, "Invalid date format"),
        ({"timeSpentSeconds": 59}, "Invalid time duration entered."),
        ({"timeSpentSeconds": 0}, "Invalid time duration entered."),
        ({"timeSpentSeconds": None}, "You must indicate the time spent working."),
        ({"timeSpentSeconds": None, "timeSpent": "soon"}, "Invalid time duration entered."),
        ({"properties": [{"key": "k" * 256, "value": 1}]}, "255"),
        ({"visibility": {"type": "planet"}}, "visibility"),
    ],
)  # fmt: skip
def test_a_create_that_jira_cannot_take_is_refused_and_nothing_is_kept(operator, site, body, words):
    before = len(site.worklogs)
    answer = operator.log(**body)
    assert answer.status_code == 400
    assert words in messages(answer)
    assert len(site.worklogs) == before


@pytest.mark.parametrize(
    ("issue", "status", "words"),
    [
        ("ABC-3", 400, "not in an editable workflow state"),
        ("ABC-4", 400, "archived"),
        ("ABC-7", 404, "do not have permission to see it"),
        ("ABC-8", 400, "permission to associate a worklog"),
        ("ABC-9", 413, "limit"),
        ("ABC-99", 404, "does not exist"),
    ],
)
def test_an_issue_that_takes_no_work_says_why(operator, issue, status, words):
    answer = operator.log(issue)
    assert answer.status_code == status
    assert words in messages(answer)


def test_with_time_tracking_off_every_issue_is_missing(operator, site):
    site.time_tracking = False
    assert operator.log().status_code == 404
    assert operator("GET", "/configuration").json()["timeTrackingEnabled"] is False


def test_emoji_count_twice_towards_the_limit_of_a_comment(operator):
    assert operator.log(comment=adf("🚀" * 16_383)).status_code == 201
    assert operator.log(comment=adf("🚀" * 16_384)).status_code == 400


def test_neighbouring_texts_are_merged_and_an_empty_comment_is_no_comment(operator):
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    document = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": parts}]}
    assert operator.log(comment=document).json()["comment"] == adf("one two")
    empty = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": []}]}
    assert "comment" not in operator.log(comment=empty).json()


@pytest.mark.parametrize(("rounding", "stored"), [("none", 90), ("down", 60), ("up", 120), ("nearest", 120)])
def test_a_site_may_keep_whole_minutes_only(operator, site, rounding, stored):
    site.rounding = rounding
    assert operator.log(timeSpentSeconds=90).json()["timeSpentSeconds"] == stored


@pytest.mark.parametrize(
    ("query", "remaining"),
    [
        ("", 35_400),
        ("?adjustEstimate=auto", 35_400),
        ("?adjustEstimate=leave", 36_000),
        ("?adjustEstimate=new&newEstimate=2h", 7_200),
        ("?adjustEstimate=manual&reduceBy=1h", 32_400),
    ],
)
def test_the_remaining_estimate_follows_what_the_caller_asks_for(operator, site, query, remaining):
    assert operator.log("ABC-1", query).status_code == 201
    assert site.issue("ABC-1").remaining_seconds == remaining


@pytest.mark.parametrize("query", ["?adjustEstimate=new", "?adjustEstimate=manual", "?adjustEstimate=maybe"])
def test_an_estimate_without_its_parameter_is_refused(operator, query):
    assert operator.log("ABC-1", query).status_code == 400


def test_silence_towards_watchers_may_need_an_administrator(alice, operator, site):
    site.notify_needs_admin = True
    refused = alice.log(query="?notifyUsers=false")
    assert refused.status_code == 403
    assert "discard the user notification" in messages(refused)
    assert operator.log(query="?notifyUsers=false").status_code == 201


def test_an_update_keeps_what_is_not_sent(operator, site):
    number = operator.log(comment=adf("Text"), properties=[{"key": "m", "value": 1}]).json()["id"]
    answer = operator.change(number, timeSpentSeconds=1200)
    assert answer.status_code == 200
    row = site.worklogs[int(number)]
    assert (row.seconds, row.text, row.properties) == (1200, "Text", {"m": 1})
    assert row.updated > row.created


def test_alice_may_change_her_own_worklog_only(alice, operator):
    mine, theirs = alice.log().json()["id"], operator.log().json()["id"]
    assert alice.change(mine, timeSpentSeconds=900).status_code == 200
    assert alice.change(theirs, timeSpentSeconds=900).status_code == 400
    assert alice("DELETE", f"/issue/{ORDINARY}/worklog/{theirs}").status_code == 400
    assert operator("DELETE", f"/issue/{ORDINARY}/worklog/{mine}").status_code == 204


def test_the_total_follows_writes_made_one_after_the_other(operator, site):
    issue = site.issue(ORDINARY)
    before = issue.time_spent_seconds
    number = operator.log().json()["id"]
    operator.change(number, timeSpentSeconds=1800)
    assert issue.time_spent_seconds == before + 1800
    operator("DELETE", f"/issue/{ORDINARY}/worklog/{number}")
    assert issue.time_spent_seconds == before
    assert site.corrupted_issues == set()


def test_writes_side_by_side_on_one_issue_damage_its_total(sandbox, site):
    site.latency = 0.1
    people = [Person(sandbox) for _ in range(3)]
    threads = [threading.Thread(target=person.log) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    issue = site.issue(ORDINARY)
    assert site.corrupted_issues == {ORDINARY}
    assert issue.time_spent_seconds < sum(row.seconds for row in issue.worklogs.values())


def test_properties_have_endpoints_of_their_own(operator):
    number = operator.log().json()["id"]
    base = f"/issue/{ORDINARY}/worklog/{number}/properties"
    assert operator("PUT", f"{base}/mark", json={"a": 1}).status_code == 201
    assert operator("PUT", f"{base}/mark", json={"a": 2}).status_code == 200
    check("jira", "PropertyKeys", operator("GET", base).json())
    assert operator("GET", f"{base}/mark").json() == {"key": "mark", "value": {"a": 2}}
    assert operator("PUT", f"{base}/mark", data="x" * 32_769).status_code == 400
    assert operator("DELETE", f"{base}/mark").status_code == 204
    assert operator("GET", f"{base}/mark").status_code == 404


def test_bulk_deletion_and_move_say_whether_all_were_done(operator, site):
    numbers = [int(operator.log().json()["id"]) for _ in range(3)]
    moved = {"ids": numbers[:1], "issueIdOrKey": "XYZ-1"}
    assert operator("POST", f"/issue/{ORDINARY}/worklog/move", json=moved).status_code == 204
    assert [row.id for row in site.worklogs_of("XYZ-1")] == numbers[:1]
    some = operator("DELETE", f"/issue/{ORDINARY}/worklog", json={"ids": [*numbers[1:], 999_999]})
    assert some.status_code == 200


# Reading worklogs


def test_an_issues_worklogs_come_in_pages_oldest_first_and_within_bounds(operator):
    page = operator("GET", "/issue/ABC-9/worklog", params={"startAt": 25, "maxResults": 10}).json()
    check("jira", "PageOfWorklogs", page)
    check_keys(page, example("jira-get-issue-worklog.official.json"))
    assert (page["startAt"], page["total"], len(page["worklogs"])) == (25, 30, 5)
    day = int(datetime(2023, 1, 3, 8, 0, tzinfo=UTC).timestamp() * 1000)
    bounded = operator(
        "GET", "/issue/ABC-9/worklog", params={"startedAfter": day - 1, "startedBefore": day + 1}
    ).json()
    assert bounded["total"] == 1
    assert operator("GET", "/issue/ABC-9/worklog", params={"startAt": "x"}).status_code == 404


def test_times_are_shown_in_the_viewers_zone(operator, site):
    site.accounts[site.tokens[0].account_id].time_zone = "Asia/Kolkata"
    assert operator.log().json()["started"] == "2024-05-01T12:30:00.000+0530"


def test_worklogs_are_listed_by_id_and_missing_ones_are_absent(operator, site):
    wanted = [row.id for row in site.worklogs_of("ABC-9")[:3]]
    rows = operator("POST", "/worklog/list", json={"ids": [*wanted, 999_999]}).json()
    assert [row["id"] for row in rows] == [str(number) for number in wanted]
    assert operator("POST", "/worklog/list", json={"ids": []}).status_code == 400
    assert operator("POST", "/worklog/list", json={"ids": list(range(1001))}).status_code == 400


def test_a_restricted_worklog_is_for_its_group(alice, operator, site):
    number = operator.log(visibility={"type": "group", "value": "jira-administrators"}).json()["id"]
    assert alice("GET", f"/issue/{ORDINARY}/worklog/{number}").status_code == 404
    assert int(number) not in [row["worklogId"] for row in alice("GET", "/worklog/updated").json()["values"]]


def test_the_feeds_keep_the_last_minute_back(sandbox, operator):
    number = int(operator.log().json()["id"])
    fed = operator("GET", "/worklog/updated").json()
    check("jira", "ChangedWorklogs", fed)
    assert number not in [row["worklogId"] for row in fed["values"]]
    sandbox.world.later(61)
    fed = operator("GET", "/worklog/updated", params={"since": fed["until"]}).json()
    assert fed["values"][-1]["worklogId"] == number
    assert fed["until"] == fed["values"][-1]["updatedTime"]
    operator("DELETE", f"/issue/{ORDINARY}/worklog/{number}")
    sandbox.world.later(61)
    deleted = operator("GET", "/worklog/deleted").json()
    check("jira", "ChangedWorklogs", deleted)
    assert [row["worklogId"] for row in deleted["values"]] == [number]
    assert number not in [row["worklogId"] for row in operator("GET", "/worklog/updated").json()["values"]]


def test_the_feed_of_updates_shows_properties_when_asked_and_that_of_deletions_never(sandbox, operator):
    marks = [{"key": "twinlog", "value": {"entry": "e1"}}]
    kept, gone = (int(operator.log(properties=marks).json()["id"]) for _ in range(2))
    operator("DELETE", f"/issue/{ORDINARY}/worklog/{gone}")
    sandbox.world.later(61)
    expand = {"expand": "properties"}
    shown = operator("GET", "/worklog/updated", params=expand).json()["values"]
    assert {row["worklogId"]: row["properties"] for row in shown}[kept] == marks
    assert operator("GET", "/worklog/updated").json()["values"][-1]["properties"] == []
    assert operator("GET", "/worklog/deleted", params=expand).json()["values"][-1]["properties"] == []


def test_a_feeds_pages_are_oldest_first_and_end_without_a_next_one(sandbox, operator, site):
    sandbox.world.later(61)
    fed = operator("GET", "/worklog/updated").json()
    sample = example("jira-get-worklog-updated.official.json")
    check_keys(fed, sample, absent=("nextPage",))
    times = [row["updatedTime"] for row in fed["values"]]
    assert times == sorted(times)
    assert (fed["lastPage"], "nextPage" in fed) == (True, False)
    later = operator("GET", "/worklog/updated", params={"since": fed["until"] + 1}).json()
    assert (later["values"], later["lastPage"]) == ([], True)


def test_a_bulk_move_shows_in_no_feed_and_a_bulk_deletion_does(sandbox, operator):
    moved, deleted = (int(operator.log().json()["id"]) for _ in range(2))
    sandbox.world.later(61)
    since = operator("GET", "/worklog/updated").json()["until"] + 1
    operator("POST", f"/issue/{ORDINARY}/worklog/move", json={"ids": [moved], "issueIdOrKey": "XYZ-1"})
    operator("DELETE", f"/issue/{ORDINARY}/worklog", json={"ids": [deleted]})
    sandbox.world.later(61)
    assert operator("GET", "/worklog/updated", params={"since": since}).json()["values"] == []
    (row,) = operator("GET", "/worklog/deleted").json()["values"]
    assert row["worklogId"] == deleted
    assert operator("POST", "/worklog/list", json={"ids": [moved]}).json()[0]["issueId"] == str(
        sandbox.world.jira["jca"].issue("XYZ-1").id
    )


def test_a_move_to_the_same_issue_is_refused_and_leaves_the_total_alone(operator, site):
    number, before = int(operator.log().json()["id"]), site.issue(ORDINARY).time_spent_seconds
    body = {"ids": [number], "issueIdOrKey": ORDINARY}
    assert operator("POST", f"/issue/{ORDINARY}/worklog/move", json=body).status_code == 400
    assert site.issue(ORDINARY).time_spent_seconds == before


def test_a_worklog_bound_to_a_role_stays_where_it_is(operator, site):
    number = int(operator.log().json()["id"])
    site.accounts[site.tokens[0].account_id].groups.add("Developers")
    site.worklogs[number].visibility = {"type": "role", "value": "Developers", "identifier": "Developers"}
    body = {"ids": [number], "issueIdOrKey": "XYZ-1"}
    assert operator("POST", f"/issue/{ORDINARY}/worklog/move", json=body).status_code == 200
    assert site.worklogs_of("XYZ-1") == []


def test_a_changed_worklog_is_in_the_feed_once_and_pages_hold_a_thousand(sandbox, operator, site):
    issue, author = site.issue("XYZ-1"), site.accounts[site.tokens[0].account_id]
    for minute in range(1_100):
        site.add_worklog(issue, author, datetime.fromtimestamp(1_600_000_000 + minute * 60, UTC), 60)
    operator.change(operator.log().json()["id"], timeSpentSeconds=900)
    sandbox.world.later(61)
    first = operator("GET", "/worklog/updated").json()
    assert (len(first["values"]), first["lastPage"]) == (1000, False)
    second = operator("GET", "/worklog/updated", params={"since": first["until"]}).json()
    assert second["lastPage"] is True
    numbers = [row["worklogId"] for row in first["values"][:-1] + second["values"]]
    assert len(numbers) == len(set(numbers)) == len(site.worklogs)


# Limits


def test_one_issue_takes_twenty_writes_in_two_seconds(operator, site):
    site.limits = True
    answers = [operator.log() for _ in range(22)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert answers.index(refused) == 20
    assert refused.headers["RateLimit-Reason"] == "jira-per-issue-on-write"
    assert 1 <= int(refused.headers["Retry-After"]) <= 2
    assert operator.log("XYZ-1").status_code == 201


def test_an_endpoint_takes_a_hundred_calls_at_once(sandbox, operator, site):
    stopped = sandbox.world.clock()
    sandbox.world.clock = lambda: stopped
    site.limits = True
    answers = [operator("GET", "/myself") for _ in range(101)]
    assert [answer.status_code for answer in answers[:100]] == [200] * 100
    assert answers[100].headers["RateLimit-Reason"] == "jira-burst-based"
    assert answers[100].headers["X-RateLimit-Remaining"] == "0"
    assert operator("GET", "/configuration").status_code == 200
