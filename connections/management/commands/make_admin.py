"""`make_admin`: makes the first account of an installation, or gives one a new password."""

import secrets
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser

from connections.commanding import ProductCommand, RefusedError, usable_database


class Command(ProductCommand):
    help = "Make an administrator, and print a password for the first sign-in where none is given."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--name", default="admin", help="the name to sign in with")
        parser.add_argument("--password-file", type=Path, help="a file that holds the password")
        parser.add_argument(
            "--reset", action="store_true", help="give an account that exists a new password and all rights"
        )

    def act(self, **options: Any) -> None:
        name, file = options["name"], options["password_file"]
        with usable_database():
            user = User.objects.filter(username=name).first()
            if user and not options["reset"]:
                raise RefusedError("name_taken", f'"{name}" exists already. Give --reset for a new password.')
            user = user or User(username=name)
            password = _given(file, user) if file else secrets.token_urlsafe(15)
            user.is_active = user.is_staff = user.is_superuser = True
            user.set_password(password)
            user.save()
        self._tell(name, None if file else password)

    def _tell(self, name: str, password: str | None) -> None:
        shown = (
            f" The password is {password} and is shown only now: change it once signed in."
            if password
            else ""
        )
        self.emit({"name": name, "password": password}, f'"{name}" may sign in as administrator.{shown}')


def _given(file: Path, user: User) -> str:
    try:
        password = file.read_text().strip()
        validate_password(password, user)
    except OSError as fault:
        raise RefusedError("bad_file", f"{file} cannot be read: {fault.strerror}") from fault
    except ValidationError as fault:
        raise RefusedError("weak_password", " ".join(fault.messages)) from fault
    return password
