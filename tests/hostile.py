"""Everything somebody could type to do harm to who reads it, put wherever people type."""

from datetime import datetime, timedelta

from connections.sandbox import World, worlds
from connections.sandbox.world import PaceWorklog
from connections.sandbox.worlds.builder import Account, Builder, Human, migration

MARKUP = '<img src=x onerror="alert(1)"><b class=hostile>bold</b>'
SCRIPT = "</td></table><script>alert('x')</script><style>body{display:none}</style>"
QUOTES = '" onmouseover="alert(1)" x=\''
TEMPLATE = "{{ 7|add:7 }}{% debug %}${7*7}"
FORMULA = '=HYPERLINK("http://evil.example";"x")'
OVERRIDE = "\u202egnp.exe\u202e\u2066 reversed"
ENDLESS = "Donaudampfschifffahrtsgesellschaftskapitän" * 6

TEXTS = (MARKUP, SCRIPT, QUOTES, TEMPLATE, FORMULA, OVERRIDE, ENDLESS)

CONNECTION = '<img src=x onerror="alert(1)"> & "to jca"'
PROJECT = "<B CLASS=HOSTILE>"
KEY = f"{PROJECT}-1"


def strange_world() -> World:
    """The small world, and people, work items, an issue key and a connection that are called by each of these texts.

    Each text is the name of somebody without an account and the comment of two entries: of work item 101, which
    is written, and of one without an issue, which fails.
    """
    world = worlds.small()
    builder = Builder(99, world)
    pace, azure, jira = world.sevenpace["contoso"], world.azure["contoso"], world.jira["jca"]
    jira.add_project(PROJECT, MARKUP)
    builder.issue_of(jira, KEY, builder.work_item(azure, 300, "Contoso", MARKUP))
    start = datetime(2024, 8, 5, 8, 0)
    for number, text in enumerate(TEXTS):
        human = Human(text, f"{number}@evil.example", account=Account.NONE)
        user = builder.pace_user(pace, azure, human)
        builder.work_item(azure, 310 + number, "Contoso", text)
        for count, item in enumerate((101, 300, 310 + number)):
            at = start + timedelta(days=number, hours=count)
            pace.put(PaceWorklog(builder.guid(), user.id, at, 3600, item, text, None))
    world.connections[CONNECTION] = migration(
        pace.name, jira.name, date_from="2024-08-05", date_to="2024-08-31"
    )
    return world
