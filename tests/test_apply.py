"""`apply` makes the database what the file says, or refuses the file with every mistake named, and changes nothing."""

import io
import json

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from connections.cron import is_cron
from connections.models import Connection, Site, Token, UserMapping
from connections.options import ConnectionOptions, OptionsError, parse_options
from connections.tokens import open_token

pytestmark = pytest.mark.django_db

SITES = """
[[site]]
name = "jca"
kind = "jira"
url = "https://jca.example.com"
email = "bot@example.com"
token = { env = "JCA_TOKEN" }

[[site]]
name = "jca-tempo"
kind = "tempo"
jira = "jca"
token = { env = "TEMPO_TOKEN" }

[[site]]
name = "contoso-7pace"
kind = "sevenpace"
pace_api_url = "https://contoso.example.com/api/rest/timetracking/v3.2"
azure = "contoso"
pace_token = { env = "PACE_TOKEN" }

[[site]]
name = "contoso"
kind = "azure"
url = "https://dev.example.com/contoso/"
token = { env = "ADO_PAT" }
"""
CONNECTION = """
[[connection]]
name = "contoso-to-jca"
kind = "migration"
source = "contoso-7pace"
target = "jca"
source_timezone = "Europe/Berlin"
[connection.issues]
match = "label"
label = "ado-id-{id}"
"""
NAMES = ["jca", "jca-tempo", "contoso-7pace", "contoso", "contoso-to-jca"]
SECRETS = {
    "JCA_TOKEN": "secret-of-jca",
    "TEMPO_TOKEN": "secret-of-tempo",
    "PACE_TOKEN": "secret-of-7pace",
    "ADO_PAT": "secret-of-azure",
    "ALICE_TOKEN": "secret-of-alice",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setattr("connections.declare.check_address", lambda url, allow_local: None)
    for name, secret in SECRETS.items():
        monkeypatch.setenv(name, secret)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "twinlog.toml"


def run(*arguments):
    out = io.StringIO()
    status = 0
    try:
        call_command(*arguments, stdout=out)
    except SystemExit as ended:
        status = ended.code
    return status, out.getvalue()


def apply(file, text, *flags):
    file.write_text(text, encoding="utf-8")
    status, out = run("apply", str(file), "--json", *flags)
    data = json.loads(out)
    if status:
        assert data["error"]["code"] == "bad_file"
        return data["error"]["message"]
    return {word: names for word, names in data.items() if names}


def test_a_new_file_creates_everything_it_names(file):
    assert apply(file, SITES + CONNECTION) == {"created": NAMES}
    connection = Connection.objects.get()
    assert (connection.left.name, connection.right.name) == ("contoso-7pace", "jca")
    assert connection.left.azure.name == "contoso"
    assert open_token(Site.objects.get(name="jca").own_token) == "secret-of-jca"


def test_applying_twice_changes_nothing(file):
    apply(file, SITES + CONNECTION)
    before = [list(model.objects.values()) for model in (Site, Token, Connection)]
    assert apply(file, SITES + CONNECTION) == {"unchanged": NAMES}
    assert [list(model.objects.values()) for model in (Site, Token, Connection)] == before


def test_a_dry_run_says_what_would_be_done_and_does_nothing(file):
    assert apply(file, SITES + CONNECTION, "--dry-run") == {"created": NAMES}
    assert not Site.objects.exists()


def test_people_read_what_was_done(file):
    file.write_text(SITES)
    assert run("apply", str(file), "--dry-run")[1].startswith("would create  jca, jca-tempo")
    assert run("apply", str(file))[1].startswith("created  ")


def test_a_changed_token_updates_its_site_alone(file, monkeypatch):
    apply(file, SITES + CONNECTION)
    monkeypatch.setenv("JCA_TOKEN", "a-new-secret")
    assert apply(file, SITES + CONNECTION)["updated"] == ["jca"]
    assert open_token(Site.objects.get(name="jca").own_token) == "a-new-secret"


def test_a_changed_option_updates_its_connection_alone(file):
    apply(file, SITES + CONNECTION)
    changed = CONNECTION.replace("[connection.issues]", "minimum_seconds = 120\n[connection.issues]")
    assert apply(file, SITES + changed)["updated"] == ["contoso-to-jca"]
    assert Connection.objects.get().minimum_seconds == 120


def test_a_default_written_out_changes_nothing(file):
    apply(file, SITES + CONNECTION)
    spelled = CONNECTION.replace(
        "[connection.issues]", 'read = "rest"\nrounding = "none"\n[connection.issues]'
    )
    assert "updated" not in apply(file, SITES + spelled)


def test_what_the_file_no_longer_names_stays_unless_pruned(file):
    apply(file, SITES + CONNECTION)
    assert apply(file, SITES) == {"unchanged": NAMES[:4]}
    assert apply(file, SITES, "--prune", "--dry-run")["removed"] == ["contoso-to-jca"]
    assert Connection.objects.exists()
    assert apply(file, SITES, "--prune")["removed"] == ["contoso-to-jca"]
    assert apply(file, "", "--prune") == {"removed": ["contoso-7pace", "jca-tempo", "contoso", "jca"]}


def test_a_site_already_stored_need_not_stand_in_the_file_again(file):
    apply(file, SITES)
    assert apply(file, CONNECTION) == {"created": ["contoso-to-jca"]}


def test_pruning_a_site_that_the_file_still_needs_is_refused(file):
    apply(file, SITES)
    assert 'there is no site named "jca"' in apply(file, CONNECTION, "--prune")


def test_a_personal_token_comes_and_goes_with_the_file(file):
    hers = 'personal_tokens = [ { email = "alice@example.com", env = "ALICE_TOKEN" } ]\n'
    with_hers = SITES.replace('email = "bot@example.com"\n', f'email = "bot@example.com"\n{hers}')
    apply(file, SITES)
    assert apply(file, with_hers)["updated"] == ["jca"]
    assert open_token(Site.objects.get(name="jca").token_of("alice@example.com")) == "secret-of-alice"
    assert "updated" not in apply(file, with_hers)
    assert apply(file, SITES)["updated"] == ["jca"]
    assert Site.objects.get(name="jca").token_of("alice@example.com") is None


def test_a_token_may_lie_in_a_file_beside(file):
    (file.parent / "jca.token").write_text("secret-in-a-file\n")
    apply(file, SITES.replace('{ env = "JCA_TOKEN" }', '{ file = "jca.token" }'))
    assert open_token(Site.objects.get(name="jca").own_token) == "secret-in-a-file"


@pytest.mark.parametrize(
    "written",
    [
        "https://contoso.example.com",
        "https://contoso.example.com/api/rest/",
        "https://contoso.example.com/api/rest/workLogs/all?api-version=3.2",
    ],
)
def test_every_form_of_a_7pace_address_is_stored_as_one(file, written):
    apply(file, SITES)
    known = Site.objects.get(name="contoso-7pace").url
    again = SITES.replace("https://contoso.example.com/api/rest/timetracking/v3.2", written)
    assert apply(file, again) == {"unchanged": NAMES[:4]}
    assert Site.objects.get(name="contoso-7pace").url == known


def test_a_site_cannot_become_one_of_another_kind(file):
    apply(file, SITES)
    other = 'name = "jca"\nkind = "azure"\nurl = "https://jca.example.com"\ntoken = { env = "ADO_PAT" }'
    assert 'site "jca": kind: it is of kind jira' in apply(file, f"[[site]]\n{other}")


def test_a_connection_cannot_move_to_other_sites(file):
    apply(file, SITES + CONNECTION)
    said = apply(file, SITES + CONNECTION.replace('target = "jca"', 'target = "jca-tempo"'))
    assert 'connection "contoso-to-jca": it is a migration between contoso-7pace and jca' in said


def test_pairs_of_people_are_kept_with_where_they_came_from(file):
    (file.parent / "people.csv").write_bytes("\ufeffname;left;right\nBob;bob@example.com;5b-bob\n\n".encode())
    people = '[connection.people]\npairs = [["alice-7pace", "5b-alice"]]\npairs_file = "people.csv"\n'
    apply(file, SITES + CONNECTION + people)
    assert list(
        UserMapping.objects.order_by("right_account").values_list(
            "left_account", "left_email", "right_account", "found_by"
        )
    ) == [("alice-7pace", "", "5b-alice", "manual"), ("", "bob@example.com", "5b-bob", "file")]
    assert Connection.objects.get().get_options().people.pairs == (
        ("alice-7pace", "5b-alice"),
        ("bob@example.com", "5b-bob"),
    )


def test_later_runs_need_none_of_the_files(file):
    (file.parent / "pairs.csv").write_text("Issue,Work_Item\nABC-1,42\nABC-1,43\n")
    (file.parent / "ids.csv").write_text("42\n43\n")
    text = CONNECTION.replace("[connection.issues]", 'scope = { ids_file = "ids.csv" }\n[connection.issues]')
    text = text.replace('match = "label"\nlabel = "ado-id-{id}"', 'match = "pairs"\npairs_file = "pairs.csv"')
    apply(file, SITES + text)
    options = Connection.objects.get().get_options()
    assert options.issues.pairs == (("42", "ABC-1"), ("43", "ABC-1"))
    assert options.scope.ids == (42, 43)


MISTAKES = [
    ("not toml", "name = \n[[site]]", "not TOML: Invalid value (at line 27, column 8)"),
    ("an unknown table", "[[sites]]\n", 'sites: unknown key (did you mean "site"?)'),
    ("one table for many", '[connection]\nname = "x"\n', "connection: expected [[connection]]"),
    ("a double name", '[[site]]\nname = "jca"\nkind = "jira"', 'site "jca": stands here 2 times'),
]


@pytest.mark.parametrize(
    ("added", "said"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_file_that_is_built_wrong_is_refused(file, added, said):
    assert f"twinlog.toml: {said}" in apply(file, SITES + added)
    assert not Site.objects.exists()


SITE_MISTAKES = [
    (
        'kind = "jira"',
        'kind = "jura"',
        'site "jca": kind: expected one of jira, tempo, sevenpace, azure, got "jura"',
    ),
    ('email = "bot@example.com"\n', "", 'site "jca": email: required, and missing'),
    ('jira = "jca"\n', "", 'site "jca-tempo": jira: required, and missing'),
    ('azure = "contoso"\n', "", 'site "contoso-7pace": azure: required, and missing'),
    (
        'jira = "jca"',
        'jira = "jcb"',
        'site "jca-tempo": jira: there is no site named "jcb" (did you mean "jca"?)',
    ),
    ('jira = "jca"', 'jira = "contoso"', 'expected a site of kind jira, and "contoso" is of kind azure'),
    ('name = "jca"', "nam = 'jca'", 'site number 1: nam: unknown key (did you mean "name"?)'),
    ('url = "https://jca.example.com"', "url = 7", 'site "jca": url: expected a text, got 7'),
    (
        'jira = "jca"',
        'jira = "jca"\nemail = "x@y.z"',
        'site "jca-tempo": email: a site of kind tempo has no such key',
    ),
    ('{ env = "JCA_TOKEN" }', '{ env = "NOT_SET" }', "token: the environment variable NOT_SET is not set"),
    ('{ env = "JCA_TOKEN" }', '{ file = "no.token" }', "token: the file no.token cannot be read"),
    (
        '{ env = "JCA_TOKEN" }',
        '{ env = "A", file = "b" }',
        'token: expected { env = "NAME" } or { file = "path" }',
    ),
    (
        "https://contoso.example.com/api",
        "https://x.timehubmdy.7pace.com/api",
        "belongs to 7pace for monday.com",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "said"), SITE_MISTAKES)
def test_a_mistake_in_a_site_is_named_with_what_was_expected(file, right, wrong, said):
    assert said in apply(file, SITES.replace(right, wrong, 1))
    assert not Site.objects.exists()


CONNECTION_MISTAKES = [
    ('"label"\n', '"foo"\n', 'issues.match: expected one of key, field, label, link, pairs, got "foo"'),
    ("ado-id-{id}", "ado-id", "issues.label: expected a label without blanks that holds {id} once"),
    ("ado-id-{id}", "ado {id}", "issues.label: expected a label without blanks that holds {id} once"),
    ('"label"\nlabel = "ado-id-{id}"', '"key"', "issues.match: expected one of field, label, link, pairs"),
    ('"label"\nlabel = "ado-id-{id}"', '"field"', 'issues.field: required with match = "field"'),
    ('label = "ado-id-{id}"', 'lable = "x"', 'issues.lable: unknown key (did you mean "label"?)'),
    (
        '"label"\nlabel = "ado-id-{id}"',
        '"pairs"\npairs = [[42, "ABC-1"], ["ABC-2", "43"]]',
        'issues.pairs[1]: expected a work item id, got "ABC-2"',
    ),
    ('kind = "migration"', 'kind = "copy"', 'kind: expected one of sync, migration, got "copy"'),
    ("Europe/Berlin", "Europe/Berln", '(did you mean "Europe/Berlin"?)'),
    ('source_timezone = "Europe/Berlin"', "", "source_timezone: required"),
    (
        'source = "contoso-7pace"',
        'source = "jca"',
        'source: expected a site of kind sevenpace, and "jca" is of kind jira',
    ),
    ('target = "jca"', 'target = "nowhere"', 'target: there is no site named "nowhere"'),
    ('target = "jca"', "", "target: required, and missing"),
    ('target = "jca"', 'right = "jca"', "right: a migration names its source and target"),
    (
        "[connection.issues]",
        "minimum_seconds = '9'\n[connection.issues]",
        "minimum_seconds: expected a whole number",
    ),
    ("[connection.issues]", "minimum_seconds = -1\n[connection.issues]", "minimum_seconds: "),
    ("[connection.issues]", "deletes = 'keep'\n[connection.issues]", "deletes: only a sync has this key"),
    ("[connection.issues]", "scope = 'all'\n[connection.issues]", 'scope: expected "everything", { projects'),
    ("[connection.issues]", "scope = { ids_file = 'no.csv' }\n[connection.issues]", "scope.ids_file: "),
    (
        "[connection.issues]",
        "date_from = '1.2.2024'\n[connection.issues]",
        "date_from: expected a day such as",
    ),
    (
        "[connection.issues]",
        "date_from = '2024-02-02'\ndate_to = '2024-02-01'\n[connection.issues]",
        "expected date_to on or after date_from",
    ),
    (
        "[connection.issues]",
        "people = { fallback = { right = '5b' } }\n[connection.issues]",
        "people.fallback.right: the target is no tempo site",
    ),
    (
        "[connection.issues]",
        "people = { timezones = { 'a@b.c' = 'Mars' } }\n[connection.issues]",
        "people.timezones.a@b.c: expected a time zone",
    ),
]


@pytest.mark.parametrize(("right", "wrong", "said"), CONNECTION_MISTAKES)
def test_a_mistake_in_a_connection_is_named_with_what_was_expected(file, right, wrong, said):
    message = apply(file, SITES + CONNECTION.replace(right, wrong, 1))
    assert said in message
    assert 'twinlog.toml: connection "contoso-to-jca": ' in message
    assert not Site.objects.exists()


SYNC = """
[[connection]]
name = "jca-jcb"
kind = "sync"
left = "jca"
right = "jcb"
[connection.issues]
match = "field"
on = "right"
field = "Twin key"
"""
JCB = SITES.partition('[[site]]\nname = "jca-tempo"')[0].replace("jca", "jcb")


def test_a_sync_of_two_jiras_is_taken(file):
    schedule = SYNC.replace("[connection.issues]", 'schedule = "*/5 * * * *"\n[connection.issues]')
    assert apply(file, SITES + JCB + schedule)["created"] == [*NAMES[:4], "jcb", "jca-jcb"]
    assert Connection.objects.get().minimum_seconds == 0


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('on = "right"\n', "", 'issues.on: expected "left" or "right": the side that holds the field'),
        (
            'right = "jcb"',
            'right = "jca-tempo"',
            'right: expected another Jira than that of left: both stand on "jca"',
        ),
        (
            'right = "jcb"',
            'right = "contoso"',
            'expected a site of kind jira or tempo, and "contoso" is of kind azure',
        ),
        (
            "[connection.issues]",
            'schedule = "5 min"\n[connection.issues]',
            "schedule: expected five cron fields",
        ),
        ("[connection.issues]", 'read = "rest"\n[connection.issues]', "read: only a migration has this key"),
        ("[connection.issues]", 'since = "soon"\n[connection.issues]', "since: expected a day such as"),
    ],
)
def test_a_mistake_in_a_sync_is_named_with_what_was_expected(file, right, wrong, said):
    assert said in apply(file, SITES + JCB + SYNC.replace(right, wrong, 1))


def test_all_mistakes_are_told_at_once(file):
    text = (SITES + CONNECTION).replace('{ env = "JCA_TOKEN" }', '{ env = "NOT_SET" }')
    text = text.replace('match = "label"', 'match = "foo"').replace('azure = "contoso"\n', "")
    assert len(apply(file, text).splitlines()) == 1 + 3


def test_a_secret_written_into_the_file_is_refused_and_not_repeated(file):
    said = apply(file, SITES.replace('{ env = "JCA_TOKEN" }', '"ATATT-the-secret-itself"'))
    assert 'token: expected { env = "NAME" } or { file = "path" }, never the secret itself' in said
    assert "the-secret-itself" not in said


def test_bad_lines_of_a_csv_are_named_with_file_and_line(file):
    (file.parent / "people.csv").write_text("left,right\na,b\nc,\n,d\n")
    said = apply(file, SITES + CONNECTION + '[connection.people]\npairs_file = "people.csv"\n')
    assert "people.pairs_file: people.csv line 3: expected left and right, one is empty" in said
    assert "people.csv line 4" in said


def test_a_csv_without_the_named_columns_is_refused(file):
    (file.parent / "pairs.csv").write_text("a,b\n1,ABC-1\n")
    text = CONNECTION.replace('"label"\nlabel = "ado-id-{id}"', '"pairs"\npairs_file = "pairs.csv"')
    said = apply(file, SITES + text)
    assert 'issues.pairs_file: pairs.csv line 1: expected a column named "work_item", got a, b' in said
    assert "issues.pairs:" not in said


def test_a_missing_file_is_refused_in_words(tmp_path):
    status, out = run("apply", str(tmp_path / "none.toml"), "--json")
    assert status == 2
    assert "none.toml cannot be read: No such file" in json.loads(out)["error"]["message"]


SCHEDULES = ["* * * * *", "*/5 * * * *", "0 6,18 * * mon-fri", "15 3 1-7 jan-mar 7", "0-59/15 0 1 1 *"]
NO_SCHEDULES = ["", "* * * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "a * * * *", "* * 0 * *", "@daily"]


@pytest.mark.parametrize("text", SCHEDULES)
def test_a_schedule_is_taken(text):
    assert is_cron(text)


@pytest.mark.parametrize("text", NO_SCHEDULES)
def test_what_is_no_schedule_is_refused(text):
    assert not is_cron(text)


WINDOWS = [
    ("2024-01-01", "2024-01-31", "2024-01-01 00:00:00", "2024-02-01 00:00:00"),
    ("2024-01-01T08:30:00", None, "2024-01-01 08:30:00", None),
    (None, "2024-01-31T12:00:00", None, "2024-01-31 12:00:01"),
    ("2024-07-01T00:00:00+00:00", None, "2024-07-01 02:00:00", None),
]


@pytest.mark.parametrize(("date_from", "date_to", "start", "end"), WINDOWS)
def test_the_window_holds_both_its_days_in_the_sources_zone(date_from, date_to, start, end):
    written = {"source_timezone": "Europe/Berlin", "date_from": date_from, "date_to": date_to}
    window = parse_options({key: text for key, text in written.items() if text}, migration=True).window
    assert (window.start and str(window.start), window.end and str(window.end)) == (start, end)


WORDS = ["match", "on", "pairs", "projects", "ids", "left", "outgoing", "include", "timezones", "nonsense"]
JSON = st.recursive(
    st.sampled_from([None, True, 7, -1, "", "left", "everything", "2024-01-01", "é\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from([*ConnectionOptions.model_fields, "nonsense"])


@given(st.dictionaries(KEYS, JSON, max_size=5), st.booleans())
def test_whatever_is_written_is_either_taken_or_refused_with_reasons(written, migration):
    try:
        options = parse_options(written, migration)
    except OptionsError as error:
        reasons = error.problems
    else:
        reasons = ["none needed"] if ConnectionOptions.load(options.dump()) == options else []
    assert reasons
