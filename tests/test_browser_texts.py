"""What strangers typed is shown as they typed it, and does nothing."""

from urllib.parse import quote

import pytest
from browsing import settled
from hostile import CONNECTION, ENDLESS, KEY, MARKUP, OVERRIDE, SCRIPT, TEMPLATE, TEXTS
from playwright.sync_api import expect

BROUGHT_IN = "img[src='x'], .hostile, [onmouseover], [onerror], main style, main script:not([type$=json])"
HARM = "(brought) => [...document.querySelectorAll(brought)].map((each) => each.outerHTML)"
"""Elements that only a text could have brought in."""

UNTAMED = """() => {
    const isPart = ({ display, unicodeBidi }) => display === "inline" && !/isolate|plaintext/.test(unicodeBidi);
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    const found = [];
    for (let text = walker.nextNode(); text; text = walker.nextNode()) {
        let inside = text.parentElement;
        if (!text.data.includes("\\u202e") || inside.closest("option")) continue;
        while (isPart(getComputedStyle(inside))) inside = inside.parentElement;
        const alone = inside.textContent.trim() === text.data.trim();
        if (!alone && !inside.closest("[dir=auto], bdi")) found.push(inside.outerHTML.slice(0, 300));
    }
    return found;
}"""
"""Where a text that turns the reading direction would turn what stands beside it."""

ALL_ABOUT = "?connection=contoso-to-jca"
LISTS = ["/", "/failures/", f"/failures/{ALL_ABOUT}", f"/entries/{ALL_ABOUT}&q=evil.example",
         f"/entries/log/{ALL_ABOUT}", "/people/contoso-to-jca/", "/reports/migration/contoso-to-jca/",
         "/reports/migration/contoso-to-jca/?print=1", f"/connections/{quote(CONNECTION, safe='')}/",
         "/runs/2/"]  # fmt: skip


def is_harmless(page):
    settled(page)
    assert page.evaluate(HARM, BROUGHT_IN) == []
    assert page.evaluate(UNTAMED) == []
    expect(page.get_by_role("heading", level=1)).to_be_visible()


@pytest.mark.parametrize("path", LISTS)
def test_hostile_texts_do_nothing_in_lists(browse, filled, path):
    is_harmless(browse(filled, path))


@pytest.mark.parametrize(
    "text", TEXTS, ids=["markup", "script", "quotes", "template", "formula", "override", "endless"]
)
def test_a_hostile_name_and_comment_are_shown_as_they_were_typed(browse, filled, text):
    """The person, what she wrote, and why it was not carried."""
    number = TEXTS.index(text)
    page = browse(filled, f"/entries/{ALL_ABOUT}&outcome=failed&q={number}@evil.example")
    page.locator("main tbody tr a").first.click()
    is_harmless(page)
    said = page.locator("main").inner_text()
    assert said.count(text) >= 3, said


def test_each_of_them_is_named_where_people_are_paired(browse, filled):
    page = browse(filled, "/people/contoso-to-jca/")
    shown = page.locator("main").inner_text()
    assert [text for text in TEXTS if text not in shown] == []


def test_a_connection_and_an_issue_with_hostile_names_can_be_worked_with(browse, filled):
    page = browse(filled, "/connections/")
    page.get_by_role("main").get_by_role("link", name=CONNECTION).first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(CONNECTION)
    is_harmless(page)
    page.goto(f"/entries/?issue={quote(KEY)}")
    expect(page.locator("main tbody")).to_contain_text(KEY)
    is_harmless(page)


def test_what_was_searched_for_is_not_carried_out(browse, filled):
    for text in (MARKUP, SCRIPT, OVERRIDE, TEMPLATE, ENDLESS[:200]):
        page = browse(filled, f"/entries/?q={quote(text)}")
        is_harmless(page)
        expect(page.locator("main").get_by_role("searchbox", name="Search entries")).to_have_value(text)
