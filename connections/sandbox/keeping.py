"""A world put away in a file, to go on with later."""

import copyreg
import pickle
import threading
from dataclasses import fields, is_dataclass
from pathlib import Path

from connections.sandbox import limits, news, world
from connections.sandbox.world import World


class _Pickler(pickle.Pickler):
    """Locks guard nothing in a file: each becomes a new one."""

    dispatch_table = copyreg.dispatch_table | {
        type(threading.Lock()): lambda _: (threading.Lock, ()),
        type(threading.RLock()): lambda _: (threading.RLock, ()),
    }


def _form() -> list[tuple[str, list[str]]]:
    """Every kind of thing a world is made of, with its fields: another version's worlds have others."""
    named = [kind for module in (world, news, limits) for kind in vars(module).values()]
    kinds = [kind for kind in named if isinstance(kind, type) and is_dataclass(kind)]
    return sorted({kind.__qualname__: [field.name for field in fields(kind)] for kind in kinds}.items())


def put_away(held: World, file: Path) -> None:
    """Nobody may change the world meanwhile. Whoever can write the file can run code as us: keep it private."""
    draft = file.with_suffix(".draft")
    draft.touch(mode=0o600)
    with draft.open("wb") as out:
        _Pickler(out).dump((_form(), held))
    draft.replace(file)


def take_out(file: Path) -> World | None:
    """The world in a file, which is then no more: what goes on from here would make it untrue. None without one, or
    where another version wrote it.
    """
    try:
        form, found = pickle.loads(file.read_bytes())  # noqa: S301
        file.unlink()
    except (OSError, pickle.PickleError, AttributeError, ImportError, EOFError, TypeError, ValueError):
        return None
    return found if form == _form() else None
