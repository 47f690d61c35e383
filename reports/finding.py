"""Which run or connection a command speaks of."""

from argparse import ArgumentParser

from connections.commanding import RefusedError, find_connection, usable_database
from connections.models import Connection
from worklogs.models import Run


def add_subject(parser: ArgumentParser) -> None:
    """`NAME` or `--run N`."""
    subject = parser.add_mutually_exclusive_group(required=True)
    subject.add_argument("name", nargs="?", metavar="NAME", help="a connection")
    subject.add_argument("--run", type=int, metavar="N", help="a run's number")


def find_run(name: str | None, number: int | None) -> Run:
    """That run, or the connection's newest. Raises RefusedError."""
    runs = Run.objects.select_related("connection__right")
    if number is not None:
        with usable_database():
            run = runs.filter(pk=number).first()
        if run is None:
            raise RefusedError("unknown_name", f"There is no run {number}.")
        return run
    connection = find_connection(name or "")
    run = runs.filter(connection=connection).order_by("-id").first()
    if run is None:
        raise RefusedError("no_run", f'"{name}" has not run yet. Run `migrate_worklogs {name}`.')
    return run


def find_subject(name: str | None, number: int | None) -> Connection | Run:
    """What was named, without asking for a run where a connection was named."""
    return find_run(name, number) if number is not None else find_connection(name or "")
