"""Pages about sites and the tokens that open them. A secret comes in by a form and never goes out again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.db.models import ProtectedError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST, require_safe

from connections import checks, reading
from connections.forms import KIND_WORDS, STANDS_ON, ExpiryForm, SiteForm, TokenForm
from connections.models import Site, Token
from connections.tokens import TokenError


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    lines = reading.lines(reading.sites())
    context = {"lines": lines, "sentence": reading.sites_in_words(lines)}
    return render(request, "connections/sites.html", context)


def add(request: HttpRequest) -> HttpResponse:
    """Without a kind in the address the page asks for it."""
    kind = request.GET.get("kind", "")
    if kind not in Site.Kind.values:
        return render(request, "connections/site_kinds.html", {"kinds": _kinds()})
    chosen = Site.Kind(kind)
    companion = STANDS_ON.get(chosen)
    if companion and not Site.objects.filter(kind=companion).exists():
        return render(request, "connections/site_kinds.html", {"kinds": _kinds(), "needed": companion})
    form = SiteForm(request.POST or None, kind=chosen)
    if form.is_bound and form.is_valid() and (site := _saved(form)):
        return _added(request, site)
    return _form(request, form, chosen)


def _added(request: HttpRequest, site: Site) -> HttpResponse:
    problem = checks.knock(site)
    if problem:
        messages.warning(request, f"{site} is kept, but its token was not accepted: {problem}")
    else:
        messages.success(request, f"{site} is there, and it accepts the token.")
    return redirect("connections:site", site.name)


def edit(request: HttpRequest, name: str) -> HttpResponse:
    site = reading.site_named(name)
    kind = Site.Kind(site.kind)
    form = SiteForm(request.POST or None, kind=kind, site=site)
    if form.is_bound and form.is_valid() and _saved(form):
        messages.success(request, "Saved.")
        return redirect("connections:site", site.name)
    return _form(request, form, kind, site)


def _saved(form: SiteForm | TokenForm) -> Any:
    try:
        return form.save()
    except TokenError as error:
        form.add_error("secret", str(error))
    return None


def _form(request: HttpRequest, form: SiteForm, kind: Site.Kind, site: Site | None = None) -> HttpResponse:
    context = {"form": form, "kind": kind, "site": site, "words": KIND_WORDS[kind]}
    return render(request, "connections/site_form.html", context)


@dataclass(frozen=True)
class KindOffer:
    kind: Site.Kind
    what: str
    there: int


def _kinds() -> list[KindOffer]:
    held = list(Site.objects.values_list("kind", flat=True))
    return [KindOffer(kind, words.what, held.count(kind)) for kind, words in KIND_WORDS.items()]


@require_safe
def detail(request: HttpRequest, name: str) -> HttpResponse:
    return _page(request, reading.site_named(name), {})


def _page(request: HttpRequest, site: Site, forms: Mapping[str, TokenForm | ExpiryForm]) -> HttpResponse:
    """`forms`: those that came back with errors, by their prefix. `open` in the address names one to be filled in."""
    wanted = next(iter(forms), request.GET.get("open", ""))
    tokens = [_token_part(site, token, wanted, forms.get(wanted)) for token in site.tokens.all()]
    own = forms.get("own") or TokenForm(site=site, whose="", prefix="own")
    context = {
        "site": site,
        "standing": reading.standing_of(site),
        "tokens": tokens,
        "own": None if site.own_token else own,
        "personal": forms.get("personal") or TokenForm(site=site, prefix="personal"),
        "takes_personal": site.kind == Site.Kind.JIRA,
        "users": reading.users_of(site),
        "below": [*site.tempo_sites.all(), *site.sevenpace_sites.all()],
    }
    return render(request, "connections/site.html", context)


@dataclass(frozen=True)
class TokenPart:
    """A token, and the form that changes it where one is wanted: to replace it, or to say when it expires."""

    token: Token
    replacing: TokenForm | None = None
    dating: ExpiryForm | None = None


def _token_part(site: Site, token: Token, wanted: str, form: Any) -> TokenPart:
    """`form`: the wanted one, where it came back with errors."""
    if wanted == f"new-{token.pk}":
        new = form or TokenForm(site=site, whose=token.email, prefix=wanted)
        return TokenPart(token, replacing=new)
    if wanted == f"expiry-{token.pk}":
        return TokenPart(
            token, dating=form or ExpiryForm(prefix=wanted, initial={"expires": token.expires_at})
        )
    return TokenPart(token)


@require_POST
def token_add(request: HttpRequest, name: str) -> HttpResponse:
    """The site's own token where it has none, or a person's."""
    site = reading.site_named(name)
    whose = "" if "own-secret" in request.POST else None
    prefix = "personal" if whose is None else "own"
    form = TokenForm(request.POST, site=site, whose=whose, prefix=prefix)
    return _kept(request, site, form, prefix)


@require_POST
def token_replace(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    site = reading.site_named(name)
    token = get_object_or_404(Token, pk=pk, site=site)
    prefix = f"new-{token.pk}"
    form = TokenForm(request.POST, site=site, whose=token.email, prefix=prefix)
    return _kept(request, site, form, prefix)


def _kept(request: HttpRequest, site: Site, form: TokenForm, prefix: str) -> HttpResponse:
    if not form.is_valid() or not _saved(form):
        return _page(request, site, {prefix: form})
    messages.success(request, "The token is kept, encrypted. Nobody can read it here.")
    return redirect("connections:site", site.name)


@require_POST
def token_expiry(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    site = reading.site_named(name)
    token = get_object_or_404(Token, pk=pk, site=site)
    form = ExpiryForm(request.POST, prefix=f"expiry-{token.pk}")
    if not form.is_valid():
        return _page(request, site, {f"expiry-{token.pk}": form})
    form.save(token)
    messages.success(request, "Saved.")
    return redirect("connections:site", name)


@require_POST
def token_revoke(request: HttpRequest, name: str, pk: int) -> HttpResponse:
    token = get_object_or_404(Token, pk=pk, site__name=name)
    whose = f"The token of {token.email}" if token.email else "The token"
    token.delete()
    messages.success(
        request, f"{whose} is gone from here. Revoke it at the vendor too: there it still opens."
    )
    return redirect("connections:site", name)


@require_POST
def knock(request: HttpRequest, name: str) -> HttpResponse:
    """Try the site's own token."""
    problem = checks.knock(reading.site_named(name))
    if problem:
        messages.error(request, problem)
    else:
        messages.success(request, f"{name} answers, and accepts the token.")
    return redirect(_back(request) or "connections:site", *([] if _back(request) else [name]))


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "")
    return wanted if url_has_allowed_host_and_scheme(wanted, {request.get_host()}) else ""


@require_POST
def remove(request: HttpRequest, name: str) -> HttpResponse:
    site = reading.site_named(name)
    try:
        site.delete()
    except ProtectedError as error:
        users = ", ".join(sorted({str(user) for user in error.protected_objects}))
        messages.error(request, f"{site} stays: {users} cannot do without it.")
        return redirect("connections:site", name)
    messages.success(request, f"{site} and its tokens are gone.")
    return redirect("connections:sites")
