"""Tokens are encrypted at rest, opened in one place, and survive a change of keys."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from connections.models import Site, Token, Webhook
from connections.tokens import TokenError, keep, keep_secret, open_secret, open_token, rotate_all, seal

pytestmark = pytest.mark.django_db

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
SECRET = "not-a-real-secret"


@pytest.fixture
def jca(settings):
    settings.TOKEN_KEYS = [OLD]
    site = Site.objects.create(name="jca", kind=Site.Kind.JIRA, url="https://jca.atlassian.net")
    keep(site, "", SECRET)
    keep(site, "alice@example.com", "alices-secret")
    return site


def test_what_is_stored_is_not_the_secret(jca):
    token = jca.own_token
    assert SECRET not in token.ciphertext
    assert open_token(token) == SECRET


def test_a_token_shows_nothing_of_itself(jca):
    for token in jca.tokens.all():
        shown = f"{token} {token!r}"
        assert token.ciphertext not in shown
        assert SECRET not in shown


def test_the_same_secret_sealed_twice_looks_different(jca):
    assert seal(SECRET)[0] != seal(SECRET)[0]


def test_keeping_the_same_secret_again_changes_nothing(jca):
    before = jca.own_token.ciphertext
    assert keep(jca, "", SECRET) is False
    assert jca.own_token.ciphertext == before


def test_keeping_another_secret_forgets_when_the_old_one_was_checked(jca):
    Token.objects.update(last_check_state=Token.Check.OK)
    assert keep(jca, "", "another") is True
    assert open_token(jca.own_token) == "another"
    assert jca.own_token.last_check_state == Token.Check.NEVER


def test_a_persons_token_is_found_whatever_the_case_of_the_email(jca):
    assert open_token(jca.token_of("Alice@Example.COM")) == "alices-secret"
    assert jca.token_of("bob@example.com") is None


def test_a_token_of_a_lost_key_says_so_and_never_gives_its_ciphertext(jca, settings):
    settings.TOKEN_KEYS = [NEW]
    with pytest.raises(TokenError, match=r"jca .*not among TOKEN_KEYS") as caught:
        open_token(jca.own_token)
    assert jca.own_token.ciphertext not in str(caught.value)


def test_applying_the_secret_again_heals_a_token_of_a_lost_key(jca, settings):
    settings.TOKEN_KEYS = [NEW]
    assert keep(jca, "", SECRET) is True
    assert open_token(jca.own_token) == SECRET


@pytest.mark.parametrize(("keys", "said"), [([], "TOKEN_KEYS is empty"), (["short"], "no Fernet key")])
def test_keys_that_are_none_are_named_without_being_shown(settings, keys, said):
    settings.TOKEN_KEYS = keys
    with pytest.raises(TokenError, match=said) as caught:
        seal(SECRET)
    assert "short" not in str(caught.value)


def test_after_rotation_the_old_key_can_be_thrown_away(jca, settings, capsys):
    settings.TOKEN_KEYS = [NEW, OLD]
    call_command("rotate_tokens", "--json")
    assert capsys.readouterr().out.strip() == '{"rotated": 2}'
    settings.TOKEN_KEYS = [NEW]
    assert open_token(jca.own_token) == SECRET
    assert open_token(jca.token_of("alice@example.com")) == "alices-secret"


def test_the_secrets_of_webhooks_are_rotated_too(jca, settings):
    told, untold = Webhook(site=jca, event="told"), Webhook(site=jca, event="untold")
    keep_secret(told, "signs")
    for webhook in (told, untold):
        webhook.save()
    settings.TOKEN_KEYS = [NEW, OLD]
    assert rotate_all() == 3
    settings.TOKEN_KEYS = [NEW]
    told, untold = Webhook.objects.order_by("event")
    assert (open_secret(told), open_secret(untold)) == ("signs", "")
    settings.TOKEN_KEYS = [OLD]
    with pytest.raises(TokenError, match="register the webhook again"):
        open_secret(told)


def test_rotation_changes_no_token_where_one_cannot_be_opened(jca, settings):
    before = dict(Token.objects.values_list("pk", "ciphertext"))
    lost = jca.token_of("alice@example.com")
    settings.TOKEN_KEYS = [Fernet.generate_key().decode()]
    Token.objects.filter(pk=lost.pk).update(ciphertext=seal("x")[0])
    before[lost.pk] = jca.token_of("alice@example.com").ciphertext
    settings.TOKEN_KEYS = [NEW, OLD]
    with pytest.raises(TokenError, match=r"alice@example\.com"):
        rotate_all()
    assert dict(Token.objects.values_list("pk", "ciphertext")) == before
