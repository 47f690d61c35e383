"""The way around, by job, with counts where somebody must act."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Count, Exists, OuterRef, Q
from django.http import HttpRequest
from django.urls import reverse

from connections.models import Connection
from connections.wording import number
from worklogs.models import Entry, Run

PARKED = "worklogs:entries, parked"


@dataclass(frozen=True)
class Counts:
    """Open failures and parked entries, runs under way, and connections there are."""

    failures: int
    parked: int
    live_runs: int
    connections: int


def counts() -> Counts:
    """Two queries, each over an index."""
    open_entries = Entry.objects.filter(standing__in=(Entry.Standing.FAILED, Entry.Standing.PARKED))
    standing = dict(open_entries.order_by().values_list("standing").annotate(Count("pk")))
    running = Exists(Run.objects.filter(connection=OuterRef("pk"), state=Run.State.RUNNING).order_by())
    there = Connection.objects.aggregate(all=Count("pk"), live=Count("pk", filter=Q(running)))
    return Counts(
        failures=standing.get(Entry.Standing.FAILED, 0),
        parked=standing.get(Entry.Standing.PARKED, 0),
        live_runs=there["live"],
        connections=there["all"],
    )


@dataclass(frozen=True)
class Place:
    """One line of the navigation: `pages` are the URL names it stands for."""

    title: str
    icon: str
    url: str
    pages: tuple[str, ...]
    count: str = ""
    tone: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    places: tuple[Place, ...]


class Navigation:
    """Asked for its sections only where a whole page is rendered: a fragment costs no query."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    @cached_property
    def sections(self) -> list[Section]:
        return list(_sections(counts()))

    @property
    def current(self) -> str:
        """The URL name of the page, with its room; the parked entries are a place of their own."""
        match = self._request.resolver_match
        name = match.view_name if match else ""
        is_parked = name == "worklogs:entries" and self._request.GET.get("outcome") == "parked"
        return PARKED if is_parked else name


def _sections(found: Counts) -> Iterator[Section]:
    yield Section("Watch", _watch(found))
    yield Section("Mend", _mend(found))
    yield Section("Set up", _set_up(found))
    yield Section(
        "Look up",
        (
            Place(
                "Reports",
                "report-analytics",
                reverse("reports:index"),
                ("reports:index", "reports:migration"),
            ),
        ),
    )


def _watch(found: Counts) -> tuple[Place, ...]:
    live = f"{number(found.live_runs)} live" if found.live_runs else ""
    return (
        Place("Overview", "layout-dashboard", reverse("reports:overview"), ("reports:overview",)),
        Place("Runs", "history", reverse("worklogs:runs"), ("worklogs:runs", "worklogs:run"), live, "go"),
        Place(
            "Entries",
            "list-details",
            reverse("worklogs:entries"),
            tuple(f"worklogs:{page}" for page in ("entries", "entry", "log", "act")),
        ),
    )


def _mend(found: Counts) -> tuple[Place, ...]:
    parked = f"{reverse('worklogs:entries')}?outcome=parked"
    return (
        Place(
            "Failures", "x", reverse("reports:failures"), ("reports:failures",), _some(found.failures), "bad"
        ),
        Place("Parked", "hand-stop", parked, (PARKED,), _some(found.parked), "warn"),
    )


def _set_up(found: Counts) -> tuple[Place, ...]:
    pages = ("list", "add", "detail", "edit", "check", "sites_of", "settings")
    return (
        Place(
            "Connections",
            "plug-connected",
            reverse("connections:list"),
            tuple(f"connections:{page}" for page in pages),
            _some(found.connections),
        ),
        Place(
            "Sites and tokens",
            "key",
            reverse("connections:sites"),
            ("connections:sites", "connections:site_add", "connections:site", "connections:site_edit"),
        ),
        Place(
            "People",
            "users",
            reverse("worklogs:people_all"),
            ("worklogs:people_all", "worklogs:people", "worklogs:people_pair", "worklogs:people_file"),
        ),
    )


def _some(count: int) -> str:
    return number(count) if count else ""


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context of every template: where one is, where one can go, and which Twinlog this is."""
    return {"navigation": Navigation(request), "twinlog_version": settings.VERSION}
