"""A page that watches a run asks for news while somebody looks at it and something runs, and not longer."""

import re
from datetime import datetime, timedelta

from playwright.sync_api import expect

NOON = datetime(2026, 1, 1, 12)
HIDE = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })"
SHOW = "delete document.hidden"


class Questions:
    """What a page asks by itself."""

    def __init__(self, page):
        self.page = page
        self.asked = self.answered = 0
        page.on("request", lambda request: self.hear(request, asked=1))
        page.on("requestfinished", lambda request: self.hear(request, answered=1))

    def hear(self, request, asked=0, answered=0):
        if "hx-request" in request.headers:
            self.asked += asked
            self.answered += answered

    def within(self, seconds):
        """How often it asks within so many seconds of its clock, each answered before the next."""
        before = self.asked
        for _ in range(seconds):
            self.page.clock.run_for(1000)
            until_answered(self)
        return self.asked - before


def until_answered(questions):
    page = questions.page
    page.wait_for_timeout(10)
    while questions.answered < questions.asked or page.locator(".htmx-request").count():
        page.wait_for_timeout(10)


def test_a_run_is_asked_after_while_it_is_watched_and_not_once_it_has_ended(browse, desk):
    desk.twinlog.run("migrate_worklogs", "contoso-to-jca", "--queue")
    page = browse(desk, "/sign-in/")
    page.clock.install(time=NOON)
    page.goto("/runs/1/")
    page.clock.pause_at(NOON + timedelta(hours=1))
    questions = Questions(page)
    expect(page.locator("#run-state")).to_have_text("Queued")

    assert 3 <= questions.within(10) <= 5

    page.evaluate(HIDE)
    assert questions.within(25) <= 1
    assert questions.within(40) in (1, 2)
    page.evaluate(SHOW)
    assert questions.within(6) >= 2

    desk.twinlog.run("run_control", "1", "cancel")
    questions.within(3)
    expect(page.locator("#run-state")).to_have_text("Cancelled")
    expect(page.get_by_role("button", name="Start again")).to_be_visible()
    assert questions.within(60) == 0


def test_a_page_says_when_news_stop_coming_and_goes_on_when_they_come_again(browse, desk):
    desk.twinlog.run("migrate_worklogs", "contoso-to-jca", "--queue")
    page = browse(desk, "/runs/1/", forgives="Failed to fetch")
    mark = page.locator("[data-live-mark]")
    expect(mark).to_contain_text(re.compile("^live, "))
    page.context.set_offline(True)
    expect(mark).to_contain_text("No answer since")
    page.context.set_offline(False)
    expect(mark).to_contain_text(re.compile("^live, "))
