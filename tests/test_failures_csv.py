"""The failures list can be opened in any spreadsheet, safely, and says of each entry all that a person needs."""

import csv
import io

import pytest
from contoso import ALICE, BOB, CAROL
from twinlog_process import on_sqlite

from connections.sandbox.worlds.builder import Human

JIRA = "contoso-to-jca"
HEADER = (
    "row_key,run,connection,source_site,entry,work_item,source_issue,target_issue,person,person_email,date,start,"
    "seconds,text,code,message,hint,retry"
)
FORMULAS = ['=HYPERLINK("http://x.example","x")', "+1", "-1", "@SUM(A1)", "\tindented", "'=quoted already"]


@pytest.fixture
def failing(twinlog, contoso, serve):
    """An operator's migration leaves a closed issue, an ambiguous one, and entries without anything."""
    contoso.issue(1).editable = False
    contoso.jira.add_issue("DEV-20", labels=("ado-id-2",))
    entries = {
        "closed": contoso.log(ALICE, 1, "2024-03-15T09:00:07", 3725, 'Line one,\nline "two"'),
        "ambiguous": contoso.log(BOB, 2, "2024-03-16T00:00:00", 60),
        "homeless": contoso.log(CAROL, None, "2024-03-17T09:00:00", 900, None),
        "endless": contoso.log(BOB, 3, "2024-03-18T09:00:00", None, "Forgot to stop"),
        "written": contoso.log(BOB, 3, "2024-03-19T09:00:00"),
    }
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    twinlog.migrate(status=1)
    return contoso, entries


def read(text):
    return {row["entry"]: row for row in csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))}


def test_the_list_is_what_was_promised(twinlog, failing):
    """A BOM for Excel, the columns in their order, CRLF, quotes doubled, every cell in its place."""
    _, entries = failing
    done = twinlog.run("failures", JIRA)
    raw = done.out
    assert raw.startswith("\ufeff" + HEADER + "\r\n")
    assert raw.endswith("\r\n")
    assert raw.replace("\r\n", "").count("\n") == 1
    rows = read(raw)
    assert rows.keys() == {entry.id for name, entry in entries.items() if name != "written"}
    row = rows[entries["closed"].id]
    expected = {
        "run": "1",
        "connection": JIRA,
        "source_site": "contoso-7pace",
        "work_item": "1",
        "source_issue": "",
        "target_issue": "DEV-1",
        "person": "Alice Smith",
        "person_email": "alice@example.com",
        "date": "2024-03-15",
        "start": "09:00:07",
        "seconds": "3725",
        "text": 'Line one,\nline "two"',
        "code": "issue_not_editable",
        "retry": "yes",
    }
    assert {name: row[name] for name in expected} == expected
    assert row["message"]
    assert row["hint"]
    assert len({row["row_key"] for row in rows.values()}) == 4


def test_what_is_absent_is_empty(twinlog, failing):
    """No work item, no text, no length: empty cells, no zeros and no None."""
    _, entries = failing
    rows = read(twinlog.run("failures", JIRA).out)
    homeless, endless = rows[entries["homeless"].id], rows[entries["endless"].id]
    assert (homeless["work_item"], homeless["target_issue"], homeless["text"]) == ("", "", "")
    assert endless["seconds"] == ""
    assert rows[entries["ambiguous"].id]["retry"] == "no"
    assert "None" not in twinlog.run("failures", JIRA).out


def test_the_json_holds_the_same_rows(twinlog, failing):
    """`--json` for machines; `--run` for what one run left open."""
    rows = read(twinlog.run("failures", JIRA).out)
    data = twinlog.run("failures", JIRA, "--json").data["failures"]
    assert {row["entry"] for row in data} == rows.keys()
    assert list(data[0]) == HEADER.split(",")
    of_run = twinlog.run("failures", "--run", "1").out
    assert read(of_run).keys() == rows.keys()


def test_what_was_settled_since_is_no_longer_in_the_list(twinlog, failing):
    """Only what is still open; when nothing is, the header stands alone."""
    contoso, entries = failing
    contoso.issue(1).editable = True
    for name in ("homeless", "endless"):
        entries[name].work_item_id, entries[name].seconds = 3, 600
    contoso.jira.issue("DEV-20").labels = []
    contoso.jira.by_label["ado-id-2"] = {contoso.issue(2).id}
    assert twinlog.migrate()["created"] == 4
    assert twinlog.run("failures", JIRA).out == "\ufeff" + HEADER + "\r\n"
    assert twinlog.run("failures", "--run", "1", "--json").data == {"failures": []}


@on_sqlite
def test_no_cell_is_taken_for_a_formula(twinlog, contoso, serve):
    """A text that begins like one gets an apostrophe, so that opening the list runs nothing."""
    mallory = Human("=cmd|' /C calc'!A0", "mallory@example.com")
    contoso.users[mallory.name] = contoso.builder.pace_user(contoso.pace, contoso.azure, mallory)
    texts = {
        contoso.log(mallory, 99, f"2024-03-{day:02}T09:00:00", text=text).id: text
        for day, text in enumerate(FORMULAS, 1)
    }
    plain = contoso.log(ALICE, 99, "2024-04-01T09:00:00", text="a = b")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml(JIRA))
    twinlog.migrate(status=1)
    rows = read(twinlog.run("failures", JIRA).out)
    assert {entry: rows[entry]["text"] for entry in texts} == {
        entry: f"'{text}" for entry, text in texts.items()
    }
    assert {rows[entry]["person"] for entry in texts} == {f"'{mallory.name}"}
    assert rows[plain.id]["text"] == "a = b"
    for row in rows.values():
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())
