"""`make demo`: the dashboard, a migration under way and a live sync, from one process that leaves nothing behind."""

import re
import signal
import socket

import pytest
import requests
from test_supervisor import GONE_WITHIN, family_of, lives
from twinlog_process import PATIENCE, Installation, until


@pytest.fixture
def newcomer(tmp_path):
    """Somebody who has just cloned Twinlog."""
    installation = Installation(tmp_path / "var")
    yield installation
    installation.end()


@pytest.mark.timeout(600)
def test_a_newcomer_watches_migration_and_sync_and_the_demo_leaves_nothing_behind(newcomer):
    """It takes the next free port, prints the way in and, when the run has ended, the report; a second demo in the
    same folder is refused. What somebody logs at one company arrives at the other. It can be gone on with, and then
    writes nothing twice. However it ends, nothing lives on.
    """
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        demo = newcomer.begin_manage("demo", "--world", "small", "--port", str(port))
        said = until(
            lambda: demo.ended or ("is under way" in demo.out.read_text() and demo.out.read_text()), PATIENCE
        )
    assert not demo.ended, demo.err.read_text()
    url = re.search(r"dashboard is at +(\S+)", said)[1]
    assert url != f"http://localhost:{port}/"
    user, password = re.search(r"Sign in as +(\S+)\nwith the password +(\S+)", said).groups()

    page = signed_in(url, user, password).get(re.search(r"way: +(\S+)", said)[1], timeout=10)
    assert page.status_code == 200
    assert page.url.endswith("/runs/1/")

    second = newcomer.begin_manage("demo").wait()
    assert second.status == 1
    assert "runs in" in second.err

    until(lambda: "The dashboard stays" in demo.out.read_text(), PATIENCE)
    assert "7pace Time Log Migration" in demo.out.read_text()
    assert "Sync acme-globex: acme-tempo and globex-tempo" in demo.out.read_text()

    logged_at_acme_arrives_at_globex(demo, "2026-03-02T09:00", "Before the break")
    end(demo, signal.SIGTERM)
    kept = newcomer.begin_manage("demo", "--keep", "--port", str(port))
    until(lambda: kept.ended or "The dashboard stays" in kept.out.read_text(), PATIENCE)
    assert re.search(r"Run \d+ is under way", kept.out.read_text())
    assert written_in(kept) == written_in(demo)
    logged_at_acme_arrives_at_globex(kept, "2026-03-03T09:00", "After the break")
    assert page_of(kept, "globex-tempo").count("Before the break") == 1
    end(kept, signal.SIGKILL)


def end(demo, number):
    family = family_of(demo.process.pid)
    assert len(family) > 8
    demo.signal(number)
    until(lambda: not any(lives(pid) for pid in family[1:]), GONE_WITHIN)
    demo.process.wait(GONE_WITHIN)


def logged_at_acme_arrives_at_globex(demo, started, text):
    """Tempo's own call brings it, long before the schedule would."""
    said = demo.out.read_text()
    assert "within seconds" in said, said
    here, there = (re.search(rf"{words} +(\S+)", said)[1] for words in ("by hand at", "arrive at"))
    work = {
        "author": "nadia.weber@acme.example",
        "on": "SHOP-1",
        "started": started,
        "length": "1h",
        "text": text,
    }
    assert requests.post(here, json={"action": "log", **work}, timeout=10).status_code == 204
    until(lambda: text in requests.get(there, timeout=10).text, PATIENCE)


def page_of(demo, site):
    """The sandbox's own page of one site."""
    address = re.search(r"(\S+/control/sites/)", demo.out.read_text())[1]
    return requests.get(address + site, timeout=10).text


def written_in(demo):
    """The report's line of what stands in Jira."""
    return re.search(r"Written to Jira: .*", demo.out.read_text())[0]


def signed_in(url, user, password):
    session = requests.Session()
    token = re.search(
        r'name="csrfmiddlewaretoken" value="([^"]+)"', session.get(f"{url}sign-in/", timeout=10).text
    )[1]
    form = {"username": user, "password": password, "csrfmiddlewaretoken": token}
    answer = session.post(f"{url}sign-in/", data=form, timeout=10, headers={"Referer": url})
    assert answer.url == url, answer.text
    return session
