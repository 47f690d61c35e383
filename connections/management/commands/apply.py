"""`apply FILE.toml`: makes sites, tokens and connections what the file says."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from connections.applying import Outcome, apply_file
from connections.commanding import ProductCommand, RefusedError, usable_database
from connections.declare import DeclarationError
from connections.tokens import TokenError


class Command(ProductCommand):
    help = "Make sites, tokens and connections what the file says."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, metavar="FILE.toml")
        parser.add_argument("--dry-run", action="store_true", help="say what would change, change nothing")
        parser.add_argument("--prune", action="store_true", help="remove what the file does not name")

    def act(self, file: Path, dry_run: bool, prune: bool, **_options: Any) -> None:
        try:
            with usable_database():
                outcome = apply_file(file, prune, dry_run)
        except DeclarationError as error:
            raise RefusedError("bad_file", f"Nothing was changed.\n{error}") from error
        except TokenError as error:
            raise RefusedError("bad_token_keys", str(error)) from error
        self.emit(asdict(outcome), _text(outcome, dry_run))


WOULD = {
    "created": "would create",
    "updated": "would update",
    "unchanged": "unchanged",
    "removed": "would remove",
}


def _text(outcome: Outcome, dry_run: bool) -> str:
    words = WOULD if dry_run else {key: key for key in WOULD}
    width = max(map(len, words.values()))
    lines = [f"{words[key]:{width}}  {', '.join(names)}" for key, names in asdict(outcome).items() if names]
    return "\n".join(lines) or "The file names no site and no connection."
