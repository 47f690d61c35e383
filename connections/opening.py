"""Opens the client of a site. Beside tokens.py the only place a secret passes through."""

from django.conf import settings
from django.utils import timezone

from connections.budgets import budget_for
from connections.clients.azure import AzureClient
from connections.clients.http import Address, Gate
from connections.clients.jira import JiraClient
from connections.clients.sevenpace import SevenPaceClient
from connections.clients.tempo import TempoClient
from connections.models import Site, Token
from connections.tokens import TokenError, open_token

type Client = JiraClient | TempoClient | SevenPaceClient | AzureClient


def open_client(site: Site, gate: Gate | None = None) -> Client:
    """The client of this site, as its own account.

    Without a gate it keeps to the site's shared budget and sleeps where it must wait. Raises `TokenError`
    where the site has no token or it cannot be opened.
    """
    if site.kind == Site.Kind.JIRA:
        return open_jira(site, gate)
    secret, address, gate = _opened(site, ""), _address(site), gate or Gate(budget_for(site))
    if site.kind == Site.Kind.TEMPO:
        return TempoClient.open(address, secret, gate)
    if site.kind == Site.Kind.SEVENPACE:
        return SevenPaceClient.open(address, secret, gate)
    return AzureClient.open(address, secret, gate, site.identities_url or None)


def open_jira(site: Site, gate: Gate | None = None, person: str = "") -> JiraClient:
    """A jira site as its own account or as `person`, the e-mail of a personal token held here."""
    secret = _opened(site, person)
    return JiraClient.open(_address(site), person or site.email, secret, gate or Gate(budget_for(site)))


def _address(site: Site) -> Address:
    return Address(site.name, site.url, settings.ALLOW_LOCAL_SITES)


def _opened(site: Site, person: str) -> str:
    token = site.token_of(person)
    if token is None:
        whose = f"a personal token of {person}" if person else "a token"
        raise TokenError(f"The site {site} has not {whose}. Name it in the file and apply again.")
    secret = open_token(token)
    Token.objects.filter(pk=token.pk).update(last_used_at=timezone.now())
    return secret
