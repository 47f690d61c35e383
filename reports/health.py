"""How a connection stands, in one word and why. Pure: facts in, words out."""

from dataclasses import dataclass
from enum import StrEnum

from connections.wording import counted, percent

# Codes of a run that ended because a site did, not because somebody wanted it.
LOST = ("auth_failed", "site_unavailable", "rate_limited")
LEFT_UNDONE = ("stopped", "cancelled")


class Health(StrEnum):
    """Words that the state badge knows, those that need a person first."""

    FAILING = "failing"
    NEEDS_ATTENTION = "needs_attention"
    BEHIND = "behind"
    IDLE = "idle"
    PAUSED = "paused"
    IN_STEP = "in_step"


@dataclass(frozen=True, slots=True)
class Facts:
    """What health is told from.

    `run` is the number of the newest run that was to write (0: none yet) and `state` how it stands, `paused` and
    `queued` included; `planned` the number of a dry run where there was no other. `missing` and `unreachable` come
    from the last check, where no run ended well since. `failed` and `parked` count what is open; `holds_deletes` says
    that the run holds deletions back until somebody allows them.
    """

    paused: bool = False
    dead_tokens: tuple[str, ...] = ()
    run: int = 0
    state: str = ""
    unattended: bool = False
    code: str = ""
    message: str = ""
    decided: int = 0
    fetched: int = 0
    planned: int = 0
    missing: int = 0
    unreachable: bool = False
    failed: int = 0
    parked: int = 0
    holds_deletes: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    health: Health
    reason: str


def of(facts: Facts) -> Verdict:
    """The first rule that speaks decides: what stops everything comes before what is merely open."""
    for rule in RULES:
        if verdict := rule(facts):
            return verdict
    return Verdict(Health.IN_STEP, "Everything is carried, nothing is open")


def _paused(facts: Facts) -> Verdict | None:
    return Verdict(Health.PAUSED, "No run begins until it is resumed") if facts.paused else None


def _locked_out(facts: Facts) -> Verdict | None:
    if not facts.dead_tokens:
        return None
    return Verdict(Health.FAILING, f"No working token for {' and '.join(facts.dead_tokens)}")


def _under_way(facts: Facts) -> Verdict | None:
    run = f"Run {facts.run}"
    if facts.state == "paused":
        return Verdict(Health.NEEDS_ATTENTION, f"{run} is paused")
    if facts.state not in ("running", "queued"):
        return None
    if facts.unattended:
        return Verdict(Health.NEEDS_ATTENTION, f"Nobody works on run {facts.run}")
    if facts.state == "queued":
        return Verdict(Health.BEHIND, f"{run} waits for a worker")
    if not facts.decided:
        return Verdict(Health.BEHIND, f"{run} reads what there is")
    return Verdict(Health.BEHIND, f"{run} is at {percent(facts.decided, facts.fetched)}")


def _broken(facts: Facts) -> Verdict | None:
    if facts.state == "broken":
        return Verdict(Health.FAILING, f"Run {facts.run} broke")
    if facts.state == "stopped" and facts.code in LOST:
        return Verdict(Health.FAILING, facts.message or f"Run {facts.run} lost a site")
    return None


def _unreachable(facts: Facts) -> Verdict | None:
    if not facts.unreachable:
        return None
    return Verdict(Health.FAILING, "A site did not answer the last check, or refused its token")


def _left_undone(facts: Facts) -> Verdict | None:
    if facts.state not in LEFT_UNDONE:
        return None
    how = "stopped early" if facts.state == "stopped" else "was cancelled"
    return Verdict(Health.BEHIND, f"Run {facts.run} {how}; a new one carries the rest")


def _missing(facts: Facts) -> Verdict | None:
    if not facts.missing:
        return None
    is_are = "is" if facts.missing == 1 else "are"
    return Verdict(Health.NEEDS_ATTENTION, f"{counted(facts.missing, 'thing')} it needs {is_are} missing")


def _not_started(facts: Facts) -> Verdict | None:
    if facts.run:
        return None
    if facts.planned:
        return Verdict(Health.IDLE, f"Planned by run {facts.planned}, nothing is written yet")
    return Verdict(Health.IDLE, "A dry run would be a good first step")


def _held(facts: Facts) -> Verdict | None:
    if not facts.holds_deletes:
        return None
    return Verdict(Health.NEEDS_ATTENTION, f"Run {facts.run} holds deletions back until somebody allows them")


def _open(facts: Facts) -> Verdict | None:
    if not facts.failed and not facts.parked:
        return None
    failed = f"{counted(facts.failed, 'entry', 'entries')} failed" if facts.failed else ""
    parked = f"{counted(facts.parked, 'entry', 'entries')} parked" if facts.parked else ""
    if failed and parked:
        parked = f"{facts.parked:,} parked"
    return Verdict(Health.NEEDS_ATTENTION, ", ".join(filter(None, (failed, parked))))


RULES = (
    _paused,
    _locked_out,
    _under_way,
    _broken,
    _unreachable,
    _left_undone,
    _missing,
    _not_started,
    _held,
    _open,
)
