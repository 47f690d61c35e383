"""Issues of a sync: how far it has come on either side, and which issues have no counterpart."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from connections.models import Connection
from worklogs.models import OutOfScope
from worklogs.reading import scope as reading


@require_GET
@vary_on_headers("HX-Request")
def of_connection(request: HttpRequest, name: str) -> HttpResponse:
    """The page; its first part alone where a connection's own page fetches it."""
    connection = _sync(name)
    context: dict[str, object] = {"connection": connection, "reach": reading.reach(connection)}
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "worklogs/issues.html#reach", context)
    side = request.GET.get("side", "")
    context |= {
        "side": side,
        "outside": reading.outside(connection, side, request.GET.get("after", "")),
        "looked_for": reading.looked_for(connection),
        "run": {"connection": name},
        "now": timezone.now(),
    }
    return render(request, "worklogs/issues.html", context)


def _sync(name: str) -> Connection:
    """Raises Http404, also for a migration, whose issues wait with their entries."""
    connection = get_object_or_404(Connection.objects.with_sites(), name=name)
    if connection.is_migration:
        raise Http404(f"{name} is a migration.")
    return connection


@require_POST
def look(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    """The next run looks for this issue's counterpart, however patient it would be by itself."""
    connection = _sync(name)
    row = get_object_or_404(OutOfScope, connection=connection, pk=pk)
    OutOfScope.objects.filter(pk=row.pk).update(look_after=timezone.now())
    messages.success(request, f"The next run looks for the counterpart of {row.key or row.issue}.")
    return redirect(reverse("worklogs:issues", args=[name]))
