"""The seeded worlds are what they say, the same every time, and the demo's figures hold when counted by hand."""

import io
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import requests
from django.core.management import load_command_class

from connections.sandbox import Sandbox, worlds
from connections.sandbox.keeping import put_away, take_out
from connections.sandbox.worlds.small import EXAMPLES, entry_id

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture(scope="module")
def demo():
    return worlds.demo()


@pytest.fixture(scope="module")
def entries(demo):
    return list(demo.sevenpace["contoso"].worklogs.values())


def issues_found(world, work_item):
    """What a search for the label finds."""
    site = world.jira["jca"]
    found = map(site.issues.get, site.by_label.get(f"ado-id-{work_item}", ()))
    return [issue for issue in found if issue.visible and not issue.archived]


def outcome(world, entry):
    """What Jira makes of an entry, by the vendor's rules alone."""
    if entry.work_item_id is None or entry.seconds is None:
        return "entry_invalid"
    if entry.seconds < 60:
        return "skipped"
    found = issues_found(world, entry.work_item_id)
    if len(found) != 1:
        return "issue_ambiguous" if found else "issue_not_found"
    (issue,) = found
    if not issue.editable:
        return "issue_not_editable"
    if "WORK_ON_ISSUES" in issue.denied | issue.project.denied:
        return "no_permission"
    full = len(issue.worklogs) >= world.jira["jca"].worklog_limit
    return "issue_limit" if full else "written"


def email_of(world, user):
    """The chain: the row, its unique name, the list of users, the Azure identity."""
    if user.row_email:
        return user.row_email
    if "@" in user.unique_name:
        return user.unique_name
    identity = world.azure["contoso"].identities.get(user.vsts_id)
    return user.listed_email or (identity and (identity.mail or identity.account))


def instant(entry):
    return entry.timestamp.replace(tzinfo=BERLIN).astimezone(UTC)


def is_skipped_by_summer_time(entry):
    return instant(entry).astimezone(BERLIN).replace(tzinfo=None) != entry.timestamp


def is_repeated_by_winter_time(entry):
    first, second = (entry.timestamp.replace(tzinfo=BERLIN, fold=fold).utcoffset() for fold in (0, 1))
    return first > second


def test_the_demo_has_8432_entries_of_which_8401_can_be_written(demo, entries):
    outcomes = Counter(outcome(demo, entry) for entry in entries)
    assert len(entries) == 8_432
    assert outcomes == {
        "written": 8_401,
        "skipped": 14,
        "issue_not_found": 5,
        "entry_invalid": 5,
        "issue_not_editable": 4,
        "no_permission": 2,
        "issue_limit": 1,
    }


def test_the_demo_has_140_authors_of_whom_43_have_no_account(demo, entries):
    org, site = demo.sevenpace["contoso"], demo.jira["jca"]
    emails = {email_of(demo, org.users[entry.user_id]) for entry in entries}
    shown = Counter(
        account.email.casefold()
        for account in site.accounts.values()
        if account.active and account.email_shown
    )
    assert None not in emails
    assert len({email.casefold() for email in emails}) == 140
    assert sum(shown[email.casefold()] != 1 for email in emails) == 43
    assert max(shown.values()) == 1


def test_some_of_the_demos_authors_are_found_by_the_chain_only(demo, entries):
    org = demo.sevenpace["contoso"]
    authors = {entry.user_id for entry in entries}
    without = [org.users[author] for author in authors if not org.users[author].row_email]
    assert len(without) == 18
    assert {bool(user.listed_email) for user in without} == {True, False}
    assert len({token.variable for token in demo.jira["jca"].tokens}) == 1 + 3


def test_no_entry_of_the_demo_looks_like_another_or_like_what_is_in_jira(demo, entries):
    starts = Counter((entry.work_item_id, instant(entry)) for entry in entries if entry.work_item_id)
    assert max(starts.values()) == 1
    assert not {start for _, start in starts} & {row.started for row in demo.jira["jca"].worklogs.values()}


def test_no_issue_of_the_demo_gets_more_than_sixty_entries(entries):
    per_item = Counter(entry.work_item_id for entry in entries if entry.work_item_id)
    assert max(per_item.values()) <= 60
    assert len(per_item) > 1_290


def test_the_demo_holds_texts_and_times_that_go_wrong_easily(entries):
    texts = [entry.comment for entry in entries]
    assert None in texts
    for part in ("\n\n", "🚀", "\u200f", "=SUM", "<b>", "\t", "  "):
        assert any(part in (text or "") for text in texts), part
    assert sum(map(is_skipped_by_summer_time, entries)) == 2
    assert sum(map(is_repeated_by_winter_time, entries)) == 2
    assert {entry.timestamp.year for entry in entries} == {2021, 2022, 2023, 2024, 2025}
    assert {0, None} <= {entry.billable_seconds for entry in entries}


def test_every_issue_of_the_demo_has_its_own_work_item(demo):
    labels = Counter(label for issue in demo.jira["jca"].issues.values() for label in issue.labels)
    assert set(labels.values()) == {1}
    items = {int(label.removeprefix("ado-id-")) for label in labels}
    assert set(demo.azure["contoso"].work_items) - items == {9_001, 9_002, 9_008}
    assert len({item.project for item in demo.azure["contoso"].work_items.values()}) == 3


@pytest.mark.parametrize("make", [worlds.empty, worlds.small, worlds.demo, worlds.many])
def test_the_same_seed_gives_the_same_world(make):
    first, second = make(seed=3), make(seed=3)
    assert first.sevenpace["contoso"].worklogs == second.sevenpace["contoso"].worklogs
    assert first.jira["jca"].accounts == second.jira["jca"].accounts
    assert [token.token for site in first.sites() for token in site.tokens] == [
        token.token for site in second.sites() for token in site.tokens
    ]
    assert make(seed=4).jira["jca"].tokens[0].token != first.jira["jca"].tokens[0].token


def test_the_small_worlds_table_says_what_becomes_of_every_entry():
    world = worlds.small()
    rows = world.sevenpace["contoso"].worklogs
    assert len(rows) == len(EXAMPLES) >= 40
    for example in EXAMPLES:
        expected = outcome(world, rows[entry_id(example)])
        if example.outcome == "linked":
            assert expected == "written"
        elif example.outcome != "either":
            assert (example.why, expected) == (example.why, example.outcome)


def test_many_is_clean_and_as_large_as_asked():
    world = worlds.many(entries=500, issues=25, people=7, tempo=True)
    rows = list(world.sevenpace["contoso"].worklogs.values())
    assert {outcome(world, row) for row in rows} == {"written"}
    assert len(rows) == len({(row.work_item_id, row.timestamp) for row in rows}) == 500
    assert set(Counter(row.work_item_id for row in rows).values()) == {20}
    assert len({row.user_id for row in rows}) == 7
    assert "contoso-to-jca-tempo" in world.connections


def told_of(site):
    """Who worked when for how long, and on which issue."""
    person = {account.account_id: account.name for account in site.jira.accounts.values()}
    return {
        (person[row.author_id], row.started, row.seconds): site.jira.issues[row.issue_id]
        for row in site.worklogs.values()
    }


def test_the_two_companies_have_96_worklogs_in_common_and_46_each_that_the_other_lacks():
    world = worlds.companies()
    acme, globex = told_of(world.tempo["acme-tempo"]), told_of(world.tempo["globex-tempo"])
    assert len(acme) == len(globex) == 150
    both = acme.keys() & globex.keys()
    assert len(both) == 96
    assert all(globex[work].labels == [f"acme-{acme[work].key}"] for work in both)
    for here in (acme, globex):
        alone = Counter(issue.key == "INT-1" for work, issue in here.items() if work not in both)
        assert alone == {False: 46, True: 8}
    assert len({name for name, _, _ in acme.keys() | globex.keys()}) == 8
    labelled = [issue for issue in world.jira["globex"].issues.values() if issue.labels]
    assert len(labelled) == 12


def test_the_companies_change_nothing_in_the_world_they_are_put_into(demo):
    before = {site.name: len(site.worklogs) for site in demo.jira.values()}
    world = worlds.add_companies(worlds.demo())
    assert world.sevenpace["contoso"].worklogs == demo.sevenpace["contoso"].worklogs
    assert {name: len(world.jira[name].worklogs) for name in before} == before
    assert world.jira["jca"].accounts == demo.jira["jca"].accounts
    assert [token.token for token in world.jira["jca"].tokens] == [
        token.token for token in demo.jira["jca"].tokens
    ]


def test_the_toml_names_the_sites_a_connection_needs_and_no_secret():
    with Sandbox(worlds.small()) as sandbox:
        text = sandbox.toml(
            "contoso-to-jcb-tempo", {"read": "odata", "issues": {"match": "field", "field": "ADO ID"}}
        )
        whole = sandbox.toml()
    data = tomllib.loads(text)
    assert {site["name"]: site["kind"] for site in data["site"]} == {
        "jcb": "jira", "jcb-tempo": "tempo", "contoso-7pace": "sevenpace", "contoso": "azure",
    }  # fmt: skip
    (connection,) = data["connection"]
    assert (connection["read"], connection["issues"]) == ("odata", {"match": "field", "field": "ADO ID"})
    assert len(tomllib.loads(whole)["connection"]) == 3
    secrets = sandbox.secrets()
    assert not any(secret in whole for secret in secrets.values())
    assert set(re.findall(r'env = "(\w+)"', whole)) == set(secrets)


def test_a_personal_token_logs_in_as_its_person():
    with Sandbox(worlds.small()) as sandbox:
        auth = ("alice@example.com", sandbox.secrets()["ALICE_TOKEN"])
        answer = requests.get(f"{sandbox.url}/jira/jca/rest/api/3/myself", auth=auth)
    assert answer.json()["displayName"] == "Alice Smith"


def test_a_stopped_sandbox_leaves_nothing_open():
    with Sandbox(worlds.empty()) as sandbox, requests.Session() as session:
        session.get(f"{sandbox.url}/control.json")
        sandbox.stop()
        with pytest.raises(requests.ConnectionError):
            session.get(f"{sandbox.url}/control.json", timeout=2)


def test_a_world_put_away_goes_on_with_its_mirror_and_its_webhooks(tmp_path):
    world, file = worlds.small(), tmp_path / "world"
    with Sandbox(world) as sandbox:
        sandbox.post.hold()
        address = f"{sandbox.url}/tempo/jcb-tempo/4/webhooks/subscriptions"
        secret = {"Authorization": f"Bearer {sandbox.secrets()['JCB_TEMPO_TOKEN']}"}
        body = {"event": "worklog.created", "url": "https://example.com/hook"}
        requests.post(address, json=body, headers=secret)
        sandbox.by_hand(
            "jcb-tempo",
            "log",
            author="alice@example.com",
            on="ABC-1",
            started="2024-05-02T09:00",
            length="1h",
        )
    put_away(world, file)
    again = take_out(file)
    assert not file.exists()
    site = again.tempo["jcb-tempo"]
    assert (len(site.mirror), len(site.subscriptions), len(site.outbox)) == (1, 1, 1)
    with Sandbox(again) as sandbox:
        sandbox.post.hold()
        sandbox.settle()
    assert site.worklogs[2].jira_worklog_id in again.jira["jcb"].worklogs


def test_the_two_companies_are_put_away_and_taken_out_with_all_they_hold(tmp_path):
    world, file = worlds.companies(), tmp_path / "world"
    put_away(world, file)
    again = take_out(file)
    assert again.tempo["acme-tempo"].worklogs == world.tempo["acme-tempo"].worklogs
    assert again.tempo["globex-tempo"].jira is again.jira["globex"]
    assert again.connections == world.connections


def test_a_world_of_another_version_is_not_gone_on_with(tmp_path, monkeypatch):
    @dataclass
    class Novelty:
        name: str

    file = tmp_path / "world"
    put_away(worlds.empty(), file)
    monkeypatch.setattr("connections.sandbox.news.Novelty", Novelty, raising=False)
    assert take_out(file) is None


def test_the_command_prints_how_to_connect_and_ends_when_told():
    root = Path(__file__).parent.parent
    command = [sys.executable, "manage.py", "sandbox", "--port", "0", "--world", "small"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True, env=os.environ) as process:
        lines = iter(process.stdout.readline, "")
        address = re.search(r"http://127\.0\.0\.1:\d+", next(lines))[0]
        assert any(line.startswith("export JCA_TOKEN=") for line in lines)
        assert requests.get(f"{address}/control.json", timeout=5).json()["url"] == address
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(timeout=10) == 0


def test_the_command_offers_its_worlds():
    out = io.StringIO()
    load_command_class("connections", "sandbox").create_parser("manage.py", "sandbox").print_help(out)
    assert all(name in out.getvalue() for name in ("small", "demo", "many", "companies", "--port"))


def test_the_demos_own_times_are_in_the_past(entries):
    assert max(entry.timestamp for entry in entries) < datetime(2026, 1, 1)
