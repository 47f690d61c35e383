"""What a forked process does of a command. It is imported anew in each one, so it imports next to nothing itself."""

import importlib
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def carry_out(
    arguments: list[str], environment: dict[str, str], out: str, err: str, constants: dict[str, Any]
) -> None:
    """In the forked process: what `manage.py` does."""
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    for number, file in ((1, out), (2, err)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = ["manage.py", *arguments]
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    for name, value in constants.items():
        module, _, constant = name.rpartition(".")
        setattr(importlib.import_module(module), constant, value)
    execute_from_command_line(sys.argv)
