"""What cannot be carried out is refused before it begins: status 2, a code, a message, and no trace of a run."""

import json

import pytest
from contoso import ALICE
from twinlog_process import on_sqlite

pytestmark = on_sqlite
JIRA = "contoso-to-jca"


@pytest.fixture
def ready(twinlog, contoso, serve):
    contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml())
    return contoso


def revoke(site):
    site.tokens[0].token = "sandbox-revoked"


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (JIRA, lambda contoso: revoke(contoso.jira)),
        (JIRA, lambda contoso: revoke(contoso.pace)),
        ("contoso-to-jca-tempo", lambda contoso: revoke(contoso.tempo)),
        ("contoso-to-jca-tempo", lambda contoso: revoke(contoso.jira)),
    ],
    ids=["Jira's token", "7pace's token", "Tempo's token", "the token of Tempo's Jira"],
)
@pytest.mark.parametrize("flags", [(), ("--dry-run",)], ids=["run", "dry run"])
def test_a_refused_token_is_said_before_anything_begins(twinlog, ready, name, wrong, flags):
    """Whose token it is and what to do; nothing was written and no run is left behind."""
    wrong(ready)
    refused = twinlog.migrate(name, *flags, status=2)
    assert refused["error"]["code"] == "auth_failed"
    assert "token" in refused["error"]["message"]
    assert twinlog.rows("SELECT count(*) FROM worklogs_run") == [(0,)]
    assert ready.jira.worklogs == {}
    assert ready.tempo.worklogs == {}


def test_azure_devops_refusing_its_token_is_said_where_it_is_needed(twinlog, ready, serve):
    """A scope of projects needs Azure DevOps: its sign-in page is no list of work items."""
    sandbox = serve(ready.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA, {"scope": {"projects": ["Contoso"]}}))
    revoke(ready.azure)
    done = twinlog.run("migrate_worklogs", JIRA, "--json", status=None)
    assert done.status in (2, 3)
    assert "auth_failed" in done.out
    assert ready.jira.worklogs == {}


def test_time_tracking_switched_off_is_said_before_anything_begins(twinlog, ready):
    """Without it Jira answers every worklog with 404, which would look like missing issues."""
    ready.jira.time_tracking = False
    refused = twinlog.migrate(status=2)
    assert refused["error"]["code"] == "time_tracking_off"
    assert "Time tracking" in refused["error"]["message"]
    ready.jira.time_tracking = True
    assert twinlog.migrate()["created"] == 1


@pytest.mark.parametrize(
    ("name", "hint"), [("contoso-to-jcb", 'did you mean "contoso-to-jca"?'), ("x", "known: ")]
)
def test_an_unknown_name_is_answered_with_the_known_ones(twinlog, ready, name, hint):
    """A slip of the pen gets the name that was meant."""
    refused = twinlog.migrate(name, status=2)
    assert refused["error"]["code"] == "unknown_name"
    assert hint in refused["error"]["message"]


def test_without_json_the_reason_goes_to_standard_error(twinlog, ready):
    """Standard output stays empty, so that nothing takes the reason for a report."""
    ready.jira.tokens[0].token = "sandbox-revoked"
    done = twinlog.run("migrate_worklogs", JIRA, status=2)
    assert done.out == ""
    assert "refused the token" in done.err


def test_a_token_that_was_sealed_with_another_key_is_said_so(twinlog, ready):
    """An operator who lost TOKEN_KEYS learns which token to set again."""
    (twinlog.folder / "token_keys").unlink()
    refused = twinlog.migrate(status=2)
    assert "TOKEN_KEYS" in json.dumps(refused)
    assert ready.jira.worklogs == {}
