"""An export is the file that made the database: without secrets, and applying it changes nothing."""

import json
import tomllib

import pytest
from django.core.management import call_command
from hypothesis import given
from hypothesis import strategies as st

from connections.applying import apply_file
from connections.exporting import export
from connections.models import Connection
from connections.toml_text import table

pytestmark = pytest.mark.django_db

WORLD = """
[[site]]
name = "jca"
kind = "jira"
url = "https://jca.example.com"
email = "bot@example.com"
token = { env = "JCA_TOKEN" }
personal_tokens = [ { email = "alice@example.com", env = "JCA_ALICE_EXAMPLE_COM_TOKEN" } ]
[[site]]
name = "jca-tempo"
kind = "tempo"
url = "https://tempo.example.com"
jira = "jca"
token = { env = "JCA_TEMPO_TOKEN" }
marker_attribute = "_Twinlog_"
[[site]]
name = "jcb"
kind = "jira"
url = "https://jcb.example.com"
email = "bot@example.com"
token = { env = "JCB_TOKEN" }
[[site]]
name = "contoso-7pace"
kind = "sevenpace"
url = "https://contoso.example.com/api/odata/v3.2"
azure = "contoso"
token = { env = "CONTOSO_7PACE_TOKEN" }
[[site]]
name = "contoso"
kind = "azure"
url = "https://dev.example.com/contoso"
identities_url = "https://people.example.com/contoso"
token = { env = "CONTOSO_TOKEN" }

[[connection]]
name = "contoso-to-jca"
kind = "migration"
source = "contoso-7pace"
target = "jca-tempo"
date_from = "2024-01-01"
source_timezone = "Europe/Berlin"
read = "odata"
scope = { ids_file = "ids.csv" }
rounding = "up"
rounding_minutes = 15
[connection.issues]
match = "pairs"
pairs_file = "pairs.csv"
[connection.people]
match = "none"
pairs = [["alice@example.com", "5b-alice"]]
fallback = { right = "5b-nobody" }
timezones = { "alice@example.com" = "Asia/Kolkata" }
[connection.rules]
text_template = "{text}"
attributes = { "_Account_" = "INTERNAL" }
exclude = [ { project = "Secret", from = "2024-06-01", billable = false } ]
[connection.scripts]
source.outgoing = '''
if worklog.seconds < 60:
    worklog = None
'''

[[connection]]
name = "jca-jcb"
kind = "sync"
left = "jca-tempo"
right = "jcb"
conflicts = "park"
schedule = "*/5 * * * *"
[connection.issues]
match = "label"
on = "right"
label = "twin-{key}"
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr("connections.declare.check_address", lambda url, allow_local: None)
    for name in ("JCA", "JCA_ALICE_EXAMPLE_COM", "JCA_TEMPO", "JCB", "CONTOSO_7PACE", "CONTOSO"):
        monkeypatch.setenv(f"{name}_TOKEN", f"secret-of-{name.lower()}")
    (tmp_path / "ids.csv").write_text("work_item\n42\n43\n")
    rows = "".join(f"{number},ABC-{number}\n" for number in range(1, 40))
    (tmp_path / "pairs.csv").write_text(f"work_item,issue\n{rows}")
    path = tmp_path / "twinlog.toml"
    path.write_text(WORLD)
    apply_file(path)
    return path


def test_applying_an_export_changes_nothing(file):
    stored = list(Connection.objects.values())
    file.write_text(export())
    outcome = apply_file(file, prune=True)
    assert set(outcome.unchanged) == {
        "jca",
        "jca-tempo",
        "jcb",
        "contoso-7pace",
        "contoso",
        "contoso-to-jca",
        "jca-jcb",
    }
    assert outcome.removed == []
    assert list(Connection.objects.values()) == stored


def test_an_export_of_an_export_is_the_same(file):
    text = export()
    file.write_text(text)
    apply_file(file)
    assert export() == text


def test_no_secret_stands_in_an_export(file):
    assert "secret-of" not in export()


def test_only_what_is_not_the_default_is_written(file):
    written = tomllib.loads(export())["connection"][1]
    assert written == {
        "name": "jca-jcb",
        "kind": "sync",
        "left": "jca-tempo",
        "right": "jcb",
        "conflicts": "park",
        "schedule": "*/5 * * * *",
        "issues": {"match": "label", "on": "right", "label": "twin-{key}"},
    }


def test_a_migration_is_written_in_its_own_words(file):
    written = tomllib.loads(export())["connection"][0]
    assert (written["source"], written["target"]) == ("contoso-7pace", "jca-tempo")
    assert written["scripts"]["source"]["outgoing"].startswith("if worklog.seconds < 60:\n")
    assert "on" not in written["issues"]


def test_one_connection_brings_the_sites_it_stands_on_and_no_others(file, capsys):
    call_command("export", "contoso-to-jca", "--json")
    written = tomllib.loads(json.loads(capsys.readouterr().out)["toml"])
    assert [each["name"] for each in written["connection"]] == ["contoso-to-jca"]
    assert {each["name"] for each in written["site"]} == {"contoso", "contoso-7pace", "jca", "jca-tempo"}


def test_a_name_nobody_knows_is_refused_with_the_nearest(file, capsys):
    with pytest.raises(SystemExit) as ended:
        call_command("export", "contoso-to-jcb", "--json")
    assert ended.value.code == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "unknown_name"
    assert 'did you mean "contoso-to-jca"?' in error["message"]


VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_whatever_is_written_reads_back_the_same(value):
    assert tomllib.loads(table("[x]", {"key": value}))["x"]["key"] == value
