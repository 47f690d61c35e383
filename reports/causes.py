"""Why entries are open, and what a person can do about each cause."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from connections.wording import kind_of, title_of

# Where to mend it: a page of the connection.
PEOPLE, CHECK, SETTINGS, RUN = "people", "check", "settings", "run"


@dataclass(frozen=True, slots=True)
class Remedy:
    text: str
    place: str = RUN


OTHERWISE = Remedy("The target's own words are in the message: mend what they name, then run again.")
REMEDIES = {
    "target_refused": OTHERWISE,
    "issue_not_found": Remedy(
        "No issue on the target answers to the work item. Give the right issue what the connection looks for, or pair "
        "the two by hand. The next run finds it and carries what waited.",
        SETTINGS,
    ),
    "issue_ambiguous": Remedy(
        "More than one issue answers to the work item, and Twinlog does not guess. Leave it at one, or pair the right "
        "one by hand; the next run carries what waited.",
        SETTINGS,
    ),
    "issue_not_editable": Remedy(
        "The issue is closed or archived, or logging is switched off there. Reopen it, or pair another issue; the next "
        "run carries what waited.",
        SETTINGS,
    ),
    "issue_limit": Remedy(
        "The issue holds as many worklogs as Jira allows. Pair another issue with this work item, then try again.",
        SETTINGS,
    ),
    "author_inactive": Remedy("Reactivate the account, or pair the person with another one.", PEOPLE),
    "author_not_allowed": Remedy(
        "Let the person log work in that project, or take their personal token away: then the site's own account "
        "writes, with a header line that names them.",
        PEOPLE,
    ),
    "no_permission": Remedy(
        "The check names each permission that is missing, and where to grant it. The next run carries what waited.",
        CHECK,
    ),
    "period_closed": Remedy(
        "Tempo has closed the period or approved the timesheet. Reopen it there; the next run carries what waited."
    ),
    "attribute_required": Remedy(
        "Tempo asks for a work attribute, which this version cannot fill in. Make it optional in Tempo (Settings > "
        "Work attributes); the next run carries what waited.",
        CHECK,
    ),
    "entry_invalid": Remedy(
        "Nothing could be written as it stands: no work item, no length, or a day the target refuses. Correct the "
        "entry at its source; the next run carries it."
    ),
    "text_too_long": Remedy(
        "Shorten the text at its source, or let the connection cut long texts; the whole text stays in the audit.",
        SETTINGS,
    ),
    "conflict": Remedy(
        "Both sides were changed since they last agreed, and nothing was overwritten. The entry's page shows both. Of "
        "a sync decide there which side is right, of a migration make them say the same; the next run goes by it."
    ),
    "lookalike": Remedy(
        "An entry that looks the same stands in the target already, so nothing was written twice. Of a sync say "
        "on the entry's page whether they are one entry or two. Of a migration change either a little if it is another "
        "one, or let the connection create lookalikes.",
        SETTINGS,
    ),
    "deletes_held": Remedy(
        "Entries were deleted on one side, and nothing is deleted on the other before somebody says so: on the page of "
        "the entry for one, on the page of the run for all of them."
    ),
    "changed_meanwhile": Remedy(
        "The entry changed between plan and write. The next run takes it as it is now."
    ),
    "script_error": Remedy(
        "A script of the connection stopped at this entry; the message names its line.", SETTINGS
    ),
    "rate_limited": Remedy("The site asked for patience. Nothing to do: the next run tries again."),
    "site_unavailable": Remedy("The site did not answer. Nothing to do: the next run tries again."),
    "unknown_outcome": Remedy(
        "The answer to a write never came. Nothing to do: the next run looks for the entry before anything else."
    ),
}

NEXT_TRY = {
    "passing": "tried again by the next run",
    "waiting": "until its cause is gone, then by itself",
    "final": "on demand only",
    "parked": "until somebody decides",
}


@dataclass(frozen=True, slots=True)
class Open:
    """Open entries of one connection with one code. `standing`: failed or parked."""

    connection: int
    standing: str
    code: str
    entries: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Cause:
    """Open entries with one code, of all connections that were asked for."""

    standing: str
    code: str
    entries: int
    seconds: int
    connections: tuple[int, ...]

    @property
    def title(self) -> str:
        return title_of(self.code)

    @property
    def kind(self) -> str:
        """passing, waiting or final as its code says; of everything parked: parked."""
        return self.standing if self.standing == "parked" else kind_of(self.code) or "waiting"

    @property
    def next_try(self) -> str:
        return NEXT_TRY.get(self.kind, "")

    @property
    def remedy(self) -> Remedy:
        return REMEDIES.get(self.code, OTHERWISE)


def grouped(rows: Iterable[Open]) -> list[Cause]:
    """By cause, those with the most entries first."""
    groups: dict[tuple[str, str], list[Open]] = defaultdict(list)
    for row in rows:
        groups[row.standing, row.code].append(row)
    causes = [
        Cause(
            standing,
            code,
            entries=sum(row.entries for row in found),
            seconds=sum(row.seconds for row in found),
            connections=tuple(sorted({row.connection for row in found})),
        )
        for (standing, code), found in groups.items()
    ]
    return sorted(causes, key=lambda cause: (-cause.entries, cause.code))
