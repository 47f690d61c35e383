"""The sandbox's Tempo keeps Tempo's rules, checked against the vendor's contract where it is at hand."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
from sandbox_callers import Caller
from vendor_sheets import check, check_keys, example

from connections.sandbox import Sandbox, worlds
from connections.sandbox.world import TempoAttribute, TempoRole, TempoToken

DAY = "2024-05-02"
REFERENCE = {"type": "array", "items": {"$ref": "#/components/schemas/Worklog"}}


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.tempo["jcb-tempo"]


@pytest.fixture
def tempo(sandbox):
    return Caller(sandbox)


@pytest.fixture
def alice(site):
    return site.jira.account_of("alice@example.com").account_id


@pytest.fixture
def entry(site, alice):
    """A function of changes that gives a body Tempo accepts."""
    issue = site.jira.issue("ABC-1").id
    whole = {
        "authorAccountId": alice,
        "issueId": issue,
        "startDate": DAY,
        "startTime": "09:00:00",
        "timeSpentSeconds": 61,
    }
    return lambda **changes: {key: value for key, value in (whole | changes).items() if value is not ...}


def words(answer):
    errors = answer.json()["errors"]
    return errors["message"] if isinstance(errors, dict) else errors[0]["message"]


def test_a_wrong_token_gets_a_page_and_a_viewing_token_may_not_write(sandbox, site, entry):
    refused = Caller(sandbox, "wrong")("GET", "/globalconfiguration")
    assert (refused.status_code, refused.headers["Content-Type"][:9]) == (401, "text/html")
    site.tokens.append(TempoToken("view-only", site.jira.tokens[0].account_id, "", read_only=True))
    viewer = Caller(sandbox, "view-only")
    assert viewer("GET", "/globalconfiguration").status_code == 200
    assert viewer("POST", "/worklogs", json=entry()).status_code == 403


def test_configuration_attributes_periods_and_approvals_follow_the_contract(tempo, site, alice):
    check("tempo", "GlobalConfiguration", tempo("GET", "/globalconfiguration").json())
    site.attributes["_Kind_"] = TempoAttribute("_Kind_", "Kind", "STATIC_LIST", names={"a": "Apple"})
    attributes = tempo("GET", "/work-attributes").json()
    check("tempo", "PageableWorkAttribute", attributes)
    assert attributes["results"][-1]["values"] == ["a"]
    check("tempo", "WorkAttribute", tempo("GET", "/work-attributes/_Kind_").json())
    periods = tempo("GET", "/periods?from=2024-05-01&to=2024-05-10").json()
    check("tempo", "TimesheetApprovalPeriodsBean", periods)
    assert [row["from"] for row in periods["periods"]] == ["2024-04-29", "2024-05-06"]
    site.approved[alice] = [(date(2024, 4, 29), date(2024, 5, 5))]
    approval = tempo("GET", f"/timesheet-approvals/user/{alice}?from=2024-04-29&to=2024-05-05").json()
    check("tempo", "TimesheetApproval", approval)
    assert approval["status"]["key"] == "APPROVED"


def test_a_timesheet_ends_with_its_period_unless_told_otherwise(tempo, site, alice):
    address = f"/timesheet-approvals/user/{alice}"
    assert tempo("GET", f"{address}?from=2024-04-29").json()["period"]["to"] == "2024-05-05"
    site.approval_period = "MONTH"
    assert tempo("GET", f"{address}?from=2024-04-01").json()["period"]["to"] == "2024-04-30"
    assert tempo("GET", address).status_code == 400
    assert tempo("GET", "/timesheet-approvals/user/nobody?from=2024-04-01").status_code == 404


def test_a_worklog_is_created_for_another_person_with_200(tempo, site, entry, alice):
    answer = tempo("POST", "/worklogs", json=entry(description="Text", billableSeconds=0))
    assert answer.status_code == 200
    row = answer.json()
    check("tempo", "Worklog", row)
    sample = example("tempo-get-worklogs.page.timesync-test.json")
    check_keys(row, sample and sample["results"][0])
    assert row["author"]["accountId"] == alice
    assert (row["timeSpentSeconds"], row["billableSeconds"], row["startDateTimeUtc"]) == (
        61,
        0,
        "2024-05-02T07:00:00Z",
    )
    assert "jiraWorklogId" not in row
    assert tempo("GET", f"/worklogs/{row['tempoWorklogId']}").json() == row


def test_the_time_billed_is_the_time_worked_unless_it_is_sent(tempo, entry):
    assert tempo("POST", "/worklogs", json=entry()).json()["billableSeconds"] == 61
    assert tempo("POST", "/worklogs", json=entry(billableSeconds=9_999)).json()["billableSeconds"] == 9_999


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"issueId": ...}, "Issue id cannot be null."),
        ({"issueId": "10001"}, "issueId"),
        ({"issueId": 99_999}, "not found"),
        ({"startDate": "02.05.2024"}, "yyyy-MM-dd"),
        ({"startDate": "2024-02-30"}, "yyyy-MM-dd"),
        ({"startTime": "9 o'clock"}, "HH:mm:ss"),
        ({"timeSpentSeconds": 0}, "at least 1"),
        ({"timeSpentSeconds": "61"}, "whole number"),
        ({"billableSeconds": -1}, "at least 0"),
        ({"authorAccountId": "nobody"}, "not found"),
        ({"attributes": [{"key": "_None_", "value": "x"}]}, "_None_"),
        ({"attributes": [{"key": "_Kind_", "value": "z"}]}, "_Kind_"),
    ],
)
def test_a_body_tempo_cannot_take_is_refused(tempo, site, entry, changes, said):
    site.attributes["_Kind_"] = TempoAttribute("_Kind_", "Kind", "STATIC_LIST", names={"a": "Apple"})
    answer = tempo("POST", "/worklogs", json=entry(**changes))
    assert answer.status_code == 400
    assert said in words(answer)
    assert len(site.worklogs) == 1


def _close(site, alice):
    site.closed_periods.append((date(2024, 5, 1), date(2024, 5, 31)))


def _approve(site, alice):
    site.approved[alice] = [(date(2024, 4, 29), date(2024, 5, 5))]


def _require(site, alice):
    site.attributes["_Account_"] = TempoAttribute("_Account_", "Account", "ACCOUNT", required=True)


def _cap_hours(site, alice):
    site.max_hours_per_day = 0


def _deactivate(site, alice):
    site.jira.accounts[alice].active = False


def _keep_out(site, alice):
    site.jira.accounts[alice].permissions -= {"WORK_ON_ISSUES"}


def _forbid_others(site, alice):
    owner = site.jira.accounts[site.tokens[0].account_id]
    owner.permissions -= {"io.tempo.jira__log-work-for-others"}


def _want_description(site, alice):
    site.description_optional = False


def _want_estimate(site, alice):
    site.estimate_optional = False


def _close_issue(site, alice):
    site.jira.issue("ABC-1").editable = False


@pytest.mark.parametrize(
    ("wall", "said"),
    [
        (_close, "closed"),
        (_approve, "approved"),
        (_require, "_Account_"),
        (_cap_hours, "hours per day"),
        (_deactivate, "inactive"),
        (_keep_out, "permission"),
        (_forbid_others, "log work for other users"),
        (_want_description, "Description is required"),
        (_want_estimate, "estimate"),
        (_close_issue, "editable"),
    ],
)
def test_every_wall_refuses_single_and_bulk_creation(tempo, site, alice, entry, wall, said):
    wall(site, alice)
    single = tempo("POST", "/worklogs", json=entry())
    bulk = tempo("POST", f"/worklogs/issue/{entry()['issueId']}/bulk", json=[entry(issueId=...)])
    assert (single.status_code, bulk.status_code) == (400, 400)
    assert said in words(single)
    assert said in words(bulk)
    assert len(site.worklogs) == 1


def test_work_may_lie_only_so_many_days_ahead(tempo, site, entry):
    site.days_into_future = 2
    today = datetime.now(UTC).date()
    assert tempo("POST", "/worklogs", json=entry(startDate=str(today + timedelta(days=4)))).status_code == 400
    assert tempo("POST", "/worklogs", json=entry(startDate=str(today))).status_code == 200


def test_override_mode_opens_closed_periods_for_creation_and_deletion(tempo, site, alice, entry):
    _close(site, alice)
    bypass = entry(bypassPeriodClosuresAndApprovals=True)
    assert tempo("POST", "/worklogs", json=bypass).status_code == 400
    site.override_mode = True
    number = tempo("POST", "/worklogs", json=bypass).json()["tempoWorklogId"]
    assert tempo("DELETE", f"/worklogs/{number}").status_code == 400
    assert tempo("DELETE", f"/worklogs/{number}?bypassPeriodClosuresAndApprovals=true").status_code == 204


@pytest.mark.parametrize(
    ("shape", "read"),
    [
        ("list", lambda answer: answer.json()["errors"][0]["message"]),
        ("object", lambda answer: answer.json()["errors"]["message"]),
        ("text", lambda answer: answer.text),
    ],
)
def test_errors_come_in_the_three_shapes_clients_have_met(tempo, site, shape, read):
    site.error_shape = shape
    assert "not found" in read(tempo("GET", "/worklogs/999"))


def test_an_update_replaces_everything(tempo, site, entry, alice):
    marked = entry(description="Text", billableSeconds=0, attributes=[{"key": "_Twinlog_", "value": "e1"}])
    number = tempo("POST", "/worklogs", json=marked).json()["tempoWorklogId"]
    body = {"authorAccountId": alice, "startDate": DAY, "timeSpentSeconds": 120}
    row = tempo("PUT", f"/worklogs/{number}", json=body).json()
    check("tempo", "Worklog", row)
    assert (row["description"], row["billableSeconds"], row["attributes"]["values"]) == ("", 120, [])


def test_tempo_takes_the_work_off_the_remaining_estimate(tempo, site, entry):
    issue = site.jira.issue("ABC-1")
    tempo("POST", "/worklogs", json=entry(timeSpentSeconds=3_600))
    assert issue.remaining_seconds == 32_400
    tempo("POST", "/worklogs", json=entry(timeSpentSeconds=3_600, remainingEstimateSeconds=36_000))
    assert issue.remaining_seconds == 36_000


def test_bulk_creation_takes_fifty_and_is_all_or_nothing(tempo, site, entry):
    address = f"/worklogs/issue/{entry()['issueId']}/bulk"
    rows = [entry(issueId=..., startTime=f"10:{minute:02}:00") for minute in range(50)]
    made = tempo("POST", address, json=rows)
    check("tempo", REFERENCE, made.json())
    assert (made.status_code, len(made.json()), len(site.worklogs)) == (200, 50, 51)
    assert tempo("POST", address, json=[*rows, rows[0]]).status_code == 400
    assert tempo("POST", address, json=[]).status_code == 400
    assert tempo("POST", address, json=[rows[0], rows[1] | {"timeSpentSeconds": 0}]).status_code == 400
    assert len(site.worklogs) == 51


def test_a_second_bulk_on_one_issue_is_a_conflict(sandbox, site, entry):
    site.latency = 0.2
    address = f"/worklogs/issue/{entry()['issueId']}/bulk"
    codes = []
    callers = [Caller(sandbox) for _ in range(2)]
    threads = [
        threading.Thread(
            target=lambda one=one: codes.append(one("POST", address, json=[entry(issueId=...)]).status_code)
        )
        for one in callers
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 409]


def test_a_search_filters_orders_and_pages(tempo, entry, alice):
    for number in range(5):
        tempo("POST", "/worklogs", json=entry(startDate=f"2024-05-0{number + 1}"))
    body = {
        "from": "2024-05-02",
        "to": "2024-05-04",
        "authorIds": [alice],
        "issueIds": [entry()["issueId"]] * 2,
    }
    page = tempo("POST", "/worklogs/search?limit=2", json=body).json()
    check("tempo", "PageableWorklog", page)
    assert [row["startDate"] for row in page["results"]] == ["2024-05-02", "2024-05-03"]
    assert page["metadata"]["count"] == 2
    rest = tempo("POST", page["metadata"]["next"], json=body).json()
    assert [row["startDate"] for row in rest["results"]] == ["2024-05-04"]
    assert "next" not in rest["metadata"]
    ordered = body | {"orderBy": [{"field": "START_DATE_TIME", "order": "DESC"}]}
    assert tempo("POST", "/worklogs/search", json=ordered).json()["results"][0]["startDate"] == "2024-05-04"


def test_permission_roles_follow_the_contract_and_one_for_everybody_shows_everybodys_worklogs(
    tempo, site, sandbox, alice, entry
):
    """Bob sees his own alone, until a role without teams lets him view all; one of a team would not do."""
    bob = site.jira.account_of("bob@example.com")
    site.tokens.append(TempoToken("bobs", bob.account_id))
    tempo("POST", "/worklogs", json=entry())

    def seen_by_bob():
        rows = Caller(sandbox, "bobs")("POST", "/worklogs/search?limit=1000", json={}).json()["results"]
        return {row["author"]["accountId"] for row in rows} | {bob.account_id}

    site.roles = [TempoRole(7, "Leads of team 3", members=(bob.account_id,), teams=(3,))]
    assert seen_by_bob() == {bob.account_id}
    site.roles.append(TempoRole(8, "Auditors", members=(bob.account_id,)))
    assert alice in seen_by_bob()
    found = tempo("GET", "/permission-roles").json()
    check("tempo", "PageablePermissionRole", found)
    assert [role["accessType"] for role in found["results"]] == ["TEAM", "GLOBAL"]
    assert [role["id"] for role in tempo("GET", "/permission-roles?teamId=3").json()["results"]] == [7]


def test_a_search_may_be_ordered_by_the_time_of_the_change(tempo, entry, sandbox):
    numbers = [tempo("POST", "/worklogs", json=entry()).json()["tempoWorklogId"] for _ in range(3)]
    sandbox.world.later(5)
    tempo("PUT", f"/worklogs/{numbers[0]}", json=entry(timeSpentSeconds=900))
    order = [{"field": "UPDATED", "order": "ASC"}, {"field": "ID", "order": "ASC"}]
    body = {"orderBy": order, "issueIds": [entry()["issueId"]]}
    check("tempo", "WorklogSearchInput", body)
    page = tempo("POST", "/worklogs/search", json=body).json()
    check("tempo", "PageableWorklog", page)
    assert [row["tempoWorklogId"] for row in page["results"]][-3:] == [numbers[1], numbers[2], numbers[0]]


def test_lists_by_issue_user_and_project_hold_the_same_worklog(tempo, site, entry, alice):
    number = tempo("POST", "/worklogs", json=entry()).json()["tempoWorklogId"]
    project = site.jira.projects["ABC"].id
    for path in (f"issue/{entry()['issueId']}?", f"user/{alice}?", f"?projectId={project}&orderBy=ID&"):
        page = tempo("GET", f"/worklogs/{path}from={DAY}&to={DAY}".replace("/?", "?")).json()
        check("tempo", "PageableWorklog", page)
        assert [row["tempoWorklogId"] for row in page["results"]] == [number]
    assert tempo("GET", "/worklogs/user/nobody").status_code == 404


def test_without_the_right_to_view_all_others_worklogs_are_silently_missing(tempo, site):
    owner = site.jira.accounts[site.tokens[0].account_id]
    owner.permissions -= {"io.tempo.jira__view-all-worklogs"}
    assert tempo("POST", "/worklogs/search", json={}).json()["results"] == []
    assert tempo("GET", "/worklogs/1").status_code == 404


def test_ids_are_mapped_and_unknown_ones_left_out(tempo, site):
    site.worklogs[1].jira_worklog_id = 777
    pairs = tempo("POST", "/worklogs/jira-to-tempo", json={"jiraWorklogIds": [777, 778]}).json()
    check("tempo", "PageableWorklogIdMapper", pairs)
    assert pairs["results"] == [{"jiraWorklogId": 777, "tempoWorklogId": 1}]
    assert (
        tempo("POST", "/worklogs/tempo-to-jira", json={"tempoWorklogIds": [1, 5]}).json()["results"]
        == pairs["results"]
    )


def test_attribute_values_are_created_once_and_searched_by_worklog(tempo, entry):
    number = tempo("POST", "/worklogs", json=entry()).json()["tempoWorklogId"]
    value = {"key": "_Twinlog_", "value": "e1"}
    body = [{"tempoWorklogId": number, "attributeValues": [value]}]
    assert tempo("POST", "/worklogs/work-attribute-values", json=body).status_code == 204
    assert tempo("POST", "/worklogs/work-attribute-values", json=body).status_code == 400
    found = tempo("POST", "/worklogs/work-attribute-values/search", json={"tempoWorklogIds": [number]}).json()
    assert found == [{"tempoWorklogId": number, "workAttributeValues": [value]}]
    values = tempo("GET", f"/worklogs/{number}/work-attribute-values").json()
    check("tempo", "WorkAttributeValueResults", values)
    assert tempo("GET", f"/worklogs/{number}/work-attribute-values/_Twinlog_").json() == value


def test_five_calls_a_second_are_served(sandbox, tempo, site):
    stopped = sandbox.world.clock()
    sandbox.world.clock = lambda: stopped
    site.limits = True
    answers = [tempo("GET", "/globalconfiguration") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[-1].headers["Retry-After"] == "1"


def test_what_was_updated_since_is_found_by_list_and_search_the_last_change_first(
    sandbox, tempo, entry, alice
):
    stopped = sandbox.world.clock()
    sandbox.world.clock = lambda: stopped
    early, late = (tempo("POST", "/worklogs", json=entry()).json()["tempoWorklogId"] for _ in range(2))
    sandbox.world.later(60)
    since = datetime.fromtimestamp(sandbox.world.clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"authorAccountId": alice, "startDate": DAY, "timeSpentSeconds": 120}
    tempo("PUT", f"/worklogs/{early}", json=body)
    listed = tempo("GET", f"/worklogs?updatedFrom={since}").json()
    found = tempo("POST", "/worklogs/search", json={"updatedFrom": since}).json()
    assert [row["tempoWorklogId"] for row in listed["results"]] == [early]
    assert listed["results"] == found["results"]
    newest_first = tempo("GET", f"/worklogs?updatedFrom={since[:10]}&orderBy=UPDATED").json()["results"]
    assert [row["tempoWorklogId"] for row in newest_first] == [early, late]


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("ACCOUNT", "CUST-1", "CUST-9"),
        ("CHECKBOX", "true", "maybe"),
        ("INPUT_FIELD", "any text", None),
        ("INPUT_NUMERIC", "1.5", "one"),
        ("STATIC_LIST", "a", "Apple"),
        ("DYNAMIC_DROPDOWN", "anything", None),
    ],
)
def test_a_work_attribute_of_each_type_takes_its_own_values_only(tempo, site, entry, kind, right, wrong):
    site.accounts["CUST-1"] = "First customer"
    names = {"a": "Apple"} if kind == "STATIC_LIST" else {}
    site.attributes["_Attr_"] = TempoAttribute("_Attr_", "Attribute", kind, names=names)
    check("tempo", "WorkAttribute", tempo("GET", "/work-attributes/_Attr_").json())
    row = tempo("POST", "/worklogs", json=entry(attributes=[{"key": "_Attr_", "value": right}])).json()
    assert row["attributes"]["values"] == [{"key": "_Attr_", "value": right}]
    if wrong:
        refused = tempo("POST", "/worklogs", json=entry(attributes=[{"key": "_Attr_", "value": wrong}]))
        assert (refused.status_code, "_Attr_" in words(refused)) == (400, True)


@pytest.mark.parametrize(
    ("wall", "said"),
    [
        (_close, "closed"),
        (_approve, "approved"),
        (_require, "_Account_"),
        (_cap_hours, "hours per day"),
        (_deactivate, "inactive"),
        (_keep_out, "permission"),
        (_want_description, "Description is required"),
        (_close_issue, "editable"),
    ],
)
@pytest.mark.parametrize("shape", ["list", "object"])
def test_every_wall_refuses_a_change_in_either_shape(tempo, site, alice, entry, wall, said, shape):
    number = tempo("POST", "/worklogs", json=entry()).json()["tempoWorklogId"]
    before = site.worklogs[number]
    site.error_shape = shape
    wall(site, alice)
    answer = tempo("PUT", f"/worklogs/{number}", json=entry(issueId=..., timeSpentSeconds=7200))
    assert answer.status_code == 400
    assert said in words(answer)
    assert isinstance(answer.json()["errors"], dict if shape == "object" else list)
    assert site.worklogs[number] is before


@pytest.mark.parametrize("wall", [_close, _approve])
def test_a_locked_worklog_can_neither_be_deleted_nor_moved_out_of_its_period(tempo, site, alice, entry, wall):
    number = tempo("POST", "/worklogs", json=entry()).json()["tempoWorklogId"]
    wall(site, alice)
    assert tempo("DELETE", f"/worklogs/{number}").status_code == 400
    moved = tempo("PUT", f"/worklogs/{number}", json=entry(issueId=..., startDate="2024-07-01"))
    assert moved.status_code == 400
    assert number in site.worklogs


def test_a_timesheet_may_be_in_review_and_then_takes_no_part_in_refusals(tempo, site, alice, entry):
    site.in_review[alice] = [(date(2024, 4, 29), date(2024, 5, 5))]
    approval = tempo("GET", f"/timesheet-approvals/user/{alice}?from=2024-04-29&to=2024-05-05").json()
    check("tempo", "TimesheetApproval", approval)
    assert approval["status"]["key"] == "IN_REVIEW"
    assert tempo("POST", "/worklogs", json=entry()).status_code == 200
