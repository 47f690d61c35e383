"""A target's no, in words that a person can act on."""

from connections.clients.http import FaultKind, SiteError
from worklogs.rules import Refuse

HINTS = {
    "issue_not_found": "Check that the issue still exists and that the token's owner may see it.",
    "issue_not_editable": "Reopen the issue or make its status editable, then run again; or pair another issue.",
    "issue_limit": "The issue holds as many worklogs as Jira allows. Pair another issue with this work item.",
    "no_permission": (
        'Grant the token\'s owner "Browse projects" and "Work on issues" in this project '
        "(for Tempo also to log work for others), then run again."
    ),
    "author_not_allowed": "Let this person log work in the project, or replace the personal token, then run again.",
    "author_inactive": "Reactivate the account, or pair the person with another one.",
    "period_closed": "Reopen the period or the timesheet in Tempo, then run again.",
    "attribute_required": (
        "Make the work attribute optional in Tempo (Settings > Work attributes); the entry waits until then. "
        "This version cannot give it a value."
    ),
    "entry_invalid": "Correct the entry at its source; the next run carries it.",
    "text_too_long": 'Shorten the text, or set long_text = "cut".',
    "rate_limited": "Nothing: the next run tries it again.",
    "site_unavailable": "Nothing: the next run tries it again.",
    "unknown_outcome": "Nothing: the next run looks for it before anything else.",
}
ANYTHING_ELSE = "Read the target's own words above, mend what they name, then run again."

# What holds for every further entry of the same issue by the same author: it need not be asked again.
OF_THE_ISSUE = frozenset({"issue_not_editable"})
OF_THE_ISSUES_CREATES = frozenset({"issue_limit"})
OF_ISSUE_AND_AUTHOR = frozenset({"no_permission", "issue_not_found"})


def refusal(fault: SiteError) -> Refuse:
    """The refusal that a failed call means for its entry."""
    return Refuse(fault.code, fault.message, HINTS.get(fault.code, ANYTHING_ELSE), kind=str(fault.kind))


def of_issue(key: str, fault: SiteError) -> Refuse:
    """The refusal that an issue stands for whose worklogs cannot be read while the rest of its site can."""
    return Refuse(
        "site_unavailable",
        f"The worklogs of {key} cannot be read, though {fault.site} answers otherwise: {fault.message}",
        f"Open {key} in a browser. The next run tries again by itself.",
        kind=str(FaultKind.PASSING),
    )


def of_tries(message: str, tries: int) -> Refuse:
    """The refusal of an entry that was sent so often and never arrived."""
    return Refuse(
        "site_unavailable",
        f"It was sent {tries} times, looked for each time, and never found: {message}",
        "The next run tries again by itself. If it stays so, log it by hand on the target: the next run links it.",
        kind=str(FaultKind.PASSING),
    )


def of_unknown() -> Refuse:
    """The refusal of an entry that was sent to an issue which cannot be read any more."""
    return Refuse(
        "unknown_outcome",
        "An earlier run sent this entry to an issue where it has not been looked for since.",
        "The next run looks for it first. If that issue is gone for good, try failures again (`--retry`): it is "
        "then written anew.",
        kind=str(FaultKind.PASSING),
    )


def of_personal_token(email: str, message: str) -> Refuse:
    return Refuse(
        "author_not_allowed",
        f"The personal token of {email} is refused: {message}",
        f"Replace the personal token of {email}, or remove it so that a header line names the person.",
    )
