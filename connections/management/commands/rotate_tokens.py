"""`rotate_tokens`: encrypts every token and webhook's secret with the first of TOKEN_KEYS."""

from typing import Any

from connections import tokens
from connections.commanding import ProductCommand, RefusedError, usable_database


class Command(ProductCommand):
    help = "Encrypt every token and webhook's secret with the first of TOKEN_KEYS."

    def act(self, **_options: Any) -> None:
        try:
            with usable_database():
                count = tokens.rotate_all()
        except tokens.TokenError as error:
            raise RefusedError("bad_token_keys", f"Nothing was changed. {error}") from error
        self.emit({"rotated": count}, f"Encrypted {count} tokens with the first of TOKEN_KEYS.")
