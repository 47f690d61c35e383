"""Makes the database what a declaration says, of a file or of a form; the other way round stands in exporting.py."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models import Model, ProtectedError, Q

from connections import tokens
from connections.declare import (
    ConnectionDeclaration,
    Declaration,
    DeclarationError,
    KnownSite,
    SiteDeclaration,
    parse,
)
from connections.models import Connection, Site, UserMapping
from connections.pair_files import Pair


class Change(StrEnum):
    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass
class Outcome:
    """Names of sites and connections, in the file's order."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def add(self, name: str, change: Change) -> None:
        getattr(self, change).append(name)


def apply_file(path: Path, prune: bool = False, dry_run: bool = False) -> Outcome:
    """Read, check and apply one file. Raises `DeclarationError`; then nothing was changed."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DeclarationError([f"{path} cannot be read: {error.strerror}"]) from None
    except UnicodeDecodeError:
        raise DeclarationError([f"{path.name} is not UTF-8: save it as UTF-8"]) from None
    stored = {} if prune else known_sites()
    return apply(parse(text, path, stored), prune, dry_run)


def known_sites() -> dict[str, KnownSite]:
    sites = Site.objects.select_related("jira")
    return {site.name: KnownSite(site.kind, site.jira.name if site.jira else "") for site in sites}


def apply(declaration: Declaration, prune: bool = False, dry_run: bool = False) -> Outcome:
    """All of it or, with a `DeclarationError`, nothing. `prune` removes what the file does not name.

    A dry run says what would be done and does nothing.
    """
    with transaction.atomic():
        _refuse_another_nature(declaration)
        outcome = _carry_out(declaration, prune)
        if dry_run:
            transaction.set_rollback(True)
    return outcome


@transaction.atomic
def keep_site(declared: SiteDeclaration) -> Site:
    """One site as a form gives it. Tokens it does not name stay, unless its address leads to another host."""
    held = Site.objects.filter(name=declared.name).first()
    if held and not hosts_of(declared) <= hosts_of(held):
        held.tokens.all().delete()
    site, _, differs = _store_facts(declared)
    changed = [tokens.keep(site, email, secret) for email, secret in declared.secrets.items()]
    if differs or any(changed):
        _forget_account(site)
    return site


@transaction.atomic
def keep_connection(declared: ConnectionDeclaration) -> Connection:
    """One connection as a form gives it."""
    _store_connection(declared)
    return Connection.objects.get(name=declared.name)


@transaction.atomic
def pair_person(connection: Connection, left: str, right: str) -> None:
    """Say by hand who `left` (an account id or e-mail) is on the right; nobody, where `right` is empty."""
    options = connection.get_options()
    wanted = left.casefold()
    pairs = [list(pair) for pair in options.people.pairs if pair[0].casefold() != wanted]
    if right:
        pairs.append([left, right])
    people = options.people.model_copy(update={"pairs": tuple(map(tuple, pairs))})
    connection.options = options.model_copy(update={"people": people}).dump()
    Connection.objects.filter(pk=connection.pk).update(options=connection.options)
    mappings = connection.user_mappings.exclude(found_by=UserMapping.FoundBy.EMAIL)
    mappings.filter(Q(left_email__iexact=left) | Q(left_account__iexact=left)).delete()
    if right:
        _mapping(connection, (left, right), from_file=False).save()


def hosts_of(site: Site | SiteDeclaration) -> set[str]:
    """Where the site's tokens are sent to: scheme, host and port."""
    parts = [urlsplit(url) for url in (site.url, site.identities_url) if url]
    return {f"{part.scheme}://{part.netloc}".lower() for part in parts}


def _carry_out(declaration: Declaration, prune: bool) -> Outcome:
    outcome = Outcome()
    changes = {site.name: _store_site(site) for site in _companions_first(declaration.sites)}
    for site in declaration.sites:
        outcome.add(site.name, changes[site.name])
    for connection in declaration.connections:
        outcome.add(connection.name, _store_connection(connection))
    if prune:
        _prune(declaration, outcome)
    return outcome


def _companions_first(sites: Iterable[SiteDeclaration]) -> list[SiteDeclaration]:
    return sorted(sites, key=lambda site: bool(site.jira or site.azure))


def _refuse_another_nature(declaration: Declaration) -> None:
    """Entries already written are known by the ids of the very sites they were written to."""
    kinds = dict(Site.objects.values_list("name", "kind"))
    problems = [
        f'site "{site.name}": kind: it is of kind {kinds[site.name]}; use another name'
        for site in declaration.sites
        if kinds.get(site.name, site.kind) != site.kind
    ]
    stored = {connection.name: connection for connection in Connection.objects.with_sites()}
    for wanted in declaration.connections:
        if wanted.name in stored and _nature(stored[wanted.name]) != (wanted.kind, wanted.left, wanted.right):
            kind, left, right = _nature(stored[wanted.name])
            problems.append(
                f'connection "{wanted.name}": it is a {kind} between {left} and {right}; use another name'
            )
    if problems:
        raise DeclarationError([f"{declaration.file}: {problem}" for problem in problems])


def _nature(connection: Connection) -> tuple[str, str, str]:
    return connection.kind, connection.left.name, connection.right.name


def _store_site(declared: SiteDeclaration) -> Change:
    site, created, differs = _store_facts(declared)
    differs = _store_tokens(site, declared) or differs
    if differs:
        _forget_account(site)
    return _change(created, differs)


def _store_facts(declared: SiteDeclaration) -> tuple[Site, bool, bool]:
    """Everything but tokens. Also: whether the site is new, and whether anything changed."""
    wanted = {
        "kind": declared.kind,
        "url": declared.url,
        "email": declared.email,
        "jira": Site.objects.get(name=declared.jira) if declared.jira else None,
        "azure": Site.objects.get(name=declared.azure) if declared.azure else None,
        "identities_url": declared.identities_url,
        "marker_attribute": declared.marker_attribute,
    }
    site, created = Site.objects.get_or_create(name=declared.name, defaults=wanted)
    differs = any(getattr(site, key) != value for key, value in wanted.items())
    if differs:
        for key, value in wanted.items():
            setattr(site, key, value)
        site.save()
    return site, created, differs


def _forget_account(site: Site) -> None:
    """The next check finds out anew whom the site is opened as."""
    site.account_id = ""
    site.save()


def _store_tokens(site: Site, declared: SiteDeclaration) -> bool:
    surplus = [token for token in site.tokens.all() if token.email not in declared.secrets]
    changed = [tokens.keep(site, email, secret) for email, secret in declared.secrets.items()]
    for token in surplus:
        token.delete()
    return bool(surplus) or any(changed)


def _change(created: bool, differs: bool) -> Change:
    if created:
        return Change.CREATED
    return Change.UPDATED if differs else Change.UNCHANGED


def _store_connection(declared: ConnectionDeclaration) -> Change:
    wanted = declared.options.dump()
    connection, created = Connection.objects.get_or_create(
        name=declared.name,
        defaults={
            "kind": declared.kind,
            "left": Site.objects.get(name=declared.left),
            "right": Site.objects.get(name=declared.right),
            "options": wanted,
        },
    )
    differs = connection.options != wanted
    if differs:
        connection.options = wanted
        connection.save()
    if created or differs:
        _store_people(connection, declared)
    return _change(created, differs)


def _store_people(connection: Connection, declared: ConnectionDeclaration) -> None:
    connection.user_mappings.exclude(found_by=UserMapping.FoundBy.EMAIL).delete()
    UserMapping.objects.bulk_create(
        _mapping(connection, pair, pair in declared.people_from_file)
        for pair in dict.fromkeys(declared.options.people.pairs)
    )


def _mapping(connection: Connection, pair: Pair, from_file: bool) -> UserMapping:
    found_by = UserMapping.FoundBy.FILE if from_file else UserMapping.FoundBy.MANUAL
    mapping = UserMapping(connection=connection, found_by=found_by)
    for side, value in zip(("left", "right"), pair, strict=True):
        setattr(mapping, f"{side}_email" if "@" in value else f"{side}_account", value)
    return mapping


def _prune(declaration: Declaration, outcome: Outcome) -> None:
    connections = {connection.name for connection in declaration.connections}
    sites = {site.name for site in declaration.sites}
    surplus_sites = Site.objects.exclude(name__in=sites)
    surplus: list[Model] = [
        *Connection.objects.exclude(name__in=connections),
        *surplus_sites.filter(kind__in=[Site.Kind.TEMPO, Site.Kind.SEVENPACE]),
        *surplus_sites.filter(kind__in=[Site.Kind.JIRA, Site.Kind.AZURE]),
    ]
    for thing in surplus:
        _remove(thing, declaration.file)
        outcome.add(str(thing), Change.REMOVED)


def _remove(thing: Model, file: str) -> None:
    word = thing._meta.verbose_name
    try:
        thing.delete()
    except ProtectedError as error:
        users = ", ".join(sorted({str(user) for user in error.protected_objects})[:3])
        raise DeclarationError(
            [f'{file}: {word} "{thing}": cannot be removed, it is used by {users}']
        ) from None
