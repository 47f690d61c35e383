"""A work item's issue is found by label, field, remote link or pairs, by exact match, or the entry says why not."""

import pytest
from contoso import ALICE, BOB
from twinlog_process import on_sqlite

from connections.sandbox.world import JiraField

pytestmark = on_sqlite
NUMBER, TEXT = (
    JiraField("customfield_10010", "ADO ID", "number"),
    JiraField("customfield_10011", "ADO ref", "text"),
)


@pytest.fixture
def unlabelled(contoso):
    """Issues without any label: something else says whose counterpart they are."""
    contoso.jira.by_label.clear()
    contoso.jira.custom_fields = [NUMBER, TEXT]
    for number in (1, 2, 3):
        issue = contoso.issue(number)
        issue.labels = []
        issue.fields = {NUMBER.id: float(number), TEXT.id: str(number)}
        address = f"https://dev.azure.com/contoso/Contoso/_workitems/edit/{number}"
        issue.remote_links = [{"id": number, "object": {"url": address, "title": "Work item"}}]
    return contoso


@pytest.mark.parametrize(
    "issues",
    [
        {"match": "field", "field": "ADO ID"},
        {"match": "field", "field": "customfield_10010"},
        {"match": "field", "field": "ADO ref"},
        {"match": "link"},
        {"match": "pairs", "pairs": [["1", "DEV-1"], ["2", "DEV-2"], ["3", "DEV-3"]]},
        {"match": "pairs", "pairs_file": "pairs.csv"},
    ],
    ids=["number field", "field by id", "text field", "remote link", "pairs", "pairs in a file"],
)
def test_each_rule_finds_the_issue_and_finds_it_again(twinlog, unlabelled, serve, issues):
    """Whatever names the counterpart, each entry goes to its own issue, once."""
    entries = unlabelled.log_many(9)
    (twinlog.folder / "pairs.csv").write_text("work_item,issue\n1,DEV-1\n2,DEV-2\n3,DEV-3\n")
    sandbox = serve(unlabelled.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"issues": issues}))
    assert twinlog.migrate()["created"] == 9
    for entry in entries:
        assert unlabelled.jira.issues[unlabelled.copy(entry).issue_id].key == f"DEV-{entry.work_item_id}"
    assert twinlog.migrate()["unchanged"] == 9


def test_a_label_is_compared_as_a_whole(twinlog, contoso, serve):
    """Work item 1 is not work item 11, and a label of another form is none."""
    contoso.jira.add_issue("DEV-11", labels=("ado-id-11", "ado-id-12x", "x-ado-id-12"))
    eleven, twelve = (
        contoso.log(ALICE, 11, "2024-03-15T09:00:00"),
        contoso.log(ALICE, 12, "2024-03-15T10:00:00"),
    )
    one = contoso.log(ALICE, 1, "2024-03-15T11:00:00")
    sandbox = serve(contoso.world)
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca"))
    run = twinlog.migrate(status=1)
    assert [(row["entry"], row["code"]) for row in run["failures"]] == [(twelve.id, "issue_not_found")]
    keys = [contoso.jira.issues[contoso.copy(entry).issue_id].key for entry in (eleven, one)]
    assert keys == ["DEV-11", "DEV-1"]


def test_several_work_items_may_be_paired_with_one_issue(twinlog, unlabelled, serve):
    """A pair says so in as many words; a work item without a pair has no issue; a moved issue keeps its old key."""
    unlabelled.jira.by_key["OLD-9"] = unlabelled.issue(2).id
    for number in (1, 2, 3):
        unlabelled.log(BOB, number, f"2024-03-15T0{number}:00:00")
    sandbox = serve(unlabelled.world)
    pairs = {"match": "pairs", "pairs": [["1", "OLD-9"], ["2", "DEV-2"]]}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"issues": pairs}))
    run = twinlog.migrate(status=1)
    assert len(unlabelled.jira.worklogs_of("DEV-2")) == run["created"] == 2
    assert [(row["work_item"], row["code"]) for row in run["failures"]] == [(3, "issue_not_found")]


def test_a_field_that_does_not_exist_is_said_before_anything_begins(twinlog, contoso, serve):
    """Nothing is read or written by a rule that cannot be asked."""
    contoso.log(ALICE, 1, "2024-03-15T09:00:00")
    sandbox = serve(contoso.world)
    field = {"match": "field", "field": "No such field"}
    twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca", {"issues": field}))
    refused = twinlog.migrate(status=2)
    assert "No such field" in refused["error"]["message"]
    assert contoso.jira.worklogs == {}
    assert twinlog.rows("SELECT count(*) FROM worklogs_run") == [(0,)]
