"""Runs: the list, one run as it goes, and what people may ask of it."""

from dataclasses import dataclass
from urllib.parse import quote

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from connections.models import Connection
from connections.wording import counted, number, state_word
from worklogs import run as runs
from worklogs import schedules, tasks
from worklogs.context import NotReadyError
from worklogs.forms import RunFilter, StartForm
from worklogs.models import AuditEntry, Run
from worklogs.owners import is_elsewhere
from worklogs.reading import entries, paging, scope
from worklogs.reading import runs as reading

# A browser that goes back must not be given a fragment it has kept for the whole page.
live_view = vary_on_headers("HX-Request")

LAST_OF_CONNECTION = 6
AS_THEY_STAND = ("unchanged", "skipped", "parked", "failed")
PLAN = {
    "created": AuditEntry.Action.CREATE,
    "updated": AuditEntry.Action.UPDATE,
    "linked": AuditEntry.Action.LINK,
    "skipped": AuditEntry.Action.SKIP,
    "parked": AuditEntry.Action.PARK,
    "failed": AuditEntry.Action.REFUSE,
}


@require_GET
@live_view
def index(request: HttpRequest) -> HttpResponse:
    form = RunFilter(request.GET)
    chosen = {name: value for name, value in form.read().items() if value}
    page = paging.page(reading.filtered(**chosen), paging.key(request.GET.get("after", "")))
    context = {
        "form": form,
        "chosen": chosen,
        "lines": reading.lines(page.rows),
        "older": page.older,
        "live": Run.objects.filter(state=Run.State.RUNNING).count(),
        "total": None if chosen else Run.objects.count(),
        "now": timezone.now(),
    }
    return render(request, _part(request, "worklogs/runs.html", "list"), context)


@require_GET
@live_view
def of_connection(request: HttpRequest, name: str) -> HttpResponse:
    """The connection's last runs and its next one, for the connection's own page to fetch."""
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect(f"{reverse('worklogs:runs')}?connection={name}")
    connection = get_object_or_404(Connection.objects.select_related("next_run"), name=name)
    last = reading.filtered(connection=name).order_by("-id")[:LAST_OF_CONNECTION]
    lines = reading.lines(list(last))
    planned = getattr(connection, "next_run", None)
    context = {
        "connection": connection,
        "lines": lines,
        "is_live": any(line.run.is_live for line in lines),
        "next_at": schedules.upcoming(connection),
        "refusal": planned.refusal if planned else "",
        "now": timezone.now(),
    }
    return render(request, "worklogs/runs.html#last", context)


@require_GET
@live_view
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    found = reading.with_figures(Run.objects.select_related("connection__left", "connection__right"))
    run = get_object_or_404(found, pk=pk)
    context = _progress(run) | _doings(request, run)
    context["here"] = request.get_full_path()
    response = render(request, _part(request, "worklogs/run.html", "live"), context)
    if request.htmx and not run.is_live:  # type: ignore[attr-defined]
        response["HX-Refresh"] = "true"
    return response


@dataclass(frozen=True, slots=True)
class Counter:
    """What became of so many entries; `plan` is what a dry run calls it, `url` where they are listed, if anywhere."""

    name: str
    count: int
    url: str
    plan: str = ""

    @property
    def title(self) -> str:
        return state_word(self.plan, "plan").word


@dataclass(frozen=True, slots=True)
class Option:
    """Something to start from here."""

    label: str
    icon: str
    fields: dict[str, str]
    primary: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Deletions that wait for a person; `fields` is what the button sends that allows them, empty where a later run
    has to be asked."""

    count: int
    fields: dict[str, str]

    @property
    def label(self) -> str:
        return "Allow this deletion" if self.count == 1 else f"Allow these {number(self.count)} deletions"

    @property
    def question(self) -> str:
        return f"Delete {counted(self.count, 'entry', 'entries')} on the other side too?"


def _progress(run: Run) -> dict[str, object]:
    figures, log = reading.figures_of(run), reading.log(run)
    newest, steps = reading.newest(run), reading.steps(run)
    scope.name_issues(newest)
    return {
        "run": run,
        "connection": run.connection,
        "two_ways": not run.connection.is_migration,
        "figures": figures,
        "counters": _counters(run, figures),
        "held": _held(run),
        "took": reading.took(run),
        "options": _options(run, figures),
        "pace": reading.pace(run, figures) if run.standing == "running" else None,
        "steps": steps,
        "step_count": sum(steps.values()),
        "calls": reading.calls(run),
        "log": log,
        "newest": newest,
        "being_written": reading.being_written(run),
        "unattended": reading.is_unattended(run, reading.last_sign(run, log, newest)),
        "waits": bool(run.waiting_for and run.waiting_until and run.waiting_until > timezone.now()),
        "now": timezone.now(),
    }


def _counters(run: Run, figures: reading.Figures) -> list[Counter]:
    """A migration deletes what a move left behind at most: what does not happen is not counted aloud."""
    is_sync = not run.connection.is_migration
    newest = reading.is_newest(run)
    shown = [(name, count) for name, count in figures.counts.items() if count or is_sync or name != "deleted"]
    if run.is_dry:
        found = [
            Counter(name, count, _plan_of(run, name, count), PLAN.get(name, "")) for name, count in shown
        ]
    else:
        found = [Counter(name, count, _rows_of(run, name, count, newest=newest)) for name, count in shown]
    return [*found, *([_left_alone(run, figures)] if is_sync else [])]


def _left_alone(run: Run, figures: reading.Figures) -> Counter:
    url = reverse("worklogs:issues", args=[run.connection.name]) if figures.left_alone else ""
    return Counter("left_alone", figures.left_alone, url)


def _held(run: Run) -> Held | None:
    """Only of the newest run a person can say yes to what it has found."""
    count = reading.held_deletions(run)
    if not count:
        return None
    asks = not run.is_dry and not run.is_live and reading.is_newest(run)
    return Held(count, {"connection": run.connection.name, "allow_deletes": str(count)} if asks else {})


def _plan_of(run: Run, outcome: str, count: int) -> str:
    """Entries that would stay as they are have no row in a plan."""
    if not count or outcome not in PLAN:
        return ""
    return f"{reverse('worklogs:run', args=[run.pk])}?outcome=plan-{PLAN[outcome]}#plan"


def _rows_of(run: Run, outcome: str, count: int, *, newest: bool) -> str:
    """Where these entries are listed. Of the newest run the entries themselves tell, also those it did not try
    again; of an earlier one what it did is all that is kept, and of entries found unchanged nothing."""
    if not count:
        return ""
    if not run.connection.is_migration and newest and outcome in entries.OPEN:
        name = quote(run.connection.name, safe="")
        return f"{reverse('worklogs:entries')}?connection={name}&outcome={outcome}"
    if outcome == "unchanged" and not run.connection.is_migration:
        return ""
    if outcome in AS_THEY_STAND and newest:
        return f"{reverse('worklogs:entries')}?run={run.pk}&outcome={outcome}"
    return "" if outcome == "unchanged" else f"{reverse('worklogs:log')}?run={run.pk}&outcome={outcome}"


def _options(run: Run, figures: reading.Figures) -> list[Option]:
    """What may follow a run that has ended."""
    name = run.connection.name
    again = {"connection": name}
    if not run.connection.is_migration:
        return _options_of_sync(run, figures, again)
    if run.is_dry:
        plan_again = Option("Plan again", "list-details", {**again, "dry_run": "1"})
        return [plan_again, Option("Start the migration", "player-play", again, primary=True)]
    if run.state == Run.State.STOPPED:
        return [Option("Go on", "player-play", again, primary=True)]
    if run.state != Run.State.FINISHED:
        return [Option("Start again", "player-play", again, primary=True)]
    retry = Option("Try failures again", "refresh", {**again, "retry": "1"})
    return [Option("Run again", "player-play", again), *([retry] if figures.failed else [])]


def _options_of_sync(run: Run, figures: reading.Figures, again: dict[str, str]) -> list[Option]:
    """A sync always begins anew: its feeds still tell what an earlier one has not settled."""
    if run.is_dry:
        plan_again = Option("Plan again", "list-details", {**again, "dry_run": "1"})
        return [plan_again, Option("Sync now", "refresh", again, primary=True)]
    if run.state != Run.State.FINISHED:
        return [Option("Start again", "player-play", again, primary=True)]
    retry = Option("Try failures again", "rotate-clockwise", {**again, "retry": "1"})
    return [*([retry] if figures.failed else []), Option("Sync again", "refresh", again, primary=True)]


def _doings(request: HttpRequest, run: Run) -> dict[str, object]:
    """What it did last; of a dry run the whole plan, page by page."""
    if not run.is_dry or request.htmx:  # type: ignore[attr-defined]
        return {}
    outcome = request.GET.get("outcome", "")
    rows: QuerySet[AuditEntry] = entries.log(entries.Filters(run=run.pk, outcome=outcome))
    page = paging.page(rows, paging.key(request.GET.get("after", "")))
    scope.name_issues(page.rows)
    return {"plan": page}


# --- what people ask for


@require_POST
def start(request: HttpRequest) -> HttpResponse:
    form = StartForm(request.POST)
    if not form.is_valid():
        messages.error(request, "There is no such connection. It may have been renamed or removed.")
        return redirect("worklogs:runs")
    connection: Connection = form.cleaned_data["connection"]
    asked = _asked(form)
    try:
        _refuse_to_wait(connection)
        run = runs.start(connection, asked)
    except runs.RunActiveError as active:
        _say_active(request, active.run)
        return redirect("connections:detail", connection.name)
    except NotReadyError as fault:
        messages.error(request, fault.message)
        return redirect("connections:detail", connection.name)
    tasks.ring(run.pk)
    return redirect("worklogs:run", run.pk)


def _asked(form: StartForm) -> runs.Asked:
    said = form.cleaned_data
    return runs.Asked(
        dry_run=said["dry_run"],
        queued=True,
        retry=said["retry"],
        full=said["full"],
        allow_deletes=said["allow_deletes"],
    )


def _refuse_to_wait(connection: Connection) -> None:
    """Of an owner on another machine only the end of his lease can tell; nobody waits a minute for a page."""
    run = connection.runs.filter(state=Run.State.RUNNING).first()
    if run and is_elsewhere(run.owner) and run.lease_until and run.lease_until > timezone.now():
        raise runs.RunActiveError(run)


def _say_active(request: HttpRequest, run: Run) -> None:
    address = reverse("worklogs:run", args=[run.pk])
    messages.warning(
        request,
        format_html(
            '<a href="{}">Run {}</a> of this connection is under way. Wait for it, or cancel it.',
            address,
            run.pk,
        ),
    )


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run.objects.defer("result"), pk=pk)
    if _is_over(request, run):
        return redirect("worklogs:run", pk)
    runs.cancel(run)
    messages.success(
        request,
        f"Run {pk} ends before its next entry. What it wrote stays; start it again to carry the rest.",
    )
    return redirect("worklogs:run", pk)


@require_POST
def pause(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run.objects.defer("result"), pk=pk)
    if _is_over(request, run):
        return redirect("worklogs:run", pk)
    _wish(run, Run.Wish.PAUSE)
    messages.success(request, f"Run {pk} holds still before its next entry, until somebody resumes it.")
    return redirect("worklogs:run", pk)


@require_POST
def resume(request: HttpRequest, pk: int) -> HttpResponse:
    run = get_object_or_404(Run.objects.defer("result"), pk=pk)
    if _is_over(request, run):
        return redirect("worklogs:run", pk)
    _wish(run, Run.Wish.NONE)
    if run.queued:
        tasks.ring(run.pk)
    messages.success(request, f"Run {pk} goes on.")
    return redirect("worklogs:run", pk)


def _wish(run: Run, wish: Run.Wish) -> None:
    """Whoever asked it to end before is heard first."""
    live = Run.objects.filter(pk=run.pk, state=Run.State.RUNNING)
    live.exclude(wish=Run.Wish.CANCEL).update(wish=wish)


def _is_over(request: HttpRequest, run: Run) -> bool:
    if run.is_live:
        return False
    messages.info(request, f"Run {run.pk} has ended meanwhile; nothing was changed.")
    return True


def _part(request: HttpRequest, page: str, fragment: str) -> str:
    return f"{page}#{fragment}" if request.htmx else page  # type: ignore[attr-defined]
