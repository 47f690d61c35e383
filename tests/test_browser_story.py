"""An operator's first migration, from an empty dashboard to the list of what failed, in a browser, with workers."""

import csv
import json

import pytest
from browsing import served_whole, settled
from playwright.sync_api import expect

from connections.sandbox import Sandbox, worlds


@pytest.fixture
def place(install):
    """Twinlog with its workers, freshly set up, and the vendors it can reach."""
    with (
        install("sqlite") as twinlog,
        Sandbox(worlds.small()) as sandbox,
        served_whole(twinlog, sandbox) as place,
    ):
        yield place


def test_an_operator_connects_two_trackers_by_hand_and_carries_the_history(browse, place, tmp_path):
    world, url = place.sandbox.world, place.sandbox.url
    azure, pace, jira = world.azure["contoso"], world.sevenpace["contoso"], world.jira["jca"]
    jira.time_tracking = False
    page = browse(place, signed_in=False)

    sign_in(page, place.password)
    page.get_by_role("link", name="Add a site").click()
    add_site(
        page, "Azure DevOps", azure.name, url + azure.path, azure.tokens[0].token, identities=url + azure.path
    )
    add_site(page, "7pace", pace.name, f"{url}{pace.path}/api/rest", pace.tokens[0].token)
    add_site(page, "Jira", jira.name, url + jira.path, jira.tokens[0].token, email=jira.tokens[0].email)
    add_migration(page, pace.name, jira.name)

    check(page)
    expect(page.locator("main")).to_contain_text(
        "Turn it on: Jira settings > Work items (Issues) > Time tracking > Activate."
    )
    jira.time_tracking = True
    check(page)
    expect(page.get_by_text("Activate")).to_have_count(0)

    page.get_by_role("button", name="Dry run").click()
    expect(page.locator("#run-state")).to_have_text("Planned", timeout=60_000)
    expect(page.get_by_role("heading", name="The plan")).to_be_visible()
    assert place.one("SELECT count(*) FROM worklogs_entry WHERE standing = 'written'") == 0

    page.get_by_role("button", name="Start the migration").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Run 2")
    expect(page.locator("#run-state")).to_have_text("Finished", timeout=60_000)
    expect(page.locator("main")).to_contain_text("100 %")

    open_a_failure(page, place)
    download_failures(page, place, tmp_path / "failures.csv")


def sign_in(page, password):
    page.get_by_label("Username").fill("olivia")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def add_site(page, kind, name, url, token, email="", identities=""):
    page.goto("/sites/add/")
    page.get_by_role("main").get_by_role("link", name=kind).click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Address", exact=True).fill(url)
    page.get_by_label("Token", exact=True).fill(token)
    if email:
        page.get_by_label("Account", exact=True).fill(email)
    if identities:
        page.get_by_label("Address of identities").fill(identities)
    page.get_by_role("button", name="Add the site").click()
    expect(page.get_by_text("it accepts the token")).to_be_visible()
    assert token not in page.content()


def add_migration(page, source, target):
    page.goto("/connections/add/")
    page.get_by_role("main").get_by_role("link", name="Migration").click()
    page.get_by_label("Name", exact=True).fill("contoso-to-jca")
    page.get_by_label("Source", exact=True).select_option(source)
    page.get_by_label("Target", exact=True).select_option(target)
    page.get_by_label("Time zone of the source").fill("Europe/Berlin")
    page.get_by_role("radio", name="By a label").check()
    page.get_by_label("Label", exact=True).fill("ado-id-{id}")
    page.get_by_role("button", name="Add the connection").click()
    expect(page.get_by_text("contoso-to-jca is set up")).to_be_visible()


def check(page):
    page.get_by_role("button", name="Check").first.click()
    expect(page.get_by_role("columnheader", name="Needed for, and how to grant it")).to_be_visible()


def open_a_failure(page, place):
    (number, title) = place.twinlog.rows(
        "SELECT id, message FROM worklogs_entry WHERE code = 'issue_not_editable' ORDER BY id LIMIT 1"
    )[0]
    page.get_by_role("link", name="Failed").first.click()
    page.locator(f"main a[href='/entries/{number}/']").click()
    expect(page.get_by_role("heading", name="Issue closed or archived")).to_be_visible()
    expect(page.get_by_text(title).first).to_be_visible()


def download_failures(page, place, file):
    page.get_by_role("navigation", name="Main", exact=True).get_by_role("link", name="Failures").click()
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV of").click()
    download.value.save_as(file)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    told = {
        row["entry"]: (row["code"], row["message"], row["person"], unguarded(row["text"])) for row in rows
    }
    assert len(told) == len(rows)
    assert told == dict(open_entries(place))


def open_entries(place):
    """As the database has them."""
    columns = 'entry, code, message, person_name, "values"'
    query = f"SELECT {columns} FROM worklogs_entry WHERE standing IN ('failed', 'parked')"
    for entry, code, message, person, values in place.twinlog.rows(query):
        yield entry, (code, message, person, json.loads(values)["text"])


def unguarded(cell):
    return cell[1:] if cell.startswith("'") and cell[1:2] in tuple("=+-@") else cell
