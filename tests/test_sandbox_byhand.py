"""A person logs, changes, moves and deletes time by hand on the sandbox's pages, and sees it arrive elsewhere."""

import re
from datetime import date, datetime

import pytest
import requests

from connections.sandbox import Sandbox, worlds
from connections.sandbox.byhand import ByHandError, seconds_of
from connections.sandbox.world import TempoAttribute

ALICE = "alice@example.com"


@pytest.fixture
def sandbox():
    with Sandbox(worlds.small()) as running:
        yield running


@pytest.fixture
def site(sandbox):
    return sandbox.world.tempo["jcb-tempo"]


@pytest.fixture
def page(sandbox):
    return lambda name, number="": requests.get(f"{sandbox.url}/control/sites/{name}/{number}".rstrip("/"))


@pytest.fixture
def submit(sandbox):
    return lambda name, **fields: requests.post(f"{sandbox.url}/control/sites/{name}", data=fields)


@pytest.fixture
def alice(site):
    return site.jira.account_of(ALICE).account_id


@pytest.fixture
def entry(alice):
    return {
        "author": alice,
        "on": "ABC-1",
        "started": "2024-05-02T09:00",
        "length": "1h 30m",
        "text": "By hand",
    }


def newest(site):
    return max(site.worklogs)


def test_the_front_page_leads_to_every_site_that_holds_worklogs(sandbox, page):
    links = re.findall(r'href="/control/sites/([^"]+)"', requests.get(sandbox.url).text)
    assert links == ["jca", "jcb", "jcb-tempo", "contoso-7pace"]
    for name in links:
        assert "Log time" in page(name).text
    assert page("contoso").status_code == page("nowhere").status_code == 404


def test_time_logged_in_jira_is_the_persons_own_and_arrives_in_tempo(
    sandbox, site, page, submit, entry, alice
):
    answer = submit("jcb", action="log", **entry)
    assert answer.url == f"{sandbox.url}/control/sites/jcb"
    row = site.jira.worklogs[newest(site.jira)]
    assert (row.author_id, row.seconds, row.text) == (alice, 5400, "By hand")
    sandbox.settle()
    twin = site.twin_of(row.id)
    assert (twin.author_id, twin.day, twin.start) == (alice, date(2024, 5, 2), "09:00:00")
    assert "By hand" in page("jcb-tempo").text
    assert f"<td>{row.id}</td>" in page("jcb-tempo").text


def test_time_logged_in_tempo_arrives_in_jira_and_its_copy_is_edited_there_as_that_person(
    sandbox, site, page, submit, entry, alice
):
    submit("jcb-tempo", action="log", **entry)
    sandbox.settle()
    number, copy = newest(site), newest(site.jira)
    assert site.jira.worklogs[copy].author_id == site.app.account_id
    submit("jcb", action="change", number=copy, started="2024-05-02T10:00:00", length="45m", text="Edited")
    sandbox.settle()
    assert site.jira.worklogs[copy].update_author_id == alice
    row = site.worklogs[number]
    assert (row.start, row.seconds, row.description) == ("10:00:00", 2700, "Edited")


def test_a_change_in_tempo_keeps_attributes_and_what_is_billed(sandbox, site, submit, entry):
    site.attributes["_Kind_"] = TempoAttribute("_Kind_", "Kind")
    submit("jcb-tempo", action="log", **entry)
    number = newest(site)
    site.worklogs[number].attributes, site.worklogs[number].billable_seconds = {"_Kind_": "a"}, 0
    sandbox.by_hand("jcb-tempo", "change", number=str(number), length="2h")
    row = site.worklogs[number]
    assert (row.seconds, row.billable_seconds, row.attributes, row.description) == (
        7200,
        0,
        {"_Kind_": "a"},
        "By hand",
    )


def test_a_worklogs_page_shows_it_and_changes_moves_and_deletes_it(sandbox, page, submit, entry):
    jira = sandbox.world.jira["jca"]
    submit("jca", action="log", **entry)
    number = newest(jira)
    shown = page("jca", number).text
    assert all(text in shown for text in ("2024-05-02T09:00:00", "1h 30m", "By hand", "Alice Smith", "ABC-1"))
    submit("jca", action="change", number=number, started="2024-05-02T09:00:00", length="2h", text="")
    assert (jira.worklogs[number].seconds, jira.worklogs[number].comment) == (7200, None)
    submit("jca", action="move", number=number, on="XYZ-1")
    assert [row.id for row in jira.worklogs_of("XYZ-1")] == [number]
    submit("jca", action="delete", number=number)
    assert number not in jira.worklogs
    assert page("jca", number).status_code == 404


def test_a_move_in_tempo_makes_a_new_worklog_on_both_sides(sandbox, site, entry):
    sandbox.by_hand("jcb-tempo", "log", **entry)
    sandbox.settle()
    number, copy = newest(site), newest(site.jira)
    sandbox.by_hand("jcb-tempo", "move", number=str(number), on="XYZ-1")
    sandbox.settle()
    (moved,) = site.worklogs_of("XYZ-1")
    assert moved.id > number
    assert moved.jira_worklog_id > copy
    assert number not in site.worklogs
    assert copy not in site.jira.worklogs


def test_the_same_by_hand_in_7pace(sandbox):
    site = sandbox.world.sevenpace["contoso"]
    user = next(user.id for user in site.users.values() if user.name == "Bob Jones")
    sandbox.by_hand(
        site.name, "log", author=user, on="101", started="2024-05-02T09:00", length="10m", text="By hand"
    )
    number = list(site.worklogs)[-1]
    sandbox.by_hand(site.name, "change", number=number, length="20m")
    sandbox.by_hand(site.name, "move", number=number, on="102")
    row = site.worklogs[number]
    assert (row.seconds, row.work_item_id, row.comment) == (1200, 102, "By hand")
    assert row.timestamp == datetime(2024, 5, 2, 9, 0)
    sandbox.by_hand(site.name, "delete", number=number)
    assert number not in site.worklogs


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"on": "ABC-99"}, "ABC-99"),
        ({"author": "nobody"}, "nobody"),
        ({"started": "soon"}, "soon"),
        ({"length": "long"}, "long"),
        ({"length": ""}, "length"),
        ({"on": "ABC-3"}, "editable"),
        ({"length": "30s"}, "Invalid time duration"),
        ({"action": "burn"}, "burn"),
    ],
)
def test_what_cannot_be_done_says_why_and_changes_nothing(sandbox, submit, entry, changes, said):
    jira = sandbox.world.jira["jca"]
    held = len(jira.worklogs)
    answer = submit("jca", **({"action": "log"} | entry | changes))
    assert (answer.status_code, said in answer.text) == (400, True)
    assert len(jira.worklogs) == held


def test_tempos_walls_hold_for_people_too(sandbox, site, entry):
    site.closed_periods = [(date(2024, 5, 1), date(2024, 5, 31))]
    with pytest.raises(ByHandError, match="closed"):
        sandbox.by_hand("jcb-tempo", "log", **entry)


def test_programs_do_the_same_by_json(sandbox, entry):
    address, jira = f"{sandbox.url}/control/sites/jca", sandbox.world.jira["jca"]
    assert requests.post(address, json={"action": "log", **entry, "author": ALICE}).status_code == 204
    assert jira.worklogs[newest(jira)].text == "By hand"
    assert requests.post(address, json={"action": "log"}).json()["error"].startswith("Fill in")
    assert requests.post(address, data="x", headers={"Content-Type": "application/json"}).status_code == 400


def test_the_pages_show_hostile_text_as_text(sandbox, page, entry):
    sandbox.by_hand("jca", "log", **entry | {"text": '</textarea><script>alert("1")</script>'})
    number = newest(sandbox.world.jira["jca"])
    for shown in (page("jca"), page("jca", number)):
        assert "<script>" not in shown.text
        assert "&lt;script&gt;" in shown.text


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1h 30m", 5400), ("1h30m5s", 5405), ("45s", 45)])
def test_a_length_is_read_in_hours_minutes_and_seconds(text, seconds):
    assert seconds_of(text) == seconds
