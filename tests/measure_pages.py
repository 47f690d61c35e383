"""`make measure`: what every page costs with much data, in queries and in time.

An installation of its own is filled with what `much_data` makes. Then each page is asked 20 times, each time over a
new connection to the database, as served pages are. It ends with status 1 where a page is over the limits, and where
one of the URL map is neither asked for here nor refuses to be read. A folder as argument is filled once and kept.
"""
# ruff: noqa: E402  Django is set up before its models can be imported.

import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import django

FOLDER = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="twinlog-measure-")
os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "VAR_DIR": FOLDER, "DATABASE_URL": ""}
django.setup()

import much_data
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, get_resolver, resolve, reverse

from worklogs.models import AuditEntry, Entry, Run

MOST_MS, MOST_QUERIES, ROUNDS = 150, 15, 20
NAME, LIVE = "contoso-to-jca", "fabrikam-to-jcb"
PERSON = much_data.PEOPLE[0]
"""The busiest."""

# `{...}` is what `numbers` finds.
PAGES = f"""
/
/failures/
/failures/?outcome=failed
/failures/?outcome=parked
/failures/?connection={NAME}
/failures/?code=issue_not_found
/failures/?code=issue_not_found&outcome=failed&after={{old_entry}}
/failures.csv
/failures.csv?connection={NAME}&code=issue_not_found
/reports/
/reports/migration/{NAME}/
/reports/migration/{NAME}/?print=1
/reports/migration/{NAME}/?format=text
/reports/migration/{NAME}/?format=csv
/reports/migration/{NAME}/?run={{old_run}}
/reports/migration/{NAME}/?run={{dry_run}}
/reports/migration/{LIVE}/
/reports/migration/{LIVE}/?format=text
/runs/
/runs/?after={{old_run}}
/runs/?connection={NAME}&kind=migration&state=finished
/runs/?state=paused
/runs/of/{NAME}/
/runs/{{run}}/
/runs/{{old_run}}/
/runs/{{live_run}}/
/runs/{{dry_run}}/
/runs/{{dry_run}}/?outcome=plan-create&after={{old_act}}
/entries/
/entries/?after={{old_entry}}
/entries/?outcome=failed
/entries/?outcome=written&after={{old_entry}}
/entries/?connection={NAME}
/entries/?connection=wingtip-to-jcb&outcome=linked
/entries/?code=no_permission
/entries/?run={{run}}
/entries/?run={{run}}&outcome=unchanged
/entries/?person={PERSON.email}
/entries/?person={PERSON.email}&outcome=failed
/entries/?issue=ABC-10007
/entries/?work=10007&connection={NAME}
/entries/?entry=1000500
/entries/?from=2020-01-01&to=2040-01-01
/entries/?from=2020-01-01&outcome=parked
/entries/?from=2020-01-01&to=2020-02-01
/entries/?q=10007
/entries/?q=1000500
/entries/?q=abc-10
/entries/?q=smith
/entries/?q=smith+1&outcome=failed&connection={NAME}
/entries/?q=nobody
/entries/?format=csv
/entries/{{entry}}/
/entries/{{often}}/
/entries/log/
/entries/log/?after={{old_act}}
/entries/log/?outcome=created
/entries/log/?outcome=open
/entries/log/?outcome=updated&connection={NAME}
/entries/log/?outcome=plan-create&run={{dry_run}}
/entries/log/?connection=wingtip-to-jcb
/entries/log/?run={{old_run}}&outcome=failed
/entries/log/?code=no_permission
/entries/log/?person={PERSON.email}
/entries/log/?person={PERSON.email}&outcome=failed
/entries/log/?issue=ABC-10007
/entries/log/?work=10007&connection={NAME}
/entries/log/?entry=1000500
/entries/log/?from=2020-01-01&to=2040-01-01
/entries/log/?from=2020-01-01&outcome=parked
/entries/log/?q=10007
/entries/log/?q=1000500
/entries/log/?q=abc-10
/entries/log/?q=smith
/entries/log/?q=smith+1&outcome=failed&connection={NAME}
/entries/log/?q=nobody
/entries/log/?format=csv
/entries/log/{{old_act}}/
/people/
/people/{NAME}/
/people/{NAME}/?how=none
/people/{NAME}/?q=smith+1&edit={PERSON.email}
/people/{NAME}/?after={PERSON.email}
/people/{NAME}/?format=csv
/people/{LIVE}/
/people/jca-jcb/
/connections/
/connections/add/
/connections/add/?kind=migration
/connections/add/?kind=sync
/connections/people/
/connections/{NAME}/
/connections/{NAME}/sites/
/connections/{NAME}/people/
/connections/{NAME}/check/
/connections/{NAME}/settings/
/connections/{NAME}/twinlog.toml
/connections/{NAME}/edit/
/connections/jca-jcb/
/connections/jca-jcb/edit/
/sites/
/sites/add/
/sites/add/?kind=jira
/sites/add/?kind=tempo
/sites/jca/
/sites/contoso/
/sites/jca/edit/
/password/
""".split()
FRAGMENTS = ("/", "/runs/", f"/runs/of/{NAME}/", "/runs/{run}/", "/runs/{live_run}/")
OPEN_PAGES = ("/sign-in/",)


@dataclass(frozen=True)
class Asked:
    """A page: its address, who asks, and whether htmx does."""

    address: str
    client: Client
    by_htmx: bool = False

    def ask(self) -> bool:
        """Whether it is streamed: then it is read as far as its first piece."""
        headers = {"host": "localhost"} | ({"HX-Request": "true"} if self.by_htmx else {})
        response = self.client.get(self.address, headers=headers)
        if response.status_code not in (200, 302):
            sys.exit(f"{self.address} answers {response.status_code}")
        if response.streaming:
            next(iter(response.streaming_content))
        response.close()
        return response.streaming

    def __str__(self) -> str:
        return f"{'(htmx) ' if self.by_htmx else ''}{self.address}"


@dataclass(frozen=True)
class Cost:
    """Times in milliseconds: of each round on the clock and of the processor."""

    queries: int
    times: list[float]
    busy: list[float]
    streamed: bool

    @property
    def is_over(self) -> bool:
        return self.queries > MOST_QUERIES or (not self.streamed and late(self.times) > MOST_MS)

    def __str__(self) -> str:
        note = "  streamed: no limit of time" if self.streamed else "  OVER" if self.is_over else ""
        middle = statistics.median(self.times)
        return f"{self.queries:7} {middle:9.1f} {late(self.times):7.1f} {late(self.busy):7.1f}{note}"


def late(times: list[float]) -> float:
    """The 95th percentile."""
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def main() -> int:
    if not (Path(FOLDER) / "twinlog.sqlite3").exists():
        call_command("migrate", verbosity=0)
        much_data.fill()
    found = {name: number for name, number in numbers()}
    olivia = Client()
    olivia.force_login(User.objects.get_or_create(username="olivia")[0])
    every = [Asked(address.format(**found), olivia) for address in PAGES]
    every += [Asked(address.format(**found), olivia, by_htmx=True) for address in FRAGMENTS]
    every += [Asked(address, Client()) for address in OPEN_PAGES]
    if forgotten := pages_without_sample(every):
        sys.exit(f"No sample of {', '.join(forgotten)}")
    return 1 if any([told(page) for page in every]) else 0


def numbers() -> Iterator[tuple[str, int]]:
    """Rows that samples speak of."""
    runs = Run.objects.filter(connection__name=NAME).order_by("-id")
    newest, dry = runs.filter(kind="migration")[0], runs.filter(kind="dry_run")[0]
    yield "run", newest.pk
    yield "dry_run", dry.pk
    yield "old_run", runs.filter(kind="migration")[100].pk
    yield "live_run", Run.objects.get(state="running").pk
    often = Entry.objects.filter(connection__name=NAME).order_by("id")[0]
    yield "often", often.pk
    yield "entry", often.pk + 500
    yield "old_entry", Entry.objects.count() // 2
    yield "old_act", AuditEntry.objects.filter(run=dry).order_by("id")[6_000].pk


def pages_without_sample(every: list[Asked]) -> list[str]:
    """Names of pages that nobody asks for, though they can be read."""
    asked = {resolve(urlsplit(page.address).path).view_name for page in every}
    return [
        name for name, path in pages() if name not in asked and every[0].client.get(path).status_code != 405
    ]


def pages() -> Iterator[tuple[str, str]]:
    """Every name of the URL map, with an address of that page."""
    for found in get_resolver().url_patterns:
        rooms = (
            [("", found)]
            if isinstance(found, URLPattern)
            else [(f"{found.namespace}:", each) for each in found.url_patterns]
        )
        for room, pattern in rooms:
            name = f"{room}{pattern.name}"
            yield name, reverse(name, kwargs=dict.fromkeys(pattern.pattern.converters, 1))


def told(page: Asked) -> bool:
    """Prints what it costs; whether that is too much."""
    cost = measured(page)
    sys.stdout.write(f"{cost}  {page}\n")
    sys.stdout.flush()
    return cost.is_over


def measured(page: Asked) -> Cost:
    """After one time that is not measured, in which the queries are counted."""
    with CaptureQueriesContext(database) as queries:
        streamed = page.ask()
    times, busy = [], []
    for _ in range(ROUNDS):
        database.close()
        began, began_busy = time.perf_counter(), time.process_time()
        page.ask()
        times.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() - began_busy))
    return Cost(len(queries), times, busy, streamed)


if __name__ == "__main__":
    sys.exit(main())
