"""Everything can be reached and sent without a mouse, and every form without JavaScript."""

import re

import pytest
from browsing import NARROW, OPERATOR, settled
from playwright.sync_api import expect

FOCUSED = "document.activeElement"
CAROL = "carol@example.com"


def test_the_first_tab_leads_past_the_navigation(browse, filled):
    page = settled(browse(filled, "/entries/"))
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="To the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate(f"{FOCUSED}.closest('main') !== null")


def test_what_has_the_focus_is_seen_to_have_it(browse, filled):
    page = settled(browse(filled, "/failures/"))
    for _ in range(30):
        page.keyboard.press("Tab")
        seen = page.evaluate(
            f"(({{ outlineStyle, boxShadow }}) => [outlineStyle, boxShadow])(getComputedStyle({FOCUSED}))"
        )
        assert seen != ["none", "none"], page.evaluate(f"{FOCUSED}.outerHTML")


def test_the_menu_of_a_phone_opens_and_closes_by_keys(browse, filled):
    page = settled(browse(filled, "/entries/", viewport=NARROW))
    menu = page.locator("details.tl-menu")
    runs = menu.get_by_role("link", name="Runs")
    expect(runs).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(menu.locator("summary").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(runs).to_be_visible()
    page.keyboard.press("Escape")
    expect(runs).to_be_hidden()
    expect(menu.locator("summary").first).to_be_focused()
    page.keyboard.press("Space")
    runs.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/runs/$"))


def test_enter_sends_a_search_and_the_filters_stay_in_the_address(browse, filled):
    page = settled(browse(filled, "/entries/?outcome=written"))
    search = page.get_by_role("main").get_by_role("searchbox", name="Search entries")
    search.fill("ABC-1")
    search.press("Enter")
    expect(page).to_have_url(re.compile(r"\?.*outcome=written"))
    expect(page).to_have_url(re.compile(r"\?.*q=ABC-1"))
    assert page.locator("main tbody tr").count() > 0


def test_a_question_is_answered_by_keys(browse, filled):
    """Escape leaves the run alone and gives the focus back."""
    running = filled.one("SELECT max(id) FROM worklogs_run WHERE state = 'running'")
    page = settled(browse(filled, f"/runs/{running}/"))
    cancel = page.locator("summary", has_text="Cancel")
    cancel.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="End the run")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="End the run")).to_be_hidden()
    expect(cancel).to_be_focused()


def test_the_theme_is_chosen_by_keys_and_kept(browse, bare):
    page = settled(browse(bare, "/", color_scheme="light"))
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Dark").first.focus()
    page.keyboard.press("Enter")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert dark != before
    settled(page.goto("/runs/") and page)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


@pytest.mark.parametrize("desk", [["contoso-to-jca", "--dry-run"]], indirect=True)
def test_every_main_form_is_sent_without_javascript(browse, desk):
    page = browse(desk, signed_in=False, java_script_enabled=False)
    page.get_by_label("Username").fill(OPERATOR)
    page.get_by_label("Password").fill(desk.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    pair_carol(page, desk)
    edit_and_pause_the_connection(page)
    add_and_remove_a_site(page)
    start_hold_and_end_a_run(page)
    change_password(page, desk)
    page.locator(".tl-bar-side .tl-user summary").click()
    page.locator(".tl-bar-side").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


def pair_carol(page, desk):
    bob = next(each for each in desk.sandbox.world.jira["jca"].accounts.values() if each.name == "Bob Jones")
    page.goto("/people/contoso-to-jca/")
    page.get_by_role("link", name="Pair Carol White").click()
    page.get_by_role("main").locator("tr.tl-editing input[type=text], tr.tl-editing select").first.fill(
        bob.account_id
    )
    page.get_by_role("button", name="Save this pair").click()
    expect(page.locator("main")).to_contain_text("Bob Jones")


def edit_and_pause_the_connection(page):
    page.goto("/connections/contoso-to-jca/edit/")
    page.get_by_label("Shorter").or_(page.locator("#id_minimum_seconds")).first.fill("90")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("main")).to_contain_text("is paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("main")).to_contain_text("may run again")
    page.get_by_role("button", name="Check now").first.click()
    expect(page.get_by_role("columnheader", name="State")).to_be_visible()


def add_and_remove_a_site(page):
    page.goto("/sites/add/?kind=azure")
    page.get_by_label("Name", exact=True).fill("elsewhere")
    page.get_by_label("Address", exact=True).fill("http://127.0.0.1:9/elsewhere")
    page.get_by_label("Token", exact=True).fill("no-such-token")
    page.get_by_role("button", name="Add the site").click()
    expect(page.get_by_text("its token was not accepted")).to_be_visible()
    page.locator("summary", has_text="Remove").click()
    page.get_by_role("button", name="Remove the site").click()
    expect(page.get_by_text("elsewhere and its tokens are gone")).to_be_visible()


def start_hold_and_end_a_run(page):
    page.goto("/connections/contoso-to-jca/")
    page.get_by_role("button", name="Start the migration").click()
    expect(page.locator("#run-state")).to_have_text("Queued")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#run-state")).to_have_text("Paused")
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#run-state")).to_have_text("Queued")
    page.locator("summary", has_text="Cancel").click()
    page.get_by_role("button", name="End the run").click()
    expect(page.locator("#run-state")).to_have_text("Cancelled")


def change_password(page, desk):
    page.goto("/password/")
    page.get_by_label("Old password").fill(desk.password)
    page.get_by_role("textbox", name="New password", exact=True).fill("a-rather-long-secret")
    page.get_by_label("confirmation").fill("a-rather-long-secret")
    page.get_by_role("main").locator("button[type=submit]").click()
    expect(page).not_to_have_url(re.compile("/password/$"))
