"""Reading Azure DevOps: work items of projects, and the people behind an id."""

import json
import re
from dataclasses import dataclass, field

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from connections.clients import azure
from connections.clients.azure import AzureClient, Identity, default_identities_url
from connections.clients.http import Address, FaultKind, Gate, SiteError

ALICE = "9b71f216-4c4f-6b74-a911-efb0fa9c777f"
BOB = "81fa6389-0872-6fdd-a451-7ba7880f566a"


@dataclass
class Budget:
    held: list[float] = field(default_factory=list)

    def take(self, bucket: str) -> float:
        return 0.0

    def hold(self, bucket: str | None, seconds: float) -> None:
        self.held.append(seconds)


@pytest.fixture
def budget() -> Budget:
    return Budget()


@pytest.fixture
def client(httpserver: HTTPServer, budget: Budget) -> AzureClient:
    address = Address("contoso", httpserver.url_for("/azure/contoso/"), allow_local=True)
    return AzureClient.open(address, "not-a-real-pat", Gate(budget, lambda _: None, patience=0))


def reply(body: object, status: int = 200, **headers: str) -> Response:
    return Response(json.dumps(body), status, headers, content_type="application/json")


# the token


def test_the_token_travels_as_the_password_of_nobody(httpserver, client):
    expected = httpserver.expect_request(
        "/azure/contoso/_apis/connectionData", headers={"Authorization": "Basic Om5vdC1hLXJlYWwtcGF0"}
    )
    expected.respond_with_json({"authenticatedUser": {"providerDisplayName": "Alice"}})
    assert client.connection_data()["authenticatedUser"]["providerDisplayName"] == "Alice"


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (203, {"Content-Type": "text/html"}),
        (203, {"Content-Type": "application/json"}),
        (302, {"Location": "https://login.example.com/"}),
        (200, {"Content-Type": "text/html; charset=utf-8"}),
        (401, {"Content-Type": "application/json"}),
    ],
)
def test_a_sign_in_page_is_a_refused_token(httpserver, client, status, headers):
    page = Response("<html>Sign in</html>", status, headers)
    httpserver.expect_request("/azure/contoso/_apis/connectionData").respond_with_response(page)
    with pytest.raises(SiteError, match=r"vso\.work, vso\.identity") as caught:
        client.connection_data()
    assert (caught.value.kind, caught.value.code) == (FaultKind.STOPS, "auth_failed")


def test_what_the_tokens_user_may_not_see_is_a_missing_permission(httpserver, client):
    body = {"message": "Access Denied: Bob needs View permissions"}
    httpserver.expect_request("/azure/contoso/_apis/projects").respond_with_json(body, 403)
    with pytest.raises(SiteError, match="Bob needs View permissions") as caught:
        client.projects()
    assert caught.value.code == "no_permission"


def test_a_good_answer_that_asks_for_patience_holds_everybody(httpserver, client, budget):
    headers = {"Retry-After": "12"}
    httpserver.expect_request("/azure/contoso/_apis/projects").respond_with_json(
        {"value": []}, headers=headers
    )
    client.projects()
    assert budget.held == [12.0]


# projects and work items


def test_projects_are_read_to_the_last_page(httpserver, client):
    def projects(request: Request) -> Response:
        if "continuationToken" in request.args:
            return reply({"value": [{"id": "p3", "name": "Tail"}]})
        page = [{"id": "p1", "name": "Contoso"}, {"id": "p2", "name": "Fabrikam"}]
        return reply({"value": page}, **{"x-ms-continuationtoken": "2"})

    httpserver.expect_request("/azure/contoso/_apis/projects").respond_with_handler(projects)
    assert [row["name"] for row in client.projects()] == ["Contoso", "Fabrikam", "Tail"]


@dataclass
class Wiql:
    ids: list[int]
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        self.asked.append(request.get_json()["query"])
        last = int(re.search(r"\[System\.Id] > (\d+)", self.asked[-1])[1])
        page = [number for number in self.ids if number > last][: int(request.args["$top"])]
        return reply({"queryType": "flat", "workItems": [{"id": number} for number in page]})


@pytest.mark.parametrize("count", [0, 1, 4, 5, 12])
def test_work_items_are_listed_by_id_until_a_short_page(httpserver, client, monkeypatch, count):
    monkeypatch.setattr(azure, "QUERY_PAGE", 4)
    wiql = Wiql([number * 10 for number in range(1, count + 1)])
    httpserver.expect_request("/azure/contoso/_apis/wit/wiql").respond_with_handler(wiql)
    assert [number for page in client.work_item_ids(["Contoso"]) for number in page] == wiql.ids
    assert len(wiql.asked) == count // 4 + 1


@pytest.mark.parametrize(
    ("names", "where"),
    [
        (["Contoso"], "[System.TeamProject] = 'Contoso'"),
        (["Alice's", "B"], "[System.TeamProject] in ('Alice''s', 'B')"),
    ],
)
def test_a_project_name_cannot_leave_its_quotes(httpserver, client, names, where):
    wiql = Wiql([])
    httpserver.expect_request("/azure/contoso/_apis/wit/wiql").respond_with_handler(wiql)
    assert list(client.work_item_ids(names)) == []
    asked = f"Select [System.Id] From WorkItems Where {where} And [System.Id] > 0 order by [System.Id]"
    assert wiql.asked == [asked]


def test_no_projects_mean_no_question(client):
    assert list(client.work_item_ids([])) == []


def test_a_list_out_of_order_is_an_error_since_its_end_cannot_be_known(httpserver, client):
    body = {"workItems": [{"id": 2}, {"id": 1}]}
    httpserver.expect_request("/azure/contoso/_apis/wit/wiql").respond_with_json(body)
    with pytest.raises(SiteError, match="out of order"):
        list(client.work_item_ids(["Contoso"]))


# people


def person(guid: str, **properties: str) -> dict:
    wrapped = {name: {"$type": "System.String", "$value": value} for name, value in properties.items()}
    return {"id": guid, "providerDisplayName": "Alice Smith", "isActive": True, "properties": wrapped}


@pytest.mark.parametrize(
    ("row", "identity"),
    [
        (
            person(ALICE, Mail="a@example.com", Account="x@y.z"),
            Identity("a@example.com", "Alice Smith", True),
        ),
        (person(ALICE, Mail="", Account="a@example.com"), Identity("a@example.com", "Alice Smith", True)),
        (person(ALICE, Account="CONTOSO\\alice"), Identity(None, "Alice Smith", True)),
        (person(ALICE) | {"customDisplayName": "Ali"}, Identity(None, "Ali", True)),
        (person(ALICE) | {"isActive": False}, Identity(None, "Alice Smith", False)),
        ({"id": ALICE}, Identity(None, "", True)),
        (person(ALICE, Mail="team@example.com") | {"isContainer": True}, None),
        (person(BOB, Mail="bob@example.com"), None),
        (None, None),
    ],
)
def test_a_person_is_known_by_mail_else_by_an_account_that_is_one(httpserver, client, row, identity):
    httpserver.expect_request("/azure/contoso/_apis/identities").respond_with_json({"value": [row]})
    assert client.identities([ALICE.upper()]) == ({ALICE.upper(): identity} if identity else {})


def test_a_row_without_an_id_is_nobody(httpserver, client):
    rows = [{"id": None}, {"id": 7}, {}, person(BOB, Mail="bob@example.com")]
    httpserver.expect_request("/azure/contoso/_apis/identities").respond_with_json({"value": rows})
    assert client.identities([BOB]).keys() == {BOB}


def test_people_are_asked_for_a_hundred_at_a_time(httpserver, client):
    sizes = []

    def people(request: Request) -> Response:
        asked = request.args["identityIds"].split(",")
        sizes.append(len(asked))
        return reply({"value": [person(guid, Mail=f"{guid}@example.com") for guid in asked]})

    httpserver.expect_request("/azure/contoso/_apis/identities").respond_with_handler(people)
    guids = [f"{number:032x}" for number in range(250)]
    assert client.identities([*guids, "", guids[0]]).keys() == set(guids)
    assert sizes == [100, 100, 50]


@pytest.mark.parametrize(
    ("url", "people_at"),
    [
        ("https://dev.azure.com/contoso", "https://vssps.dev.azure.com/contoso"),
        ("https://DEV.azure.com/contoso/", "https://vssps.dev.azure.com/contoso"),
        ("https://server/DefaultCollection", "https://server/DefaultCollection"),
    ],
)
def test_people_are_asked_for_where_the_vendor_keeps_them(url, people_at):
    assert default_identities_url(url) == people_at


def test_a_named_address_for_people_is_used(httpserver, budget):
    body = {"value": [person(BOB, Mail="bob@example.com")]}
    httpserver.expect_request("/people/_apis/identities").respond_with_json(body)
    address = Address("contoso", httpserver.url_for("/azure/contoso"), allow_local=True)
    gate = Gate(budget, lambda _: None)
    client = AzureClient.open(address, "not-a-real-pat", gate, httpserver.url_for("/people"))
    assert client.identities([BOB])[BOB].email == "bob@example.com"
