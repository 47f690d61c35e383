"""What an account has to be allowed in Jira, and in the Tempo on it, for what a connection does there. Pure.

Sources: the Jira v3 OpenAPI (permissions of each worklog call), and Tempo's help pages on permissions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Role:
    """What a connection does on one of its sides."""

    reads: bool
    """Whether what begins or changes there is carried to the other side."""
    writes: bool
    of_others: bool
    """Whether it also corrects and deletes entries that it did not write itself."""


@dataclass(frozen=True, slots=True)
class Right:
    """A Jira permission: any of `keys` will do. Keys of Tempo are told by their end, their beginning may change."""

    name: str
    keys: tuple[str, ...]
    needed_for: str
    essential: bool = True
    """False where the same right may be had in another way that Jira does not know of, or something else will do."""
    is_global: bool = False
    """Given to the whole site, not project by project."""

    def keys_among(self, known: list[str] | None) -> list[str]:
        """Its keys as the site calls them; `known` None where the site does not tell which it has."""
        if known is None:
            return [key for key in self.keys if not key.startswith("__")]
        return [key for key in known if any(_is_key(key, wanted) for wanted in self.keys)]

    def is_held(self, keys: list[str], held: dict[str, bool]) -> bool | None:
        """None where Jira does not know the permission, or does not have the last word on it."""
        if any(held.get(key) for key in keys):
            return True
        return False if keys and self.essential else None


def _is_key(key: str, wanted: str) -> bool:
    return key.endswith(wanted) if wanted.startswith("__") else key == wanted


BROWSE = Right("Browse Projects", ("BROWSE_PROJECTS",), "reading issues and their worklogs")
BROWSE_USERS = Right(
    "Browse users and groups",
    ("USER_PICKER",),
    "finding people by e-mail; without it nobody is found",
    is_global=True,
)
WORK_ON_ISSUES = Right("Work On Issues", ("WORK_ON_ISSUES",), "writing worklogs")
EDIT_OWN = Right(
    "Edit Own Worklogs", ("EDIT_OWN_WORKLOGS", "EDIT_ALL_WORKLOGS"), "carrying corrections into own copies"
)
DELETE_OWN = Right(
    "Delete Own Worklogs",
    ("DELETE_OWN_WORKLOGS", "DELETE_ALL_WORKLOGS"),
    "removing own copies, and moving them to another issue",
)
EDIT_ALL = Right(
    "Edit All Worklogs", ("EDIT_ALL_WORKLOGS",), "carrying corrections into other people's entries"
)
DELETE_ALL = Right(
    "Delete All Worklogs",
    ("DELETE_ALL_WORKLOGS",),
    "deleting other people's entries, and moving them to another issue",
)
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
ADMINISTER = Right(
    "Administer Jira",
    ("ADMINISTER",),
    "registering webhooks; without it changes are found when the next run asks for them",
    essential=False,
    is_global=True,
)


def rights_needed(role: Role, tempo: bool, by_email: bool, webhooks: bool) -> list[Right]:
    """What the account needs in Jira, for worklogs that are read and written there or, `tempo`, in the Tempo on it.

    `by_email`: people are found by their e-mails; `webhooks`: this installation can be told of changes.
    """
    rights = [BROWSE, VIEW_ALL] if tempo else [BROWSE]
    if by_email:
        rights.append(BROWSE_USERS)
    if role.writes:
        rights.append(WORK_ON_ISSUES)
        rights += [EDIT_ALL, DELETE_ALL] if tempo or role.of_others else [EDIT_OWN, DELETE_OWN]
        rights += [LOG_FOR_OTHERS, SET_BILLABLE] if tempo else []
    if webhooks and role.reads and not tempo:
        rights.append(ADMINISTER)
    return rights


@dataclass(frozen=True, slots=True)
class TeamRight:
    """A permission that Tempo's permission roles give, for the members of a team or for everybody.

    `covered_by`: the rights in Jira that together come to the same for every project they are held in.
    """

    name: str
    key: str
    covered_by: frozenset[Right]
    needed_for: str


VIEW_WORKLOGS = TeamRight(
    "View Worklogs", "worklog.view", frozenset({VIEW_ALL}), "reading everybody's entries"
)
MANAGE_WORKLOGS = TeamRight(
    "Manage Worklogs",
    "worklog.manage",
    frozenset({LOG_FOR_OTHERS, EDIT_ALL, DELETE_ALL}),
    "writing, changing and deleting everybody's entries",
)


def team_rights_needed(role: Role) -> list[TeamRight]:
    return [VIEW_WORKLOGS, MANAGE_WORKLOGS] if role.writes else [VIEW_WORKLOGS]


def holds_for_all(right: TeamRight, roles: Iterable[dict[str, Any]], account: str) -> bool:
    """Whether one of Tempo's permission roles gives it to the account for everybody, not for a team only."""
    return any(
        role.get("accessType") == "GLOBAL"
        and any(str(each.get("key", "")).endswith(right.key) for each in role.get("permissions") or ())
        and any(user.get("accountId") == account for user in role.get("permittedUsers") or ())
        for role in roles
    )
