"""`make demo`: the dashboard with a migration under way, from one process that leaves nothing behind."""

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


def test_a_newcomer_watches_the_migration_and_the_demo_leaves_nothing_behind(newcomer):
    """It takes the next free port, prints the way in and, when the run has ended, the report; a second demo in the
    same folder is refused. It can be gone on with, and then writes nothing twice. However it ends, nothing lives on.
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

    end(demo, signal.SIGTERM)
    kept = newcomer.begin_manage("demo", "--keep", "--port", str(port))
    until(lambda: kept.ended or "The dashboard stays" in kept.out.read_text(), PATIENCE)
    assert "Run 2 is under way" in kept.out.read_text()
    assert written_in(kept) == written_in(demo)
    end(kept, signal.SIGKILL)


def end(demo, number):
    family = family_of(demo.process.pid)
    assert len(family) > 8
    demo.signal(number)
    until(lambda: not any(lives(pid) for pid in family[1:]), GONE_WITHIN)
    demo.process.wait(GONE_WITHIN)


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
