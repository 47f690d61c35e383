"""The sandbox's Azure DevOps keeps its rules, checked against the vendor's contract where it is at hand."""

import pytest
import requests
from vendor_sheets import check, check_keys, example

from connections.sandbox import Sandbox, worlds

VERSION = "?api-version=7.1"


class Caller:
    def __init__(self, sandbox, token=""):
        self.base = f"{sandbox.url}/azure/contoso"
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.auth = ("", token or sandbox.secrets()["ADO_PAT"])

    def get(self, path):
        return self.session.get(self.base + path)

    def post(self, path, body):
        return self.session.post(self.base + path + VERSION, json=body)

    def wiql(self, where, place="", top=""):
        query = f"Select [System.Id] From WorkItems {where}"
        return self.session.post(f"{self.base}{place}/_apis/wit/wiql{VERSION}{top}", json={"query": query})


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def org(sandbox):
    return sandbox.world.azure["contoso"]


@pytest.fixture
def operator(sandbox):
    return Caller(sandbox)


def ids(answer):
    return [row["id"] for row in answer.json()["workItems"]]


def test_a_bad_token_gets_a_sign_in_page_or_a_401(sandbox, org):
    stranger = Caller(sandbox, "wrong")
    page = stranger.get("/_apis/connectionData")
    assert (page.status_code, page.headers["Content-Type"][:9]) == (203, "text/html")
    org.sign_in_page = False
    refused = stranger.get("/_apis/connectionData")
    assert refused.status_code == 401
    sample = example("ado-error-TF400813.json")
    check_keys(refused.json(), sample and sample["body"])
    assert "TF400813" in refused.json()["message"]


def test_the_tokens_owner_and_the_projects_are_told(operator):
    assert (
        operator.get("/_apis/connectionData").json()["authenticatedUser"]["providerDisplayName"]
        == "Twinlog Service"
    )
    projects = operator.get(f"/_apis/projects{VERSION}").json()
    assert (projects["count"], projects["value"][1]["name"]) == (2, "Fabrikam's Lab")


@pytest.mark.parametrize(
    ("where", "place", "found"),
    [
        ("Where [System.TeamProject] = 'Contoso' order by [System.Id]", "", list(range(101, 111))),
        ("Where [System.TeamProject] = 'fabrikam''s lab'", "", [201]),
        (
            "Where [System.TeamProject] = @project And [System.Id] > 108 order by [System.Id] desc",
            "/Contoso",
            [110, 109],
        ),
        (
            "where [System.Id] > 109 and [System.TeamProject] in ('Contoso', 'Fabrikam''s Lab') order by [System.Id]",
            "",
            [110, 201],
        ),
        ("Where [System.TeamProject] <> 'Contoso'", "/Contoso/Team", [201]),
        ("", "", [*range(101, 111), 201]),
    ],
)
def test_a_query_finds_ids(operator, where, place, found):
    answer = operator.wiql(where, place)
    check("azure", "WorkItemQueryResult", answer.json())
    assert sorted(ids(answer)) == sorted(found)
    if "order by" in where:
        assert ids(answer) == found
    sample = example("ado-wiql-flat.json")
    check_keys(answer.json(), sample and sample["response"])


@pytest.mark.parametrize(
    "where",
    [
        "Where [System.Nothing] = 1",
        "Where nonsense",
        "Where [System.Id] > 1 or [System.Id] < 5",
        "Where [System.TeamProject] = @project",
    ],
)
def test_a_query_that_is_not_understood_is_refused(operator, where):
    answer = operator.wiql(where)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, 0)


def test_too_many_results_are_an_error_and_top_avoids_it(operator, org):
    org.wiql_limit = 5
    answer = operator.wiql("order by [System.Id]")
    assert answer.status_code == 400
    assert "VS402337" in answer.json()["message"]
    assert ids(operator.wiql("order by [System.Id]", top="&$top=5")) == [101, 102, 103, 104, 105]


def test_work_items_come_in_batches_of_two_hundred_with_the_fields_asked_for(operator):
    body = {"ids": [101, 201], "fields": ["System.Id", "System.TeamProject"]}
    answer = operator.post("/_apis/wit/workitemsbatch", body).json()
    assert (answer["count"], answer["value"][1]["fields"]) == (
        2,
        {"System.Id": 201, "System.TeamProject": "Fabrikam's Lab"},
    )
    sample = example("ado-workitemsbatch.json")
    check_keys(answer["value"][0], sample and sample["response"]["value"][0])
    assert operator.post("/Contoso/_apis/wit/workitemsbatch", body).status_code == 200
    refused = operator.post("/_apis/wit/workitemsbatch", {"ids": list(range(201))})
    assert refused.status_code == 400
    assert "VS403474" in refused.json()["message"]


def test_one_missing_work_item_fails_the_batch_unless_it_may_be_omitted(operator, org):
    org.work_items[102].visible = False
    refused = operator.post("/_apis/wit/workitemsbatch", {"ids": [101, 102]})
    assert refused.status_code == 404
    assert "TF401232: Work item 102" in refused.json()["message"]
    sample = example("ado-error-TF401232.json")
    check_keys(refused.json(), sample and sample["body"])
    answer = operator.post(
        "/_apis/wit/workitemsbatch", {"ids": [101, 102, 999], "errorPolicy": "omit"}
    ).json()
    assert [row["id"] for row in answer["value"]] == [101]


def test_a_post_without_a_version_and_an_unknown_project_are_refused(operator):
    bare = operator.session.post(operator.base + "/_apis/wit/wiql", json={"query": ""})
    assert "No api-version" in bare.json()["message"]
    assert operator.wiql("", "/Nowhere").status_code == 404


def test_identities_are_read_by_id_with_null_for_unknown_ones(sandbox, operator):
    users = {user.name: user for user in sandbox.world.sevenpace["contoso"].users.values()}
    asked = [users[name].vsts_id for name in ("Ivan Stone", "Judy Wood", "Mallory Unknown")]
    answer = operator.get(
        f"/_apis/identities{VERSION}&identityIds={','.join(asked)}&queryMembership=None"
    ).json()
    ivan, judy, mallory = answer["value"]
    assert (answer["count"], mallory) == (3, None)
    assert ivan["properties"]["Mail"]["$value"] == "ivan@example.com"
    assert "Mail" not in judy["properties"]
    assert judy["properties"]["Account"]["$value"] == "judy@example.com"
    sample = example("ado-identities-by-ids.json")
    check_keys(ivan, sample and sample["response"]["value"][0])


def test_identities_are_searched_by_address(operator):
    path = f"/_apis/identities{VERSION}&searchFilter=MailAddress&filterValue="
    assert operator.get(path + "ivan@example.com").json()["value"][0]["providerDisplayName"] == "Ivan Stone"
    assert operator.get(path + "nobody@example.com").json() == {"count": 0, "value": []}
    assert operator.get(f"/_apis/identities{VERSION}").status_code == 400
