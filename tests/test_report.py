"""`report` says of a run what the run said of itself, in words, as JSON and as CSV, at any time afterwards."""

import csv
import io

import pytest
from contoso import ALICE, BOB, CAROL
from twinlog_process import on_sqlite

pytestmark = on_sqlite
JIRA, TEMPO = "contoso-to-jca", "contoso-to-jca-tempo"
FIGURES = (
    "fetched",
    "created",
    "unchanged",
    "linked",
    "skipped",
    "parked",
    "failed",
    "written",
    "failures",
    "calls",
)


@pytest.fixture
def reported(twinlog, contoso, serve):
    """Seven entries: two of Alice, two of Bob, one of Carol, one too short, one without an issue."""
    contoso.log_many(4, issues=2)
    contoso.log(CAROL, 1, "2024-04-01T09:00:00")
    contoso.log(ALICE, 1, "2024-04-01T10:00:00", 30)
    homeless = contoso.log(BOB, 77, "2024-04-01T11:00:00", 3725)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml())
    return contoso, homeless


def test_the_whole_report_to_the_letter(twinlog, reported):
    """Figures, what failed, who is missing, the hours: an operator can paste it into a mail."""
    _, homeless = reported
    done = twinlog.run("migrate_worklogs", JIRA, status=1)
    report = twinlog.run("report", JIRA).out
    assert done.out == report
    assert report == (
        "7pace Time Log Migration\n"
        "───────────────────────────────\n"
        "Total entries fetched:        7\n"
        "Written to Jira:              5\n"
        "Skipped (< 60s):              1\n"
        "Failed:                       1\n"
        "Missing user accounts:        1 emails\n"
        "\n"
        "Failed or parked (1):\n"
        f"  work item 77, entry {homeless.id}: issue_not_found: No issue was found for work item 77 "
        "(by label ado-id-{id}).\n"
        "\n"
        "People without an account (1):\n"
        "  carol@example.com\n"
        "\n"
        "Hours (h:mm:ss)\n"
        "  Source             2:42:41\n"
        "  Target             1:40:06\n"
        "  Skipped            0:00:30\n"
        "  Failed             1:02:05\n"
        "  Parked             0:00:00\n"
        "  Rounding           0:00:00\n"
        "  Balanced.\n"
    )


def test_the_json_of_a_report_is_the_runs_own_and_the_balance(twinlog, reported):
    """Whoever asks later gets the same figures; an earlier run keeps its own."""
    contoso, _ = reported
    first = twinlog.migrate(status=1)
    contoso.log(ALICE, 2, "2024-05-01T09:00:00")
    second = twinlog.migrate(status=1)
    newest = twinlog.run("report", JIRA, "--json").data
    earlier = twinlog.run("report", "--run", str(first["run"]), "--json").data
    assert {name: newest[name] for name in FIGURES} == {name: second[name] for name in FIGURES}
    assert {name: earlier[name] for name in FIGURES} == {name: first[name] for name in FIGURES}
    assert newest["balance"]["balanced"] is True
    assert "Written to Jira:              6" in twinlog.run("report", JIRA).out
    assert "Written to Jira:              5" in twinlog.run("report", "--run", str(first["run"])).out


def test_the_csv_of_a_report_holds_a_row_for_each_failure(twinlog, reported):
    """Ready for a spreadsheet."""
    _, homeless = reported
    twinlog.migrate(status=1)
    (row,) = csv.DictReader(io.StringIO(twinlog.run("report", JIRA, "--csv").out))
    assert (row["work_item"], row["entry"], row["code"]) == ("77", homeless.id, "issue_not_found")
    assert row["seconds"] == "3725"


def test_a_dry_runs_report_says_that_nothing_was_written(twinlog, reported):
    """A plan reads like a run, and cannot be mistaken for one."""
    twinlog.migrate(JIRA, "--dry-run", status=1)
    report = twinlog.run("report", JIRA).out
    assert "Written to Jira:              5" in report
    assert "This was a dry run: nothing was written." in report


def test_a_connection_that_never_ran_and_a_run_that_never_was(twinlog, reported):
    """Both are said, with status 2."""
    never = twinlog.run("report", TEMPO, "--json", status=2).data["error"]
    assert never["code"] == "no_run"
    assert f"migrate_worklogs {TEMPO}" in never["message"]
    assert twinlog.run("report", "--run", "99", "--json", status=2).data["error"]["code"] == "unknown_name"


def test_many_entries_are_told_with_separators(twinlog, contoso, serve):
    """1,000 and more entries read as people write them, and stay in their column."""
    contoso.log_many(1_010, issues=3)
    for number in range(1_010):
        contoso.log(ALICE, 1, f"2023-01-{1 + number % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00", 5)
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(TEMPO, {"date_to": "2023-12-31"}))
    twinlog.migrate(TEMPO)
    lines = twinlog.run("report", TEMPO).out.splitlines()
    assert lines[2] == "Total entries fetched:    1,010"
    assert lines[4] == "Skipped (< 60s):          1,010"
