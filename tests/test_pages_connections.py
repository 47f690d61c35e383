"""Dana, an operator, sets up sites and connections in the browser, is refused what the file is, and sees no secret."""

import html
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from connections import tokens
from connections.applying import known_sites, pair_person
from connections.declare import DeclarationError, parse
from connections.models import Connection, ConnectionCheck, Site, Token, UserMapping

pytestmark = pytest.mark.django_db

MOST_QUERIES = 15
HOSTILE = "<script>alert(1)</script>\u202egpj.exe"


@pytest.fixture(autouse=True)
def addresses(monkeypatch):
    """No name is looked up."""
    monkeypatch.setattr("connections.clients.addresses._resolved", lambda host: set())


@pytest.fixture
def dana(client):
    client.force_login(User.objects.create(username="dana"))
    return client


@pytest.fixture
def sites():
    jca = Site.objects.create(name="jca", kind="jira", url="https://jca.example.com", email="bot@example.com")
    jcb = Site.objects.create(name="jcb", kind="jira", url="https://jcb.example.com", email="bot@example.com")
    azure = Site.objects.create(name="contoso", kind="azure", url="https://dev.example.com/contoso")
    Site.objects.create(name="jca-tempo", kind="tempo", url="https://api.example.com", jira=jca)
    pace = "https://contoso.example.com/api/rest?api-version=3.2"
    Site.objects.create(name="contoso-7pace", kind="sevenpace", url=pace, azure=azure)
    tokens.keep(jca, "", "secret-of-jca")
    tokens.keep(jca, "alice@example.com", "secret-of-alice")
    tokens.keep(jcb, "", "secret-of-jcb")
    return {site.name: site for site in Site.objects.all()}


MIGRATION = {
    "name": "contoso-to-jca",
    "source": "contoso-7pace",
    "target": "jca",
    "source_timezone": "Europe/Berlin",
    "date_from": "",
    "date_to": "",
    "scope": "everything",
    "projects": "",
    "ids": "",
    "read": "rest",
    "odata_times": "utc",
    "issue_match": "label",
    "issue_label": "ado-id-{id}",
    "issue_field": "",
    "issue_pairs": "",
    "people_match": "email",
    "people_pairs": "",
    "fallback_right": "",
    "timezones": "",
    "minimum_seconds": "",
    "rounding": "none",
    "rounding_minutes": "1",
    "lookalikes": "link",
    "estimate": "",
    "long_text": "cut",
}
SYNC = {
    key: value for key, value in MIGRATION.items() if key not in ("source", "target", "source_timezone")
} | {
    "name": "jca-jcb",
    "left": "jca",
    "right": "jcb",
    "direction": "both",
    "conflicts": "latest",
    "deletes": "mirror",
    "since": "",
    "schedule": "",
    "carry_on": "migrated",
    "issue_match": "key",
    "issue_on": "left",
    "fallback_left": "",
}


@pytest.fixture
def migration(sites):
    options = {
        "source_timezone": "Europe/Berlin",
        "issues": {"match": "label", "on": "right", "label": "ado-id-{id}"},
    }
    return Connection.objects.create(
        name="contoso-to-jca",
        kind="migration",
        left=sites["contoso-7pace"],
        right=sites["jca"],
        options=options,
    )


@pytest.fixture
def sync(sites):
    return Connection.objects.create(
        name="jca-jcb",
        kind="sync",
        left=sites["jca"],
        right=sites["jcb"],
        options={"issues": {"match": "key"}, "direction": "left-to-right"},
    )


def text_of(answer):
    return html.unescape(answer.content.decode())


def add(client, values, kind="migration"):
    return client.post(f"{reverse('connections:add')}?kind={kind}", values)


def edit(client, connection, values):
    kept = {
        key: value
        for key, value in values.items()
        if key not in ("name", "source", "target", "left", "right")
    }
    return client.post(reverse("connections:edit", args=[connection.name]), kept)


def messages_of(answer):
    return " ".join(str(message) for message in answer.wsgi_request._messages)


PAGES = [
    ("connections:list", []),
    ("connections:add", []),
    ("connections:detail", ["contoso-to-jca"]),
    ("connections:sites_of", ["contoso-to-jca"]),
    ("connections:check", ["contoso-to-jca"]),
    ("connections:settings", ["contoso-to-jca"]),
    ("connections:file", ["contoso-to-jca"]),
    ("connections:edit", ["contoso-to-jca"]),
    ("connections:detail", ["jca-jcb"]),
    ("connections:edit", ["jca-jcb"]),
    ("connections:sites", []),
    ("connections:site_add", []),
    ("connections:site", ["jca"]),
    ("connections:site", ["contoso"]),
    ("connections:site_edit", ["jca-tempo"]),
]
ACTIONS = [
    ("connections:pause", ["contoso-to-jca"]),
    ("connections:resume", ["contoso-to-jca"]),
    ("connections:site_knock", ["jca"]),
    ("connections:site_remove", ["jca"]),
    ("connections:token_add", ["jca"]),
    ("connections:token_replace", ["jca", 1]),
    ("connections:token_expiry", ["jca", 1]),
    ("connections:token_revoke", ["jca", 1]),
]


class TestEveryPage:
    @pytest.mark.parametrize(("name", "arguments"), PAGES)
    def test_answers_within_a_handful_of_queries_and_without_a_secret(
        self, dana, migration, sync, django_assert_max_num_queries, name, arguments
    ):
        with django_assert_max_num_queries(MOST_QUERIES):
            answer = dana.get(reverse(name, args=arguments))
        assert answer.status_code == 200
        assert "secret-of" not in text_of(answer)
        assert not any(token.ciphertext in text_of(answer) for token in Token.objects.all())

    @pytest.mark.parametrize(("name", "arguments"), PAGES + ACTIONS)
    def test_is_closed_to_strangers(self, client, migration, sync, name, arguments):
        url = reverse(name, args=arguments)
        assert client.get(url).url == f"{reverse('login')}?next={url}"

    @pytest.mark.parametrize(("name", "arguments"), ACTIONS)
    def test_changes_nothing_for_a_mere_visit(self, dana, migration, name, arguments):
        assert dana.get(reverse(name, args=arguments)).status_code == 405

    @pytest.mark.parametrize("name", ["detail", "edit", "check", "sites_of", "settings", "file"])
    def test_of_an_unknown_connection_is_not_found(self, dana, name):
        assert dana.get(reverse(f"connections:{name}", args=["nobody"])).status_code == 404

    def test_shows_hostile_names_as_text(self, dana, sites):
        Site.objects.filter(name="jca").update(name=HOSTILE.replace("/", "|"), email=HOSTILE)
        page = dana.get(reverse("connections:sites")).content.decode()
        assert "<script>alert" not in page
        assert "<bdi>&lt;script&gt;" in page

    def test_does_not_ask_more_for_more_sites(self, dana, sites, django_assert_max_num_queries):
        for number in range(40):
            site = Site.objects.create(name=f"jira-{number}", kind="jira", url="https://x.example.com")
            tokens.keep(site, "", "secret-of-it")
        with django_assert_max_num_queries(MOST_QUERIES):
            dana.get(reverse("connections:sites"))

    def test_does_not_ask_more_for_more_connections(self, dana, migration, django_assert_max_num_queries):
        Connection.objects.bulk_create(
            Connection(name=f"again-{number}", kind="migration", left=migration.left, right=migration.right)
            for number in range(40)
        )
        with django_assert_max_num_queries(MOST_QUERIES):
            dana.get(reverse("connections:list"))


class TestTheFirstSteps:
    def test_are_explained_where_there_is_no_connection(self, dana):
        page = text_of(dana.get(reverse("connections:list")))
        for step in ("Add the sites", "Connect two of them", "Check it", "Do a dry run", "Run"):
            assert f"<h2>{step}</h2>" in page

    def test_lead_on_once_sites_are_there(self, dana, sites):
        page = text_of(dana.get(reverse("connections:list")))
        assert re.search(r"is-done.*Add the sites.*is-next.*Connect two of them", page, re.DOTALL)

    @pytest.mark.parametrize(("kind", "needed"), [("tempo", "Jira"), ("sevenpace", "Azure DevOps")])
    def test_name_the_site_that_comes_first(self, dana, kind, needed):
        page = text_of(dana.get(f"{reverse('connections:site_add')}?kind={kind}"))
        assert f"There is no {needed} site yet" in page

    def test_lead_from_nothing_to_a_checked_migration(self, dana, contoso, serve, settings):
        """Dana adds both sites of a migration with what stands on them, connects them, and checks: all by hand."""
        settings.ALLOW_LOCAL_SITES = True
        sandbox = serve(contoso.world)
        for site in (contoso.azure, contoso.pace, contoso.jira):
            answer = dana.post(
                f"{reverse('connections:site_add')}?kind={site.kind}", by_hand(site, sandbox.url)
            )
            assert answer.status_code == 302, text_of(answer)
            assert "accepts the token" in messages_of(answer)
        values = MIGRATION | {"source": contoso.pace.name, "target": "jca"}
        answer = add(dana, values)
        assert answer.url == reverse("connections:check", args=["contoso-to-jca"])
        assert "Not checked yet" in text_of(dana.get(answer.url))
        assert dana.post(answer.url).url == answer.url
        report = text_of(dana.get(answer.url))
        assert "Permission Work On Issues" in report
        assert ConnectionCheck.objects.get().status == "ok", ConnectionCheck.objects.get().missing
        assert "All 1" in report
        assert "Dry run" in report


def by_hand(site, url):
    home = url + site.path
    values = {"name": site.name, "url": home, "secret": site.tokens[0].token, "expires": ""}
    if site.kind == "jira":
        values["email"] = site.tokens[0].email
    if site.kind == "azure":
        values["identities_url"] = home
    if site.kind == "sevenpace":
        values |= {"url": f"{home}/api/rest", "azure": site.azure}
    return values


class TestAddingAConnection:
    def test_stores_what_the_file_would_have_stored(self, dana, sites):
        values = MIGRATION | {
            "date_from": "2024-01-01",
            "scope": "projects",
            "projects": "Contoso\nFabrikam",
            "minimum_seconds": "120",
            "people_pairs": "bob@example.com, 5b-bob",
            "timezones": "alice@example.com = Asia/Kolkata",
        }
        answer = add(dana, values)
        assert answer.url == reverse("connections:check", args=["contoso-to-jca"])
        connection = Connection.objects.get()
        assert (connection.kind, connection.left.name, connection.right.name) == (
            "migration",
            "contoso-7pace",
            "jca",
        )
        assert connection.options == {
            "source_timezone": "Europe/Berlin",
            "date_from": "2024-01-01",
            "scope": {"projects": ["Contoso", "Fabrikam"]},
            "minimum_seconds": 120,
            "issues": {"match": "label", "on": "right", "label": "ado-id-{id}"},
            "people": {
                "pairs": [["bob@example.com", "5b-bob"]],
                "timezones": {"alice@example.com": "Asia/Kolkata"},
            },
        }
        mapping = UserMapping.objects.get()
        assert (mapping.left_email, mapping.right_account, mapping.found_by) == (
            "bob@example.com",
            "5b-bob",
            "manual",
        )

    def test_stores_a_sync_too(self, dana, sites):
        values = SYNC | {
            "issue_match": "field",
            "issue_field": "Twin key",
            "issue_on": "right",
            "direction": "left-to-right",
            "schedule": "*/5 * * * *",
        }
        assert add(dana, values, "sync").status_code == 302
        assert Connection.objects.get().options == {
            "direction": "left-to-right",
            "schedule": "*/5 * * * *",
            "issues": {"match": "field", "field": "Twin key", "on": "right"},
        }

    def test_asks_for_the_kind_first(self, dana, sites):
        page = text_of(dana.get(reverse("connections:add")))
        assert "?kind=migration" in page
        assert "?kind=sync" in page

    def test_says_which_site_is_not_there_yet(self, dana):
        page = text_of(dana.get(f"{reverse('connections:add')}?kind=migration"))
        assert "There is no site yet that can be the source" in page

    def test_refuses_a_name_that_is_taken(self, dana, migration):
        answer = add(dana, MIGRATION)
        assert answer.status_code == 200
        assert "There is a connection of this name" in text_of(answer)

    def test_keeps_what_was_typed_and_changes_nothing(self, dana, sites):
        answer = add(
            dana, MIGRATION | {"name": "mine", "source_timezone": "Europe/Berln", "projects": "Contoso"}
        )
        page = text_of(answer)
        assert answer.status_code == 200
        assert 'value="mine"' in page
        assert 'value="Europe/Berln"' in page
        assert "Contoso</textarea>" in page
        assert not Connection.objects.exists()


WRONG = [
    ({"source_timezone": "Europe/Berln"}, 'source_timezone = "Europe/Berln"'),
    ({"source_timezone": ""}, ""),
    ({"minimum_seconds": "soon"}, 'minimum_seconds = "soon"'),
    (
        {"date_from": "2024-02-01", "date_to": "2024-01-01"},
        'date_from = "2024-02-01"\ndate_to = "2024-01-01"',
    ),
    ({"date_from": "yesterday"}, 'date_from = "yesterday"'),
    ({"rounding_minutes": "0"}, "rounding_minutes = 0"),
    ({"scope": "projects"}, "scope = { projects = [] }"),
    ({"scope": "ids", "ids": "12 twelve"}, 'scope = { ids = [12, "twelve"] }'),
    ({"lookalikes": "guess"}, 'lookalikes = "guess"'),
    ({"issue_label": "ado"}, '[connection.issues]\nlabel = "ado"'),
    ({"issue_match": "field"}, '[connection.issues]\nmatch = "field"'),
    (
        {"issue_match": "pairs", "issue_pairs": "x, DEV-1"},
        '[connection.issues]\nmatch = "pairs"\npairs = [["x", "DEV-1"]]',
    ),
    ({"issue_match": "pairs", "issue_pairs": "12"}, '[connection.issues]\nmatch = "pairs"\npairs = [["12"]]'),
    ({"people_pairs": "a@example.com"}, '[connection.people]\npairs = [["a@example.com"]]'),
    ({"timezones": "a@example.com = Mars"}, '[connection.people]\ntimezones = { "a@example.com" = "Mars" }'),
    ({"fallback_right": "5b-bot"}, '[connection.people]\nfallback = { right = "5b-bot" }'),
]


@pytest.mark.parametrize(("typed", "written"), WRONG)
def test_a_form_refuses_what_the_file_refuses_with_the_same_words(dana, sites, tmp_path, typed, written):
    zone = 'source_timezone = "Europe/Berlin"\n' if "source_timezone" not in typed else ""
    sides = 'source = "contoso-7pace"\ntarget = "jca"'
    file = f'[[connection]]\nname = "x"\nkind = "migration"\n{sides}\n{zone}{written}\n'
    if "[connection.issues]" not in file:
        file += '[connection.issues]\nmatch = "label"\n'
    page = text_of(add(dana, MIGRATION | typed)).lower()
    for problem in problems_of(file, tmp_path):
        words = problem.partition('connection "x": ')[2].partition(": ")[2]
        assert words.lower() in page
    assert not Connection.objects.exists()


def problems_of(file, folder):
    with pytest.raises(DeclarationError) as refusal:
        parse(file, folder / "x.toml", known_sites())
    return refusal.value.problems


class TestFilesOfPairs:
    def upload(self, client, content, **changes):
        file = SimpleUploadedFile("pairs.csv", content, "text/csv")
        values = (
            MIGRATION
            | {"issue_match": "pairs", "issue_pairs": "1, DEV-1", "issue_pairs_file": file}
            | changes
        )
        return add(client, values)

    def test_join_the_lines(self, dana, sites):
        assert self.upload(dana, b"\xef\xbb\xbfissue;work_item\r\nDEV-2;2\r\n").status_code == 302
        pairs = Connection.objects.get().options["issues"]["pairs"]
        assert pairs == [["1", "DEV-1"], ["2", "DEV-2"]]

    def test_are_refused_with_the_line(self, dana, sites):
        page = text_of(self.upload(dana, b"work_item,issue\n2,\n"))
        assert "pairs.csv line 2: expected work_item and issue, one is empty" in page
        assert not Connection.objects.exists()

    def test_are_refused_where_they_are_no_text(self, dana, sites):
        assert "is not UTF-8" in text_of(self.upload(dana, b"\xff\xfe\x00w"))

    def test_stay_on_the_page_when_something_else_is_wrong(self, dana, sites):
        page = text_of(self.upload(dana, b"work_item,issue\n2,DEV-2\n", source_timezone=""))
        assert "1, DEV-1\n2, DEV-2</textarea>" in page

    def test_of_people_are_remembered_as_such(self, dana, migration):
        file = SimpleUploadedFile("people.csv", b"left,right\nbob@example.com,5b-bob\n", "text/csv")
        edit(dana, migration, MIGRATION | {"people_pairs_file": file})
        edit(
            dana, migration, MIGRATION | {"people_pairs": "bob@example.com, 5b-bob\neve@example.com, 5b-eve"}
        )
        found = dict(UserMapping.objects.values_list("left_email", "found_by"))
        assert found == {"bob@example.com": "file", "eve@example.com": "manual"}

    def test_of_ids_are_read(self, dana, sites):
        file = SimpleUploadedFile("ids.csv", b"id\n7\n8\n", "text/csv")
        assert add(dana, MIGRATION | {"scope": "ids", "ids": "5", "ids_file": file}).status_code == 302
        assert Connection.objects.get().options["scope"] == {"ids": [5, 7, 8]}


class TestEditingAConnection:
    def test_begins_with_what_is_stored(self, dana, migration):
        migration.options |= {"rounding": "up", "rounding_minutes": 15, "scope": {"ids": [4, 5]}}
        migration.save()
        page = text_of(dana.get(reverse("connections:edit", args=["contoso-to-jca"])))
        assert '<option value="up" selected>' in page
        assert "4\n5</textarea>" in page

    def test_saved_as_it_came_changes_nothing(self, dana, migration):
        before = Connection.objects.get().options
        edit(dana, migration, MIGRATION)
        assert Connection.objects.get().options == before

    def test_leaves_rules_and_scripts_alone(self, dana, migration):
        rules = {"text_template": "{text}", "exclude": [{"from": "2024-01-01"}]}
        scripts = {"left": {"outgoing": "return worklog"}}
        migration.options |= {"rules": rules, "scripts": scripts}
        migration.save()
        edit(dana, migration, MIGRATION | {"minimum_seconds": "90"})
        stored = Connection.objects.get()
        assert stored.options["minimum_seconds"] == 90
        assert stored.get_options().scripts.left.outgoing == "return worklog"
        assert stored.options["rules"]["text_template"] == "{text}"
        assert stored.options["rules"]["exclude"] == [{"from": "2024-01-01"}]

    def test_cannot_change_name_and_sides(self, dana, migration, sites):
        values = MIGRATION | {"name": "other", "target": "jcb"}
        dana.post(reverse("connections:edit", args=["contoso-to-jca"]), values)
        stored = Connection.objects.get()
        assert (stored.name, stored.right.name) == ("contoso-to-jca", "jca")

    def test_offers_to_check_again(self, dana, migration):
        ConnectionCheck.objects.create(
            connection=migration, at=timezone.now() + timedelta(seconds=1), status="ok", checks=[]
        )
        url = reverse("connections:check", args=["contoso-to-jca"])
        assert "was changed since" not in text_of(dana.get(url))
        ConnectionCheck.objects.update(at=timezone.now() - timedelta(seconds=1))
        edit(dana, migration, MIGRATION | {"minimum_seconds": "90"})
        assert "was changed since" in text_of(dana.get(url))


class TestOneConnection:
    def test_can_be_paused_and_resumed(self, dana, migration):
        page = reverse("connections:detail", args=["contoso-to-jca"])
        assert dana.post(reverse("connections:pause", args=["contoso-to-jca"])).url == page
        assert Connection.objects.get().paused
        paused = text_of(dana.get(page))
        assert reverse("connections:resume", args=["contoso-to-jca"]) in paused
        assert reverse("worklogs:start") not in paused
        dana.post(reverse("connections:resume", args=["contoso-to-jca"]))
        assert not Connection.objects.get().paused

    def test_begins_a_dry_run_by_a_form(self, dana, migration):
        page = text_of(dana.get(reverse("connections:detail", args=["contoso-to-jca"])))
        form = re.search(rf'<form[^>]*action="{reverse("worklogs:start")}".*?</form>', page, re.DOTALL)[0]
        assert 'name="connection" value="contoso-to-jca"' in form
        assert 'name="dry_run" value="1"' in form

    def test_leads_to_its_runs_without_a_script(self, dana, migration):
        page = text_of(dana.get(reverse("connections:detail", args=["contoso-to-jca"])))
        assert f'hx-get="{reverse("worklogs:connection_runs", args=["contoso-to-jca"])}"' in page
        assert f'href="{reverse("worklogs:runs")}?connection=contoso-to-jca"' in page

    def test_of_a_sync_offers_a_run_a_dry_run_and_one_that_compares_everything(self, dana, sync):
        at = timezone.now() + timedelta(seconds=1)
        ConnectionCheck.objects.create(connection=sync, at=at, status="ok", checks=[])
        page = text_of(dana.get(reverse("connections:detail", args=["jca-jcb"])))
        forms = re.findall(rf'<form[^>]*action="{reverse("worklogs:start")}".*?</form>', page, re.DOTALL)
        assert ["Sync now" in form for form in forms].count(True) == 1
        assert any('name="dry_run" value="1"' in form for form in forms)
        assert any('name="full" value="1"' in form for form in forms)
        assert "still to come" not in page

    def test_of_a_sync_leads_to_its_issues_without_a_script(self, dana, sync, migration):
        issues = reverse("worklogs:issues", args=["jca-jcb"])
        page = text_of(dana.get(reverse("connections:detail", args=["jca-jcb"])))
        assert f'hx-get="{issues}"' in page
        assert f'href="{issues}"' in page
        part = text_of(dana.get(issues, headers={"HX-Request": "true"}))
        assert "Changes seen up to" in part
        assert "<html" not in part
        other = text_of(dana.get(reverse("connections:detail", args=["contoso-to-jca"])))
        assert "How far it has come" not in other

    def test_says_in_words_what_it_is_told(self, dana, sync):
        sync.options |= {"conflicts": "park", "since": "2026-01-01"}
        sync.save()
        page = text_of(dana.get(reverse("connections:detail", args=["jca-jcb"])))
        for words in ("From left to right", "A person decides", "2026-01-01", "Same key"):
            assert words in page

    def test_names_what_is_missing_and_how_to_grant_it(self, dana, migration):
        missing = {
            "site": "jca",
            "what": "permission Work On Issues",
            "state": "missing",
            "needed_for": "writing worklogs",
            "remedy": f"Give it. {HOSTILE}",
        }
        found = missing | {"what": "identity", "state": "ok", "remedy": ""}
        at = timezone.now() + timedelta(seconds=1)
        ConnectionCheck.objects.create(connection=migration, at=at, status="missing", checks=[missing, found])
        for name in ("detail", "check"):
            raw = dana.get(reverse(f"connections:{name}", args=["contoso-to-jca"])).content.decode()
            assert "1 of 2 is missing." in raw
            assert "ermission Work On Issues" in raw
            assert "Give it. &lt;script&gt;" in raw

    def test_warns_of_a_token_that_ends_soon(self, dana, migration, sites):
        sites["jca"].tokens.filter(email="").update(expires_at=timezone.now() + timedelta(days=3))
        page = text_of(dana.get(reverse("connections:detail", args=["contoso-to-jca"])))
        assert "Expires soon" in page

    def test_is_shown_as_the_file_that_makes_it(self, dana, migration):
        page = text_of(dana.get(reverse("connections:settings", args=["contoso-to-jca"])))
        file = dana.get(reverse("connections:file", args=["contoso-to-jca"]))
        assert file["Content-Disposition"] == 'attachment; filename="twinlog.toml"'
        assert file.content.decode() in page
        assert 'token = { env = "JCA_TOKEN" }' in page

    def test_hands_on_to_its_people(self, dana, migration):
        url = reverse("connections:people", args=["contoso-to-jca"])
        assert dana.get(url).url == reverse("worklogs:people", args=["contoso-to-jca"])
        assert dana.get(reverse("connections:people_all")).url == reverse("worklogs:people_all")

    def test_tells_a_site_that_does_not_answer(self, dana, migration, settings):
        settings.ALLOW_LOCAL_SITES = True
        Site.objects.filter(kind="sevenpace").update(url="http://127.0.0.1:1/api/rest")
        Site.objects.filter(name="jca").update(url="http://127.0.0.1:1")
        Site.objects.filter(name="contoso").update(url="http://127.0.0.1:1/contoso")
        Token.objects.all().delete()
        url = reverse("connections:check", args=["contoso-to-jca"])
        dana.post(url)
        page = text_of(dana.get(url))
        assert "could not be reached, or refused its token" in page
        assert "has not a token" in page


JIRA = {
    "name": "jcc",
    "url": "https://jcc.example.com",
    "email": "bot@example.com",
    "secret": "secret-of-jcc",
}


@pytest.fixture
def knocked(monkeypatch):
    """Which sites were tried; each accepts its token."""
    tried = []
    monkeypatch.setattr("connections.checks.knock", lambda site: tried.append(site.name) or "")
    return tried


def add_site(client, values, kind="jira"):
    return client.post(f"{reverse('connections:site_add')}?kind={kind}", values)


class TestAddingASite:
    def test_seals_its_token_and_tries_it(self, dana, knocked):
        answer = add_site(dana, JIRA | {"expires": "2027-05-01"})
        assert answer.url == reverse("connections:site", args=["jcc"])
        token = Token.objects.get()
        assert tokens.open_token(token) == "secret-of-jcc"
        assert token.expires_at.date().isoformat() == "2027-05-01"
        assert knocked == ["jcc"]

    def test_keeps_it_where_the_token_is_refused(self, dana, monkeypatch):
        monkeypatch.setattr("connections.checks.knock", lambda site: "jcc refused the token.")
        answer = add_site(dana, JIRA)
        assert "jcc refused the token." in messages_of(answer)
        assert Site.objects.exists()

    def test_brings_an_address_of_7pace_into_one_form(self, dana, sites, knocked):
        values = {
            "name": "more",
            "url": "fabrikam.timehub.7pace.com",
            "azure": "contoso",
            "secret": "secret-of-it",
        }
        add_site(dana, values, "sevenpace")
        assert (
            Site.objects.get(name="more").url == "https://fabrikam.timehub.7pace.com/api/rest?api-version=3.2"
        )

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"url": "http://jcc.example.com"}, "is not encrypted"),
            ({"url": "https://localhost"}, "is a local or private address"),
            ({"url": "https://169.254.169.254"}, "is no address of a site"),
            ({"url": "https://bot:pass@jcc.example.com"}, "must not contain a user name or password"),
            ({"url": "https://jcc.example.com?x=1"}, 'without "?" and "#"'),
            ({"url": ""}, "Required, and missing"),
            ({"name": ""}, "Required, and missing"),
            ({"name": "a/b"}, "a name that can stand in an address"),
            ({"name": "jca"}, "There is a site of this name"),
            ({"email": ""}, "the account its token belongs to"),
            ({"secret": ""}, "The token is empty"),
            ({"secret": "two words"}, "The token holds blanks"),
            ({"expires": "soon"}, 'Expected a day such as "2026-03-15"'),
        ],
    )
    def test_is_refused_with_a_reason(self, dana, sites, knocked, changes, words):
        answer = add_site(dana, JIRA | changes)
        assert answer.status_code == 200
        assert words in text_of(answer)
        assert "secret-of-jcc" not in text_of(answer)
        assert Site.objects.count() == len(sites)
        assert knocked == []


class TestEditingASite:
    def test_leaves_its_tokens_alone(self, dana, sites):
        values = {"url": "https://jca.example.com/jira", "email": "new@example.com", "secret": ""}
        assert dana.post(reverse("connections:site_edit", args=["jca"]), values).status_code == 302
        jca = Site.objects.get(name="jca")
        assert (jca.url, jca.email) == ("https://jca.example.com/jira", "new@example.com")
        assert tokens.open_token(jca.own_token) == "secret-of-jca"
        assert jca.tokens.count() == 2

    def test_asks_for_the_token_where_it_would_go_to_another_host(self, dana, sites):
        values = {"url": "https://elsewhere.example.com", "email": "bot@example.com", "secret": ""}
        answer = dana.post(reverse("connections:site_edit", args=["jca"]), values)
        assert "give its token again" in text_of(answer)
        assert Site.objects.get(name="jca").url == "https://jca.example.com"

    def test_forgets_personal_tokens_with_the_host_they_were_for(self, dana, sites):
        values = {
            "url": "https://elsewhere.example.com",
            "email": "bot@example.com",
            "secret": "new-secret-of-jca",
        }
        dana.post(reverse("connections:site_edit", args=["jca"]), values)
        assert [tokens.open_token(token) for token in sites["jca"].tokens.all()] == ["new-secret-of-jca"]

    def test_of_identities_asks_for_the_token_too(self, dana, sites):
        tokens.keep(sites["contoso"], "", "secret-of-azure")
        values = {"url": "https://dev.example.com/contoso", "identities_url": "https://elsewhere.example.com"}
        answer = dana.post(reverse("connections:site_edit", args=["contoso"]), values)
        assert "give its token again" in text_of(answer)

    def test_removes_a_site_nobody_uses(self, dana, sites):
        assert dana.post(reverse("connections:site_remove", args=["jcb"])).url == reverse("connections:sites")
        assert not Site.objects.filter(name="jcb").exists()

    def test_keeps_a_site_that_is_used(self, dana, migration):
        answer = dana.post(reverse("connections:site_remove", args=["jca"]))
        assert "contoso-to-jca" in messages_of(answer)
        assert Site.objects.filter(name="jca").exists()


class TestTokens:
    def own(self):
        return Token.objects.get(site__name="jca", email="")

    def act(self, client, name, token, **values):
        url = reverse(f"connections:{name}", args=["jca", token.pk])
        prefix = "expiry" if name == "token_expiry" else "new"
        return client.post(url, {f"{prefix}-{token.pk}-{key}": value for key, value in values.items()})

    def test_are_replaced(self, dana, sites):
        Token.objects.update(last_check_state="refused", expires_at=timezone.now())
        self.act(dana, "token_replace", self.own(), secret=" a-newer-secret \n", expires="")
        token = self.own()
        assert tokens.open_token(token) == "a-newer-secret"
        assert (token.last_check_state, token.expires_at) == ("", None)

    def test_stay_where_the_new_one_cannot_be_one(self, dana, sites):
        answer = self.act(dana, "token_replace", self.own(), secret="not a token", expires="")
        assert answer.status_code == 200
        assert "The token holds blanks" in text_of(answer)
        assert "not a token" not in text_of(answer)
        assert tokens.open_token(self.own()) == "secret-of-jca"

    def test_are_changed_one_at_a_time(self, dana, sites):
        """A page of many tokens asks for no secret before somebody wants to change one."""
        page = reverse("connections:site", args=["jca"])
        own = self.own().pk
        assert f"new-{own}-secret" not in text_of(dana.get(page))
        opened = text_of(dana.get(page, {"open": f"new-{own}"}))
        assert opened.count(f'name="new-{own}-secret"') == 1
        assert f'name="expiry-{own}-expires"' in text_of(dana.get(page, {"open": f"expiry-{own}"}))

    def test_are_told_when_they_end(self, dana, sites):
        self.act(dana, "token_expiry", self.own(), expires="2027-05-01")
        assert self.own().expires_at.date().isoformat() == "2027-05-01"
        assert self.act(dana, "token_expiry", self.own(), expires="soon").status_code == 200
        self.act(dana, "token_expiry", self.own(), expires="")
        assert self.own().expires_at is None

    def test_are_revoked(self, dana, sites):
        self.act(dana, "token_revoke", Token.objects.get(email="alice@example.com"))
        self.act(dana, "token_revoke", self.own())
        page = text_of(dana.get(reverse("connections:site", args=["jca"])))
        assert "It has no token" in page
        assert not sites["jca"].tokens.exists()

    def test_are_given_to_a_site_without_one(self, dana, sites):
        url = reverse("connections:token_add", args=["contoso"])
        dana.post(url, {"own-secret": "secret-of-azure", "own-expires": ""})
        assert tokens.open_token(sites["contoso"].tokens.get()) == "secret-of-azure"

    def test_of_people_are_added(self, dana, sites):
        url = reverse("connections:token_add", args=["jca"])
        bob = {
            "personal-email": "bob@example.com",
            "personal-secret": "secret-of-bob",
            "personal-expires": "",
        }
        assert dana.post(url, bob).status_code == 302
        assert tokens.open_token(sites["jca"].token_of("bob@example.com")) == "secret-of-bob"
        assert dana.post(url, bob | {"personal-email": "bob"}).status_code == 200

    def test_of_another_site_are_out_of_reach(self, dana, sites):
        other = Token.objects.get(site__name="jcb")
        for name in ("token_replace", "token_expiry", "token_revoke"):
            assert self.act(dana, name, other, secret="a-newer-secret", expires="").status_code == 404
        assert tokens.open_token(Token.objects.get(site__name="jcb")) == "secret-of-jcb"

    @pytest.mark.parametrize(
        ("days", "state", "word"),
        [(-1, "ok", "Expired"), (3, "ok", "Expires soon"), (3, "refused", "Refused"), (90, "ok", "Accepted")],
    )
    def test_say_how_they_stand(self, dana, sites, days, state, word):
        Token.objects.update(expires_at=timezone.now() + timedelta(days=days), last_check_state=state)
        assert word in text_of(dana.get(reverse("connections:site", args=["jcb"])))

    def test_are_tried_on_demand(self, dana, contoso, serve, settings):
        settings.ALLOW_LOCAL_SITES = True
        sandbox = serve(contoso.world)
        add_site(dana, by_hand(contoso.jira, sandbox.url))
        url = reverse("connections:site_knock", args=["jca"])
        assert "accepts the token" in messages_of(dana.post(url))
        tokens.keep(Site.objects.get(name="jca"), "", "of-somebody-else")
        dana.post(url)
        assert self.own().last_check_state == "refused"

    def test_of_a_site_that_is_unchecked_go_back_only_within(self, dana, sites, knocked):
        url = reverse("connections:site_knock", args=["jca"])
        assert dana.post(url, {"next": "https://elsewhere.example.com/"}).url == reverse(
            "connections:site", args=["jca"]
        )
        assert dana.post(url, {"next": reverse("connections:sites")}).url == reverse("connections:sites")


class TestPairingAPerson:
    def test_by_hand_is_kept_where_the_form_and_the_file_find_it(self, migration):
        pair_person(migration, "carol@example.com", "5b-carol")
        pair_person(migration, "Carol@example.com", "5b-caroline")
        stored = Connection.objects.get()
        assert stored.options["people"]["pairs"] == [["Carol@example.com", "5b-caroline"]]
        assert UserMapping.objects.get().right_account == "5b-caroline"

    def test_is_taken_back(self, migration):
        pair_person(migration, "carol@example.com", "5b-carol")
        pair_person(migration, "carol@example.com", "")
        assert "people" not in Connection.objects.get().options
        assert not UserMapping.objects.exists()
