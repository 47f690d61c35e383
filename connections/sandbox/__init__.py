"""The four vendors' APIs on loopback: for the demo, for tests, and for people who want to try things out."""

from connections.sandbox.faults import Fault, FaultKind
from connections.sandbox.server import Call, Sandbox
from connections.sandbox.world import World

__all__ = ["Call", "Fault", "FaultKind", "Sandbox", "World"]
