"""What a connection needs of its sites, asked of the sites themselves."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.utils import timezone

from connections.budgets import budget_for
from connections.clients.azure import AzureClient
from connections.clients.http import FaultKind, Gate, SiteError
from connections.clients.jira import JiraClient
from connections.clients.sevenpace import SevenPaceClient
from connections.clients.tempo import TempoClient
from connections.models import Connection, ConnectionCheck, Site, Token
from connections.opening import open_client, open_jira
from connections.options import (
    ConnectionOptions,
    Deletes,
    Direction,
    Lookalikes,
    Match,
    PeopleMatch,
    Projects,
    Read,
)
from connections.permissions import (
    Right,
    Role,
    TeamRight,
    holds_for_all,
    rights_needed,
    team_rights_needed,
)
from connections.tokens import TokenError

PATIENCE = 10.0
# A feed is asked for so little that its answer is short; it is the permission that matters.
SHORT_WHILE = timedelta(minutes=5)
SOME_PROJECTS = 50
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


@dataclass
class Owner:
    """Whom one side's sites were opened as, and what that account holds in Jira: filled in by the jira site, read by
    the tempo site that stands on it."""

    account: str = ""
    rights: set[Right] = field(default_factory=set)


@dataclass(frozen=True)
class Examination:
    """One site of one connection, and where its findings go."""

    site: Site
    end: Site
    role: Role
    owner: Owner
    connection: Connection
    options: ConnectionOptions
    checkup: Checkup

    @property
    def other(self) -> Site:
        """The other side of the connection."""
        return self.connection.left if self.end == self.connection.right else self.connection.right

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
        owner = Owner()
        for site in filter(None, (end.companion, end)):
            _examine(Examination(site, end, role, owner, connection, options, checkup))
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
    if connection.is_migration:
        source = Role(reads=True, writes=False, of_others=False)
        return [(connection.left, source), (connection.right, Role(False, True, False))]
    # An entry that was linked, not written, is somebody else's; in both directions all of them are.
    of_others = options.direction is Direction.BOTH or options.lookalikes is Lookalikes.LINK
    to_left = options.direction in (Direction.RIGHT_TO_LEFT, Direction.BOTH)
    to_right = options.direction in (Direction.LEFT_TO_RIGHT, Direction.BOTH)
    return [
        (connection.left, Role(reads=to_right, writes=to_left, of_others=of_others)),
        (connection.right, Role(reads=to_left, writes=to_right, of_others=of_others)),
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


# --- Jira


def _ask_jira(case: Examination, client: JiraClient) -> None:
    me = client.myself()
    Site.objects.filter(pk=case.site.pk).update(account_id=me.get("accountId", ""))
    case.owner.account = me.get("accountId", "")
    case.note("identity", True, "everything", "")
    _ask_time_tracking(case, client)
    known = case.ask("permissions", "knowing what the account may do", client.all_permissions)
    _ask_rights(case, client, known)
    if case.options.people.match is PeopleMatch.EMAIL:
        _ask_people(case, client, me)
    _ask_issue_rule(case, client)
    if case.end.kind == Site.Kind.JIRA:
        _ask_native(case, client, known or [])


def _ask_native(case: Examination, client: JiraClient, known: list[str]) -> None:
    """Worklogs are read and written in Jira itself."""
    if _is_synced(case):
        _ask_feeds(case, client)
    _tell_of_tempo(case, known)
    if case.role.writes:
        _ask_personal_tokens(case)


def _is_synced(case: Examination) -> bool:
    """Whether changes that begin here are looked for, again and again."""
    return case.role.reads and not case.connection.is_migration


def _ask_feeds(case: Examination, client: JiraClient) -> None:
    since = timezone.now() - SHORT_WHILE
    _ask_feed(case, "changed worklogs", "finding what is new", lambda: client.updated_worklogs(since))
    if case.options.deletes is not Deletes.KEEP:
        needed_for = "carrying deletions"
        _ask_feed(case, "deleted worklogs", needed_for, lambda: client.deleted_worklogs(since))


def _ask_feed(case: Examination, what: str, needed_for: str, feed: Callable[[], Iterator[Any]]) -> None:
    """Its first page will do."""
    if case.ask(what, needed_for, lambda: next(feed(), None) or True):
        case.note(what, True, needed_for, "")


def _ask_time_tracking(case: Examination, client: JiraClient) -> None:
    what, needed_for = "time tracking", "any worklog at all"
    configuration = case.ask(what, needed_for, client.configuration)
    if configuration is not None:
        remedy = "Turn it on: Jira settings > Work items (Issues) > Time tracking > Activate."
        case.note(what, configuration.get("timeTrackingEnabled") is True, needed_for, remedy)


def _ask_rights(case: Examination, client: JiraClient, known: list[str] | None) -> None:
    rights = rights_needed(
        case.role,
        tempo=case.end.kind == Site.Kind.TEMPO,
        by_email=case.options.people.match is PeopleMatch.EMAIL,
        webhooks=_is_synced(case) and bool(settings.PUBLIC_URL),
    )
    keys = {right: right.keys_among(known) for right in rights}
    asked = sorted({key for found in keys.values() for key in found})
    held = case.ask("permissions", "reading and writing worklogs", lambda: client.my_permissions(asked)) or {}
    if asked and not held:
        return
    for right, found in keys.items():
        is_held = right.is_held(found, held)
        case.note(f"permission {right.name}", is_held, right.needed_for, _grant(case, right))
        if is_held:
            case.owner.rights.add(right)


def _grant(case: Examination, right: Right) -> str:
    account = case.site.email
    if right.is_global:
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


def _ask_issue_rule(case: Examination, client: JiraClient) -> None:
    """What the rule for issues goes by, on the side that holds it."""
    issues = case.options.issues
    holder = case.connection.left if issues.on == "left" else case.connection.right
    if case.end != holder:
        return
    if issues.match is Match.FIELD:
        _ask_field(case, client)
    if issues.match is Match.LINK:
        _ask_links(case, client)


def _ask_field(case: Examination, client: JiraClient) -> None:
    """Exactly one field has that id or name."""
    wanted = case.options.issues.field
    what, needed_for = f'field "{wanted}"', "finding the other side's issue"
    fields = case.ask(what, needed_for, client.fields)
    if fields is None:
        return
    found = [each["id"] for each in fields if wanted in (each.get("id"), each.get("name"))]
    remedy = "Make it, or correct issues.field: Jira settings > Work items (Issues) > Custom fields."
    if len(found) > 1:
        remedy = f"Several fields have this name: write one of the ids {', '.join(found)} into issues.field."
    case.note(what, len(found) == 1, needed_for, remedy)


def _ask_links(case: Examination, client: JiraClient) -> None:
    """Tried on the newest issue that is seen."""
    what, needed_for = "remote links", "finding the other side's issue"
    issue = case.ask(what, needed_for, lambda: _some_issue(client) or "")
    if issue == "":
        remedy = "No issue is seen to try it on. Let the account browse the projects concerned."
        case.note(what, None, needed_for, remedy)
    elif issue and case.ask(what, needed_for, lambda: client.remote_links(issue)) is not None:
        case.note(what, True, needed_for, "")


def _some_issue(client: JiraClient) -> str | None:
    keys = [json.dumps(str(project["key"])) for project in client.projects()[:SOME_PROJECTS]]
    if not keys:
        return None
    query = f"project in ({', '.join(keys)}) ORDER BY created DESC"
    rows, _ = next(client.search_pages(query, most=1), ([], ""))
    return rows[0]["id"] if rows else None


def _tell_of_tempo(case: Examination, known: list[str]) -> None:
    if not any(key.endswith("__log-work-for-others") for key in known):
        return
    what, needed_for = "Tempo on this Jira", "knowing where worklogs show"
    if not case.connection.is_migration:
        remedy = (
            "Tempo stands on this Jira, and what people log in it shows here as Tempo's own, often without its text. "
            f"Add a tempo site on {case.site.name} and make it this side of the connection."
        )
        case.note(what, None, needed_for, remedy)
        return
    word = (
        "Tempo stands on this Jira: worklogs written here show in Tempo too, as the account that wrote "
        "them. A tempo site as the target would write them as their true authors."
    )
    case.say(what, needed_for, word)


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


# --- Tempo


def _ask_tempo(case: Examination, client: TempoClient) -> None:
    configuration = client.configuration()
    case.note("token", True, "everything", "")
    if not case.connection.is_migration:
        _ask_reading(case, client)
        _ask_team_rights(case, client)
    if case.role.writes:
        _tell_of_limits(case, configuration)
        attributes = case.ask("work attributes", "writing attributes", client.work_attributes)
        if attributes is not None:
            _ask_required_attributes(case, attributes)
            _ask_marker_attribute(case, attributes)


def _ask_reading(case: Examination, client: TempoClient) -> None:
    """A token that may only view may be refused what is asked for by POST, though it changes nothing."""
    today = timezone.now().date()
    needed_for = "reading entries, and what stands on the other side already"
    _ask_feed(case, "may search worklogs", needed_for, lambda: client.search_worklogs(from_=today, to=today))
    if not _is_synced(case):
        return
    since = timezone.now() - SHORT_WHILE
    _ask_feed(case, "changed worklogs", "finding what is new", lambda: client.changed_worklogs(since))
    if case.options.deletes is not Deletes.KEEP:
        needed_for = "carrying deletions: Tempo's lists show none"
        _ask_feed(case, "deletion records", needed_for, lambda: client.deleted_worklogs(since))
    if settings.PUBLIC_URL:
        _ask_webhooks(case, client)


def _ask_webhooks(case: Examination, client: TempoClient) -> None:
    """Changes are found without them too, only later."""
    what, needed_for = "webhooks", "near real time; without them changes are found when the next run asks"
    if not settings.PUBLIC_URL.startswith("https://"):
        case.note(what, None, needed_for, "Tempo calls https addresses only: give PUBLIC_URL one.")
        return
    try:
        client.webhooks()
    except SiteError as error:
        if _is_lost(error):
            raise
        case.note(what, None, needed_for, error.message)
        return
    case.note(what, True, needed_for, "")


def _ask_team_rights(case: Examination, client: TempoClient) -> None:
    """Rights in Jira cover them; else Tempo's permission roles tell, if it shows them and they are for everybody."""
    wanted = [right for right in team_rights_needed(case.role) if not right.covered_by <= case.owner.rights]
    for right in team_rights_needed(case.role):
        if right not in wanted:
            case.note(_named(right), True, right.needed_for, "")
    roles = _permission_roles(client) if wanted else []
    for right in wanted:
        remedy = (
            f'No API tells whether {case.owner.account or "the account"} has "{right.name}" in every team concerned: '
            "see Tempo > Settings > Permission roles, and Tempo > Teams > Permissions."
        )
        good = holds_for_all(right, roles, case.owner.account) or None
        case.note(_named(right), good, right.needed_for, remedy)


def _named(right: TeamRight) -> str:
    return f"team permission {right.name} (Tempo)"


def _permission_roles(client: TempoClient) -> list[dict[str, Any]]:
    """None where Tempo does not show them to the account."""
    try:
        return client.permission_roles()
    except SiteError as error:
        if _is_lost(error):
            raise
        return []


def _tell_of_limits(case: Examination, configuration: dict[str, Any]) -> None:
    if configuration.get("worklogDescriptionOptional") is False:
        remedy = (
            "Entries without a text will be refused: Tempo > Settings > Time tracking: description optional."
        )
        case.note("description optional", None, "entries without a text", remedy)
    ahead, a_day = (
        configuration.get(name) for name in ("numberOfDaysAllowedIntoFuture", "maxHoursPerDayPerUser")
    )
    if ahead is not None:
        word = f"Tempo takes entries up to {ahead} days ahead. Later ones wait with entry_invalid until then."
        case.say("days into the future", "entries that lie ahead", word)
    if a_day is not None:
        word = f"Tempo takes {a_day} hours a day from one person. What goes beyond waits with entry_invalid."
        case.say("hours a day", "long days", word)


def _ask_required_attributes(case: Examination, attributes: list[dict[str, Any]]) -> None:
    """No run sets a value by the rules yet: between two Tempos the other side's entry may bring one, else none has."""
    needed = [
        each for each in attributes if each.get("required") and each.get("key") != case.site.marker_attribute
    ]
    given = _attributes_of_other(case) if needed else []
    for attribute in needed:
        remedy = (
            "Make it optional: Tempo > Settings > Work attributes. Until then every entry without a value for it "
            f'("{attribute.get("key")}") waits with attribute_required: this version sets no attribute by '
            "[connection.rules] yet."
        )
        good = None if given is None else _is_given(attribute, given)
        case.note(f'required attribute "{attribute.get("name")}"', good, "every entry written", remedy)


def _attributes_of_other(case: Examination) -> list[dict[str, Any]] | None:
    """None where it does not tell; what is wrong with it is found when that side is examined."""
    try:
        client = open_client(case.other, _gate(case.other))
        return client.work_attributes() if isinstance(client, TempoClient) else []
    except (SiteError, TokenError):
        return None


def _is_given(attribute: dict[str, Any], given: list[dict[str, Any]]) -> bool | None:
    """Whether the other side's entries bring a value: all of them, some of them (None), or none. By key, else name."""
    same = [each for each in given if each.get("key") == attribute.get("key")]
    same = same or [each for each in given if each.get("name") == attribute.get("name")]
    if not same:
        return False
    return True if any(each.get("required") for each in same) else None


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


# --- 7pace and Azure DevOps


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
