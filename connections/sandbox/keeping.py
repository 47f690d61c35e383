"""A world put away in a file, to go on with later."""

import copyreg
import pickle
import threading
from pathlib import Path
from typing import Any

from connections.sandbox.world import World


class _Pickler(pickle.Pickler):
    """Locks guard nothing in a file: each becomes a new one."""

    dispatch_table = copyreg.dispatch_table | {
        type(threading.Lock()): lambda _: (threading.Lock, ()),
        type(threading.RLock()): lambda _: (threading.RLock, ()),
    }


def put_away(world: World, file: Path) -> None:
    """Nobody may change the world meanwhile. Whoever can write the file can run code as us: keep it private."""
    draft = file.with_suffix(".draft")
    draft.touch(mode=0o600)
    with draft.open("wb") as out:
        _Pickler(out).dump(world)
    draft.replace(file)


def take_out(file: Path) -> World | None:
    """The world in a file, which is then no more: what goes on from here would make it untrue. None without one, or
    where another version wrote it.
    """
    try:
        found: Any = pickle.loads(file.read_bytes())  # noqa: S301
        file.unlink()
    except (OSError, pickle.PickleError, AttributeError, ImportError, EOFError, TypeError):
        return None
    return found if isinstance(found, World) else None
