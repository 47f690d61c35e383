"""What needs a person today: each thing in a sentence, with the page where it is mended."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from connections.models import ConnectionCheck, Site, Token
from connections.wording import counted, duration_text, short_day_text, title_of
from reports.causes import Cause
from reports.health import LOST
from reports.queries import Line
from worklogs.models import Run

BAD, WARN = "bad", "warn"
DEAD = ("refused", "expired")


@dataclass(frozen=True, slots=True)
class Alert:
    """`icon` is one of the sprite, `tone` bad or warn, `action` what the button says."""

    tone: str
    icon: str
    title: str
    text: str
    url: str
    action: str


def of(
    lines: Sequence[Line], sites: Iterable[Site], tokens: Iterable[Token], causes: Sequence[Cause]
) -> list[Alert]:
    """What is broken first, then what waits."""
    found = [
        *_tokens(sites, tokens),
        *(alert for line in lines for alert in _runs(line)),
        *(alert for line in lines for alert in _deletions(line)),
        *(alert for line in lines for alert in _checks(line)),
        *_open(causes),
        *(alert for line in lines for alert in _people(line)),
    ]
    return sorted(found, key=lambda alert: alert.tone != BAD)


# --- tokens


def _tokens(sites: Iterable[Site], tokens: Iterable[Token]) -> Iterator[Alert]:
    held: dict[int, list[Token]] = defaultdict(list)
    for token in tokens:
        held[token.site_id].append(token)
    for site in sites:
        own = next((token for token in held[site.pk] if not token.email), None)
        if own is None:
            yield _token_alert(site, BAD, f"{site} has no token.", "Nothing can be read or written there.")
        elif own.standing in DEAD:
            yield _token_alert(
                site, BAD, _dead(site, own), "What needs the site stands still; nothing is lost."
            )
        elif own.standing == "expiring" and own.expires_at:
            yield _token_alert(site, WARN, f"The token of {site} expires soon.", _expiry(own))
        yield from _personal(site, [token for token in held[site.pk] if token.email])


def dead_tokens(sites: Iterable[Site], tokens: Iterable[Token]) -> dict[int, str]:
    """Sites whose own token opens nothing, by their number."""
    own = {token.site_id: token for token in tokens if not token.email}
    return {site.pk: site.name for site in sites if site.pk not in own or own[site.pk].standing in DEAD}


def _dead(site: Site, token: Token) -> str:
    return (
        f"The token of {site} has expired." if token.standing == "expired" else f"{site} refuses its token."
    )


def _expiry(token: Token) -> str:
    if token.expires_at is None:
        return ""
    return f"On {short_day_text(timezone.localtime(token.expires_at))}. Put a new one in before then."


def _personal(site: Site, tokens: Sequence[Token]) -> Iterator[Alert]:
    dead = [token.email for token in tokens if token.standing in DEAD]
    if dead:
        text = f"Of {_some(dead)}: until they are replaced the entries of these people fail."
        title = f"{counted(len(dead), 'personal token')} of {site} {_is(len(dead))} refused or expired."
        yield _token_alert(site, BAD, title, text)
    ending = [token.email for token in tokens if token.standing == "expiring"]
    if ending:
        title = f"{counted(len(ending), 'personal token')} of {site} {_is(len(ending))} about to expire."
        yield _token_alert(site, WARN, title, f"Of {_some(ending)}.")


def _token_alert(site: Site, tone: str, title: str, text: str) -> Alert:
    icon = "key" if tone == BAD else "clock"
    return Alert(tone, icon, title, text, reverse("connections:site", args=[site.name]), "Replace token")


# --- runs, checks, people


def _runs(line: Line) -> Iterator[Alert]:
    run = line.last
    if run is None or run.state not in (Run.State.BROKEN, Run.State.STOPPED):
        return
    title = (
        f"Run {run.pk} of {line.connection} {'broke' if run.state == Run.State.BROKEN else 'stopped early'}."
    )
    tone = BAD if run.state == Run.State.BROKEN or run.code in LOST else WARN
    url = reverse("worklogs:run", args=[run.pk])
    yield Alert(
        tone, "player-stop", title, isolated(run.message or "Started again it goes on."), url, "See the run"
    )


def _deletions(line: Line) -> Iterator[Alert]:
    run = line.last
    if run is None or not run.holds_deletes or run.is_live:
        return
    title = f"Run {run.pk} of {line.connection} holds deletions back."
    text = "More was deleted on one side than goes without a question; nothing was deleted on the other."
    yield Alert(WARN, "trash", title, text, reverse("worklogs:run", args=[run.pk]), "Decide")


def _checks(line: Line) -> Iterator[Alert]:
    check = check_since(line)
    if check is None or check.status == ConnectionCheck.Status.OK:
        return
    url = reverse("connections:check", args=[line.connection.name])
    if check.status == ConnectionCheck.Status.UNREACHABLE:
        text = "Nothing can run until it does."
        title = f"A site of {line.connection} did not answer its check, or refused its token."
        yield Alert(BAD, "plug-connected", title, text, url, "See the check")
        return
    missing = [each["what"] for each in check.missing]
    title = f"{line.connection} lacks {counted(len(missing), 'thing')} it needs."
    yield Alert(WARN, "shield-check", title, f"{_some(missing)}.", url, "See the check")


def check_since(line: Line) -> ConnectionCheck | None:
    """The last check, where no run has ended well after it: a run knows better."""
    check: ConnectionCheck | None = getattr(line.connection, "last_check", None)
    run = line.last
    if check is None or run is None or run.state != Run.State.FINISHED or run.ended_at is None:
        return check
    return check if check.at > run.ended_at else None


def _people(line: Line) -> Iterator[Alert]:
    if not line.missing:
        return
    people = len(line.missing)
    have = "person has" if people == 1 else "people have"
    where = line.connection.right if line.connection.is_migration else "the other side"
    title = f"{people:,} {have} no account on {where}."
    text = f"{_some(line.missing)}. What they logged goes by another account, with a line that names them."
    yield Alert(
        WARN, "users", title, text, reverse("worklogs:people", args=[line.connection.name]), "Map people"
    )


# --- what is open


def _open(causes: Sequence[Cause]) -> Iterator[Alert]:
    parked = [cause for cause in causes if cause.standing == "parked"]
    failed = [cause for cause in causes if cause.standing == "failed"]
    if failed:
        title = f"{_entries(failed)} failed."
        yield Alert(BAD, "x", title, _by_cause(failed), _failures("failed"), "Mend")
    if parked:
        title = f"{_entries(parked)} parked, until somebody decides."
        yield Alert(WARN, "hand-stop", title, _by_cause(parked), _failures("parked"), "Decide")


def _entries(causes: Iterable[Cause]) -> str:
    return counted(sum(cause.entries for cause in causes), "entry", "entries")


def _by_cause(causes: Sequence[Cause]) -> str:
    """The three causes with the most entries, and the hours of all."""
    most = Counter({title_of(cause.code): cause.entries for cause in causes}).most_common(3)
    told = ", ".join(f"{title[0].lower()}{title[1:]} ({count:,})" for title, count in most)
    rest = len(causes) - len(most)
    more = f", {counted(rest, 'further cause')}" if rest else ""
    return f"{told[0].upper()}{told[1:]}{more}; {duration_text(sum(cause.seconds for cause in causes))} wait."


def _failures(outcome: str) -> str:
    return f"{reverse('reports:failures')}?{urlencode({'outcome': outcome})}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(isolated(name) for name in names[:3])
    return f"{shown} and {len(names) - 3:,} more" if len(names) > 3 else shown


def isolated(text: str) -> str:
    """Words from elsewhere, kept from turning round the direction of the sentence they stand in."""
    return f"\u2068{text}\u2069"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
