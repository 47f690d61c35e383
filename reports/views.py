"""What can be looked up: the overview, what is open, and the reports."""

from collections.abc import Iterator
from urllib.parse import quote

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from connections import reading as set_up
from connections.clients.http import SiteError
from connections.models import Connection
from connections.tokens import TokenError
from reports import downloads, failing, migration, overview, proofs, queries, reporting
from reports.forms import FailureFilter
from reports.queries import Wanted
from worklogs.models import Run
from worklogs.reading import entries, paging


@require_safe
@vary_on_headers("HX-Request")
def front(request: HttpRequest) -> HttpResponse:
    """The overview; before there is a connection, the first steps. Alone it fetches only what changes."""
    found = overview.gather(timezone.localdate())
    if not found.rows:
        return render(request, "reports/beginning.html", {"beginning": set_up.beginning()})
    part = "reports/overview.html#live" if request.htmx else "reports/overview.html"  # type: ignore[attr-defined]
    return render(request, part, {"overview": found, "now": timezone.now()})


@require_safe
def failures(request: HttpRequest) -> HttpResponse:
    form = FailureFilter(request.GET)
    wanted = _wanted(form)
    context = {
        "form": form,
        "wanted": wanted,
        **failing.shown(wanted, paging.key(request.GET.get("after", ""))),
    }
    return render(request, "reports/failures.html", context)


@require_safe
def failures_csv(request: HttpRequest) -> StreamingHttpResponse:
    """What the failures page shows under the same filters, all of it."""
    wanted = _wanted(FailureFilter(request.GET))
    of = f"-{wanted.connection}" if wanted.connection else ""
    name = f"failures{of}-{timezone.localdate()}.csv"
    return _file(name, downloads.csv_lines(entries.in_chunks(queries.failures(wanted))))


def _wanted(form: FailureFilter) -> Wanted:
    chosen = {name: value for name, value in form.read().items() if value}
    if "connection" in chosen:
        chosen["connection"] = get_object_or_404(Connection, name=chosen["connection"])
    return Wanted(**chosen)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    lines = queries.lines()
    return render(request, "reports/index.html", {"lines": reporting.index(lines)})


@require_safe
def migration_report(request: HttpRequest, name: str) -> HttpResponseBase:
    """The report of a connection's newest run, or of `run`; as a page, as plain `text` or as `csv`."""
    connection = get_object_or_404(Connection.objects.with_sites().select_related("last_proof"), name=name)
    run = _run(connection, request.GET.get("run", ""))
    if run is None:
        dry_run = {"connection": name, "dry_run": "1"}
        return render(request, "reports/no_report.html", {"connection": connection, "dry_run": dry_run})
    match request.GET.get("format"):
        case "csv":
            return _file(f"report-{name}-run-{run.pk}.csv", iter([migration.as_csv(run)]))
        case "text":
            return HttpResponse(reporting.text_of(run), content_type="text/plain; charset=utf-8")
    whole = "print" in request.GET
    context = {
        "report": reporting.gather(connection, run, whole=whole),
        "printed": whole,
        "query": f"&connection={quote(name)}",
    }
    return render(request, "reports/migration.html", context)


def _run(connection: Connection, number: str) -> Run | None:
    """That run of the connection, else its newest. Raises Http404 where it has no such run."""
    if not number:
        return connection.runs.order_by("-id").first()
    run = connection.runs.filter(pk=paging.key(number) or 0).first()
    if run is None:
        raise Http404(f"{connection} has no run {number}.")
    return run


@require_POST
def prove(request: HttpRequest, name: str) -> HttpResponse:
    """Reads the target now, entry by entry; nothing is written there. A sync has two: its own runs read both."""
    connection = get_object_or_404(Connection.objects.with_sites(), name=name, kind=Connection.Kind.MIGRATION)
    page = f"{reverse('reports:migration', args=[name])}#hours"
    running = connection.runs.filter(state=Run.State.RUNNING).first()
    if running:
        messages.warning(request, f"Run {running.pk} is writing just now: prove the hours when it has ended.")
        return redirect(page)
    try:
        proof = proofs.prove(connection)
    except (SiteError, TokenError) as fault:
        messages.error(request, f"The target could not be read, so nothing is proved: {fault}")
        return redirect(page)
    if proof.balanced:
        messages.success(request, "Balanced to the second, with the target as it stands now.")
    else:
        messages.warning(request, "Not balanced: what differs is named under the hours.")
    return redirect(page)


def _file(name: str, lines: Iterator[str]) -> StreamingHttpResponse:
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = content_disposition_header(True, name) or ""
    return answer
