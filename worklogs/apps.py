import sys

from django.apps import AppConfig


class WorklogsConfig(AppConfig):
    name = "worklogs"

    def ready(self) -> None:
        if "qcluster" in sys.argv:
            from worklogs import watchdog

            watchdog.watch_this_cluster()
