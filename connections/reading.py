"""What the pages of this room show, each in a handful of queries."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.http import Http404

from connections.models import Connection, ConnectionCheck, Site, Token
from connections.wording import counted


def connections() -> list[Connection]:
    return list(Connection.objects.with_sites().select_related("last_check"))


def connection_named(name: str) -> Connection:
    """With its sites, their tokens and its last check. Raises `Http404`."""
    query = Connection.objects.with_sites().select_related("last_check")
    tokens = [f"{path}__tokens" for path in ("left", "right", "left__jira", "left__azure", "right__jira")]
    found = query.filter(name=name).prefetch_related(*tokens, "right__azure__tokens").first()
    if found is None:
        raise Http404(f"There is no connection named {name}.")
    return found


def check_of(connection: Connection) -> ConnectionCheck | None:
    return getattr(connection, "last_check", None)


def is_stale(connection: Connection, check: ConnectionCheck | None) -> bool:
    """Whether the connection or one of its sites was changed since it was checked."""
    changed = [connection.updated_at, *(site.updated_at for site in connection.sites)]
    return check is not None and max(changed) > check.at


def sites() -> list[Site]:
    query = Site.objects.select_related("jira", "azure").prefetch_related("tokens")
    return list(
        query.prefetch_related("connections_left", "connections_right", "tempo_sites", "sevenpace_sites")
    )


def site_named(name: str) -> Site:
    """With its tokens and who uses it. Raises `Http404`."""
    query = Site.objects.select_related("jira", "azure").prefetch_related("tokens")
    found = query.filter(name=name).first()
    if found is None:
        raise Http404(f"There is no site named {name}.")
    return found


def standing_of(site: Site) -> str:
    """The state of the site's token that needs a person most."""
    if site.own_token is None:
        return "absent"
    held = {token.standing for token in site.tokens.all()}
    return next((word for word in URGENT if word in held), site.own_token.standing)


NEED_A_PERSON = ("absent", "expired", "refused", "expiring")
URGENT = ("expired", "refused", "expiring", "unreachable")


def users_of(site: Site) -> list[Connection]:
    """The connections this site takes part in, also through the sites that stand on it."""
    ends = Q(left=site) | Q(right=site)
    behind = Q(left__jira=site) | Q(right__jira=site) | Q(left__azure=site) | Q(right__azure=site)
    return list(Connection.objects.with_sites().filter(ends | behind))


@dataclass(frozen=True)
class Line:
    """One site of the list."""

    site: Site
    token: Token | None
    standing: str
    users: list[str]


def lines(every: Iterable[Site]) -> list[Line]:
    return [Line(site, site.own_token, standing_of(site), _names_of_users(site)) for site in every]


def _names_of_users(site: Site) -> list[str]:
    users = [*site.connections_left.all(), *site.connections_right.all()]
    below = [*site.tempo_sites.all(), *site.sevenpace_sites.all()]
    return list(dict.fromkeys(str(user) for user in (*users, *below)))


def sites_in_words(told: Sequence[Line]) -> str:
    urgent = [line for line in told if line.standing in NEED_A_PERSON]
    if not urgent:
        return f"{counted(len(told), 'site')}. No token needs you."
    return f"{counted(len(urgent), 'token')} of {counted(len(told), 'site')} {_need(len(urgent))} you."


def _need(count: int) -> str:
    return "needs" if count == 1 else "need"


def connections_in_words(every: Sequence[Connection]) -> str:
    checks = [check_of(connection) for connection in every]
    parts = [
        _some(sum(check is None for check in checks), "never checked"),
        _some(sum(check is not None and check.status != "ok" for check in checks), "with something missing"),
        _some(sum(connection.paused for connection in every), "paused"),
    ]
    told = ", ".join(filter(None, parts)) or "each with everything it needs"
    return f"{counted(len(every), 'connection')}: {told}."


def _some(count: int, words: str) -> str:
    return f"{count} {words}" if count else ""


def check_in_words(check: ConnectionCheck | None) -> str:
    """How the check came out, in a sentence."""
    if check is None:
        return "Not checked yet: whether both sides give it what it needs is to be seen."
    if check.status == ConnectionCheck.Status.OK:
        return f"All {counted(len(check.checks), 'thing')} it needs were found."
    if check.status == ConnectionCheck.Status.UNREACHABLE:
        return "A site could not be reached, or refused its token. No run can begin until that is mended."
    missing = len(check.missing)
    return f"{missing} of {len(check.checks)} {'is' if missing == 1 else 'are'} missing."


@dataclass(frozen=True)
class Finding:
    """What a check found at one site. `side`: "left" or "right"."""

    side: str
    site: str
    kind: str
    checks: list[dict[str, str]]

    @property
    def missing(self) -> int:
        return sum(check["state"] == "missing" for check in self.checks)


def findings(connection: Connection, check: ConnectionCheck) -> list[Finding]:
    return list(_findings(connection, check))


def _findings(connection: Connection, check: ConnectionCheck) -> Iterator[Finding]:
    for side in placed(connection):
        told = [each for each in check.checks if each["site"] == side.site.name]
        if told:
            yield Finding(side.side, side.site.name, side.site.get_kind_display(), told)


@dataclass(frozen=True)
class Placed:
    """A site, and the side of the connection it stands on."""

    side: str
    site: Site
    standing: str


def placed(connection: Connection) -> list[Placed]:
    """Every site of the connection once; one that stands behind both sides counts to the left."""
    left = [site for site in (connection.left, connection.left.companion) if site]
    return [Placed("left" if site in left else "right", site, standing_of(site)) for site in connection.sites]


@dataclass(frozen=True)
class End:
    """One side of a connection, and the site behind it that knows its issues and people."""

    side: str
    word: str
    site: Site
    standing: str
    behind: Placed | None


def ends(connection: Connection) -> tuple[End, End]:
    words = ("Source", "Target") if connection.is_migration else ("Left", "Right")
    return (
        _end("left", words[0], connection.left),
        _end("right", words[1], connection.right),
    )


def _end(side: str, word: str, site: Site) -> End:
    behind = site.companion
    placed_behind = Placed(side, behind, standing_of(behind)) if behind else None
    return End(side, word, site, standing_of(site), placed_behind)


@dataclass(frozen=True)
class Beginning:
    """How far the first set-up has come."""

    sources: int
    targets: int
    connections: int

    @property
    def has_sites(self) -> bool:
        """Whether a connection can be made: from 7pace into a Jira or Tempo, or between two of these."""
        return (self.sources > 0 and self.targets > 0) or self.targets > 1


def beginning() -> Beginning:
    kinds = list(Site.objects.values_list("kind", flat=True))
    targets = sum(kind in (Site.Kind.JIRA, Site.Kind.TEMPO) for kind in kinds)
    return Beginning(kinds.count(Site.Kind.SEVENPACE), targets, Connection.objects.count())
