"""`check_connection` asks the real sites for all a connection needs, and says what to do about what is missing."""

import json

import pytest
from django.core.management import call_command

from connections.applying import apply_file
from connections.checks import Checkup, State, check
from connections.clients.http import Gate
from connections.models import Connection, Site, Token
from connections.sandbox import Fault, Sandbox, World
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
    TempoRole,
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
        "tempo-jira": {"kind": "sync", "left": "jca-tempo", "right": "jcb", **by_field},
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


SYNCS = ["jira-jira", "tempo-tempo", "tempo-jira"]


def without_tempo(world):
    """Neither Jira has a Tempo on it."""
    for site in world.jira.values():
        site.tempo_installed = False


@pytest.mark.parametrize("name", ["to-jira", "to-tempo", "tempo-tempo"])
def test_where_nothing_is_missing_every_check_is_ok(sandbox, name):
    checkup = checked(name)
    assert lacking(checkup) == set()
    assert checkup.status == 0
    assert all(each.needed_for for each in checkup.checks)


def test_between_two_jiras_without_tempo_nothing_is_missing_either(sandbox):
    without_tempo(sandbox.world)
    assert lacking(checked("jira-jira")) == set()


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


# --- what a sync needs besides


def found(name, what, site="jca"):
    """The state and the remedy of one check; None where it is not made."""
    rows = [each for each in checked(name).checks if (each.site, each.what) == (site, what)]
    return (rows[0].state, rows[0].remedy) if rows else None


def state(name, what, site="jca"):
    row = found(name, what, site)
    return row and row[0]


def set_options(name, **changes):
    connection = Connection.objects.get(name=name)
    connection.options = {**connection.options, **changes}
    connection.save()


def bot_of(sandbox, name="jca"):
    return sandbox.world.jira[name].accounts["5b-bot"]


WRITING = [
    "permission Work On Issues",
    "permission Edit All Worklogs",
    "permission Delete All Worklogs",
    "permission Log Work For Others (Tempo)",
    "permission Set Billable Hours (Tempo)",
]


@pytest.mark.parametrize("what", WRITING)
def test_a_side_that_is_only_read_needs_no_permission_to_write(sandbox, what):
    assert (state("tempo-tempo", what), state("tempo-tempo", what, "jcb")) == (State.OK, State.OK)
    set_options("tempo-tempo", direction="left-to-right")
    assert (state("tempo-tempo", what), state("tempo-tempo", what, "jcb")) == (None, State.OK)
    set_options("tempo-tempo", direction="right-to-left")
    assert (state("tempo-tempo", what), state("tempo-tempo", what, "jcb")) == (State.OK, None)


def test_a_side_that_is_only_read_may_be_opened_by_an_ordinary_account(sandbox):
    without_tempo(sandbox.world)
    bot_of(sandbox).permissions = ORDINARY
    assert checked("jira-jira").status == 1
    set_options("jira-jira", direction="left-to-right")
    assert checked("jira-jira").status == 0


def test_copies_of_our_own_need_less_where_no_entry_of_others_is_linked_or_written_over(sandbox):
    bot_of(sandbox, "jcb").permissions = ORDINARY
    set_options("jira-jira", direction="left-to-right")
    assert state("jira-jira", "permission Edit All Worklogs", "jcb") is State.MISSING
    set_options("jira-jira", direction="left-to-right", lookalikes="park")
    assert state("jira-jira", "permission Edit All Worklogs", "jcb") is None
    assert state("jira-jira", "permission Edit Own Worklogs", "jcb") is State.OK


def test_tempos_permissions_are_found_under_another_prefix(sandbox, monkeypatch):
    """Tempo's move to another platform may change how its keys begin; their end is what counts."""
    other = {key.replace("io.tempo.jira__", "ari:forge__") for key in EVERYTHING}
    monkeypatch.setattr(
        "connections.checks.JiraClient.all_permissions", lambda _: sorted(other | EVERYTHING - TEMPOS)
    )
    asked = []

    def my_permissions(_, keys):
        asked.extend(keys)
        return dict.fromkeys(keys, True)

    monkeypatch.setattr("connections.checks.JiraClient.my_permissions", my_permissions)
    assert state("tempo-tempo", "permission Log Work For Others (Tempo)") is State.OK
    assert "ari:forge__log-work-for-others" in asked


TEMPOS = {key for key in EVERYTHING if key.startswith("io.tempo.jira__")}

FEEDS = [
    ("tempo-tempo", "jca-tempo", "changed worklogs", True),
    ("tempo-tempo", "jca-tempo", "deletion records", False),
    ("jira-jira", "jca", "changed worklogs", True),
    ("jira-jira", "jca", "deleted worklogs", False),
]


@pytest.mark.parametrize(("name", "site", "what", "always"), FEEDS)
def test_what_is_new_and_what_is_gone_is_asked_of_the_side_that_is_read(sandbox, name, site, what, always):
    """Deletions only where they are carried or shown to a person."""
    assert state(name, what, site) is State.OK
    set_options(name, deletes="keep")
    assert state(name, what, site) is (State.OK if always else None)
    set_options(name, deletes="park", direction="right-to-left")
    assert state(name, what, site) is None


def test_a_migration_asks_for_no_feeds(sandbox):
    for name, site in (("to-tempo", "jca-tempo"), ("to-jira", "jca")):
        assert state(name, "changed worklogs", site) is None


def test_the_older_list_of_deletions_will_do(sandbox):
    bot_of(sandbox).permissions = EVERYTHING - {"io.tempo.jira__tempo-administrator"}
    assert state("tempo-tempo", "deletion records", "jca-tempo") is State.OK


def test_an_operator_is_told_what_to_give_where_tempo_shows_no_deletions(sandbox):
    bot_of(sandbox).permissions = EVERYTHING - {"io.tempo.jira__tempo-administrator"}
    for path in ("*/papertrail/search", "*/events/deleted/types/worklog"):
        sandbox.faults.add(Fault("status", site="jca-tempo", path=path, status=403))
    missing, remedy = found("tempo-tempo", "deletion records", "jca-tempo")
    assert missing is State.MISSING
    assert "Tempo Administrator" in remedy


def test_a_token_that_may_only_view_is_told_from_one_that_may_search(sandbox):
    sandbox.world.tempo["jca-tempo"].tokens[0].read_only = True
    assert state("tempo-tempo", "may search worklogs", "jca-tempo") is State.MISSING
    assert checked("tempo-tempo").status == 1


TEAM = ["team permission View Worklogs (Tempo)", "team permission Manage Worklogs (Tempo)"]
LOST_FOR_TEAMS = {
    "io.tempo.jira__view-all-worklogs": [TEAM[0]],
    "io.tempo.jira__log-work-for-others": [TEAM[1]],
}


@pytest.mark.parametrize(("lost", "unknown"), LOST_FOR_TEAMS.items())
def test_team_permissions_are_known_only_where_jiras_cover_them(sandbox, lost, unknown):
    """No API of Tempo tells who may do what in every team; that is said, with where to look."""
    assert [state("tempo-tempo", what, "jca-tempo") for what in TEAM] == [State.OK, State.OK]
    bot_of(sandbox).permissions = EVERYTHING - {lost}
    assert [what for what in TEAM if state("tempo-tempo", what, "jca-tempo") is State.UNKNOWN] == unknown
    assert "Permission roles" in found("tempo-tempo", unknown[0], "jca-tempo")[1]


ROLES = [
    (TempoRole(1, "Auditors", members=("5b-bot",)), State.OK),
    (TempoRole(1, "Auditors", members=("5b-alice",)), State.UNKNOWN),
    (TempoRole(1, "Leads", members=("5b-bot",), teams=(3,)), State.UNKNOWN),
    (TempoRole(1, "Planners", ("permissions.plan.view",), members=("5b-bot",)), State.UNKNOWN),
]


@pytest.mark.parametrize(("role", "expected"), ROLES)
def test_a_role_that_lets_the_account_view_everybodys_worklogs_proves_it(sandbox, role, expected):
    bot_of(sandbox).permissions = EVERYTHING - {"io.tempo.jira__view-all-worklogs"}
    sandbox.world.tempo["jca-tempo"].roles = [role]
    assert state("tempo-tempo", TEAM[0], "jca-tempo") is expected


def test_a_side_that_is_only_read_needs_to_manage_no_teams_worklogs(sandbox):
    set_options("tempo-tempo", direction="left-to-right")
    assert state("tempo-tempo", TEAM[1], "jca-tempo") is None


def test_what_tempo_refuses_by_its_settings_is_told_beforehand(sandbox):
    tempo = sandbox.world.tempo["jcb-tempo"]
    tempo.days_into_future, tempo.max_hours_per_day = 30, 12
    ahead, a_day = (
        found("tempo-tempo", what, "jcb-tempo") for what in ("days into the future", "hours a day")
    )
    assert (ahead[0], "up to 30 days ahead" in ahead[1]) == (State.OK, True)
    assert (a_day[0], "12 hours a day" in a_day[1]) == (State.OK, True)
    tempo.max_hours_per_day = None
    assert found("tempo-tempo", "hours a day", "jcb-tempo") is None


OTHERS = [
    (TempoAttribute("_Account_", "Account", "ACCOUNT", required=True), State.OK),
    (TempoAttribute("_Account_", "Account", "ACCOUNT"), State.UNKNOWN),
    (TempoAttribute("_Konto_", "Account", "ACCOUNT"), State.UNKNOWN),
    (TempoAttribute("_Konto_", "Konto", "ACCOUNT", required=True), State.MISSING),
]


@pytest.mark.parametrize(("theirs", "expected"), OTHERS)
def test_a_required_attribute_must_be_one_that_the_other_sides_entries_bring(sandbox, theirs, expected):
    """By key, then by name: always where it is required there too, now and then where it is not."""
    set_options("tempo-tempo", direction="left-to-right")
    account = TempoAttribute("_Account_", "Account", "ACCOUNT", required=True)
    sandbox.world.tempo["jcb-tempo"].attributes["_Account_"] = account
    sandbox.world.tempo["jca-tempo"].attributes[theirs.key] = theirs
    assert state("tempo-tempo", 'required attribute "Account"', "jcb-tempo") is expected


def test_a_jira_gives_no_required_attribute(sandbox):
    account = TempoAttribute("_Account_", "Account", "ACCOUNT", required=True)
    sandbox.world.tempo["jca-tempo"].attributes["_Account_"] = account
    assert state("tempo-jira", 'required attribute "Account"', "jca-tempo") is State.MISSING


def test_what_the_other_tempo_brings_is_unknown_while_it_refuses_its_token(sandbox):
    account = TempoAttribute("_Account_", "Account", "ACCOUNT", required=True)
    sandbox.world.tempo["jca-tempo"].attributes["_Account_"] = account
    sandbox.world.tempo["jcb-tempo"].tokens[0].token = "revoked"
    assert state("tempo-tempo", 'required attribute "Account"', "jca-tempo") is State.UNKNOWN
    assert Token.objects.get(site__name="jca-tempo", email="").last_check_state == Token.Check.OK


def test_remote_links_are_tried_on_an_issue_of_the_side_that_holds_them(sandbox):
    set_options("jira-jira", issues={"match": "link", "on": "right"})
    unknown, remedy = found("jira-jira", "remote links", "jcb")
    assert (unknown, "No issue is seen" in remedy) == (State.UNKNOWN, True)
    sandbox.world.jira["jcb"].add_issue("ABC-1")
    assert state("jira-jira", "remote links", "jcb") is State.OK
    assert state("jira-jira", "remote links", "jca") is None


def test_on_a_jira_with_tempo_a_sync_should_use_tempo(sandbox):
    unknown, remedy = found("jira-jira", "Tempo on this Jira")
    assert (unknown, "Add a tempo site on jca" in remedy) == (State.UNKNOWN, True)


PUBLIC = "https://twinlog.example"


def test_only_webhooks_need_an_administrator_and_they_are_not_essential(sandbox, settings):
    without_tempo(sandbox.world)
    assert state("jira-jira", "permission Administer Jira") is None
    settings.PUBLIC_URL = PUBLIC
    assert state("jira-jira", "permission Administer Jira") is State.OK
    bot_of(sandbox).permissions = EVERYTHING - {"ADMINISTER"}
    checkup = checked("jira-jira")
    assert lacking(checkup) == {("jca", "permission Administer Jira")}
    assert checkup.status == 0


@pytest.mark.parametrize(
    ("url", "expected"), [("", None), (PUBLIC, State.OK), ("http://twinlog.example", State.UNKNOWN)]
)
def test_tempos_webhooks_reach_a_public_https_address_only(sandbox, settings, url, expected):
    settings.PUBLIC_URL = url
    assert state("tempo-tempo", "webhooks", "jca-tempo") is expected


@pytest.mark.parametrize("name", SYNCS)
def test_a_check_of_a_sync_writes_nothing(sandbox, name):
    checked(name)
    reads = ("/search", "/search/jql", "/issue/bulkfetch", "/worklog/list")
    assert [call for call in sandbox.calls if call.method != "GET" and not call.path.endswith(reads)] == []


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
