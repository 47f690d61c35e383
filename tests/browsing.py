"""Twinlog in a real browser: installations on the wire, and Chromium to read them with.

A page opened through `browse` complains at the end of the test about everything its console, the content policy or
the network objected to. Debian's `chromium` is taken where it is installed, else Playwright's own.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from contoso import ALICE, BOB, CAROL, Contoso
from hostile import CONNECTION, strange_world
from playwright.sync_api import expect
from twinlog_process import Installation, until

from connections.leash import leashed
from connections.sandbox import Sandbox
from connections.serving import listen

WIDE = {"width": 1440, "height": 900}
NARROW = {"width": 390, "height": 844}
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
DOWNLOAD_SECONDS = 300
AXE = Axe().axe_script
GRAVE = ("serious", "critical")
OPERATOR = "olivia"
STICKING_OUT = """() => {
    const page = document.documentElement;
    const out = (each) => each.getBoundingClientRect().right > page.clientWidth + 0.5;
    const shown = (each) => each.outerHTML.slice(0, 200);
    if (page.scrollWidth <= page.clientWidth) return [];
    return [`${page.scrollWidth} px`, ...[...document.querySelectorAll("body *")].filter(out).slice(0, 5).map(shown)];
}"""


# --- Chromium


class NoChromiumError(Exception):
    """There is none, and none could be had; says why."""


def launch_options(own: str) -> dict[str, Any]:
    """How Chromium is started; `own` is where Playwright's would be. Raises NoChromiumError."""
    program = shutil.which("chromium") or _downloaded(own)
    return {"executable_path": program, "args": QUIET + ([] if os.geteuid() else ["--no-sandbox"])}


def _downloaded(own: str) -> str:
    """Has Playwright fetch its own where it is not there yet."""
    if os.path.exists(own):
        return own
    try:
        command = [sys.executable, "-m", "playwright", "install", "chromium"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
        why = done.stderr.strip()[-200:] if done.returncode else ""
    except subprocess.TimeoutExpired:
        why = "it did not end"
    if why:
        advice = "On Debian and Ubuntu: apt-get install chromium"
        raise NoChromiumError(f"no Chromium, and Playwright's download failed: {why}. {advice}")
    return own


@pytest.fixture(scope="session")
def browser_type_launch_args(
    browser_type_launch_args: dict[str, Any], playwright: Any
) -> Iterator[dict[str, Any]]:
    try:
        chosen = launch_options(playwright.chromium.executable_path)
    except NoChromiumError as why:
        pytest.fail(str(why)) if os.environ.get("CI") == "true" else pytest.skip(str(why))
    # Playwright leaves an event loop in this thread, and Django would not touch a database beside it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    yield {**browser_type_launch_args, **chosen}
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


# --- installations on the wire


@dataclass
class Served:
    """An installation, where its pages are, and an operator who is signed in."""

    twinlog: Installation
    url: str
    password: str = field(repr=False)
    cookies: list[dict[str, Any]] = field(repr=False)
    sandbox: Sandbox | None = None

    def one(self, query: str) -> Any:
        """The one value a query asks for."""
        ((value,),) = self.twinlog.rows(query)
        return value


@contextmanager
def served(twinlog: Installation, sandbox: Sandbox | None = None) -> Iterator[Served]:
    """The pages alone: what is queued stays in the queue."""
    with listen("127.0.0.1", 0) as socket:
        options = ["--worker-class", "gthread", "--threads", "4", "--log-level", "warning"]
        bound = ["--bind", f"fd://{socket.fileno()}", "--no-control-socket"]
        command = leashed([sys.executable, "-m", "gunicorn", "config.wsgi", *bound, *options])
        web = twinlog.begin_program(*command, descriptors=(socket.fileno(),))
        port = socket.getsockname()[1]
    try:
        yield signed_in(twinlog, f"http://127.0.0.1:{port}", sandbox)
    finally:
        web.kill()
        web.process.wait()


def signed_in(twinlog: Installation, url: str, sandbox: Sandbox | None = None) -> Served:
    """Makes the operator, and signs her in."""
    password = twinlog.run("make_admin", "--name", OPERATOR, "--json").data["password"]
    session = requests.Session()
    page = session.get(f"{url}/sign-in/", timeout=60).text
    form = {"username": OPERATOR, "password": password, "csrfmiddlewaretoken": _csrf(page)}
    answer = session.post(f"{url}/sign-in/", form, headers={"Referer": url}, timeout=60)
    assert answer.url == f"{url}/", answer.text
    cookies = [{"name": each.name, "value": each.value, "url": url} for each in session.cookies]
    return Served(twinlog, url, password, cookies, sandbox)


def _csrf(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found, page
    return found[1]


@contextmanager
def served_whole(twinlog: Installation, sandbox: Sandbox) -> Iterator[Served]:
    """`manage.py serve`: the pages, and workers that carry out what is started on them."""
    fewer = {"QUEUE_WORKERS": "1", "BULK_WORKERS": "1"}
    serving = twinlog.begin_manage("serve", "--port", "0", "--grace", "2", "--json", **fewer)
    told = until(lambda: serving.ended or serving.out.read_text())
    assert not serving.ended, serving.err.read_text()
    try:
        yield signed_in(twinlog, json.loads(told)["url"].rstrip("/"), sandbox)
    finally:
        serving.signal(signal.SIGTERM)
        serving.wait()


@pytest.fixture(scope="session")
def filled(install: Any) -> Iterator[Served]:
    """Migrations of every oddity and of hostile texts; a run that waits in the queue. Not to be changed by a test."""
    with install("sqlite") as twinlog, Sandbox(strange_world()) as sandbox:
        twinlog.set_up(sandbox, sandbox.toml())
        twinlog.run("check_connection", "contoso-to-jca", status=None)
        for flags in (["contoso-to-jca", "--dry-run"], ["contoso-to-jca"], ["contoso-to-jcb-tempo"]):
            twinlog.migrate(*flags, status=None)
        twinlog.migrate(CONNECTION, "--dry-run", status=None)
        twinlog.run("migrate_worklogs", "contoso-to-jcb-tempo", "--queue")
        with served(twinlog, sandbox) as pages:
            yield pages


@pytest.fixture(scope="session")
def bare(install: Any) -> Iterator[Served]:
    """Nothing but the operator. Not to be changed by a test."""
    with install("sqlite") as twinlog, served(twinlog) as pages:
        yield pages


@pytest.fixture
def desk(request: Any, install: Any, contoso: Contoso) -> Iterator[Served]:
    """An installation of the test's own, with three entries of Alice, Bob and Carol to carry and nobody to work.

    The parameter, if there is one, is what `migrate_worklogs` is told before.
    """
    for who in (ALICE, BOB, CAROL):
        contoso.log(who, 1, "2024-03-04T09:00:00")
    with install("sqlite") as twinlog, Sandbox(contoso.world) as sandbox:
        twinlog.set_up(sandbox, sandbox.toml("contoso-to-jca"))
        if flags := getattr(request, "param", None):
            twinlog.migrate(*flags)
        with served(twinlog, sandbox) as pages:
            yield pages


# --- pages


@pytest.fixture
def browse(browser: Any) -> Iterator[Any]:
    """Opens a page of an installation for the signed-in operator: `browse(filled, "/runs/")`.

    `signed_in=False` leaves the cookie out; `forgives` is what may be complained about. Further options are those of
    Playwright's contexts.
    """
    opened: list[tuple[Any, list[str]]] = []

    def browse_to(
        where: Served, path: str = "/", *, signed_in: bool = True, forgives: str = "", **options: Any
    ) -> Any:
        context = browser.new_context(
            **{
                "base_url": where.url,
                "viewport": WIDE,
                "reduced_motion": "reduce",
                "locale": "en-GB",
                **options,
            }
        )
        context.set_default_timeout(15_000)
        if signed_in:
            context.add_cookies(where.cookies)
        page = context.new_page()
        opened.append((context, complaints_of(page, forgives)))
        page.goto(path)
        return page

    yield browse_to
    for context, _ in opened:
        context.close()
    assert [said for _, complaints in opened for said in complaints] == []


def complaints_of(page: Any, forgives: str = "") -> list[str]:
    """What the browser objects to from now on. That a page was refused or not found is no complaint."""
    complaints: list[str] = []

    def hear(said: Any) -> None:
        forgiven = said.text.startswith("Failed to load resource") or (forgives and forgives in said.text)
        if said.type in ("error", "warning") and not forgiven:
            complaints.append(said.text)

    def see(answer: Any) -> None:
        if answer.status >= (500 if answer.request.is_navigation_request() else 400):
            complaints.append(f"{answer.url} answered {answer.status}")

    def dismiss(dialog: Any) -> None:
        complaints.append(f"it asks: {dialog.message}")
        dialog.dismiss()

    page.on("console", hear)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", dismiss)
    page.on("response", see)
    return complaints


def settled(page: Any) -> Any:
    """The page once what it fetches by itself is there."""
    page.wait_for_load_state("load")
    expect(page.locator(".htmx-request")).to_have_count(0)
    page.evaluate("document.fonts.ready.then(() => null)")
    return page


def grave_findings(page: Any, *rules: str) -> list[str]:
    """What axe-core finds serious or critical on the page as it stands now, by all rules or by these."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    chosen = {"runOnly": rules} if rules else {}
    options = {"preload": False, "resultTypes": ["violations"], **chosen}
    found = page.evaluate("(options) => axe.run(options).then((found) => found.violations)", options)
    return [
        f"{each['id']}: {each['help']}: {node['html'][:300]} ({node.get('failureSummary', '')[:300]})"
        for each in found
        if each["impact"] in GRAVE
        for node in each["nodes"]
    ]


def sticks_out(page: Any) -> list[str]:
    """What makes the page scroll sideways; nothing where it does not."""
    return page.evaluate(STICKING_OUT)
