"""`demo --once`: both jobs on the built-in sandbox, with the figures everybody can count after."""

import re

import pytest
from twinlog_process import on_sqlite

FIGURES = """\
7pace Time Log Migration
───────────────────────────────
Total entries fetched:    8,432
Written to Jira:          8,401
Skipped (< 60s):             14
Failed:                      17
Missing user accounts:       43 emails
"""
SYNCED = """\
Sync acme-globex: acme-tempo and globex-tempo
───────────────────────────────
Created:                     92
Updated:                      6
Deleted:                      0
Linked:                      90
Unchanged:                   96
Skipped:                     16
Parked:                       0
Failed:                       0
"""


@pytest.mark.long
@pytest.mark.timeout(600)
@on_sqlite
def test_the_demo_carries_8401_of_8432_entries_says_why_not_the_rest_and_syncs_two_companies(twinlog):
    """Its own database and keys, whatever else is set up here; both reports; the migration's status."""
    twinlog.environment["DATABASE_URL"] = "sqlite:////nowhere/at/all.sqlite3"
    running = twinlog.begin_manage("demo", "--once")
    done = running.wait(500)
    assert done.status == 1, done.err
    assert FIGURES in done.out
    failed = re.findall(r"entry [0-9a-f-]{36}: (\w+):", done.out)
    assert len(failed) == 17
    assert {code: failed.count(code) for code in set(failed)} == {
        "issue_not_found": 5,
        "entry_invalid": 5,
        "issue_not_editable": 4,
        "no_permission": 2,
        "issue_limit": 1,
    }
    assert "People without an account (43):" in done.out
    assert "  Balanced." in done.out
    assert SYNCED in done.out
    assert (twinlog.folder / "demo").is_dir()
