"""The only file that can open a token, or the secret of a webhook. Everything else sees them masked."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.db import transaction

from connections.models import Site, Token, Webhook


class TokenError(Exception):
    """A token that cannot be opened, or keys that are none; the message says what to do."""


def seal(text: str) -> tuple[str, str]:
    """Encrypt with the first of `TOKEN_KEYS`. Returns the ciphertext and the id of that key."""
    keys = _keys()
    return _lock(keys).encrypt(text.encode()).decode(), _key_id(keys[0])


def open_token(token: Token) -> str:
    """The secret. Raises `TokenError` where none of `TOKEN_KEYS` encrypted it."""
    return _unseal(token, f"The token of {token}", "apply the file with the token again")


def open_secret(webhook: Webhook) -> str:
    """What the webhook's calls are signed with; "" where that is not known yet. Raises `TokenError` as above."""
    if not webhook.ciphertext:
        return ""
    return _unseal(webhook, f"The secret of {webhook}", "register the webhook again")


def keep_secret(webhook: Webhook, secret: str) -> None:
    """Seal the secret into the webhook; the caller saves it."""
    webhook.ciphertext, webhook.key_id = seal(secret)


def keep(site: Site, email: str, secret: str) -> bool:
    """Store the site's own token (empty `email`) or a person's. Whether that changed anything."""
    held = site.token_of(email)
    if held and held.email == email and _opens_as(held, secret):
        return False
    ciphertext, key_id = seal(secret)
    if held:
        held.delete()
    Token.objects.create(site=site, email=email, ciphertext=ciphertext, key_id=key_id)
    return True


@transaction.atomic
def rotate_all() -> int:
    """Encrypt every token and webhook's secret with the first of `TOKEN_KEYS`; all or, with a `TokenError`, none.

    Returns how many.
    """
    tokens = list(Token.objects.select_related("site").select_for_update(of=("self",)))
    for token in tokens:
        token.ciphertext, token.key_id = seal(open_token(token))
    Token.objects.bulk_update(tokens, ["ciphertext", "key_id"], batch_size=500)
    signed = Webhook.objects.exclude(ciphertext="").select_related("site")
    webhooks = list(signed.select_for_update(of=("self",)))
    for webhook in webhooks:
        keep_secret(webhook, open_secret(webhook))
    Webhook.objects.bulk_update(webhooks, ["ciphertext", "key_id"], batch_size=500)
    return len(tokens) + len(webhooks)


def _unseal(held: Token | Webhook, what: str, remedy: str) -> str:
    try:
        return _lock(_keys()).decrypt(held.ciphertext.encode()).decode()
    except InvalidToken:
        raise TokenError(
            f"{what} cannot be opened: it was encrypted with key {held.key_id}, which is not among TOKEN_KEYS. "
            f"Put that key back, or {remedy}."
        ) from None


def _opens_as(token: Token, secret: str) -> bool:
    try:
        return open_token(token) == secret
    except TokenError:
        return False


def _keys() -> tuple[str, ...]:
    keys: Sequence[str] = settings.TOKEN_KEYS
    if not keys:
        raise TokenError("TOKEN_KEYS is empty: give at least one Fernet key.")
    return tuple(keys)


@lru_cache(maxsize=8)
def _lock(keys: tuple[str, ...]) -> MultiFernet:
    try:
        return MultiFernet([Fernet(key) for key in keys])
    except ValueError:
        raise TokenError(
            "TOKEN_KEYS holds a value that is no Fernet key (32 bytes, url-safe base64). Make one with "
            '`python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"`.'
        ) from None


def _key_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]
