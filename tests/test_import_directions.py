"""Imports go one way, so that each room can be read without the ones above it:

    reports -> worklogs -> connections

Commands stand in front of the rooms and may call any of them. Inside worklogs each step knows only the steps before
it, and what is pure knows neither the database nor the network.
"""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("config", "connections", "worklogs", "reports")
PACKAGES = (*ROOMS, "tests")

# Each may import those further left, and modules beside it in the same group.
WORKLOGS = [
    {"clock"},
    {"worklog", "texts", "attributes", "notices"},
    {"dialects"},
    {"rules"},
    {"merge", "plan", "issues", "people", "profiles", "refusals", "sides", "models"},
    {"plan_twins", "write", "owners", "figures", "issue_twins"},
    {"steps", "context", "scope"},
    {"lanes", "ledger"},
    {"ancestry", "moves", "ledger_twins", "recover", "fetch"},
    {"mapping", "carry"},
    {"changes", "mapping_twins"},
    {"carry_twins", "migrating"},
    {"syncing"},
    {"run"},
    {"schedules", "webhooks"},
    {"tasks"},
    {"watchdog"},
]
PURE = (
    "clock",
    "worklog",
    "texts",
    "attributes",
    "rules",
    "merge",
    "plan",
    "plan_twins",
    "dialects",
    "notices",
)
IMPURE = ("django", "requests", "urllib3", "connections.models", "connections.clients", "connections.opening")
PURE_OPTIONS = ("connections.options", "connections.cron", "connections.problems")


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    name_of(path): ast.parse(path.read_text())
    for room in ROOMS
    for path in sorted((ROOT / room).rglob("*.py"))
    if "migrations" not in path.parts
}


def is_module(name: str) -> bool:
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").exists()


def imports(module: str) -> set[str]:
    """Full names of everything a module imports: of `from a import b` it is a.b where that is a module."""
    found: set[str] = set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively: write the full name"
            assert node.module
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if is_module(name) else node.module for name in whole}
    return found


def is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def is_command(module: str) -> bool:
    return ".management.commands." in module


def offences(modules, forbidden) -> list[str]:
    """Imports by these modules of anything in the forbidden packages."""
    return [
        f"{module} imports {name}"
        for module in modules
        for name in sorted(imports(module))
        if any(is_in(name, package) for package in forbidden)
    ]


def modules_of(package: str) -> list[str]:
    return [module for module in MODULES if is_in(module, package) and not is_command(module)]


def test_the_rooms_are_all_there():
    assert all(modules_of(room) for room in ROOMS)
    assert "connections.clients.http" in imports("connections.clients.jira")


@pytest.mark.parametrize(
    ("room", "above"),
    [("connections", ("worklogs", "reports")), ("worklogs", ("reports",))],
)
def test_no_room_knows_the_rooms_above_it(room, above):
    assert offences(modules_of(room), above) == []


def test_clients_know_no_django_and_nothing_of_the_project_but_each_other():
    """They are given an address and a secret."""
    clients = modules_of("connections.clients")
    ours = {name for module in clients for name in imports(module) if name.split(".")[0] in PACKAGES}
    assert offences(clients, ("django",)) == []
    assert {name for name in ours if not is_in(name, "connections.clients")} == set()


def test_only_tests_and_commands_know_the_sandbox():
    outside = [
        module for room in ROOMS for module in modules_of(room) if not is_in(module, "connections.sandbox")
    ]
    assert offences(outside, ("connections.sandbox",)) == []


def test_the_sandbox_knows_the_product_no_better_than_a_vendor_does():
    """What it shares with the clients it would get wrong together with them."""
    ours = ("connections.models", "connections.clients", "connections.opening", "worklogs", "reports")
    assert offences(modules_of("connections.sandbox"), ours) == []


def test_nothing_imports_tests():
    assert offences(MODULES, ("tests", "pytest", "hypothesis")) == []


def step_of(module: str) -> str:
    """The step of worklogs a module is, or belongs to; "" outside."""
    parts = module.split(".")
    return parts[1] if parts[0] == "worklogs" and len(parts) > 1 else ""


RANK = {step: rank for rank, steps in enumerate(WORKLOGS) for step in steps}


def test_each_step_of_a_worklogs_way_knows_only_the_steps_before_it():
    wrong = []
    for module in modules_of("worklogs"):
        for name in sorted(imports(module)):
            one, other = step_of(module), step_of(name)
            if one in RANK and other in RANK and RANK[other] > RANK[one]:
                wrong.append(f"{module} imports {name}")
    assert wrong == []


def test_no_two_steps_know_each_other():
    known = {
        step_of(module): {step_of(name) for name in imports(module)} - {step_of(module), ""}
        for module in modules_of("worklogs")
        if step_of(module) != "dialects"
    }
    circles = [
        f"{one} <-> {other}"
        for one, others in known.items()
        for other in others
        if one in known.get(other, ())
    ]
    assert circles == []


def test_what_is_pure_knows_neither_database_nor_network():
    pure = [module for module in modules_of("worklogs") if step_of(module) in PURE]
    assert {step_of(module) for module in pure} == set(PURE)
    assert offences(pure, IMPURE) == []
    foreign = {name for module in pure for name in imports(module) if is_in(name, "connections")}
    assert foreign <= set(PURE_OPTIONS)
    assert offences(PURE_OPTIONS, IMPURE) == []
