"""Forms for sites and their tokens.

A form refuses what the file refuses, with the same words: `declare` judges both.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any, ClassVar

from django import forms
from django.utils import timezone

from connections import tokens
from connections.applying import hosts_of, keep_site, known_sites
from connections.declare import SiteDeclaration, TableError, secret_problem, site_of
from connections.models import Site, Token
from connections.problems import Problem


class Needed(forms.CharField):
    """A text that must be there; whether it is, the declaration says."""

    def validate(self, value: str) -> None:
        """Nothing here."""


class Optional(forms.CharField):
    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, **options)


class DeclaredForm(forms.Form):
    """`KEYS`: the field in which what is wrong with a key of the file is told, where their names differ.

    `PLACES`: what the members of a list are to people, where they are no lines.
    """

    use_required_attribute = False
    KEYS: ClassVar[Mapping[str, str]] = {}
    PLACES: ClassVar[Mapping[str, str]] = {}

    def tell(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            field, message = self._placed(problem)
            if field is None or f"{field}_file" not in self.errors:
                self.add_error(field, message[:1].upper() + message[1:])

    def _placed(self, problem: Problem) -> tuple[str | None, str]:
        for key in _shorter(problem.key):
            field = self.KEYS.get(key, key)
            if field in self.fields:
                rest = _rest(problem.key[len(key) :], self.PLACES.get(field, "line"))
                return field, f"{rest}{problem.message}"
        return None, str(problem)


def _shorter(key: str) -> Iterable[str]:
    """`people.timezones.a@b` itself, then without its last part, and so on."""
    while key:
        yield key
        key = key[: max(key.rfind("."), key.rfind("["), 0)]


def _rest(rest: str, place: str) -> str:
    """What a problem's key says beyond its field: the second of `[1]` is "line 2"."""
    member = re.match(r"\[(\d+)\]", rest)
    if member:
        return f"{place} {int(member[1]) + 1}: "
    return f"{rest.lstrip('.')}: " if rest else ""


@dataclass(frozen=True)
class KindWords:
    """What people need to know before they add a site of a kind."""

    what: str
    address: str
    address_hint: str
    token_hint: str


KIND_WORDS = {
    Site.Kind.JIRA: KindWords(
        "Issues, worklogs and accounts of Jira Cloud.",
        "https://example.atlassian.net",
        "The address people open Jira with. "
        "For a token with scopes: https://api.atlassian.com/ex/jira/ and the cloud id.",
        "An API token of that account: id.atlassian.com > Security > API tokens. It lives a year at most.",
    ),
    Site.Kind.TEMPO: KindWords(
        "Worklogs of Tempo, with their true authors. Stands on a Jira site.",
        "https://api.tempo.io",
        "Of European or US data residency: https://api.eu.tempo.io, https://api.us.tempo.io.",
        "Tempo > Settings > Data access > API integration. Give it a long life; 30 days is what it gets otherwise.",
    ),
    Site.Kind.AZURE: KindWords(
        "Work items and identities of Azure DevOps: what 7pace entries point at.",
        "https://dev.azure.com/example",
        "With the organisation, as in the browser.",
        "User settings > Personal access tokens, allowed to read work items, identities, and projects and teams.",
    ),
    Site.Kind.SEVENPACE: KindWords(
        "Time entries of 7pace Timetracker for Azure DevOps. Stands on an Azure DevOps site.",
        "https://example.timehub.7pace.com",
        "Any form of the API address will do; it is brought into one.",
        "In Azure DevOps, 7pace: Settings > Reporting and API > Reporting & REST API > Create New Token. "
        "It lives a year.",
    ),
}
STANDS_ON = {Site.Kind.TEMPO: Site.Kind.JIRA, Site.Kind.SEVENPACE: Site.Kind.AZURE}

NOBODY_FILLS_IN = {"autocomplete": "off", "spellcheck": "false"}


def secret_field(hint: str, label: str = "Token") -> Needed:
    """A secret is typed, and never sent back to the page."""
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "spellcheck": "false"})
    return Needed(label=label, widget=widget, help_text=hint)


def expiry_field() -> forms.DateField:
    return forms.DateField(
        label="Expires on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="As the vendor said when it was made. Twinlog warns two weeks ahead.",
        error_messages={"invalid": 'Expected a day such as "2026-03-15"'},
    )


def as_moment(day: date | None) -> datetime | None:
    """The beginning of that day for the reader."""
    return timezone.make_aware(datetime.combine(day, time.min)) if day else None


class SiteForm(DeclaredForm):
    """A site of one kind: new, or with its token left as it is where none is typed."""

    name = Needed(label="Name", help_text="What it is called here, such as jca. It stays.")
    url = Needed(label="Address", widget=forms.TextInput(attrs={"inputmode": "url", **NOBODY_FILLS_IN}))
    jira = Needed(
        label="Its Jira", help_text="The Jira this Tempo stands on: issues and accounts come from there."
    )
    azure = Needed(
        label="Its Azure DevOps", help_text="The organisation whose work items the entries belong to."
    )
    email = Needed(
        label="Account",
        widget=forms.EmailInput(attrs=NOBODY_FILLS_IN),
        help_text="The e-mail of the account its token belongs to. It reads, and writes where no true author can.",
    )
    secret = secret_field("")
    expires = expiry_field()
    identities_url = Optional(
        label="Address of identities",
        help_text="Only for servers of your own: dev.azure.com needs none.",
        widget=forms.TextInput(attrs={"inputmode": "url", **NOBODY_FILLS_IN}),
    )
    marker_attribute = Optional(
        label="Marker attribute",
        help_text="The key of a work attribute of type input field that may carry the id of the source entry.",
    )
    ONLY: ClassVar[Mapping[str, str]] = {
        "jira": Site.Kind.TEMPO,
        "marker_attribute": Site.Kind.TEMPO,
        "azure": Site.Kind.SEVENPACE,
        "email": Site.Kind.JIRA,
        "identities_url": Site.Kind.AZURE,
    }
    declared: SiteDeclaration

    def __init__(self, *args: Any, kind: Site.Kind, site: Site | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.kind = kind
        self.site = site
        for field, only in self.ONLY.items():
            if kind != only:
                del self.fields[field]
        self._say_what_is_needed(KIND_WORDS[kind])
        self._offer_companions()
        if site:
            self._begin_with(site)

    def _say_what_is_needed(self, words: KindWords) -> None:
        self.fields["url"].widget.attrs["placeholder"] = words.address
        self.fields["url"].help_text = words.address_hint
        self.fields["secret"].help_text = words.token_hint
        if self.kind == Site.Kind.TEMPO:
            self.fields["url"].initial = words.address

    def _offer_companions(self) -> None:
        if companion := STANDS_ON.get(self.kind):
            names = [(site.name, f"{site.name} ({site.url})") for site in Site.objects.filter(kind=companion)]
            self.fields[companion.value].widget = forms.Select(choices=names)

    def _begin_with(self, site: Site) -> None:
        del self.fields["name"], self.fields["expires"]
        self.fields["secret"].required = False
        self.fields[
            "secret"
        ].help_text = "Only where the address leads to another host; it may see the token."
        self.initial = {
            "url": site.url,
            "email": site.email,
            "jira": site.jira.name if site.jira else "",
            "azure": site.azure.name if site.azure else "",
            "identities_url": site.identities_url,
            "marker_attribute": site.marker_attribute,
        }

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        try:
            declared = site_of(self._table(data), known_sites())
        except TableError as error:
            self.tell(error.problems)
        else:
            self.declared = self._with_secret(declared, data.get("secret", ""))
        self._check_name_is_free(data)
        return data

    def _table(self, data: Mapping[str, Any]) -> dict[str, Any]:
        written = {key: data.get(key) for key in ("name", "url", *self.ONLY)}
        if self.site:
            written["name"] = self.site.name
        return {"kind": self.kind.value} | {key: value for key, value in written.items() if value}

    def _with_secret(self, declared: SiteDeclaration, secret: str) -> SiteDeclaration:
        secret = secret.strip()
        if self.site and not secret:
            if not hosts_of(declared) <= hosts_of(self.site):
                self.add_error("secret", "The address leads to another host: give its token again.")
            return declared
        if problem := secret_problem(secret):
            self.add_error("secret", f"The token {problem}.")
        return replace(declared, secrets={"": secret})

    def _check_name_is_free(self, data: Mapping[str, Any]) -> None:
        if not self.site and Site.objects.filter(name=data.get("name", "")).exists():
            self.add_error("name", "There is a site of this name: open it, or take another name.")

    def save(self) -> Site:
        """Raises `TokenError` where the token cannot be encrypted."""
        site = keep_site(self.declared)
        if expires := as_moment(self.cleaned_data.get("expires")):
            site.tokens.filter(email="").update(expires_at=expires)
        return site


class TokenForm(forms.Form):
    """The site's own token anew, or a person's where the form asks for an e-mail."""

    email = forms.EmailField(label="Whose", widget=forms.EmailInput(attrs=NOBODY_FILLS_IN))
    secret = secret_field("")
    expires = expiry_field()
    use_required_attribute = False

    def __init__(self, *args: Any, site: Site, whose: str | None = None, **options: Any) -> None:
        """`whose` None: the form asks for the e-mail; empty: the site's own token."""
        super().__init__(*args, **options)
        self.site = site
        self.whose = whose
        if whose is not None:
            del self.fields["email"]
        self.fields["secret"].help_text = KIND_WORDS[Site.Kind(site.kind)].token_hint

    def clean_secret(self) -> str:
        secret = str(self.cleaned_data["secret"]).strip()
        if problem := secret_problem(secret):
            raise forms.ValidationError(f"The token {problem}.")
        return secret

    def save(self) -> Token:
        """Raises `TokenError` where the token cannot be encrypted."""
        email = self.cleaned_data["email"] if self.whose is None else self.whose
        tokens.keep(self.site, email, self.cleaned_data["secret"])
        token = Token.objects.get(site=self.site, email=email)
        token.expires_at = as_moment(self.cleaned_data["expires"])
        token.save(update_fields=["expires_at"])
        return token


class ExpiryForm(forms.Form):
    expires = expiry_field()

    def save(self, token: Token) -> None:
        token.expires_at = as_moment(self.cleaned_data["expires"])
        token.save(update_fields=["expires_at"])
