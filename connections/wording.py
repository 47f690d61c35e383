"""How values and states are said, one way everywhere: durations, numbers, times, and the words of every state."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum

NO_BREAK = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"

MINUTE, HOUR, DAY = 60, 3_600, 86_400


class Tone(StrEnum):
    OK = "ok"
    GO = "go"
    WARN = "warn"
    BAD = "bad"
    REST = "rest"


@dataclass(frozen=True)
class StateWord:
    """How a state is shown. Success is quiet: only what needs a person carries colour and weight."""

    icon: str
    word: str
    tone: Tone = Tone.REST


@dataclass(frozen=True)
class CodeWord:
    """A code in plain words, and its kind: passing, waiting, final, parked, or stops (the run)."""

    title: str
    kind: str


STATES = {
    # What became of an entry
    "": StateWord("clock", "Not yet decided"),
    "pending": StateWord("clock", "Not yet decided"),
    "created": StateWord("plus", "Created", Tone.OK),
    "updated": StateWord("pencil", "Updated", Tone.OK),
    "deleted": StateWord("trash", "Deleted", Tone.OK),
    "linked": StateWord("link", "Linked", Tone.OK),
    "written": StateWord("check", "Written", Tone.OK),
    "writing": StateWord("refresh", "Writing", Tone.GO),
    "not_written": StateWord("minus", "Not written"),
    "unchanged": StateWord("equal", "Unchanged"),
    "skipped": StateWord("minus", "Skipped"),
    "left_alone": StateWord("minus", "Left alone"),
    "parked": StateWord("hand-stop", "Parked", Tone.WARN),
    "failed": StateWord("x", "Failed", Tone.BAD),
    # How a run stands
    "planned": StateWord("list-details", "Planned"),
    "queued": StateWord("hourglass", "Queued", Tone.GO),
    "running": StateWord("refresh", "Running", Tone.GO),
    "reading": StateWord("refresh", "Reading the source", Tone.GO),
    "mapping": StateWord("refresh", "Finding people and issues", Tone.GO),
    "carrying": StateWord("refresh", "Writing", Tone.GO),
    "ended": StateWord("check", "Ended"),
    "finished": StateWord("check", "Finished", Tone.OK),
    "stopped": StateWord("player-stop", "Stopped early", Tone.WARN),
    "cancelled": StateWord("ban", "Cancelled"),
    "broken": StateWord("bolt", "Broken", Tone.BAD),
    # Health of a connection
    "in_step": StateWord("check", "In step", Tone.OK),
    "behind": StateWord("clock", "Behind", Tone.GO),
    "needs_attention": StateWord("alert-triangle", "Needs attention", Tone.WARN),
    "failing": StateWord("x", "Failing", Tone.BAD),
    "paused": StateWord("player-pause", "Paused"),
    "idle": StateWord("minus", "Not started"),
    # What a check found
    "ok": StateWord("check", "Found", Tone.OK),
    "missing": StateWord("x", "Missing", Tone.BAD),
    "unknown": StateWord("alert-triangle", "To know", Tone.WARN),
    "not_needed": StateWord("minus", "Not needed"),
    # What happens to a failure by itself
    "passing": StateWord("rotate-clockwise", "Passing"),
    "waiting": StateWord("hourglass", "Waiting"),
    "final": StateWord("ban", "Final"),
    "stops": StateWord("player-stop", "Stops the run", Tone.WARN),
    # A repaired row before it runs
    "will_run": StateWord("check", "Will run", Tone.OK),
    "kept": StateWord("minus", "Kept for later"),
    "refused": StateWord("ban", "Refused", Tone.BAD),
    # How loud a line of a log is
    "info": StateWord("info-circle", "Information"),
    "warning": StateWord("alert-triangle", "Warning", Tone.WARN),
    "error": StateWord("x", "Error", Tone.BAD),
}

STATES_OF = {
    "token": {
        "": StateWord("minus", "Not checked yet"),
        "ok": StateWord("check", "Accepted", Tone.OK),
        "refused": StateWord("x", "Refused", Tone.BAD),
        "unreachable": StateWord("alert-triangle", "Site not reached", Tone.WARN),
        "expiring": StateWord("clock", "Expires soon", Tone.WARN),
        "expired": StateWord("x", "Expired", Tone.BAD),
        "absent": StateWord("x", "No token", Tone.BAD),
    },
    "plan": {
        "create": StateWord("plus", "Will be created", Tone.OK),
        "update": StateWord("pencil", "Will be updated", Tone.OK),
        "delete": StateWord("trash", "Will be deleted", Tone.OK),
        "link": StateWord("link", "Will be linked", Tone.OK),
        "skip": StateWord("minus", "Will be skipped"),
        "park": StateWord("hand-stop", "Will be parked", Tone.WARN),
        "refuse": StateWord("x", "Would fail", Tone.BAD),
    },
    "step": {
        "waiting": StateWord("hourglass", "To come"),
        "claimed": StateWord("refresh", "Under way", Tone.GO),
        "done": StateWord("check", "Done", Tone.OK),
    },
    "mapping": {
        "email": StateWord("mail", "By e-mail"),
        "manual": StateWord("pencil", "By hand"),
        "file": StateWord("list-details", "From a file"),
        "none": StateWord("alert-triangle", "No account", Tone.WARN),
    },
}

CODES = {
    "issue_not_found": CodeWord("No issue for the work item", "waiting"),
    "issue_ambiguous": CodeWord("More than one issue for the work item", "waiting"),
    "issue_not_editable": CodeWord("Issue closed or archived", "waiting"),
    "issue_limit": CodeWord("Issue holds no further worklogs", "final"),
    "author_inactive": CodeWord("Account no longer active", "waiting"),
    "author_not_allowed": CodeWord("May not log for this person", "waiting"),
    "no_permission": CodeWord("Permission missing", "waiting"),
    "period_closed": CodeWord("Period closed", "waiting"),
    "attribute_required": CodeWord("Work attribute required", "waiting"),
    "entry_invalid": CodeWord("Entry cannot be written as it stands", "waiting"),
    "text_too_long": CodeWord("Text too long", "waiting"),
    "conflict": CodeWord("Changed on both sides", "parked"),
    "lookalike": CodeWord("Looks like an entry that is there", "parked"),
    "deletes_held": CodeWord("Deletion held back", "parked"),
    "changed_meanwhile": CodeWord("Changed meanwhile", "waiting"),
    "script_error": CodeWord("Script stopped", "waiting"),
    "rate_limited": CodeWord("Site asked us to wait", "passing"),
    "site_unavailable": CodeWord("Site did not answer", "passing"),
    "unknown_outcome": CodeWord("Answer never arrived", "passing"),
    "auth_failed": CodeWord("Token refused", "stops"),
    "target_refused": CodeWord("Refused by the target", "waiting"),
}


def state_word(value: str, of: str = "") -> StateWord:
    """The words of a state; one nobody foresaw is shown as it is, quietly."""
    found = STATES_OF.get(of, {}).get(value) or STATES.get(value)
    return found or StateWord("minus", value.replace("_", " ").capitalize())


def title_of(code: str) -> str:
    """A code in plain words; an unknown code's own name, readable."""
    known = CODES.get(code)
    return known.title if known else code.replace("_", " ").capitalize()


def kind_of(code: str) -> str:
    """passing, waiting, final, parked or stops; empty for an unknown code."""
    known = CODES.get(code)
    return known.kind if known else ""


def number(value: int) -> str:
    """8432 is "8,432"."""
    return f"{value:,}".replace("-", MINUS)


def percent(part: float, whole: float) -> str:
    """Whole percents, rounded down so that only all of it is 100 %; empty where there is no whole."""
    return f"{int(100 * part / whole)}{NO_BREAK}%" if whole else ""


def counted(count: int, one: str, many: str = "") -> str:
    """ "17 entries"."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def duration_parts(seconds: int) -> list[tuple[str, str]]:
    """Figures with their units: 5,400 s is [("1", "h"), ("30", "m")]; seconds only where some are left over."""
    sign = MINUS if seconds < 0 else ""
    hours, rest = divmod(abs(seconds), HOUR)
    minutes, left = divmod(rest, MINUTE)
    parts = []
    if hours:
        parts += [(number(hours), "h"), (f"{minutes:02}", "m")]
    elif minutes:
        parts.append((str(minutes), "m"))
    if left or not parts:
        parts.append((f"{left:02}" if parts else str(left), "s"))
    figure, unit = parts[0]
    return [(sign + figure, unit), *parts[1:]]


def duration_text(seconds: int) -> str:
    """5,400 s is "1 h 30 m", 42 s is "42 s"."""
    return " ".join(f"{figure}{NO_BREAK}{unit}" for figure, unit in duration_parts(seconds))


def span_text(seconds: float) -> str:
    """A span for orientation, in its greatest unit: "4 s", "2 m", "3 h 27 m", "6 days"."""
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole}{NO_BREAK}s"
    if whole < HOUR:
        return f"{whole // MINUTE}{NO_BREAK}m"
    if whole < DAY:
        return duration_text(whole - whole % MINUTE)
    return counted(whole // DAY, "day")


def ago(when: datetime, now: datetime) -> str:
    """ "2 m ago", "in 3 m", "just now"."""
    seconds = (now - when).total_seconds()
    if abs(seconds) < 1:
        return "just now"
    return f"{span_text(seconds)} ago" if seconds > 0 else f"in {span_text(-seconds)}"


def is_near(when: datetime, now: datetime) -> bool:
    return abs(now - when) < timedelta(days=1)


def moment_text(when: datetime, now: datetime) -> str:
    """Both in the reader's zone: today "14:32:08", this year "17 Nov, 14:32", else "17 Nov 2025, 14:32"."""
    if when.date() == now.date():
        return f"{when:%H:%M:%S}"
    return f"{when.day} {when:%b}{'' if when.year == now.year else f' {when.year}'}, {when:%H:%M}"


def full_text(when: datetime) -> str:
    return f"{day_text(when)}, {when:%H:%M:%S %Z}"


def day_text(day: date) -> str:
    """ "Tue 17 Nov 2026"."""
    return f"{day:%a} {day.day} {day:%b} {day.year}"


def short_day_text(day: date) -> str:
    """ "17 Nov 2026"."""
    return f"{day.day} {day:%b} {day.year}"


def wall_clock_text(start: time) -> str:
    """The source's wall clock: "09:00", with seconds only where there are some."""
    return f"{start:%H:%M:%S}" if start.second else f"{start:%H:%M}"
