"""People of a connection: who is whom, set by hand or by file."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from connections.applying import pair_person
from connections.budgets import budget_for
from connections.clients.http import Gate, SiteError
from connections.models import Connection, UserMapping
from connections.opening import open_jira
from connections.pair_files import PairFileError, decoded, pairs_in
from connections.tokens import TokenError
from worklogs import spreadsheet
from worklogs.forms import PairForm, PairsFileForm
from worklogs.people import Account, TargetPeople
from worklogs.reading import people as reading
from worklogs.reading.people import Line, People

SHOWN = 50
COLUMNS = (
    "left",
    "right",
    "name",
    "email",
    "found_by",
    "entries",
    "seconds",
    "waiting_entries",
    "waiting_seconds",
)
# Whoever saves a pair waits so long for the target's word on it, and no longer.
PATIENCE_SECONDS = 8.0


@require_GET
def every(request: HttpRequest) -> HttpResponse:
    summaries = reading.of_all()
    if len(summaries) == 1:
        return redirect("worklogs:people", summaries[0].connection.name)
    context = {
        "summaries": summaries,
        "missing": sum(len(summary.missing) for summary in summaries),
        "read": any(summary.run for summary in summaries),
    }
    return render(request, "worklogs/people_all.html", context)


@require_GET
def of_connection(request: HttpRequest, name: str) -> HttpResponse | StreamingHttpResponse:
    people = reading.of(_connection(name))
    if request.GET.get("format") == "csv":
        return _download(people)
    return _page(request, people)


def _connection(name: str) -> Connection:
    return get_object_or_404(Connection.objects.with_sites(), name=name)


def _page(request: HttpRequest, people: People, **more: Any) -> HttpResponse:
    """The list, one person of it open where the address or a form says so."""
    lines = _fitting(people.lines, request.GET)
    first = _place_after(lines, request.GET.get("after", ""))
    shown = lines[first : first + SHOWN]
    edited = request.GET.get("edit", "")
    context = {
        "people": people,
        "connection": people.connection,
        "lines": shown,
        "older": shown[-1].key if len(lines) > first + SHOWN else None,
        "counts": _counts(people.lines),
        "q": request.GET.get("q", ""),
        "edited": people.named(edited) if edited else None,
        "form": PairForm(initial={"person": edited}),
        "file_form": PairsFileForm(),
        "dry_run": {"connection": people.connection.name, "dry_run": "1"},
    }
    return render(request, "worklogs/people.html", context | more, status=422 if "refused" in more else 200)


def _fitting(lines: Sequence[Line], chosen: Any) -> list[Line]:
    how, part = chosen.get("how", ""), chosen.get("q", "").casefold().strip()
    hands = (UserMapping.FoundBy.MANUAL, UserMapping.FoundBy.FILE)
    ways = {"none": ("none",), "email": (UserMapping.FoundBy.EMAIL,), "hand": hands}
    fitting = [line for line in lines if not how or line.how in ways.get(how, ())]
    return [line for line in fitting if any(part in text.casefold() for text in _searched(line))]


def _searched(line: Line) -> tuple[str, ...]:
    return line.label, line.name, line.email, line.target, line.target_name


def _place_after(lines: Sequence[Line], key: str) -> int:
    return next((place + 1 for place, line in enumerate(lines) if key and line.key == key), 0)


def _counts(lines: Iterable[Line]) -> dict[str, int]:
    ways = [line.how for line in lines]
    return {
        "none": ways.count("none"),
        "email": ways.count(UserMapping.FoundBy.EMAIL),
        "hand": ways.count(UserMapping.FoundBy.MANUAL) + ways.count(UserMapping.FoundBy.FILE),
    }


def _download(people: People) -> StreamingHttpResponse:
    rows = (
        (
            line.key, line.target, line.name, line.email, line.how, line.every.entries, line.every.seconds,
            line.waiting.entries, line.waiting.seconds,
        )
        for line in people.lines
    )  # fmt: skip
    file = f"twinlog-people-{people.connection.name}.csv"
    return StreamingHttpResponse(
        spreadsheet.lines(COLUMNS, rows),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{file}"'},
    )


# --- by hand


@require_POST
def pair(request: HttpRequest, name: str) -> HttpResponse:
    connection = _connection(name)
    form = PairForm(request.POST)
    account: Account | None = None
    if form.is_valid():
        try:
            account = _asked(connection, form.cleaned_data["target"])
        except (SiteError, TokenError) as fault:
            messages.warning(request, f"Saved, but not checked: {fault} The next run finds out.")
        else:
            if account is None:
                form.add_error("target", _nobody(connection, form.cleaned_data["target"]))
    if not form.is_valid():
        people = reading.of(connection)
        edited = people.named(request.POST.get("person", ""))
        return _page(request, people, form=form, edited=edited, refused=True)
    _keep(connection, form.cleaned_data["person"], form.cleaned_data["target"], account)
    who = account.name if account and account.name else form.cleaned_data["target"]
    said = f"{form.cleaned_data['person']} is {who} from the next run on."
    messages.success(request, said)
    return redirect(_back(connection))


def _asked(connection: Connection, target: str) -> Account | None:
    """The active account of this id or e-mail on the target. Raises SiteError, TokenError."""
    site = connection.right.jira or connection.right
    gate = Gate(budget_for(site), patience=PATIENCE_SECONDS)
    return TargetPeople(connection, open_jira(site, gate)).ask(target)


def _nobody(connection: Connection, target: str) -> str:
    site = connection.right.jira or connection.right
    kind = "e-mail address" if "@" in target else "account id"
    hidden = " Its owner may hide the address: then take the account id." if "@" in target else ""
    return f"{site} knows no active account with this {kind}.{hidden} Nothing was saved."


@transaction.atomic
def _keep(connection: Connection, person: str, target: str, account: Account | None) -> None:
    pair_person(connection, person, target)
    if account:
        row = connection.user_mappings.filter(found_by=UserMapping.FoundBy.MANUAL).order_by("-id").first()
        if row:
            row.right_name = account.name[:200]
            row.save(update_fields=["right_name"])


@require_POST
def unpair(request: HttpRequest, name: str) -> HttpResponse:
    connection = _connection(name)
    person = request.POST.get("person", "").strip()
    by_hand = connection.user_mappings.exclude(found_by=UserMapping.FoundBy.EMAIL)
    if not person or not any(person.casefold() in _left_names(row) for row in by_hand):
        messages.info(request, "There is no such pair any more; nothing was changed.")
        return redirect(_back(connection))
    pair_person(connection, person, "")
    messages.success(
        request, f"The pair of {person} is gone. The next run looks for the e-mail address again."
    )
    return redirect(_back(connection))


def _left_names(row: UserMapping) -> set[str]:
    return {name.casefold() for name in (row.left_email, row.left_account) if name}


def _back(connection: Connection) -> str:
    return reverse("worklogs:people", args=[connection.name])


# --- by file


@require_POST
def pairs_file(request: HttpRequest, name: str) -> HttpResponse:
    """Reads a CSV and shows what it would change; sent again with `pairs`, it is done."""
    connection = _connection(name)
    if "pairs" in request.POST:
        return _save_pairs(request, connection)
    form = PairsFileForm(request.POST, request.FILES)
    found: list[tuple[str, str]] = []
    if form.is_valid():
        upload = form.cleaned_data["file"]
        try:
            found = _pairs_of(decoded(upload.read(), upload.name), upload.name)
        except PairFileError as fault:
            for problem in fault.problems:
                form.add_error("file", problem)
    people = reading.of(connection)
    if not form.is_valid():
        return _page(request, people, file_form=form, refused=True)
    return _preview(request, people, found)


def _pairs_of(text: str, file: str) -> list[tuple[str, str]]:
    pairs = pairs_in(text, file, to_fill_in=True)
    return [(spreadsheet.unguarded(left), spreadsheet.unguarded(right)) for left, right in pairs]


def _preview(request: HttpRequest, people: People, pairs: Sequence[tuple[str, str]]) -> HttpResponse:
    found = reading.proposals(people, pairs)
    waiting, carried = reading.affected(found)
    context = {
        "people": people,
        "connection": people.connection,
        "proposals": found,
        "rows": len(pairs),
        "pairs": "\n".join(f"{one.left}\t{one.right}" for one in found),
        "waiting": waiting,
        "carried": carried,
    }
    return render(request, "worklogs/people_file.html", context)


@transaction.atomic
def _save_pairs(request: HttpRequest, connection: Connection) -> HttpResponse:
    lines = request.POST["pairs"].splitlines()
    pairs = [(left.strip(), right.strip()) for left, _, right in (line.partition("\t") for line in lines)]
    wanted = [(left, right) for left, right in pairs if left and right]
    for left, right in wanted:
        pair_person(connection, left, right)
    count = len(wanted)
    messages.success(
        request, f"{count} {'pair' if count == 1 else 'pairs'} saved; the next run goes by them."
    )
    return redirect(_back(connection))
