"""What a connection needs of its sites, asked of the sites themselves."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from django.utils import timezone

from connections.budgets import budget_for
from connections.clients.azure import AzureClient
from connections.clients.http import FaultKind, Gate, SiteError
from connections.clients.jira import JiraClient
from connections.clients.sevenpace import SevenPaceClient
from connections.clients.tempo import TempoClient
from connections.models import Connection, ConnectionCheck, Site, Token
from connections.opening import open_client, open_jira
from connections.options import ConnectionOptions, Direction, Match, PeopleMatch, Projects, Read
from connections.tokens import TokenError

PATIENCE = 10.0
UNREACHED = {"auth_failed", "site_unavailable", "rate_limited"}


class State(StrEnum):
    OK = "ok"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Check:
    """One thing that was asked: at which site, what came out, what needs it, and what to do."""

    site: str
    what: str
    state: State
    needed_for: str
    remedy: str = ""


@dataclass
class Checkup:
    """Everything found. `lost` are the sites that were not reached or refused their token: (code, message)."""

    checks: list[Check] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The exit status: 0 all there, 1 something missing, 2 a side not reached or its token refused."""
        if self.lost:
            return 2
        return int(any(check.state is State.MISSING for check in self.checks))

    def as_json(self) -> dict[str, Any]:
        return {"checks": [asdict(check) for check in self.checks]}


@dataclass(frozen=True)
class Role:
    """What a connection does on one of its sides."""

    writes: bool
    of_others: bool
    """Whether it also corrects and deletes entries that it did not write itself."""


@dataclass(frozen=True)
class Examination:
    """One site of one connection, and where its findings go."""

    site: Site
    end: Site
    role: Role
    connection: Connection
    options: ConnectionOptions
    checkup: Checkup

    def note(self, what: str, good: bool | None, needed_for: str, remedy: str) -> None:
        """`good` None is unknown. A remedy is only given where something is to be done."""
        state = State.UNKNOWN if good is None else State.OK if good else State.MISSING
        self.checkup.checks.append(Check(self.site.name, what, state, needed_for, "" if good else remedy))

    def say(self, what: str, needed_for: str, word: str) -> None:
        """Something that is as it should be, and worth knowing."""
        self.checkup.checks.append(Check(self.site.name, what, State.OK, needed_for, word))

    def ask[T](self, what: str, needed_for: str, question: Callable[[], T]) -> T | None:
        """The answer; None, with the finding noted, where the site will not tell."""
        try:
            return question()
        except SiteError as error:
            if _is_lost(error):
                raise
            missing = error.code == "no_permission"
            self.note(what, False if missing else None, needed_for, error.message)
            return None


def check(connection: Connection) -> Checkup:
    """Ask both sides, and the sites behind them, for everything this connection needs.

    Keeps what was found, the state of each token and the account each site was opened with.
    """
    checkup = Checkup()
    options = connection.get_options()
    for end, role in _roles(connection, options):
        for site in filter(None, (end, end.companion)):
            _examine(Examination(site, end, role, connection, options, checkup))
    _keep(connection, checkup)
    return checkup


STATUSES = (ConnectionCheck.Status.OK, ConnectionCheck.Status.MISSING, ConnectionCheck.Status.UNREACHABLE)


def _keep(connection: Connection, checkup: Checkup) -> None:
    found = {"at": timezone.now(), "status": STATUSES[checkup.status], **checkup.as_json()}
    ConnectionCheck.objects.update_or_create(connection=connection, defaults=found)


def knock(site: Site) -> str:
    """Try the site's own token, and keep what came of it. Returns what went wrong; empty where nothing did."""
    try:
        client = open_client(site, _gate(site))
        _GREETINGS[Site.Kind(site.kind)](client)
    except TokenError as error:
        return str(error)
    except SiteError as error:
        refused = error.code == "auth_failed"
        _remember(site.own_token, Token.Check.REFUSED if refused else Token.Check.UNREACHABLE)
        return error.message
    _remember(site.own_token, Token.Check.OK)
    return ""


def _roles(connection: Connection, options: ConnectionOptions) -> list[tuple[Site, Role]]:
    reads, writes = (
        Role(writes=False, of_others=False),
        Role(writes=True, of_others=not connection.is_migration),
    )
    left = Direction.RIGHT_TO_LEFT, Direction.BOTH
    right = Direction.LEFT_TO_RIGHT, Direction.BOTH
    if connection.is_migration:
        return [(connection.left, reads), (connection.right, writes)]
    return [
        (connection.left, writes if options.direction in left else reads),
        (connection.right, writes if options.direction in right else reads),
    ]


def _examine(case: Examination) -> None:
    needed_for = "everything: the site is opened with it"
    try:
        client = open_client(case.site, _gate(case.site))
        _QUESTIONS[Site.Kind(case.site.kind)](case, client)
        _remember(case.site.own_token, Token.Check.OK)
    except TokenError as error:
        case.note("token", False, needed_for, str(error))
        case.checkup.lost.append(("auth_failed", str(error)))
    except SiteError as error:
        refused = error.code == "auth_failed"
        _remember(case.site.own_token, Token.Check.REFUSED if refused else Token.Check.UNREACHABLE)
        case.note("token" if refused else "reachable", False if refused else None, needed_for, error.message)
        case.checkup.lost.append((error.code, error.message))


def _gate(site: Site) -> Gate:
    return Gate(budget_for(site), patience=PATIENCE)


def _is_lost(error: SiteError) -> bool:
    return error.kind is FaultKind.STOPS or error.code in UNREACHED


def _remember(token: Token | None, state: Token.Check) -> None:
    if token:
        Token.objects.filter(pk=token.pk).update(last_check_at=timezone.now(), last_check_state=state)


@dataclass(frozen=True)
class Right:
    """A Jira permission: any of `keys` will do. Keys of Tempo are told by their end, their beginning may change."""

    name: str
    keys: tuple[str, ...]
    needed_for: str
    essential: bool = True
    """False where the same right may be had in another way that Jira does not know of."""


BROWSE = Right("Browse Projects", ("BROWSE_PROJECTS",), "reading issues and their worklogs")
BROWSE_USERS = Right(
    "Browse users and groups", ("USER_PICKER",), "finding people by e-mail; without it nobody is found"
)
WORK_ON_ISSUES = Right("Work On Issues", ("WORK_ON_ISSUES",), "writing worklogs")
EDIT_OWN = Right(
    "Edit Own Worklogs", ("EDIT_OWN_WORKLOGS", "EDIT_ALL_WORKLOGS"), "carrying corrections into own copies"
)
DELETE_OWN = Right(
    "Delete Own Worklogs",
    ("DELETE_OWN_WORKLOGS", "DELETE_ALL_WORKLOGS"),
    "undoing a run, removing own copies",
)
EDIT_ALL = Right(
    "Edit All Worklogs", ("EDIT_ALL_WORKLOGS",), "carrying corrections into other people's entries"
)
DELETE_ALL = Right("Delete All Worklogs", ("DELETE_ALL_WORKLOGS",), "deleting other people's entries")
LOG_FOR_OTHERS = Right(
    "Log Work For Others (Tempo)", ("__log-work-for-others",), "writing entries as their true authors"
)
VIEW_ALL = Right(
    "View All Worklogs (Tempo)",
    ("__view-all-worklogs",),
    "reading everybody's entries: what is hidden is silently left out",
    essential=False,
)
SET_BILLABLE = Right(
    "Set Billable Hours (Tempo)", ("__set-billable-hours",), "billable hours that differ", essential=False
)


def _rights(case: Examination) -> list[Right]:
    tempo = case.end.kind == Site.Kind.TEMPO
    rights = [BROWSE, VIEW_ALL] if tempo else [BROWSE]
    if case.options.people.match is PeopleMatch.EMAIL:
        rights.append(BROWSE_USERS)
    if not case.role.writes:
        return rights
    rights.append(WORK_ON_ISSUES)
    rights += [EDIT_ALL, DELETE_ALL] if tempo or case.role.of_others else [EDIT_OWN, DELETE_OWN]
    return rights + ([LOG_FOR_OTHERS, SET_BILLABLE] if tempo else [])


def _ask_jira(case: Examination, client: JiraClient) -> None:
    me = client.myself()
    Site.objects.filter(pk=case.site.pk).update(account_id=me.get("accountId", ""))
    case.note("identity", True, "everything", "")
    _ask_time_tracking(case, client)
    known = case.ask("permissions", "knowing what the account may do", client.all_permissions)
    _ask_rights(case, client, _rights(case), known)
    if case.options.people.match is PeopleMatch.EMAIL:
        _ask_people(case, client, me)
    _ask_field(case, client)
    if case.role.writes and case.end.kind == Site.Kind.JIRA:
        _tell_of_tempo(case, known or [])
        _ask_personal_tokens(case)


def _ask_time_tracking(case: Examination, client: JiraClient) -> None:
    what, needed_for = "time tracking", "any worklog at all"
    configuration = case.ask(what, needed_for, client.configuration)
    if configuration is not None:
        remedy = "Turn it on: Jira settings > Work items (Issues) > Time tracking > Activate."
        case.note(what, configuration.get("timeTrackingEnabled") is True, needed_for, remedy)


def _ask_rights(
    case: Examination, client: JiraClient, rights: Iterable[Right], known: list[str] | None
) -> None:
    keys = {right: _keys_known(right, known) for right in rights}
    asked = sorted({key for found in keys.values() for key in found})
    held = case.ask("permissions", "reading and writing worklogs", lambda: client.my_permissions(asked)) or {}
    for right, found in keys.items():
        if held or not asked:
            case.note(
                f"permission {right.name}", _holds(right, found, held), right.needed_for, _grant(case, right)
            )


def _keys_known(right: Right, known: list[str] | None) -> list[str]:
    if known is None:
        return [key for key in right.keys if not key.startswith("__")]
    return [key for key in known if any(_is_key(key, wanted) for wanted in right.keys)]


def _is_key(key: str, wanted: str) -> bool:
    return key.endswith(wanted) if wanted.startswith("__") else key == wanted


def _holds(right: Right, keys: list[str], held: dict[str, bool]) -> bool | None:
    """None where Jira does not know the permission, or does not have the last word on it."""
    if any(held.get(key) for key in keys):
        return True
    return False if keys and right.essential else None


def _grant(case: Examination, right: Right) -> str:
    account = case.site.email
    if right is BROWSE_USERS:
        return f'Give {account} "{right.name}": Jira settings > System > Global permissions.'
    return (
        f'Give {account} "{right.name}" in every project concerned: project settings > Permissions '
        "(permission scheme)."
    )


def _ask_people(case: Examination, client: JiraClient, me: dict[str, Any]) -> None:
    what, needed_for = "e-mails visible", "finding people by e-mail"
    remedy = (
        f"Looking for {case.site.email} by e-mail did not find the account itself. People whose e-mail is hidden "
        "are not found: let them show it (id.atlassian.com > Profile and visibility), or name them in people.pairs."
    )
    found = case.ask(what, needed_for, lambda: client.users_by_email(case.site.email))
    if found is not None:
        seen = any(user.get("accountId") == me.get("accountId") for user in found)
        case.note(what, True if seen else None, needed_for, remedy)


def _ask_field(case: Examination, client: JiraClient) -> None:
    """`match = "field"`: exactly one field has that id or name, on the side that holds it."""
    issues = case.options.issues
    holder = case.connection.left if issues.on == "left" else case.connection.right
    if issues.match is not Match.FIELD or case.end != holder:
        return
    what, needed_for = f'field "{issues.field}"', "finding the other side's issue"
    fields = case.ask(what, needed_for, client.fields)
    if fields is None:
        return
    found = [each["id"] for each in fields if issues.field in (each.get("id"), each.get("name"))]
    remedy = "Make it, or correct issues.field: Jira settings > Work items (Issues) > Custom fields."
    if len(found) > 1:
        remedy = f"Several fields have this name: write one of the ids {', '.join(found)} into issues.field."
    case.note(what, len(found) == 1, needed_for, remedy)


def _tell_of_tempo(case: Examination, known: list[str]) -> None:
    if any(_is_key(key, "__log-work-for-others") for key in known):
        word = (
            "Tempo stands on this Jira: worklogs written here show in Tempo too, as the account that wrote "
            "them. A tempo site as the target would write them as their true authors."
        )
        case.say("Tempo on this Jira", "knowing where worklogs show", word)


def _ask_personal_tokens(case: Examination) -> None:
    for token in case.site.tokens.exclude(email=""):
        what, needed_for = f"personal token of {token.email}", f"writing as {token.email}"
        remedy = (
            f"Have {token.email} make a new one (id.atlassian.com > Security > API tokens) and apply again."
        )
        try:
            client = open_jira(case.site, _gate(case.site), token.email)
            email = client.myself().get("emailAddress") or token.email
        except (SiteError, TokenError) as error:
            unreached = isinstance(error, SiteError) and error.code != "auth_failed"
            _remember(token, Token.Check.UNREACHABLE if unreached else Token.Check.REFUSED)
            case.note(what, None if unreached else False, needed_for, f"{error} {remedy}")
            continue
        _remember(token, Token.Check.OK)
        other = f"It opens the account of {email}: it must be {token.email}'s own. {remedy}"
        case.note(what, email.casefold() == token.email.casefold(), needed_for, other)


def _ask_tempo(case: Examination, client: TempoClient) -> None:
    configuration = client.configuration()
    case.note("token", True, "everything", "")
    if not case.role.writes:
        return
    if configuration.get("worklogDescriptionOptional") is False:
        remedy = (
            "Entries without a text will be refused: Tempo > Settings > Time tracking: description optional."
        )
        case.note("description optional", None, "entries without a text", remedy)
    attributes = case.ask("work attributes", "writing attributes", client.work_attributes)
    if attributes is not None:
        _ask_required_attributes(case, attributes)
        _ask_marker_attribute(case, attributes)


def _ask_required_attributes(case: Examination, attributes: list[dict[str, Any]]) -> None:
    """No run sets a value by the rules yet: between two Tempos the other side's entry may bring one, else none has."""
    other = case.connection.left if case.end == case.connection.right else case.connection.right
    good = None if other.kind == Site.Kind.TEMPO else False
    for attribute in attributes:
        key = attribute.get("key")
        if not attribute.get("required") or (key and key == case.site.marker_attribute):
            continue
        remedy = (
            "Make it optional: Tempo > Settings > Work attributes. Until then every entry without a value for it "
            f'("{key}") waits with attribute_required: this version sets no attribute by [connection.rules] yet.'
        )
        case.note(f'required attribute "{attribute.get("name")}"', good, "every entry written", remedy)


def _ask_marker_attribute(case: Examination, attributes: list[dict[str, Any]]) -> None:
    if not (wanted := case.site.marker_attribute):
        return
    fields = [each for each in attributes if each.get("type") == "INPUT_FIELD"]
    good = any(each.get("key") == wanted for each in fields)
    what = f'marker attribute "{wanted}"'
    remedy = "Make one of type input field, Tempo > Settings > Work attributes, or take marker_attribute out."
    if named := [f'"{each.get("key")}"' for each in fields if each.get("name") == wanted]:
        remedy = f"That is its name; worklogs bear its key: set marker_attribute = {' or '.join(named)}."
    case.note(what, good, "finding own copies again after a broken call", remedy)


def _ask_sevenpace(case: Examination, client: SevenPaceClient) -> None:
    client.me()
    case.note("identity", True, "everything", "")
    if case.options.read is Read.REST:
        what, question = "may read everybody's worklogs", client.try_worklogs
    else:
        what, question = "may read the reporting API (OData)", client.try_odata
    needed_for = "reading the source"
    if case.ask(what, needed_for, lambda: question() or True):
        case.note(what, True, needed_for, "")


def _ask_azure(case: Examination, client: AzureClient) -> None:
    owner = client.connection_data().get("authenticatedUser") or {}
    case.note("identity", True, "everything", "")
    what, needed_for = "may read identities", "e-mails of people that 7pace gives none of"
    if owner.get("id") and case.ask(what, needed_for, lambda: client.identities([owner["id"]])) is not None:
        case.note(what, True, needed_for, "")
    scope = case.options.scope
    if isinstance(scope, Projects):
        _ask_projects(case, client, scope)


def _ask_projects(case: Examination, client: AzureClient, scope: Projects) -> None:
    needed_for = "the scope of the migration"
    projects = case.ask("projects", needed_for, client.projects)
    if projects is None:
        return
    names = {project.get("name", "").casefold() for project in projects}
    for name in scope.projects:
        remedy = "Correct scope.projects, or let the token's owner into the project."
        case.note(f'project "{name}"', name.casefold() in names, needed_for, remedy)
    what = "may read work items"
    if case.ask(what, needed_for, lambda: next(client.work_item_ids(scope.projects), [])) is not None:
        case.note(what, True, needed_for, "")


_QUESTIONS: dict[Site.Kind, Callable[[Examination, Any], None]] = {
    Site.Kind.JIRA: _ask_jira,
    Site.Kind.TEMPO: _ask_tempo,
    Site.Kind.SEVENPACE: _ask_sevenpace,
    Site.Kind.AZURE: _ask_azure,
}

_GREETINGS: dict[Site.Kind, Callable[[Any], Any]] = {
    Site.Kind.JIRA: JiraClient.myself,
    Site.Kind.TEMPO: TempoClient.configuration,
    Site.Kind.SEVENPACE: SevenPaceClient.me,
    Site.Kind.AZURE: AzureClient.connection_data,
}
