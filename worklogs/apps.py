import sys

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class WorklogsConfig(AppConfig):
    name = "worklogs"

    def ready(self) -> None:
        post_migrate.connect(_after_migrate, sender=self)
        if "qcluster" in sys.argv:
            from worklogs import watchdog

            watchdog.watch_this_cluster()


def _after_migrate(**_: object) -> None:
    from worklogs import schedules

    schedules.let_the_queue_look()
