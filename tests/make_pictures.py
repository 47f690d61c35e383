"""`make pictures`: the main pages as docs/pictures shows them, light and dark, with the demo's world behind them.

The hours carried are spread over the last month afterwards, so that the chart shows what a month of runs looks like.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from browsing import NARROW, Served, launch_options, served_whole, settled
from playwright.sync_api import sync_playwright
from twinlog_process import ROOT, Installation, until

from connections.sandbox import Sandbox, World, worlds
from connections.sandbox.world import PaceWorklog

PICTURES = ROOT / "docs" / "pictures"
WIDE = {"width": 1440, "height": 960}
THEMES = ("light", "dark")
NAME = "contoso-to-jca"
LIVE_FROM = 3_000
"""How many entries are decided when the run is pictured."""


def main() -> None:
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, Sandbox(worlds.demo()) as sandbox:
        twinlog = Installation(Path(folder) / "var")
        twinlog.folder.mkdir(mode=0o700)
        try:
            picture_everything(twinlog, sandbox)
        finally:
            twinlog.end()


def picture_everything(twinlog: Installation, sandbox: Sandbox) -> None:
    twinlog.run("migrate", "-v0")
    twinlog.set_up(sandbox, sandbox.toml())
    twinlog.run("check_connection", NAME)
    corrected = entry_to_correct(sandbox.world)
    with served_whole(twinlog, sandbox) as place, camera(place) as take:
        twinlog.run("migrate_worklogs", NAME, "--queue")
        until(lambda: decided(place) > LIVE_FROM, 300)
        take("run", "/runs/1/", phone=True)
        until(lambda: place.one("SELECT state FROM worklogs_run") == "finished", 600)
        correct(corrected)
        twinlog.run("migrate_worklogs", NAME, "--json", status=None)
        spread_over_a_month(twinlog)
        take("overview", "/", phone=True)
        entry = place.one(f"SELECT id FROM worklogs_entry WHERE entry = '{corrected.id}'")
        take("entry", f"/entries/{entry}/")
        take("failures", "/failures/")
        take("connection", f"/connections/{NAME}/")
        take("report", f"/reports/migration/{NAME}/?run=1")


@contextmanager
def camera(place: Served) -> Iterator[Any]:
    """`take(name, path)` writes name-light.png and name-dark.png, and with `phone` name-phone.png."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**launch_options(playwright.chromium.executable_path))

        def shoot(file: str, path: str, theme: str, viewport: dict[str, int], scale: int = 1) -> None:
            context = browser.new_context(
                base_url=place.url, viewport=viewport, device_scale_factor=scale, color_scheme=theme,
                reduced_motion="reduce", locale="en-GB", timezone_id="Europe/Berlin",
            )  # fmt: skip
            context.add_cookies(place.cookies)
            page = context.new_page()
            page.goto("/sites/")
            page.goto(path)
            settled(page).screenshot(path=PICTURES / f"{file}.png")
            context.close()

        def take(name: str, path: str, phone: bool = False) -> None:
            for theme in THEMES:
                shoot(f"{name}-{theme}", path, theme, WIDE)
            if phone:
                shoot(f"{name}-phone", path, "light", NARROW, scale=2)

        yield take
        browser.close()


def decided(place: Served) -> int:
    return place.one("SELECT count(*) FROM worklogs_fetched WHERE outcome <> ''")


def entry_to_correct(world: World) -> PaceWorklog:
    """One of an ordinary issue, with a text."""
    pace, jira = world.sevenpace["contoso"], world.jira["jca"]
    return next(
        each
        for each in pace.worklogs.values()
        if each.seconds == 5400
        and len(each.comment or "") > 20
        and f"ado-id-{each.work_item_id}" in jira.by_label
    )


def correct(entry: PaceWorklog) -> None:
    """Its author remembers better."""
    entry.seconds = 7200
    entry.comment = f"{entry.comment}, and tested it with Dana"
    entry.edited = datetime.now(UTC).replace(tzinfo=None)


def spread_over_a_month(twinlog: Installation) -> None:
    query = "SELECT connection_id, sum(created_seconds), sum(updated_seconds) FROM worklogs_carriedhour"
    ((connection, created, updated),) = twinlog.rows(f"{query} GROUP BY connection_id")
    weights = [0 if day % 7 in (5, 6) else 4 + (day * 37) % 11 for day in range(29)]
    shares = [created * weight // sum(weights) for weight in weights]
    shares[0] += created - sum(shares)
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    twinlog.change("DELETE FROM worklogs_carriedhour")
    for day, share in enumerate(shares):
        row = (
            f"{connection}, '{now - timedelta(days=day):%Y-%m-%d %H:%M:%S}', {share}, {0 if day else updated}"
        )
        columns = "connection_id, hour, created_seconds, updated_seconds"
        twinlog.change(f"INSERT INTO worklogs_carriedhour ({columns}) VALUES ({row})")


if __name__ == "__main__":
    main()
