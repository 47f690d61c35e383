"""The hours proof: source = target + skipped + failed + parked + rounding, to the second.

The source is what was last read of it, the target what stands there now: a copy that somebody changed or deleted
breaks the balance, and is named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from connections.models import Connection
from connections.opening import open_client
from worklogs import hours
from worklogs.models import Entry, TwinTrace
from worklogs.sides import open_side

TERMS = ("source", "target", "skipped", "failed", "parked", "rounding")


class Twin(NamedTuple):
    """A carried entry and its copy, with the seconds that were agreed."""

    entry: str
    copy: str
    issue: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A copy whose seconds are not what was agreed; `now` is None where it is gone."""

    entry: str
    twin: str
    agreed: int
    now: int | None


@dataclass(frozen=True, slots=True)
class Balance:
    source_seconds: int
    target_seconds: int
    skipped_seconds: int
    failed_seconds: int
    parked_seconds: int
    rounding_seconds: int
    differences: tuple[Difference, ...] = ()

    @property
    def unexplained_seconds(self) -> int:
        """What the source has over all that is accounted for."""
        explained = self.skipped_seconds + self.failed_seconds + self.parked_seconds + self.rounding_seconds
        return self.source_seconds - self.target_seconds - explained

    @property
    def balanced(self) -> bool:
        return not self.differences and not self.unexplained_seconds

    @property
    def terms(self) -> dict[str, int]:
        return {f"{name}_seconds": getattr(self, f"{name}_seconds") for name in TERMS}

    def as_json(self) -> dict[str, Any]:
        return {**self.terms, "balanced": self.balanced}


def proved(connection: Connection) -> Balance:
    """The balance with the target read now. Raises SiteError where it cannot be read, TokenError."""
    fallback = connection.get_options().people.fallback.right
    side = open_side(connection.right, fallback, open_client)
    target, differences = 0, []
    for twin, seconds in side.seconds_of(_twins(connection)):
        target += seconds or 0
        if seconds != twin.seconds:
            differences.append(Difference(twin.entry, twin.copy, twin.seconds, seconds))
    terms = hours.terms(connection) | {"target_seconds": target}
    return replace(_of_terms(terms), differences=tuple(differences))


def recorded(connection: Connection) -> Balance:
    """The balance with the target as it was when last written or linked."""
    return _of_terms(hours.terms(connection))


def _of_terms(terms: Mapping[str, int]) -> Balance:
    source, target, skipped, failed, parked, rounding = (terms[f"{name}_seconds"] for name in TERMS)
    return Balance(source, target, skipped, failed, parked, rounding)


def _twins(connection: Connection) -> Iterator[Twin]:
    """Those of one issue one after the other."""
    carried = (
        Entry.objects.filter(connection=connection, standing__in=hours.CARRIED).order_by().values("entry")
    )
    traces = TwinTrace.objects.filter(connection=connection, left_id__in=carried)
    rows = traces.order_by("right_issue", "id").values_list(
        "left_id", "right_id", "right_issue", "stored_seconds"
    )
    return (Twin(*row) for row in rows.iterator())


def text(balance: Balance) -> str:
    """The balance as people read it: hours, minutes and seconds, signs that add up."""
    rows = [
        ("Source", balance.source_seconds),
        ("Target", balance.target_seconds),
        ("Skipped", balance.skipped_seconds),
        ("Failed", balance.failed_seconds),
        ("Parked", balance.parked_seconds),
        ("Rounding", balance.rounding_seconds),
    ]
    lines = ["Hours (h:mm:ss)", *(f"  {name:<10}{clock(seconds):>16}" for name, seconds in rows)]
    lines.append("  Balanced." if balance.balanced else "  NOT BALANCED.")
    if balance.unexplained_seconds and not balance.differences:
        left = clock(balance.unexplained_seconds)
        lines.append(f"  {left} were read and not yet decided: start the run again.")
    for one in balance.differences:
        now = "gone" if one.now is None else clock(one.now)
        lines.append(f"  entry {one.entry}: worklog {one.twin} had {clock(one.agreed)}, now {now}")
    return "\n".join(lines)


def clock(seconds: int) -> str:
    minutes, rest = divmod(abs(seconds), 60)
    return f"{'-' if seconds < 0 else ''}{minutes // 60:,}:{minutes % 60:02}:{rest:02}"
