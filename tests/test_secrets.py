"""No token ever appears in a table, a file, an output, a log, an exception or the queue."""

import base64
import re
from contextlib import closing

import pytest
from twinlog_process import DATABASES, SOON, until

from connections.sandbox import Fault, FaultKind, worlds

JIRA, TEMPO = "contoso-to-jca", "contoso-to-jcb-tempo"
BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}")


def spellings(world):
    """Each token as it is, and as a Basic credential."""
    for site in world.sites():
        for token in site.tokens:
            yield token.token.encode()
            for user in (getattr(token, "email", ""), ""):
                yield base64.b64encode(f"{user}:{token.token}".encode())


def decoded(data):
    """The data and what is in it under base64, as the queue keeps its tasks."""
    yield data
    for match in BASE64.finditer(data):
        for start in range(4):
            text = match[0][start:]
            yield base64.b64decode(text[: len(text) // 4 * 4], altchars=b"-_")


def found(secrets, data):
    return sorted({secret for part in decoded(data) for secret in secrets if secret in part})


def tables(twinlog):
    """Every table with all its rows, as bytes."""
    if twinlog.database_url:
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
    else:
        query = "SELECT name FROM sqlite_master WHERE type = 'table'"
    names = [name for (name,) in twinlog.rows(query)]
    with closing(twinlog.connect()) as connection:
        for name in names:
            rows = connection.execute(f'SELECT * FROM "{name}"').fetchall()
            yield name, "\n".join(str(cell) for row in rows for cell in row).encode()


@pytest.mark.parametrize("database", DATABASES, indirect=True)
def test_after_everything_went_wrong_no_token_is_to_be_found_anywhere(twinlog, serve):
    """Applied, checked, migrated with faults, refused, exported, reported and queued, with every log line on."""
    world = worlds.small()
    sandbox = serve(world)
    twinlog.environment["LOG_LEVEL"] = "DEBUG"
    secrets = set(spellings(world))
    twinlog.set_up(sandbox, sandbox.toml())
    for what, every in ((FaultKind.CUT_AFTER, 9), (FaultKind.BROKEN_BODY, 11), (FaultKind.HTML, 13)):
        sandbox.faults.add(Fault(what, method="POST", path="*/worklog*", every=every, times=2))
    tempo, pace = world.tempo["jcb-tempo"], world.sevenpace["contoso"]
    sandbox.faults.add(echoed(tempo, method="POST", path="*/4/worklogs"))
    twinlog.run("check_connection", JIRA, status=None)
    sandbox.faults.add(echoed(pace, path="*/workLogs/all"))
    twinlog.migrate(JIRA, status=3, constants=SOON)
    twinlog.migrate(JIRA, status=1, constants=SOON)
    twinlog.migrate(TEMPO, status=1, constants=SOON)
    sandbox.faults.clear()
    revoke(world, twinlog)
    for command in ("export", "rotate_tokens", "report", "failures", "balance"):
        twinlog.run(*([command] if command in ("export", "rotate_tokens") else [command, JIRA]), status=None)
    queue(twinlog)

    assert {name: hits for name, data in tables(twinlog) if (hits := found(secrets, data))} == {}
    files = [file for file in twinlog.folder.rglob("*") if file.is_file()]
    for file in (*files, *twinlog.written):
        assert found(secrets, file.read_bytes()) == [], file
    assert any(b"DEBUG" in file.read_bytes() for file in twinlog.written)


def echoed(site, **calls):
    """A refusal that repeats the caller's token, as some servers do."""
    body = f'{{"errors": [{{"message": "What is {site.tokens[0].token}?"}}]}}'
    return Fault(FaultKind.STATUS, site=site.name, status=400, body=body, times=1, **calls)


def revoke(world, twinlog):
    """Each site refuses its token once: the refusals are told, the tokens are not."""
    for site in (world.jira["jca"], world.sevenpace["contoso"], world.tempo["jcb-tempo"]):
        own = site.tokens[0].token
        site.tokens[0].token = "sandbox-something-else"
        for command in ("check_connection", "migrate_worklogs"):
            twinlog.run(command, TEMPO if site.kind == "tempo" else JIRA, "--json", status=2)
        site.tokens[0].token = own


def queue(twinlog):
    twinlog.run("migrate_worklogs", JIRA, "--queue")
    twinlog.begin_manage("qcluster")
    until(lambda: twinlog.rows("SELECT count(*) FROM worklogs_run WHERE state = 'running'") == [(0,)])
