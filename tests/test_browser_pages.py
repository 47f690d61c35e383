"""Every page, with data and without, is to be read by everybody: in both themes, wide and on a phone, without a script,
and without the browser objecting to anything."""

from functools import partial
from urllib.parse import quote

import pytest
from browsing import NARROW, WIDE, grave_findings, settled, sticks_out
from django.urls import URLPattern, URLResolver, get_resolver
from hostile import CONNECTION
from playwright.sync_api import expect

NAME = "contoso-to-jca"
HOSTILE = quote(CONNECTION, safe="")


def latest_run(where, kind):
    return where.one(f"SELECT max(id) FROM worklogs_run WHERE kind = '{kind}' AND state <> 'running'")


def run(where):
    return f"/runs/{latest_run(where, 'migration')}/"


def dry_run(where):
    return f"/runs/{latest_run(where, 'dry_run')}/"


def waiting_run(where):
    return f"/runs/{where.one("SELECT max(id) FROM worklogs_run WHERE state = 'running'")}/"


def entry(where, standing):
    return f"/entries/{where.one(f"SELECT max(id) FROM worklogs_entry WHERE standing = '{standing}'")}/"


def planned_act(where):
    query = f"SELECT max(id) FROM worklogs_auditentry WHERE run_id = {latest_run(where, 'dry_run')}"
    return f"/entries/log/{where.one(query)}/"


def edited_person(where):
    return f"/people/{NAME}/?edit=carol@example.com#edit"


def called(path):
    """What a path is called among the tests; those made from the data by what makes them."""
    made_by = path if isinstance(path, partial) else partial(path) if callable(path) else None
    return " ".join([made_by.func.__name__, *made_by.keywords.values()]) if made_by else path


PAGES = {
    "password_change": ["/password/"],
    "reports:overview": ["/"],
    "reports:failures": ["/failures/", "/failures/?code=no_such_code"],
    "reports:index": ["/reports/"],
    "reports:migration": [f"/reports/migration/{NAME}/", f"/reports/migration/{HOSTILE}/"],
    "worklogs:runs": ["/runs/", "/runs/?state=broken"],
    "worklogs:run": [run, dry_run, waiting_run],
    "worklogs:entries": ["/entries/", "/entries/?outcome=parked", "/entries/?q=nobody"],
    "worklogs:entry": [
        partial(entry, standing=each) for each in ("written", "failed", "parked", "skipped", "linked")
    ],
    "worklogs:issues": ["/issues/jca-jcb/"],
    "worklogs:log": ["/entries/log/"],
    "worklogs:act": [planned_act],
    "worklogs:people_all": ["/people/"],
    "worklogs:people": [f"/people/{NAME}/", edited_person],
    "connections:list": ["/connections/"],
    "connections:add": [
        "/connections/add/",
        "/connections/add/?kind=migration",
        "/connections/add/?kind=sync",
    ],
    "connections:detail": [f"/connections/{NAME}/", "/connections/jca-jcb/", f"/connections/{HOSTILE}/"],
    "connections:sites_of": [f"/connections/{NAME}/sites/"],
    "connections:check": [f"/connections/{NAME}/check/", f"/connections/{HOSTILE}/check/"],
    "connections:settings": [f"/connections/{NAME}/settings/"],
    "connections:edit": [f"/connections/{NAME}/edit/", "/connections/jca-jcb/edit/"],
    "connections:sites": ["/sites/"],
    "connections:site_add": ["/sites/add/", "/sites/add/?kind=jira", "/sites/add/?kind=7pace"],
    "connections:site": ["/sites/jca/", "/sites/contoso-7pace/"],
    "connections:site_edit": ["/sites/jca/edit/"],
    "not found": ["/runs/99999999/"],
}
NO_PAGES = {
    "login", "logout", "reports:failures_csv", "reports:prove", "worklogs:start", "worklogs:connection_runs",
    "worklogs:run_cancel", "worklogs:run_pause", "worklogs:run_resume", "worklogs:people_pair",
    "worklogs:people_unpair", "worklogs:people_file", "worklogs:entry_decide", "worklogs:issue_look", "worklogs:hook",
    "connections:people_all", "connections:people",
    "connections:file", "connections:pause", "connections:resume", "connections:site_knock",
    "connections:site_remove", "connections:token_add", "connections:token_replace", "connections:token_expiry",
    "connections:token_revoke",
}  # fmt: skip
"""Downloads, what is only posted to, redirects and fragments; and the sign-in page, which has tests of its own."""
WITHOUT_DATA = ["/", "/failures/", "/reports/", "/runs/", "/entries/", "/entries/?outcome=parked", "/entries/log/",
                "/people/", "/connections/", "/connections/add/", "/connections/add/?kind=migration", "/sites/",
                "/sites/add/", "/sites/add/?kind=jira"]  # fmt: skip

COLOURS = ["color-contrast", "link-in-text-block"]

every_page = pytest.mark.parametrize("path", [path for paths in PAGES.values() for path in paths], ids=called)


def test_no_page_is_forgotten_here():
    assert set(names_of(get_resolver().url_patterns)) == PAGES.keys() - {"not found"} | NO_PAGES


def names_of(patterns, space=""):
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from names_of(pattern.url_patterns, f"{pattern.app_name}:" if pattern.app_name else space)
        elif isinstance(pattern, URLPattern):
            yield f"{space}{pattern.name}"


@every_page
def test_a_page_with_data_is_for_everybody(browse, filled, path):
    page = browse(filled, path if isinstance(path, str) else path(filled))
    look_at(page)


@pytest.mark.parametrize("path", WITHOUT_DATA)
def test_a_page_without_data_is_for_everybody_and_says_what_to_do_next(browse, bare, path):
    look_at(browse(bare, path))


def test_the_sign_in_page_is_for_everybody(browse, bare):
    page = browse(bare, "/runs/", signed_in=False)
    expect(page).to_have_url(f"{bare.url}/sign-in/?next=/runs/")
    look_at(page)


def look_at(page):
    """Wide and light, wide and dark; on a phone dark and light, with everything opened that can be."""
    settled(page)
    assert page.title().removesuffix(" · Twinlog").strip() not in ("", page.title())
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    assert page.get_by_role("heading", level=1).inner_text().strip()
    look_closely(page, WIDE, ("light", "dark"))
    page.evaluate("document.querySelectorAll('main details').forEach((each) => { each.open = true; })")
    look_closely(page, NARROW, ("dark", "light"))


def look_closely(page, size, themes):
    """By every rule in the first theme; in the other one by those that colours matter to."""
    page.set_viewport_size(size)
    for theme, rules in zip(themes, ([], COLOURS), strict=True):
        page.emulate_media(color_scheme=theme)
        assert grave_findings(page, *rules) == [], f"{theme}, {size['width']} px"
    assert sticks_out(page) == []


@every_page
def test_a_page_can_be_read_without_javascript(browse, filled, path):
    page = browse(filled, path if isinstance(path, str) else path(filled), java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("navigation", name="Main", exact=True)).to_be_visible()
    assert len(page.locator("main").inner_text()) > 60
