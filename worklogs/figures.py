"""A run in figures: the contract's JSON, from what the run counted."""

from typing import Any

from django.db.models import Count, Min, QuerySet

from worklogs.models import AuditEntry, Entry, Fetched, Run

type Json = dict[str, Any]

COUNTED = ("created", "updated", "deleted", "linked", "unchanged", "skipped", "parked", "failed")
# What a failure tells, of an entry and of an audit row alike. Their texts are left where they are.
SHOWN = (
    "entry", "site", "work", "issue_key", "person_email", "person_name", "day", "seconds", "code", "message", "hint",
)  # fmt: skip


def of(run: Run) -> Json:
    """The run as the contract's JSON: of a run that ended as it was kept then, else as it stands now."""
    return run.result or now(run)


def now(run: Run) -> Json:
    found = dict(run.fetched.order_by().values_list("outcome").annotate(Count("id")))
    counts = {outcome: found.get(outcome, 0) for outcome in COUNTED}
    if not run.connection.is_migration:
        counts |= _of_sync(run, counts)
    return {
        "run": run.pk,
        "connection": run.connection.name,
        "kind": run.kind,
        "state": run.state,
        "fetched": sum(found.values()),
        **counts,
        "written": counts["created"] + counts["updated"] + counts["deleted"],
        "missing_people": missing_people(run),
        "failures": failures(run),
        "calls": calls(run),
        "seconds": round(run.busy_seconds, 1),
        "code": run.code,
        "message": run.message,
    }


def _of_sync(run: Run, counts: dict[str, int]) -> dict[str, int]:
    """What a sync leaves alone is counted apart; open is what is open on either side, met in this run or not."""
    standing = dict(open_failures(run).order_by().values_list("standing").annotate(Count("id")))
    planned = {Entry.Standing.FAILED: counts["failed"], Entry.Standing.PARKED: counts["parked"]}
    found = planned if run.is_dry else standing
    return {
        "skipped": counts["skipped"] + run.passed_over,
        "failed": found.get(Entry.Standing.FAILED, 0),
        "parked": found.get(Entry.Standing.PARKED, 0),
    }


def counts_of(result: Json) -> dict[str, int]:
    """The numbers of entries alone: the failures beside them may be very many."""
    return {name: result[name] for name in ("fetched", *COUNTED)}


def missing_people(run: Run) -> list[str]:
    """Authors without an active account on the target, by e-mail, else by name; each once, e-mails without case."""
    rows = run.fetched.filter(account="", gone=False).exclude(person="").order_by()
    labels = rows.values_list("person").annotate(first=Min("id")).order_by("-first")
    distinct = {label.casefold(): label for label, _ in labels}
    return sorted(distinct.values(), key=str.casefold)


def failures(run: Run) -> list[Json]:
    """What is failed or parked at the end of the run, tried in it or not."""
    planned = [
        _failure(row, parked=row["action"] == AuditEntry.Action.PARK)
        for row in _planned_failures(run).values(*SHOWN, "action").iterator()
    ]
    named = {row["entry"] for row in planned}
    standing = (
        _failure(row, parked=row["standing"] == Entry.Standing.PARKED)
        for row in open_failures(run).values(*SHOWN, "standing").iterator()
        if row["entry"] not in named
    )
    return sorted([*planned, *standing], key=lambda row: (row["code"], row["entry"]))


def open_failures(run: Run) -> QuerySet[Entry]:
    """The standing failures among the entries this run fetched; of a sync, which meets what changed, all there are."""
    if not run.connection.is_migration:
        return Entry.objects.filter(connection=run.connection, standing__in=("failed", "parked"))
    entries = run.fetched.filter(outcome__in=(Fetched.Outcome.FAILED, Fetched.Outcome.PARKED))
    return Entry.objects.filter(
        connection=run.connection, entry__in=entries.values("entry"), standing__in=("failed", "parked")
    )


def _planned_failures(run: Run) -> QuerySet[AuditEntry]:
    """What a dry run found anew; failures that stand as they stood have no row in its plan."""
    if not run.is_dry:
        return run.audit.none()
    return run.audit.filter(action__in=(AuditEntry.Action.REFUSE, AuditEntry.Action.PARK))


def _failure(row: Json, *, parked: bool) -> Json:
    return {
        "entry": row["entry"],
        "site": row["site"],
        "work_item": int(row["work"]) if row["work"].isdecimal() else None,
        "issue": row["issue_key"] or None,
        "person": row["person_email"] or row["person_name"] or None,
        "date": row["day"].isoformat() if row["day"] else None,
        "seconds": row["seconds"],
        "code": row["code"],
        "message": row["message"],
        "hint": row["hint"],
        "parked": parked,
    }


def calls(run: Run) -> dict[str, dict[str, int]]:
    """Calls by site and method, all parts of the run together."""
    counted: dict[str, dict[str, int]] = {}
    for row in run.calls.all():
        counted.setdefault(row.site, {})[row.method] = row.count
    return counted
