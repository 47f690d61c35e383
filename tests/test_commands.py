"""The commands as a shell sees them: help, exit status, one JSON object on standard output, logs on standard error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from contoso import ALICE
from twinlog_process import MANAGE, Installation, on_sqlite

from connections.sandbox import worlds

JIRA = "contoso-to-jca"
COMMANDS = (
    "apply", "export", "check_connection", "migrate_worklogs", "report", "failures", "balance", "rotate_tokens",
    "webhooks",
)  # fmt: skip


@on_sqlite
@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_helps_and_speaks_json(twinlog, command):
    """`--help` says what it does and that it takes `--json`."""
    done = twinlog.run(command, "--help")
    assert "--json" in done.out
    assert done.err == ""


@on_sqlite
@pytest.mark.parametrize(
    "arguments",
    [
        ("migrate_worklogs",),
        ("migrate_worklogs", "a", "b"),
        ("migrate_worklogs", "a", "--faster"),
        ("report",),
        ("report", "a", "--run", "1"),
        ("report", "--run", "soon"),
        ("balance",),
        ("apply",),
    ],
)
def test_wrong_arguments_are_an_error_object_with_status_2(twinlog, arguments):
    """A machine that asked for JSON gets JSON, whatever is wrong."""
    done = twinlog.run(*arguments, "--json", status=2)
    assert done.data["error"]["code"] == "bad_arguments"
    assert done.data["error"]["message"]


@on_sqlite
def test_a_missing_or_broken_file_is_refused_and_changes_nothing(twinlog):
    """The file, what is wrong in it, and that nothing was changed."""
    missing = twinlog.run("apply", str(twinlog.folder / "no.toml"), "--json", status=2).data["error"]
    assert missing["code"] == "bad_file"
    assert "no.toml" in missing["message"]
    broken = twinlog.folder / "broken.toml"
    broken.write_text('[[site]]\nname = "jca"\nkind = "jirra"\n')
    refused = twinlog.run("apply", str(broken), "--json", status=2).data["error"]
    assert refused["code"] == "bad_file"
    assert "Nothing was changed" in refused["message"]
    assert twinlog.rows("SELECT count(*) FROM connections_site") == [(0,)]


@on_sqlite
def test_standard_output_is_one_json_object_even_while_everything_is_logged(twinlog, contoso, serve):
    """Logs go to standard error."""
    contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    sandbox = serve(contoso.world)
    twinlog.environment["LOG_LEVEL"] = "DEBUG"
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    for command in (("check_connection", JIRA), ("migrate_worklogs", JIRA), ("balance", JIRA)):
        done = twinlog.run(*command, "--json")
        assert isinstance(json.loads(done.out), dict)
        assert done.out.count("\n") == 1
    assert " DEBUG " in done.err


def test_a_database_that_was_never_migrated_is_said_so(tmp_path):
    """An operator who forgot the first step is told which one it is."""
    twinlog = Installation(tmp_path)
    done = twinlog.run("migrate_worklogs", JIRA, "--json", status=2)
    assert done.data["error"]["code"] == "database_unavailable"
    assert "manage.py migrate" in done.data["error"]["message"]


def test_an_operators_whole_way_with_nothing_but_manage_py(install, serve, database):
    """migrate, apply, check_connection, migrate_worklogs, report, failures, balance: each with its status."""
    world = worlds.small()
    sandbox = serve(world)
    with install(database) as twinlog:
        file = twinlog.folder / "sandbox.toml"
        file.write_text(sandbox.toml(JIRA))
        twinlog.environment |= sandbox.secrets()

        def manage(*arguments):
            return twinlog.begin_manage(*arguments).wait()

        assert manage("migrate", "-v0").status == 0
        assert "created" in manage("apply", str(file)).out
        checked = manage("check_connection", JIRA)
        assert checked.status == 0, checked.out
        done = manage("migrate_worklogs", JIRA)
        assert done.status == 1
        assert done.out.startswith("7pace Time Log Migration\n")
        assert manage("report", JIRA).out == done.out
        assert manage("failures", JIRA).out.startswith("\ufeffrow_key,")
        assert manage("balance", JIRA).status == 0


@on_sqlite
def test_the_file_that_export_writes_is_the_one_that_was_applied(twinlog, contoso, serve):
    """Export and apply change nothing; each token goes by its site's name then."""
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml())
    tokens = sandbox.secrets()
    twinlog.environment |= {"CONTOSO_TOKEN": tokens["ADO_PAT"], "CONTOSO_7PACE_TOKEN": tokens["PACE_TOKEN"]}
    file = twinlog.folder / "exported.toml"
    file.write_text(twinlog.run("export").out)
    applied = twinlog.run("apply", str(file), "--json").data
    assert (applied["created"], applied["updated"], applied["removed"]) == ([], [], [])
    assert set(applied["unchanged"]) >= {"jca", "jca-tempo", "contoso", "contoso-7pace", JIRA}


def test_manage_py_needs_no_environment_at_all():
    """A fresh machine sets nothing: help works from anywhere, and says nothing on standard error."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, MANAGE, "migrate_worklogs", "--help"],
        env=kept,
        cwd=Path(MANAGE).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert done.stderr == ""
