"""Entries over all runs: how each stands, everything that was done, and the life of one."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from worklogs import spreadsheet
from worklogs.forms import EntryFilter
from worklogs.models import AuditEntry, Entry, Verdict
from worklogs.reading import deciding, paging, scope, timeline
from worklogs.reading import entries as reading
from worklogs.reading.entries import Filters

STANDING_COLUMNS = (
    "connection", "source_site", "entry", "work_item", "target_issue", "person", "person_email", "date", "start",
    "seconds", "standing", "code", "message", "tried_at", "run",
)  # fmt: skip
LOG_COLUMNS = (
    "row", "at", "run", "connection", "source_site", "entry", "work_item", "target_site", "target_issue", "worklog",
    "person", "person_email", "date", "start", "seconds", "action", "outcome", "code", "message", "reason",
)  # fmt: skip
MORE = ("person", "issue", "work", "entry", "run", "from", "to", "code")


@require_GET
def standing(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    form = EntryFilter(request.GET)
    filters = form.filters()
    rows = reading.standing(filters)
    if request.GET.get("format") == "csv":
        return _download("entries", STANDING_COLUMNS, rows, _standing_cells)
    context = _list(request, form, filters, rows) | {"waiting": reading.need_a_person(filters)}
    return render(request, "worklogs/entries.html", context)


@require_GET
def log(request: HttpRequest) -> HttpResponse | StreamingHttpResponse:
    form = EntryFilter(request.GET)
    filters = form.filters()
    rows = reading.log(filters)
    if request.GET.get("format") == "csv":
        return _download("audit-log", LOG_COLUMNS, rows, _log_cells)
    return render(request, "worklogs/log.html", _list(request, form, filters, rows))


def _list(
    request: HttpRequest, form: EntryFilter, filters: Filters, rows: QuerySet[Any]
) -> dict[str, object]:
    page = paging.page(rows, paging.key(request.GET.get("after", "")))
    scope.name_issues(page.rows)
    query = request.GET.copy()
    for name in ("after", "outcome", "format"):
        query.pop(name, None)
    return {
        "form": form,
        "filters": filters,
        "page": page,
        "more": [form[name] for name in MORE],
        "has_more": any(name in form.data and form.data[name] for name in MORE),
        "other_query": query.urlencode(),
    }


def _download(
    name: str, columns: Sequence[str], rows: QuerySet[Any], cells: Callable[[Any], Sequence[Any]]
) -> StreamingHttpResponse:
    body: Iterator[str] = spreadsheet.lines(columns, map(cells, reading.in_chunks(rows)))
    file = f"twinlog-{name}-{timezone.localdate():%Y-%m-%d}.csv"
    return StreamingHttpResponse(
        body,
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


def _standing_cells(row: Entry) -> Sequence[Any]:
    return (
        row.connection.name, row.site, row.entry, row.work, row.issue_key, row.person_name, row.person_email,
        row.day, row.start, row.seconds, row.standing, row.code, row.message, _iso(row.tried_at), row.settled_by_id,
    )  # fmt: skip


def _log_cells(row: AuditEntry) -> Sequence[Any]:
    return (
        row.pk, _iso(row.when), row.run_id, row.connection, row.site, row.entry, row.work,
        row.target_site, row.issue_key, row.twin, row.person_name, row.person_email, row.day, row.start,
        row.seconds, row.action, row.outcome, row.code, row.message, row.reason,
    )  # fmt: skip


def _iso(when: Any) -> str | None:
    return when.isoformat(timespec="seconds") if when else None


@require_GET
def one(request: HttpRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(Entry.objects.select_related(*timeline.SITES, "seen_by"), pk=pk)
    after = paging.key(request.GET.get("after", ""))
    life = timeline.of_entry(entry, after)
    context = {
        "life": life,
        "decision": deciding.of_life(life),
        "run": {"connection": entry.connection.name},
        "take_back": {"choice": ""},
    }
    return render(request, "worklogs/entry.html", context)


@require_POST
def decide(request: HttpRequest, pk: int) -> HttpResponse:
    """Keeps what a person decides about a parked entry, for the next run to go by; an empty choice takes it back."""
    entry = get_object_or_404(Entry.objects.select_related("connection"), pk=pk)
    choice = request.POST.get("choice", "")
    if not choice:
        deciding.verdicts(entry).delete()
        messages.success(request, "Taken back: it waits for a decision again.")
    elif choice in deciding.may_be(entry):
        Verdict.objects.update_or_create(
            connection=entry.connection,
            site=entry.site,
            entry=entry.entry,
            defaults={"choice": choice, "by": request.user.get_username()},
        )
        messages.success(request, f"{Verdict.Choice(choice).label}: the next run goes by it.")
    else:
        messages.error(
            request, "Nothing of this kind is to be decided about it any more; look at how it stands."
        )
    return redirect("worklogs:entry", pk)


@require_GET
def act(request: HttpRequest, pk: int) -> HttpResponse:
    """One row of the audit log, within the life of its entry. Rows outlive entries, and plans have none yet."""
    row = get_object_or_404(AuditEntry.objects.defer("source", "before", "after", "exchange"), pk=pk)
    entry = timeline.entry_with(row)
    if entry:
        after = timeline.page_with(entry, row)
        page = f"?after={after}" if after else ""
        return redirect(f"{reverse('worklogs:entry', args=[entry.pk])}{page}#row-{pk}")
    life = timeline.of_audit(row, paging.key(request.GET.get("after", "")))
    if not life.events:
        raise Http404
    return render(request, "worklogs/entry.html", {"life": life})
