"""`make measure`: what every page costs with much data, in queries and in time.

An installation of its own is filled with what `much_data` makes. Then each page is asked 20 times, each time over a
new connection to the database, as served pages are. It ends with status 1 where a page is over the limits, and where
one of the URL map is neither asked for here nor refuses to be read. A folder as argument is filled once and kept.
"""
# ruff: noqa: E402  Django is set up before its models can be imported.

import logging
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import django

own_folder = tempfile.TemporaryDirectory(prefix="twinlog-measure-")
FOLDER = Path(sys.argv[1] if len(sys.argv) > 1 else own_folder.name)
os.environ |= {"DJANGO_SETTINGS_MODULE": "config.settings", "VAR_DIR": str(FOLDER), "DATABASE_URL": ""}
django.setup()

import much_data
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver, get_resolver, resolve, reverse

from worklogs.models import AuditEntry, Entry, Run

MOST_MS, MOST_QUERIES, ROUNDS = 150, 15, 20
SAMPLES = """
/ /(htmx)
/failures/ ?outcome=failed ?outcome=parked ?connection={name} ?code=conflict
    ?code=issue_not_found&outcome=failed&after={old_entry}
/failures.csv ?connection={name}&code=issue_not_found
/reports/
/reports/migration/{name}/ ?print=1 ?format=text ?format=csv ?run={old_run} ?run={dry_run}
/reports/migration/{live}/ ?format=text
/reports/migration/{sync}/ ?print=1
/reports/migration/jca-jcb/
/runs/ ?after={old_run} ?connection={name}&kind=migration&state=finished ?state=paused /runs/(htmx)
/runs/of/{name}/ /runs/of/{name}/(htmx)
/runs/{run}/ /runs/{run}/(htmx)
/runs/{live_run}/ /runs/{live_run}/(htmx)
/runs/{dry_run}/ ?outcome=plan-create&after={old_act}
/runs/{old_run}/
/runs/{sync_run}/
/entries/ {filters} ?outcome=written&after={old_entry} ?connection=wingtip-to-jcb&outcome=linked
    ?run={run} ?run={run}&outcome=unchanged ?connection={sync} ?connection={sync}&outcome=parked ?format=csv
/entries/{entry}/
/entries/{often}/
/entries/{sync_entry}/
/entries/log/ {filters} ?outcome=created&after={old_act} ?outcome=open ?outcome=updated&connection={name}
    ?run={old_run}&outcome=failed ?run={dry_run}&outcome=plan-create ?connection={sync} ?format=csv
/entries/log/{old_act}/
/people/
/people/{name}/ ?how=none ?q=smith+1&edit={person} ?after={person} ?format=csv
/people/{live}/
/people/{sync}/
/people/jca-jcb/
/issues/{sync}/ ?side=right ?after=90000-1 /issues/{sync}/(htmx)
/issues/jca-jcb/
/connections/
/connections/add/ ?kind=migration ?kind=sync
/connections/people/
/connections/{name}/
/connections/{name}/sites/
/connections/{name}/people/
/connections/{name}/check/
/connections/{name}/settings/
/connections/{name}/twinlog.toml
/connections/{name}/edit/
/connections/{sync}/
/connections/jca-jcb/
/connections/jca-jcb/edit/
/issues/jca-jcb/ ?side=left /issues/jca-jcb/(htmx)
/sites/
/sites/add/ ?kind=jira ?kind=tempo
/sites/jca/
/sites/contoso/
/sites/jca/edit/
/password/
/sign-in/(stranger)
"""
"""Addresses; one that begins with a question mark belongs to the path before it."""
FILTERS = """
?after={old_entry} ?outcome=failed ?outcome=failed&connection={name} ?outcome=parked&from=2020-01-01
?connection={name} ?connection={name}&after={old_entry} ?code=no_permission
?person={person} ?person={person}&outcome=failed ?issue=ABC-10007 ?work=10007&connection={name} ?entry=1000500
?from=2020-01-01&to=2040-01-01 ?from=2020-01-01&to=2020-02-01
?q=10007 ?q=1000500 ?q=abc-10 ?q=smith ?q=smith+1&outcome=failed&connection={name} ?q=nobody
"""
"""Of both lists of entries."""
UNSEEN = {"worklogs:hook"}
"""What no person looks at."""


@dataclass(frozen=True)
class Page:
    """An address, and how it is asked for: "" as a page, "htmx", or by a "stranger" who is not signed in."""

    address: str
    way: str = ""

    @property
    def client(self) -> Client:
        client = Client(
            headers={"host": "localhost"} | ({"HX-Request": "true"} if self.way == "htmx" else {})
        )
        if self.way != "stranger":
            client.force_login(User.objects.get_or_create(username="olivia")[0])
        return client

    def __str__(self) -> str:
        return f"{self.address}{f' ({self.way})' if self.way else ''}"


@dataclass(frozen=True)
class Cost:
    """Milliseconds of each round, on the clock and of the processor."""

    queries: int
    times: Sequence[float]
    busy: Sequence[float]
    streamed: bool

    @property
    def is_over(self) -> bool:
        return self.queries > MOST_QUERIES or (late(self.times) > MOST_MS and not self.streamed)

    @property
    def note(self) -> str:
        return "OVER" if self.is_over else "streamed" if self.streamed else ""

    def __str__(self) -> str:
        middle = statistics.median(self.times)
        return (
            f"{self.queries:7} {middle:9.1f} {late(self.times):7.1f} {late(self.busy):10.1f}  {self.note:8}"
        )


def late(times: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(times)[math.ceil(0.95 * len(times)) - 1]


def main() -> int:
    if not (FOLDER / "twinlog.sqlite3").exists():
        call_command("migrate", verbosity=0)
        much_data.fill()
    every = list(samples())
    if forgotten := names_without(every):
        sys.exit(f"No sample of {', '.join(forgotten)}")
    say(
        f"With {AuditEntry.objects.count():,} audit rows. Downloads are streamed: they have no limit of time, and"
    )
    say("are measured as far as their first lines.")
    say("queries median ms  p95 ms p95 cpu ms            page")
    costs = [measured(page) for page in every]
    over = sum(cost.is_over for cost in costs)
    say(f"{over} of {len(costs)} are over {MOST_MS} ms or {MOST_QUERIES} queries.")
    return 1 if over else 0


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def samples() -> Iterator[Page]:
    found = much_data_of_note()
    path = ""
    for word in SAMPLES.replace("{filters}", FILTERS).format(**found).split():
        address, _, way = word.removesuffix(")").partition("(")
        path = path if address.startswith("?") else address
        yield Page(f"{path}{address}" if address.startswith("?") else address, way)


def much_data_of_note() -> dict[str, object]:
    """What the samples speak of."""
    name, live = (plan.name for plan in much_data.PLANS[:2])
    runs = Run.objects.filter(connection__name=name).order_by("-id").values_list("pk", flat=True)
    writing, dry_run = runs.filter(kind="migration"), runs.filter(kind="dry_run")[0]
    often = Entry.objects.filter(connection__name=name).order_by("id")[0].pk
    return {
        "name": name,
        "live": live,
        "person": much_data.PEOPLE[0].email,
        "sync": much_data.TWO_WAY.name,
        "sync_run": Run.objects.filter(connection__name=much_data.TWO_WAY.name, kind="sync")[0].pk,
        "sync_entry": Entry.objects.filter(connection__name=much_data.TWO_WAY.name, standing="parked")[0].pk,
        "run": writing[0],
        "old_run": writing[100],
        "dry_run": dry_run,
        "live_run": Run.objects.get(state="running").pk,
        "often": often,
        "entry": often + 500,
        "old_entry": Entry.objects.count() // 2,
        "old_act": AuditEntry.objects.filter(run=dry_run).order_by("id")[6_000].pk,
    }


def names_without(every: Sequence[Page]) -> list[str]:
    """Names of pages that nobody asks for here, though they can be read."""
    asked = {resolve(urlsplit(page.address).path).view_name for page in every}
    client = Page("/").client
    logging.getLogger("django.request").setLevel(logging.ERROR)
    rest = ((name, path) for name, path in url_map() if name not in asked | UNSEEN)
    return [name for name, path in rest if client.get(path).status_code != 405]


def url_map() -> Iterator[tuple[str, str]]:
    """Every name of it, with an address that leads there."""
    for found in get_resolver().url_patterns:
        is_room = isinstance(found, URLResolver)
        for pattern in found.url_patterns if is_room else [found]:
            name = f"{found.app_name}:{pattern.name}" if is_room else pattern.name
            yield name, reverse(name, kwargs=dict.fromkeys(pattern.pattern.converters, 1))


def measured(page: Page) -> Cost:
    """After one time that is not measured, in which the queries are counted. Says what was found."""
    client, times, busy = page.client, [], []
    with CaptureQueriesContext(database) as captured:
        streamed = ask(page, client)
    queries = len(captured)
    for _ in range(ROUNDS):
        database.close()
        began, began_busy = time.perf_counter(), time.process_time()
        ask(page, client)
        times.append(1000 * (time.perf_counter() - began))
        busy.append(1000 * (time.process_time() - began_busy))
    cost = Cost(queries, times, busy, streamed)
    say(f"{cost}  {page}")
    return cost


def ask(page: Page, client: Client) -> bool:
    """Whether the answer is streamed: then it is read as far as its first piece."""
    response = client.get(page.address)
    if response.status_code not in (200, 302):
        sys.exit(f"{page} answers {response.status_code}")
    if response.streaming:
        next(iter(response.streaming_content))
    response.close()
    return response.streaming


if __name__ == "__main__":
    sys.exit(main())
