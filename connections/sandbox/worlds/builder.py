"""What every seeded world is made of: ids, tokens, people on all sides, work items and their issues."""

import random
import unicodedata
import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from connections.sandbox.world import (
    EVERYTHING,
    AzureIdentity,
    AzureOrg,
    AzureProject,
    AzureToken,
    AzureWorkItem,
    JiraAccount,
    JiraIssue,
    JiraSite,
    JiraToken,
    PaceToken,
    PaceUser,
    SevenPaceOrg,
    TempoAttribute,
    TempoSite,
    TempoToken,
    World,
)


class Found(StrEnum):
    """Where a 7pace author's e-mail is to be found."""

    ROW = "row"
    """In the worklog row itself."""
    UNIQUE_NAME = "unique name"
    """Only as the row's uniqueName."""
    USERS = "users"
    """Only in the list /users."""
    AZURE_MAIL = "azure mail"
    """Only as the Azure identity's Mail."""
    AZURE_ACCOUNT = "azure account"
    """Only as the Azure identity's Account."""
    NOWHERE = "nowhere"


class Account(StrEnum):
    """What a person has on the Jira side."""

    ACTIVE = "active"
    NONE = "none"
    INACTIVE = "inactive"
    HIDDEN = "hidden"
    """Active, but privacy leaves the e-mail out."""
    EMPTY = "empty"
    """Active, but privacy empties the e-mail."""


@dataclass(frozen=True)
class Human:
    name: str
    email: str
    found: Found = Found.ROW
    account: Account = Account.ACTIVE
    time_zone: str = "Europe/Berlin"


@dataclass
class Builder:
    """A world in the making; everything random comes from its seed."""

    seed: int
    world: World = field(default_factory=World)
    draw: random.Random = field(init=False)
    account_ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)

    def guid(self) -> str:
        return str(uuid.UUID(int=self.draw.getrandbits(128), version=4))

    def token(self, owner: str) -> str:
        return f"sandbox-{owner}-{self.draw.getrandbits(96):024x}"

    def account_id(self, email: str) -> str:
        """The same person has the same account id on every Atlassian site."""
        key = email.casefold()
        if key not in self.account_ids:
            self.account_ids[key] = f"712020:{self.guid()}"
        return self.account_ids[key]

    # sites

    def jira(self, name: str) -> JiraSite:
        """A Jira site with its own account, an administrator that Twinlog uses."""
        site = JiraSite(name, name)
        email = f"twinlog@{name}.example"
        owner = JiraAccount(self.account_id(email), "Twinlog Service", email, permissions=EVERYTHING)
        owner.groups.add("jira-administrators")
        site.accounts[owner.account_id] = owner
        site.tokens.append(JiraToken(email, self.token(name), owner.account_id, f"{_variable(name)}_TOKEN"))
        self.world.jira[name] = site
        return site

    def tempo(self, jira: JiraSite) -> TempoSite:
        """Tempo on that Jira site, with an attribute that may carry a source's id."""
        name = f"{jira.name}-tempo"
        site = TempoSite(name, name, jira)
        site.tokens.append(
            TempoToken(self.token(name), jira.tokens[0].account_id, f"{_variable(name)}_TOKEN")
        )
        site.attributes["_Twinlog_"] = TempoAttribute("_Twinlog_", "Twinlog")
        jira.tempo_installed = True
        self.world.tempo[name] = site
        return site

    def azure(self, org: str, *projects: str) -> AzureOrg:
        site = AzureOrg(org, org, projects={name: AzureProject(self.guid(), name) for name in projects})
        owner = AzureIdentity(
            self.guid(), "Twinlog Service", f"twinlog@{org}.example", f"twinlog@{org}.example"
        )
        site.identities[owner.id] = owner
        site.tokens.append(AzureToken(self.token(f"{org}-azure"), owner.id))
        self.world.azure[org] = site
        return site

    def sevenpace(self, azure: AzureOrg) -> SevenPaceOrg:
        """7pace in that organisation; its token belongs to an administrator."""
        site = SevenPaceOrg(f"{azure.name}-7pace", azure.url_name, azure=azure.name)
        email = f"twinlog@{azure.name}.example"
        owner = PaceUser(
            self.guid(), "Twinlog Service", email, azure.tokens[0].identity_id, email, email, "Administrator"
        )
        site.users[owner.id] = owner
        site.tokens.append(PaceToken(self.token(site.name), owner.id))
        site.activities = {self.guid(): ("Development", "46aee8"), self.guid(): ("Testing", "f8b63a")}
        self.world.sevenpace[azure.url_name] = site
        return site

    # people

    def pace_user(self, pace: SevenPaceOrg, azure: AzureOrg, human: Human) -> PaceUser:
        """The person at the source: in 7pace, and as an identity unless the e-mail is to be found nowhere."""
        domain_name = f"CONTOSO\\{_ascii(human.name)}"
        in_row, unique = human.found == Found.ROW, human.found in {Found.ROW, Found.UNIQUE_NAME}
        user = PaceUser(
            self.guid(),
            human.name,
            human.email if unique else domain_name,
            self.guid(),
            human.email if in_row else None,
            human.email if in_row or human.found == Found.USERS else None,
        )
        pace.users[user.id] = user
        if human.found != Found.NOWHERE:
            azure.identities[user.vsts_id] = self._identity(user, human)
        return user

    def _identity(self, user: PaceUser, human: Human) -> AzureIdentity:
        if human.found == Found.AZURE_ACCOUNT:
            return AzureIdentity(user.vsts_id, human.name, None, human.email)
        return AzureIdentity(user.vsts_id, human.name, human.email, _ascii(human.name))

    def jira_account(self, site: JiraSite, human: Human, *, email: str = "") -> JiraAccount | None:
        """The person on a Jira site, as the human's account says; None where there is none."""
        if human.account == Account.NONE:
            return None
        account = JiraAccount(
            self.account_id(human.email),
            human.name,
            email or human.email.lower(),
            active=human.account != Account.INACTIVE,
            email_shown=human.account not in {Account.HIDDEN, Account.EMPTY},
            hidden_as="empty" if human.account == Account.EMPTY else "absent",
            time_zone=human.time_zone,
        )
        site.accounts[account.account_id] = account
        return account

    def personal_token(self, site: JiraSite, account: JiraAccount) -> None:
        first = _variable(account.name.split()[0])
        variable = f"{first}_TOKEN" if site.name == "jca" else f"{first}_{_variable(site.name)}_TOKEN"
        token = self.token(_ascii(account.name.split()[0]))
        site.tokens.append(JiraToken(account.email, token, account.account_id, variable))

    # work

    def work_item(self, azure: AzureOrg, number: int, project: str, title: str) -> AzureWorkItem:
        item = AzureWorkItem(number, project, title, self.draw.choice(["Task", "Bug", "User Story"]))
        azure.work_items[number] = item
        return item

    def issue_of(self, site: JiraSite, key: str, work_item: AzureWorkItem, **details: Any) -> JiraIssue:
        """The issue a work item was migrated to, with the usual label."""
        return site.add_issue(key, labels=(f"ado-id-{work_item.id}",), summary=work_item.title, **details)


def migration(source: str, target: str, **more: Any) -> dict[str, Any]:
    """A connection that finds issues by label and people by e-mail."""
    return {
        "kind": "migration",
        "source": source,
        "target": target,
        "source_timezone": "Europe/Berlin",
        **more,
        "issues": {"match": "label", "label": "ado-id-{id}"},
        "people": {"match": "email"},
    }


def email_of(name: str, domain: str = "contoso.example") -> str:
    return f"{_ascii(name)}@{domain}"


def _ascii(name: str) -> str:
    spelt = name.lower().replace("ß", "ss").replace("ø", "o").replace("ł", "l").replace("ı", "i")
    plain = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    return ".".join(plain.replace("'", "").split())


def _variable(name: str) -> str:
    return _ascii(name).upper().replace("-", "_").replace(".", "_")
