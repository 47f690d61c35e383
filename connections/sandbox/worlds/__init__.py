"""Seeded worlds: the same seed gives the same world, down to the tokens.

empty() two sites of every kind and nobody but the token owners; small() every oddity once; demo() what the demo
migrates; many() clean, as large as asked; companies() two that share issues, also beside what another world holds.
"""

from connections.sandbox.worlds.companies import add_companies, companies
from connections.sandbox.worlds.demo import demo
from connections.sandbox.worlds.many import many
from connections.sandbox.worlds.small import empty, small

__all__ = ["add_companies", "companies", "demo", "empty", "many", "small"]
