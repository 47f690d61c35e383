"""Reads the environment variables, each also as NAME_FILE, and refuses what it cannot understand."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path

import environ
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

YES = {"1", "true", "yes", "on"}
NO = {"0", "false", "no", "off", ""}


class Environment:
    """One installation's settings as plain values.

    Values are taken as they are: a secret that begins with `$` is no reference to another variable.
    """

    def __init__(self, dotenv: Path) -> None:
        environ.FileAwareEnv.read_env(dotenv)
        self._values = environ.FileAwareEnv().ENVIRON

    def text(self, name: str, default: str = "") -> str:
        try:
            return str(self._values[name]).strip()
        except KeyError:
            return default
        except OSError as fault:
            raise ImproperlyConfigured(f"{name}_FILE cannot be read: {fault}") from fault

    def flag(self, name: str, default: bool) -> bool:
        word = self.text(name, str(default)).lower()
        if word in YES | NO:
            return word in YES
        raise ImproperlyConfigured(f"{name} must be true or false, not {word!r}")

    def words(self, name: str, default: str = "") -> list[str]:
        return [word.strip() for word in self.text(name, default).split(",") if word.strip()]

    def number(self, name: str, default: int) -> int:
        word = self.text(name, str(default))
        if not word.isdecimal():
            raise ImproperlyConfigured(f"{name} must be a whole number, not {word!r}")
        return int(word)

    def secret(self, name: str, folder: Path, make: Callable[[], str]) -> str:
        """The variable's value, else the one made once and kept in `folder` with mode 600."""
        return self.text(name) or kept_secret(folder / name.lower(), make)


def django_key() -> str:
    return secrets.token_urlsafe(50)


def fernet_key() -> str:
    return Fernet.generate_key().decode()


def kept_secret(file: Path, make: Callable[[], str]) -> str:
    """Several processes may start at once on an empty folder: the first one's secret is everybody's."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = file.with_name(f"{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
    draft.touch(mode=0o600)
    draft.write_text(make())
    try:
        os.link(draft, file)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return file.read_text().strip()
