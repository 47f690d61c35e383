"""What sites and connections are declared to be, as checked values: by the TOML file that `apply` reads, or by a
form. Both are refused for the same reasons with the same words. Every problem is found at once; nothing is stored here.
"""

import json
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Self

from django.conf import settings
from pydantic import AfterValidator, BaseModel, Field, ValidationError, model_validator

from connections.clients.addresses import AddressError, check_address
from connections.clients.sevenpace import PaceAddressError, normalise_url
from connections.models import Connection, Site
from connections.options import ConnectionOptions, NotEmpty, OptionsError, Part, parse_options
from connections.pair_files import ISSUE, LEFT, RIGHT, WORK_ITEM, Pair, PairFileError, read_ids, read_pairs
from connections.problems import Problem, close_to, expected, keys_of, problems_of


class DeclarationError(Exception):
    """A file that is refused; `problems` holds one line each: file, key, what was expected."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class TableError(Exception):
    """One site or connection that is refused."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


@dataclass(frozen=True)
class SiteDeclaration:
    """`secrets` are by the person's e-mail; the site's own has the empty one."""

    name: str
    kind: Site.Kind
    url: str
    email: str = ""
    jira: str = ""
    azure: str = ""
    identities_url: str = ""
    marker_attribute: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ConnectionDeclaration:
    """`left` is the source of a migration, `right` its target."""

    name: str
    kind: Connection.Kind
    left: str
    right: str
    options: ConnectionOptions
    people_from_file: frozenset[Pair] = frozenset()


@dataclass(frozen=True)
class Declaration:
    file: str
    sites: tuple[SiteDeclaration, ...]
    connections: tuple[ConnectionDeclaration, ...]


@dataclass(frozen=True)
class KnownSite:
    """As much of a site as its name in a connection must agree with."""

    kind: str
    jira: str = ""


def parse(text: str, path: Path, stored: Mapping[str, KnownSite] | None = None) -> Declaration:
    """The file's sites and connections. Raises `DeclarationError` with every problem.

    Tokens are read from the environment and the files it names, relative to `path`. `stored` are sites
    that need not stand in the file to be named.
    """
    problems: list[str] = []
    site_tables, connection_tables = _tables(text, path)
    sites = [_site(table, place, path, problems) for place, table in _placed("site", site_tables)]
    found_sites = [site for site in sites if site]
    known = {**(stored or {}), **_known(site_tables)}
    _check_references(found_sites, known, problems)
    connections = [
        _connection(table, place, path, known, problems)
        for place, table in _placed("connection", connection_tables)
    ]
    problems += _doubles("site", site_tables) + _doubles("connection", connection_tables)
    if problems:
        raise DeclarationError([f"{path.name}: {problem}" for problem in problems])
    return Declaration(path.name, tuple(found_sites), tuple(found for found in connections if found))


def site_of(table: dict[str, Any], known: Mapping[str, KnownSite]) -> SiteDeclaration:
    """A site by the keys of `[[site]]` but for its tokens. Raises `TableError`."""
    found: list[Problem] = []
    text = _validated(SiteFacts, table, {}, found)
    if isinstance(text, SiteFacts):
        declared = _declared(text, found)
        found += _companion_problems(declared, known)
    if found or not isinstance(text, SiteFacts):
        raise TableError(found)
    return declared


def connection_of(
    table: dict[str, Any], known: Mapping[str, KnownSite], people_from_file: frozenset[Pair] = frozenset()
) -> ConnectionDeclaration:
    """A connection by the keys of `[[connection]]`, with pairs and ids in place. Raises `TableError`."""
    found: list[Problem] = []
    declared = _connection_declared(table, known, found)
    if found or declared is None:
        raise TableError(found)
    return replace(declared, people_from_file=people_from_file)


def secret_problem(secret: str) -> str:
    """What is wrong with a token; empty where nothing is."""
    if not secret:
        return "is empty"
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        return "holds blanks, line breaks or signs that no token has"
    return ""


def _tables(text: str, path: Path) -> tuple[list[Any], list[Any]]:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DeclarationError([f"{path.name}: not TOML: {error}"]) from None
    problems = [
        f"{path.name}: {key}: unknown key{close_to(key, ['site', 'connection'], '; expected site, connection')}"
        for key in data.keys() - {"site", "connection"}
    ]
    tables = {key: data.get(key, []) for key in ("site", "connection")}
    problems += [
        f"{path.name}: {key}: expected [[{key}]], one for each {key}"
        for key, value in tables.items()
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value)
    ]
    if problems:
        raise DeclarationError(sorted(problems))
    return tables["site"], tables["connection"]


def _placed(word: str, tables: list[dict[str, Any]]) -> Iterable[tuple[str, dict[str, Any]]]:
    for number, table in enumerate(tables, 1):
        name = table.get("name")
        yield (f'{word} "{name}"' if isinstance(name, str) and name else f"{word} number {number}"), table


def _doubles(word: str, tables: list[dict[str, Any]]) -> list[str]:
    names = Counter(table["name"] for table in tables if isinstance(table.get("name"), str))
    return [f'{word} "{name}": stands here {times} times' for name, times in names.items() if times > 1]


def _known(tables: list[dict[str, Any]]) -> dict[str, KnownSite]:
    """By what is written, right or wrong, so that one mistake is not told again for each connection."""
    return {
        table["name"]: KnownSite(str(table.get("kind", "")), str(table.get("jira", "")))
        for table in tables
        if isinstance(table.get("name"), str)
    }


TAKEN = ("add", "people", ".", "..")


def _check_name(name: str) -> str:
    if name != name.strip() or not name.isprintable():
        raise expected("a name without blanks at its ends or line breaks")
    if "/" in name or name in TAKEN:
        raise expected('a name that can stand in an address: without "/", and none of add, people')
    return name


Name = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_check_name)]


class TokenText(Part):
    env: NotEmpty | None = None
    file: NotEmpty | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.env) == bool(self.file):
            raise expected('{ env = "NAME" } or { file = "path" }')
        return self


class PersonalTokenText(TokenText):
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")]


class SiteFacts(Part):
    name: Name
    kind: Site.Kind
    url: NotEmpty
    email: NotEmpty = ""
    jira: NotEmpty = ""
    azure: NotEmpty = ""
    identities_url: NotEmpty = ""
    marker_attribute: NotEmpty = ""


class SiteText(SiteFacts):
    token: TokenText
    personal_tokens: tuple[PersonalTokenText, ...] = ()


class ConnectionText(Part):
    name: Name
    kind: Connection.Kind
    left: NotEmpty
    right: NotEmpty


SITE_TABLES = {
    "": keys_of(SiteText),
    "token": keys_of(TokenText),
    "personal_tokens": keys_of(PersonalTokenText),
}
OWN_KEYS = {
    Site.Kind.JIRA: ("email", "personal_tokens"),
    Site.Kind.TEMPO: ("jira", "marker_attribute"),
    Site.Kind.SEVENPACE: ("azure",),
    Site.Kind.AZURE: ("identities_url",),
}
REQUIRED = {
    Site.Kind.JIRA: {"email": "the account its token belongs to"},
    Site.Kind.TEMPO: {"jira": "the name of its jira site"},
    Site.Kind.SEVENPACE: {"azure": "the name of its azure site"},
    Site.Kind.AZURE: {},
}


def _site(table: dict[str, Any], place: str, path: Path, problems: list[str]) -> SiteDeclaration | None:
    found: list[Problem] = []
    written = _with_plain_names(table, found)
    text = _validated(SiteText, written, SITE_TABLES, found)
    if isinstance(text, SiteText):
        declared = replace(_declared(text, found), secrets=_secrets(text, path.parent, found))
    problems += [f"{place}: {problem}" for problem in found]
    return None if found or not isinstance(text, SiteText) else declared


def _declared(text: SiteFacts, found: list[Problem]) -> SiteDeclaration:
    found += _kind_problems(text)
    return SiteDeclaration(
        **text.model_dump(exclude={"token", "personal_tokens", "url", "identities_url"}),
        url=_checked_url(text, found),
        identities_url=text.identities_url.rstrip("/"),
    )


def _with_plain_names(table: dict[str, Any], found: list[Problem]) -> dict[str, Any]:
    """`pace_api_url` and `pace_token` under their plain names; a tempo site's address where none is given."""
    written = dict(table)
    if table.get("kind") == Site.Kind.TEMPO:
        written.setdefault("url", "https://api.tempo.io")
    if table.get("kind") != Site.Kind.SEVENPACE:
        return written
    for alias, name in (("pace_api_url", "url"), ("pace_token", "token")):
        if alias in table and name in table:
            found.append(Problem(alias, f"is another name for {name}, which stands there too"))
        if alias in table:
            written[name] = written.pop(alias)
    return written


def _validated(
    model: type[BaseModel],
    written: dict[str, Any],
    tables: Mapping[str, list[str]],
    found: list[Problem],
) -> BaseModel | None:
    try:
        return model.model_validate_json(json.dumps(written, default=str))
    except ValidationError as error:
        found += [_without_secret(problem) for problem in problems_of(error, tables)]
        return None


def _without_secret(problem: Problem) -> Problem:
    """What stands where a token is named may be the token itself: it is not repeated."""
    if problem.key == "token" and "required" not in problem.message:
        return Problem("token", 'expected { env = "NAME" } or { file = "path" }, never the secret itself')
    if "token" in problem.key and ", got " in problem.message:
        return Problem(problem.key, problem.message.partition(", got ")[0])
    return problem


def _kind_problems(text: SiteFacts) -> list[Problem]:
    foreign = {key for kind, keys in OWN_KEYS.items() for key in keys if kind != text.kind}
    problems = [
        Problem(key, f"a site of kind {text.kind} has no such key")
        for key in sorted(foreign)
        if getattr(text, key, "")
    ]
    return problems + [
        Problem(key, f"required, and missing: {what}")
        for key, what in REQUIRED[text.kind].items()
        if not getattr(text, key)
    ]


def _checked_url(text: SiteFacts, found: list[Problem]) -> str:
    url = text.url.strip().rstrip("/")
    try:
        if text.kind == Site.Kind.SEVENPACE:
            pace = normalise_url(url)
            check_address(pace.base, allow_local=settings.ALLOW_LOCAL_SITES)
            return pace.shown
        check_address(url, allow_local=settings.ALLOW_LOCAL_SITES)
    except (AddressError, PaceAddressError) as error:
        found.append(Problem("url", str(error)))
    _check_plain("url", url, found)
    if text.identities_url:
        _check_identities(text.identities_url, found)
    return url


def _check_identities(url: str, found: list[Problem]) -> None:
    try:
        check_address(url, allow_local=settings.ALLOW_LOCAL_SITES)
    except AddressError as error:
        found.append(Problem("identities_url", str(error)))
    _check_plain("identities_url", url, found)


def _check_plain(key: str, url: str, found: list[Problem]) -> None:
    if "?" in url or "#" in url:
        found.append(Problem(key, f'expected an address without "?" and "#", got "{url}"'))


def _secrets(text: SiteText, folder: Path, found: list[Problem]) -> dict[str, str]:
    named = [("token", "", text.token)]
    named += [
        (f"personal_tokens[{place}]", token.email, token) for place, token in enumerate(text.personal_tokens)
    ]
    people = Counter(email.casefold() for _, email, _ in named)
    found += [
        Problem("personal_tokens", f"{email} stands here {times} times")
        for email, times in people.items()
        if times > 1
    ]
    return {email: _secret(key, token, folder, found) for key, email, token in named}


def _secret(key: str, token: TokenText, folder: Path, found: list[Problem]) -> str:
    if token.env:
        where, secret = f"the environment variable {token.env}", os.environ.get(token.env)
        missing = f"{where} is not set: set it to the token and apply again"
    else:
        where, secret = f"the file {token.file}", _file_text(folder / (token.file or ""))
        missing = f"{where} cannot be read: put the token there and apply again"
    secret = secret.strip() if secret is not None else None
    if secret is None:
        found.append(Problem(key, missing))
    elif problem := secret_problem(secret):
        found.append(Problem(key, f"{where} {problem}"))
    return secret or ""


def _file_text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def _check_references(
    sites: list[SiteDeclaration], known: Mapping[str, KnownSite], problems: list[str]
) -> None:
    for site in sites:
        problems += [f'site "{site.name}": {problem}' for problem in _companion_problems(site, known)]


def _companion_problems(site: SiteDeclaration, known: Mapping[str, KnownSite]) -> list[Problem]:
    named = {key: name for key in ("jira", "azure") if (name := getattr(site, key))}
    return [
        problem for key, name in named.items() for problem in _reference_problems(key, name, (key,), known)
    ]


def _reference_problems(
    key: str, name: str, kinds: tuple[str, ...], known: Mapping[str, KnownSite]
) -> list[Problem]:
    if name not in known:
        return [Problem(key, f'there is no site named "{name}"{close_to(name, list(known))}')]
    kind = known[name].kind
    if kind in kinds or kind not in Site.Kind.values:
        return []
    return [Problem(key, f'expected a site of kind {" or ".join(kinds)}, and "{name}" is of kind {kind}')]


ENDS = {Connection.Kind.SYNC: ("left", "right"), Connection.Kind.MIGRATION: ("source", "target")}
WORKLOG_SITES = (Site.Kind.JIRA, Site.Kind.TEMPO)
SITES_ALLOWED = {
    "left": WORKLOG_SITES,
    "right": WORKLOG_SITES,
    "source": (Site.Kind.SEVENPACE,),
    "target": WORKLOG_SITES,
}


def _connection(
    table: dict[str, Any], place: str, path: Path, known: Mapping[str, KnownSite], problems: list[str]
) -> ConnectionDeclaration | None:
    found: list[Problem] = []
    whole, people = _with_files(table, path.parent, found)
    declared = _connection_declared(whole, known, found)
    problems += [f"{place}: {problem}" for problem in found]
    return replace(declared, people_from_file=people) if declared and not found else None


def _connection_declared(
    table: dict[str, Any], known: Mapping[str, KnownSite], found: list[Problem]
) -> ConnectionDeclaration | None:
    kind = table.get("kind")
    if kind not in Connection.Kind.values:
        got = json.dumps(kind, default=str)
        found[:] = [Problem("kind", f"expected one of sync, migration, got {got}")]
        return None
    ends = ENDS[Connection.Kind(kind)]
    text = _ends_checked(table, ends, known, found)
    written = _options_written(table, kind, found)
    options = _options(written, kind == Connection.Kind.MIGRATION, found)
    if text is None or options is None:
        return None
    found += _pair_problems(text, ends, options, known)
    return ConnectionDeclaration(**text.model_dump(), options=options)


def _ends_checked(
    table: dict[str, Any], ends: tuple[str, str], known: Mapping[str, KnownSite], found: list[Problem]
) -> ConnectionText | None:
    wrong: list[Problem] = []
    text = _validated(ConnectionText, _ends_by_side(table, ends), {}, wrong)
    found += [Problem(_end_named(problem.key, ends), problem.message) for problem in wrong]
    for end in ends:
        if isinstance(name := table.get(end), str) and name:
            found += _reference_problems(end, name, SITES_ALLOWED[end], known)
    return text if isinstance(text, ConnectionText) else None


def _ends_by_side(table: dict[str, Any], ends: tuple[str, str]) -> dict[str, Any]:
    written = {key: table[key] for key in ("name", "kind") if key in table}
    return written | {
        side: table[end] for side, end in zip(("left", "right"), ends, strict=True) if end in table
    }


def _end_named(key: str, ends: tuple[str, str]) -> str:
    return dict(zip(("left", "right"), ends, strict=True)).get(key, key)


def _pair_problems(
    text: ConnectionText, ends: tuple[str, str], options: ConnectionOptions, known: Mapping[str, KnownSite]
) -> list[Problem]:
    problems = []
    jiras = [_jira_behind(name, known) for name in (text.left, text.right)]
    if jiras[0] and jiras[0] == jiras[1]:
        problems.append(
            Problem(ends[1], f'expected another Jira than that of {ends[0]}: both stand on "{jiras[0]}"')
        )
    for side, end in zip(("left", "right"), ends, strict=True):
        site = known.get(getattr(text, side))
        if site and site.kind != Site.Kind.TEMPO and getattr(options.people.fallback, side):
            problems.append(
                Problem(f"people.fallback.{side}", f"the {end} is no tempo site; only there others can write")
            )
    return problems


def _jira_behind(name: str, known: Mapping[str, KnownSite]) -> str:
    site = known.get(name)
    if site is None:
        return ""
    return name if site.kind == Site.Kind.JIRA else site.jira


def _options(written: dict[str, Any], migration: bool, found: list[Problem]) -> ConnectionOptions | None:
    told = {problem.key.removesuffix("_file") for problem in found}
    try:
        return parse_options(written, migration)
    except OptionsError as error:
        found += [problem for problem in error.problems if problem.key not in told]
        return None


def _options_written(table: dict[str, Any], kind: str, found: list[Problem]) -> dict[str, Any]:
    ends = ENDS[Connection.Kind(kind)]
    foreign = {end for pair in ENDS.values() for end in pair} - set(ends)
    found += [
        Problem(end, f"a {kind} names its {ends[0]} and {ends[1]}") for end in sorted(foreign & table.keys())
    ]
    return {key: value for key, value in table.items() if key not in {"name", "kind", *ends, *foreign}}


def _with_files(
    table: dict[str, Any], folder: Path, found: list[Problem]
) -> tuple[dict[str, Any], frozenset[Pair]]:
    """The connection with what stands in the files it names. Also: the people from a file."""
    whole = dict(table)
    columns = (WORK_ITEM, ISSUE) if table.get("kind") == Connection.Kind.MIGRATION else (LEFT, RIGHT)
    _take_in_pairs(whole, "issues", folder, columns, found)
    people = _take_in_pairs(whole, "people", folder, (LEFT, RIGHT), found)
    _take_in_ids(whole, folder, found)
    return whole, frozenset(people)


def _take_in_pairs(
    options: dict[str, Any],
    name: str,
    folder: Path,
    columns: tuple[tuple[str, ...], tuple[str, ...]],
    found: list[Problem],
) -> list[Pair]:
    table = options.get(name)
    if not isinstance(table, dict) or not isinstance(table.get("pairs_file"), str):
        return []
    try:
        pairs = read_pairs(folder / table["pairs_file"], *columns)
    except PairFileError as error:
        found += [Problem(f"{name}.pairs_file", problem) for problem in error.problems]
        pairs = []
    inline = table.get("pairs", [])
    both = [*inline, *map(list, pairs)] if isinstance(inline, list) else inline
    options[name] = {key: value for key, value in table.items() if key != "pairs_file"} | {"pairs": both}
    return pairs


def _take_in_ids(options: dict[str, Any], folder: Path, found: list[Problem]) -> None:
    scope = options.get("scope")
    if not isinstance(scope, dict) or not isinstance(scope.get("ids_file"), str):
        return
    try:
        ids = read_ids(folder / scope["ids_file"])
    except PairFileError as error:
        found += [Problem("scope.ids_file", problem) for problem in error.problems]
        del options["scope"]
        return
    rest = {key: value for key, value in scope.items() if key != "ids_file"}
    options["scope"] = rest | {"ids": [*rest.get("ids", []), *ids]}
