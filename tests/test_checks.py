"""`check_connection` asks the real sites for all a connection needs, and says what to do about what is missing."""

import json

import pytest
from django.core.management import call_command

from connections.applying import apply_file
from connections.checks import Checkup, State, check
from connections.clients.http import Gate
from connections.models import Connection, Site, Token
from connections.sandbox import Sandbox, World
from connections.sandbox.world import (
    EVERYTHING,
    ORDINARY,
    AzureIdentity,
    AzureOrg,
    AzureProject,
    AzureToken,
    JiraAccount,
    JiraField,
    JiraSite,
    JiraToken,
    PaceToken,
    PaceUser,
    SevenPaceOrg,
    TempoAttribute,
    TempoSite,
    TempoToken,
)

pytestmark = pytest.mark.django_db

IDENTITY = "11111111-1111-1111-1111-111111111111"


class FreeBudget:
    def take(self, bucket):
        return 0.0

    def hold(self, bucket, seconds):
        pass


def jira(name):
    site = JiraSite(name, name, tempo_installed=True)
    site.accounts = {
        "5b-bot": JiraAccount("5b-bot", "Twinlog", "bot@example.com", permissions=EVERYTHING),
        "5b-alice": JiraAccount("5b-alice", "Alice Smith", "alice@example.com"),
    }
    site.tokens = [
        JiraToken("bot@example.com", f"secret-of-{name}", "5b-bot", f"{name.upper()}_TOKEN"),
        JiraToken("alice@example.com", f"alices-secret-of-{name}", "5b-alice", f"{name.upper()}_ALICE_TOKEN"),
    ]
    site.custom_fields = [JiraField("customfield_10010", "Twin key", "text")]
    site.add_project("ABC", "Alphabet")
    return site


@pytest.fixture
def world():
    """A world in which nothing is missing: Contoso's 7pace and Azure DevOps, two Jiras with Tempo."""
    made = World(jira={name: jira(name) for name in ("jca", "jcb")})
    for name, site in made.jira.items():
        token = TempoToken(f"secret-of-{name}-tempo", "5b-bot", f"{name.upper()}_TEMPO_TOKEN")
        made.tempo[f"{name}-tempo"] = TempoSite(f"{name}-tempo", f"{name}-tempo", site, [token])
    owner = PaceUser("owner", "Owner", "owner@example.com", IDENTITY, role="Administrator")
    pace = SevenPaceOrg("contoso-7pace", "contoso", {"owner": owner}, azure="contoso")
    pace.tokens = [PaceToken("secret-of-7pace", "owner")]
    azure = AzureOrg("contoso", "contoso", projects={"p1": AzureProject("p1", "Contoso")})
    azure.identities = {IDENTITY: AzureIdentity(IDENTITY, "Owner", "owner@example.com")}
    azure.tokens = [AzureToken("secret-of-azure", IDENTITY)]
    made.sevenpace["contoso"], made.azure["contoso"] = pace, azure
    migration = {"kind": "migration", "source": "contoso-7pace", "source_timezone": "Europe/Berlin"}
    by_field = {"issues": {"match": "field", "on": "right", "field": "Twin key"}}
    made.connections = {
        "to-jira": migration | {"target": "jca", "scope": {"projects": ["Contoso"]}},
        "to-tempo": migration | {"target": "jca-tempo", "read": "odata"},
        "jira-jira": {"kind": "sync", "left": "jca", "right": "jcb", **by_field},
        "tempo-tempo": {"kind": "sync", "left": "jca-tempo", "right": "jcb-tempo", **by_field},
    }
    return made


@pytest.fixture
def sandbox(world, tmp_path, monkeypatch, settings):
    settings.ALLOW_LOCAL_SITES = True
    monkeypatch.setattr(
        "connections.checks._gate", lambda site: Gate(FreeBudget(), pause=lambda seconds: None, patience=10.0)
    )
    with Sandbox(world) as running:
        for name, secret in running.secrets().items():
            monkeypatch.setenv(name, secret)
        for name in world.connections:
            file = tmp_path / f"{name}.toml"
            file.write_text(running.toml(connection=name))
            apply_file(file)
        yield running


def checked(name) -> Checkup:
    return check(Connection.objects.with_sites().get(name=name))


def lacking(checkup):
    return {(each.site, each.what) for each in checkup.checks if each.state is not State.OK}


@pytest.mark.parametrize("name", ["to-jira", "to-tempo", "jira-jira", "tempo-tempo"])
def test_where_nothing_is_missing_every_check_is_ok(sandbox, name):
    checkup = checked(name)
    assert lacking(checkup) == set()
    assert checkup.status == 0
    assert all(each.needed_for for each in checkup.checks)


def test_both_sides_and_the_sites_behind_them_are_asked(sandbox):
    assert {each.site for each in checked("to-tempo").checks} == {
        "contoso-7pace",
        "contoso",
        "jca-tempo",
        "jca",
    }


LOST_RIGHTS = [
    ("to-jira", "WORK_ON_ISSUES", "jca", "permission Work On Issues", State.MISSING),
    ("to-jira", "BROWSE_PROJECTS", "jca", "permission Browse Projects", State.MISSING),
    ("to-jira", "USER_PICKER", "jca", "permission Browse users and groups", State.MISSING),
    ("to-tempo", "EDIT_ALL_WORKLOGS", "jca", "permission Edit All Worklogs", State.MISSING),
    (
        "to-tempo",
        "io.tempo.jira__log-work-for-others",
        "jca",
        "permission Log Work For Others (Tempo)",
        State.MISSING,
    ),
    (
        "to-tempo",
        "io.tempo.jira__view-all-worklogs",
        "jca",
        "permission View All Worklogs (Tempo)",
        State.UNKNOWN,
    ),
    ("jira-jira", "DELETE_ALL_WORKLOGS", "jca", "permission Delete All Worklogs", State.MISSING),
]


@pytest.mark.parametrize(("name", "lost", "site", "what", "state"), LOST_RIGHTS)
def test_a_permission_the_operator_lacks_is_named_with_where_to_get_it(
    sandbox, name, lost, site, what, state
):
    sandbox.world.jira["jca"].accounts["5b-bot"].permissions = EVERYTHING - {lost}
    checkup = checked(name)
    found = next(each for each in checkup.checks if (each.site, each.what) == (site, what))
    assert found.state is state
    assert "bot@example.com" in found.remedy
    assert checkup.status == (1 if state is State.MISSING else 0)


def test_own_copies_need_less_than_other_peoples_entries(sandbox):
    """A migration into Jira only ever corrects what it wrote itself."""
    sandbox.world.jira["jca"].accounts["5b-bot"].permissions = ORDINARY
    assert checked("to-jira").status == 0
    assert checked("jira-jira").status == 1


def test_time_tracking_switched_off_is_missing(sandbox):
    sandbox.world.jira["jca"].time_tracking = False
    assert ("jca", "time tracking") in lacking(checked("to-jira"))


def test_an_operator_is_told_that_tempo_stands_on_the_target(sandbox):
    told = [
        each.remedy or each.what for each in checked("to-jira").checks if each.what == "Tempo on this Jira"
    ]
    assert "as the account that wrote them" in told[0]
    sandbox.world.jira["jca"].tempo_installed = False
    assert "Tempo on this Jira" not in {each.what for each in checked("to-jira").checks}


def test_without_tempo_behind_it_a_tempo_permission_is_unknown_not_missing(sandbox):
    sandbox.world.jira["jca"].tempo_installed = False
    assert ("jca", "permission Log Work For Others (Tempo)") in lacking(checked("to-tempo"))
    assert checked("to-tempo").status == 0


def test_hidden_emails_are_told_of(sandbox):
    sandbox.world.jira["jca"].accounts["5b-bot"].email_shown = False
    assert ("jca", "e-mails visible") in lacking(checked("to-jira"))


def test_the_field_that_pairs_issues_must_be_there_once(sandbox):
    fields = sandbox.world.jira["jcb"].custom_fields
    fields.append(JiraField("customfield_10011", "Twin key", "text"))
    twice = next(each for each in checked("jira-jira").checks if each.what == 'field "Twin key"')
    assert twice.state is State.MISSING
    assert "customfield_10010, customfield_10011" in twice.remedy
    fields.clear()
    assert ("jcb", 'field "Twin key"') in lacking(checked("jira-jira"))


def test_alices_token_must_open_alices_account(sandbox):
    site = sandbox.world.jira["jca"]
    assert ("jca", "personal token of alice@example.com") not in lacking(checked("to-jira"))
    site.tokens[1].token = "she made another one"
    assert ("jca", "personal token of alice@example.com") in lacking(checked("to-jira"))
    hers = Token.objects.get(site__name="jca", email="alice@example.com")
    assert hers.last_check_state == Token.Check.REFUSED


def test_entries_wait_for_an_attribute_that_tempo_requires(sandbox):
    """No rule helps: a value that is named in them is not sent yet."""
    account = TempoAttribute("_Account_", "Account", "ACCOUNT", required=True)
    sandbox.world.tempo["jca-tempo"].attributes["_Account_"] = account
    connection = Connection.objects.get(name="to-tempo")
    connection.options = {**connection.options, "rules": {"attributes": {"_Account_": "INTERNAL"}}}
    connection.save()
    found = next(each for each in checked("to-tempo").checks if each.what == 'required attribute "Account"')
    assert found.state is State.MISSING
    assert "attribute_required" in found.remedy
    assert found.remedy.startswith("Make it optional")
    account.required = False
    assert checked("to-tempo").status == 0


@pytest.mark.parametrize(
    ("kind", "state"), [("INPUT_FIELD", State.OK), ("STATIC_LIST", State.MISSING), (None, State.MISSING)]
)
def test_the_marker_attribute_must_be_an_input_field(sandbox, kind, state):
    Site.objects.filter(name="jca-tempo").update(marker_attribute="_Twinlog_")
    if kind:
        sandbox.world.tempo["jca-tempo"].attributes["_Twinlog_"] = TempoAttribute(
            "_Twinlog_", "Twinlog", kind
        )
    found = next(each for each in checked("to-tempo").checks if each.what == 'marker attribute "_Twinlog_"')
    assert found.state is state


def test_the_marker_attribute_is_told_by_its_key_and_not_by_its_name(sandbox):
    """Worklogs are written and read by the key: by the name no marker would ever be recognised."""
    Site.objects.filter(name="jca-tempo").update(marker_attribute="Twinlog")
    sandbox.world.tempo["jca-tempo"].attributes["_Twinlog_"] = TempoAttribute(
        "_Twinlog_", "Twinlog", "INPUT_FIELD"
    )
    found = next(each for each in checked("to-tempo").checks if each.what == 'marker attribute "Twinlog"')
    assert found.state is State.MISSING
    assert 'set marker_attribute = "_Twinlog_"' in found.remedy


def test_reading_everybodys_worklogs_needs_a_role(sandbox):
    sandbox.world.sevenpace["contoso"].users["owner"].role = "User"
    checkup = checked("to-jira")
    assert lacking(checkup) == {("contoso-7pace", "may read everybody's worklogs")}
    assert checkup.status == 1


def test_the_reporting_api_needs_a_service_account(sandbox):
    sandbox.world.sevenpace["contoso"].service_account = False
    assert ("contoso-7pace", "may read the reporting API (OData)") in lacking(checked("to-tempo"))


def test_a_project_in_the_scope_must_exist(sandbox):
    sandbox.world.azure["contoso"].projects["p1"].name = "Fabrikam"
    assert ("contoso", 'project "Contoso"') in lacking(checked("to-jira"))


REFUSED = [
    ("jca", lambda world: world.jira["jca"].tokens[0]),
    ("jca-tempo", lambda world: world.tempo["jca-tempo"].tokens[0]),
    ("contoso-7pace", lambda world: world.sevenpace["contoso"].tokens[0]),
    ("contoso", lambda world: world.azure["contoso"].tokens[0]),
]


@pytest.mark.parametrize(("site", "token_in"), REFUSED)
def test_a_refused_token_ends_with_status_2_and_the_other_sites_are_still_asked(sandbox, site, token_in):
    token_in(sandbox.world).token = "revoked"
    checkup = checked("to-tempo")
    assert checkup.status == 2
    assert checkup.lost[0][0] == "auth_failed"
    assert (site, "token") in lacking(checkup)
    assert {each.site for each in checkup.checks} == {"contoso-7pace", "contoso", "jca-tempo", "jca"}
    assert Token.objects.get(site__name=site, email="").last_check_state == Token.Check.REFUSED


def test_a_site_nobody_answers_at_ends_with_status_2(sandbox):
    Site.objects.filter(name="jca").update(url="http://127.0.0.1:9")
    checkup = checked("to-jira")
    assert checkup.status == 2
    assert checkup.lost[0][0] == "site_unavailable"
    assert Token.objects.get(site__name="jca", email="").last_check_state == Token.Check.UNREACHABLE


def test_what_was_learned_is_kept(sandbox):
    checked("to-jira")
    assert Site.objects.get(name="jca").account_id == "5b-bot"
    token = Token.objects.get(site__name="jca", email="")
    assert token.last_check_state == Token.Check.OK
    assert token.last_check_at
    assert token.last_used_at


def test_no_secret_shows_in_what_is_said(sandbox, capsys):
    sandbox.world.jira["jca"].tokens[0].token = "revoked"
    with pytest.raises(SystemExit) as ended:
        call_command("check_connection", "to-jira", "--json")
    said = capsys.readouterr().out
    assert ended.value.code == 2
    assert json.loads(said)["error"]["code"] == "auth_failed"
    assert not [secret for secret in sandbox.secrets().values() if secret in said]


def test_the_command_gives_one_json_object_in_the_agreed_shape(sandbox, capsys):
    call_command("check_connection", "to-jira", "--json")
    data = json.loads(capsys.readouterr().out)
    assert list(data) == ["checks"]
    assert all(list(each) == ["site", "what", "state", "needed_for", "remedy"] for each in data["checks"])


def test_people_read_a_line_a_check(sandbox, capsys):
    sandbox.world.jira["jca"].time_tracking = False
    with pytest.raises(SystemExit) as ended:
        call_command("check_connection", "to-jira")
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "MISSING  jca: time tracking (for any worklog at all)\n         Turn it on: Jira settings" in said


def test_a_connection_nobody_knows_is_refused(sandbox, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("check_connection", "to-jirra", "--json")
    assert ended.value.code == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unknown_name"
