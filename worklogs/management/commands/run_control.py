"""`run_control RUN cancel|pause|resume`: what a person wishes of a run that is under way."""

from typing import Any

from django.core.management.base import CommandParser

from connections.commanding import ProductCommand, RefusedError, usable_database
from worklogs import run as runs
from worklogs import tasks
from worklogs.models import Run

WISHES = {"pause": Run.Wish.PAUSE, "resume": Run.Wish.NONE}
SAID = {"cancel": "is asked to end", "pause": "holds still between two entries", "resume": "goes on"}


class Command(ProductCommand):
    help = "Cancel, pause or resume a run; it takes effect between two entries."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("run", type=int, metavar="RUN")
        parser.add_argument("wish", choices=sorted(SAID))

    def act(self, run: int, wish: str, **_options: Any) -> None:
        with usable_database():
            found = Run.objects.filter(pk=run, state=Run.State.RUNNING).first()
        if found is None:
            raise RefusedError("not_running", f"There is no run {run} under way.")
        if wish == "cancel":
            runs.cancel(found)
        else:
            Run.objects.filter(pk=run).update(wish=WISHES[wish])
        if wish == "resume" and found.queued:
            tasks.ring(run)
        self.emit({"run": run, "wish": wish}, f"Run {run} {SAID[wish]}.")
