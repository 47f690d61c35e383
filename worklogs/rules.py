"""What becomes of a worklog on its way: rounding, author and header, text length, billable seconds."""

from dataclasses import dataclass
from enum import StrEnum

from connections.options import LongText, Lookalikes, Rounding
from worklogs import texts
from worklogs.dialects import jira
from worklogs.worklog import Person, Worklog

NOBODY = "somebody unknown"


class Target(StrEnum):
    JIRA = "jira"
    TEMPO = "tempo"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a connection's options say about every entry it carries. Seconds and minutes are whole numbers."""

    target: Target
    source_name: str
    minimum_seconds: int
    rounding: Rounding
    rounding_minutes: int
    lookalikes: Lookalikes
    long_text: LongText
    has_markers: bool


@dataclass(frozen=True, slots=True)
class Author:
    """Who stands as the copy's author on the target.

    `true` means the person who worked: no header line is owed. `token` is the e-mail of the personal token the
    write is made with, "" for the site's own.
    """

    account: str
    true: bool
    token: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """Left out on purpose and counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """Cannot be carried: `code` of the contract, `message` what happened, `hint` what to do about it."""

    code: str
    message: str
    hint: str
    parked: bool = False
    kind: str = "waiting"


def rounded(seconds: int, rounding: Rounding, minutes: int) -> int:
    """Whole seconds rounded to whole multiples of `minutes`; a half goes up."""
    unit = minutes * 60
    if rounding is Rounding.UP:
        return -(-seconds // unit) * unit
    if rounding is Rounding.DOWN:
        return seconds // unit * unit
    if rounding is Rounding.NEAREST:
        return (seconds + unit // 2) // unit * unit
    return seconds


def unfit(source: Worklog, policy: Policy) -> Skip | Refuse | None:
    """Why an entry is not carried whatever its issue and author are; None where it may be."""
    if source.defect and not source.seconds > 0:
        return _defective(source)
    if source.seconds < policy.minimum_seconds:
        return Skip(f"{source.seconds} s is under the minimum of {policy.minimum_seconds} s")
    if source.defect:
        return _defective(source)
    if source.moment is None:
        return _defective(source.with_(defect="it has no start that can be read"))
    least = jira.SHORTEST if policy.target is Target.JIRA else 1
    planned = rounded(source.seconds, policy.rounding, policy.rounding_minutes)
    if planned < least:
        return Skip(
            f"{planned} s, rounded from {source.seconds} s, is under the {least} s that the target takes"
        )
    if not source.work:
        return Refuse(
            "entry_invalid",
            "The entry belongs to no work item.",
            "Give it a work item in 7pace; the next run carries it.",
        )
    return None


def _defective(source: Worklog) -> Refuse:
    return Refuse(
        "entry_invalid",
        f"The entry cannot be carried: {source.defect}.",
        "Correct the entry at its source; the next run carries it.",
    )


def copy_of(source: Worklog, issue: str, author: Author, policy: Policy) -> Worklog | Refuse:
    """The worklog as it should stand on the target: issue, author, seconds, billable seconds and text."""
    headed = under_header(source, policy.source_name, source.text)
    text = source.text if author.true else headed
    if texts.length(text) > texts.LIMIT and policy.long_text is LongText.REFUSE:
        return Refuse(
            "text_too_long",
            f"The text has {texts.length(text):,} characters; the target takes {texts.LIMIT:,}.",
            'Shorten it at its source, or set long_text = "cut".',
        )
    seconds = rounded(source.seconds, policy.rounding, policy.rounding_minutes)
    return source.with_(
        work=issue,
        person=Person(account=author.account),
        seconds=seconds,
        billable=_billable(source, seconds, policy),
        text=texts.cut(text),
        marker=source.entry,
        attributes=(),
    )


def under_header(source: Worklog, source_name: str, text: str) -> str:
    """This text as somebody else writes it for the entry's person. Raises ValueError where it has no start."""
    if source.moment is None:
        raise ValueError(f"entry {source.entry} has no start")
    name = source.person.name or source.person.label or NOBODY
    return texts.header(source_name, name, source.moment.day, text)


def _billable(source: Worklog, seconds: int, policy: Policy) -> int | None:
    if policy.target is Target.JIRA:
        return None
    return seconds if source.billable is None else source.billable
