"""Pages about connections: which there are, what each is told to do, and whether its sites give it what it needs."""

from functools import cache
from zoneinfo import available_timezones

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from connections import checks, option_words, reading
from connections.connection_form import FORMS, ConnectionForm
from connections.exporting import export
from connections.models import Connection


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    every = reading.connections()
    if not every:
        return render(request, "connections/beginning.html", {"beginning": reading.beginning()})
    context = {"connections": every, "sentence": reading.connections_in_words(every)}
    return render(request, "connections/list.html", context)


@require_safe
def detail(request: HttpRequest, name: str) -> HttpResponse:
    connection = reading.connection_named(name)
    check = reading.check_of(connection)
    context = {
        "connection": connection,
        "check": check,
        "stale": reading.is_stale(connection, check),
        "sentence": _sentence(connection),
        "facts": option_words.facts(connection),
        "ends": reading.ends(connection),
        "urgent": [place for place in reading.placed(connection) if place.standing in reading.NEED_A_PERSON],
        **_starts(connection),
    }
    return render(request, "connections/detail.html", context)


def _starts(connection: Connection) -> dict[str, dict[str, str]]:
    """What the buttons send that begin a run."""
    run = {"connection": connection.name}
    return {"run": run, "dry_run": run | {"dry_run": "1"}, "full": run | {"full": "1"}}


def _sentence(connection: Connection) -> str:
    if connection.paused:
        return "Paused: nothing begins until it is resumed. A run under way goes on."
    return reading.check_in_words(reading.check_of(connection))


@require_safe
def sites_of(request: HttpRequest, name: str) -> HttpResponse:
    connection = reading.connection_named(name)
    context = {"connection": connection, "places": reading.placed(connection)}
    return render(request, "connections/sites_of.html", context)


@require_safe
def settings(request: HttpRequest, name: str) -> HttpResponse:
    connection = reading.connection_named(name)
    context = {"connection": connection, "file": export(connection), "facts": option_words.facts(connection)}
    return render(request, "connections/settings.html", context)


@require_safe
def file(_request: HttpRequest, name: str) -> HttpResponse:
    """What `export` prints, as a download."""
    connection = reading.connection_named(name)
    answer = HttpResponse(export(connection), content_type="application/toml; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="twinlog.toml"'
    return answer


def check(request: HttpRequest, name: str) -> HttpResponse:
    """The last check's report; posted to, both sides are asked anew."""
    connection = reading.connection_named(name)
    if request.method == "POST":
        checks.check(connection)
        return redirect("connections:check", name)
    last = reading.check_of(connection)
    context = {
        "connection": connection,
        "check": last,
        "sentence": reading.check_in_words(last),
        "stale": reading.is_stale(connection, last),
        "findings": reading.findings(connection, last) if last else [],
        **_starts(connection),
    }
    return render(request, "connections/check.html", context)


def add(request: HttpRequest) -> HttpResponse:
    """Without a kind in the address the page asks for it."""
    form_of = FORMS.get(request.GET.get("kind", ""))
    if form_of is None:
        return render(request, "connections/add.html", {"beginning": reading.beginning()})
    form = form_of(request.POST or None, request.FILES or None)
    if form.is_bound and form.is_valid():
        connection = form.save()
        messages.success(request, f"{connection} is set up. Check it next: nothing is written by that.")
        return redirect("connections:check", connection.name)
    return _form(request, form, None)


def edit(request: HttpRequest, name: str) -> HttpResponse:
    connection = reading.connection_named(name)
    form = FORMS[connection.kind](request.POST or None, request.FILES or None, connection=connection)
    if form.is_bound and form.is_valid():
        form.save()
        messages.success(request, "Saved. The next run goes by it.")
        return redirect("connections:detail", connection.name)
    return _form(request, form, connection)


@cache
def zones() -> list[str]:
    """Names such as Europe/Berlin; they lie on the disk."""
    return sorted(zone for zone in available_timezones() if "/" in zone)


def _form(request: HttpRequest, form: ConnectionForm, connection: Connection | None) -> HttpResponse:
    context = {
        "form": form,
        "connection": connection,
        "migration": form.kind == Connection.Kind.MIGRATION,
        "zones": zones(),
    }
    return render(request, "connections/form.html", context)


@require_POST
def pause(request: HttpRequest, name: str) -> HttpResponse:
    return _set_paused(request, name, paused=True)


@require_POST
def resume(request: HttpRequest, name: str) -> HttpResponse:
    return _set_paused(request, name, paused=False)


def _set_paused(request: HttpRequest, name: str, paused: bool) -> HttpResponse:
    connection = reading.connection_named(name)
    Connection.objects.filter(pk=connection.pk).update(paused=paused)
    word = "is paused. A run under way goes on; it has its own pause" if paused else "may run again"
    messages.success(request, f"{connection} {word}.")
    return redirect("connections:detail", name)


def people(_request: HttpRequest, name: str) -> HttpResponse:
    return redirect("worklogs:people", name)


def people_all(_request: HttpRequest) -> HttpResponse:
    return redirect("worklogs:people_all")
