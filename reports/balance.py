"""The hours proof: source = target + skipped + failed + parked + rounding, to the second.

The source is what was last read of it, the target what stands there now: a copy that somebody changed or deleted
breaks the balance, and is named.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from connections.models import Connection
from connections.opening import open_client
from connections.options import Side
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


@dataclass(frozen=True, slots=True)
class BothWays:
    """The balance of a sync: of the entries that began on the left, and of those that began on the right."""

    left: Balance
    right: Balance

    @property
    def balanced(self) -> bool:
        return self.left.balanced and self.right.balanced

    def as_json(self) -> dict[str, Any]:
        return {"left": self.left.as_json(), "right": self.right.as_json(), "balanced": self.balanced}


def proved(connection: Connection) -> Balance:
    """The balance of a migration with the target read now. Raises SiteError where it cannot be read, TokenError."""
    return _proved(connection, Side.LEFT, hours.terms(connection))


def proved_both_ways(connection: Connection) -> BothWays:
    """The same of a sync, by the side where entries began, with both sides read now."""
    left, right = (_proved(connection, side, hours.terms(connection, side)) for side in Side)
    return BothWays(left, right)


def _proved(connection: Connection, origin: Side, terms: Mapping[str, int]) -> Balance:
    site = connection.right if origin is Side.LEFT else connection.left
    fallback = connection.get_options().people.fallback
    account = fallback.right if origin is Side.LEFT else fallback.left
    side = open_side(site, account, open_client)
    target, differences = 0, []
    for twin, seconds in side.seconds_of(_twins(connection, origin)):
        target += seconds or 0
        if seconds != twin.seconds:
            differences.append(Difference(twin.entry, twin.copy, twin.seconds, seconds))
    return replace(_of_terms({**terms, "target_seconds": target}), differences=tuple(differences))


def recorded(connection: Connection) -> Balance:
    """The balance with the target as it was when last written or linked."""
    return _of_terms(hours.terms(connection))


def _of_terms(terms: Mapping[str, int]) -> Balance:
    source, target, skipped, failed, parked, rounding = (terms[f"{name}_seconds"] for name in TERMS)
    return Balance(source, target, skipped, failed, parked, rounding)


def _twins(connection: Connection, origin: Side) -> Iterator[Twin]:
    """Of the entries that began on this side; those of one issue one after the other."""
    carried = Entry.objects.filter(connection=connection, standing__in=hours.CARRIED).order_by()
    copy = origin.other
    if not connection.is_migration:
        carried = carried.filter(site=getattr(connection, str(origin)).name, is_copy=False)
    traces = TwinTrace.objects.filter(
        connection=connection, origin=origin, ended=False, **{f"{origin}_id__in": carried.values("entry")}
    )
    rows = traces.order_by(f"{copy}_issue", "id").values_list(
        f"{origin}_id", f"{copy}_id", f"{copy}_issue", "stored_seconds"
    )
    return (Twin(*row) for row in rows.iterator())


def text_both_ways(both: BothWays, connection: Connection) -> str:
    parts = ((connection.left.name, both.left), (connection.right.name, both.right))
    return "\n\n".join(f"Begun in {name}\n{text(balance)}" for name, balance in parts)


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
