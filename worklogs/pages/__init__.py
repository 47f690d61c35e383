"""The pages of this room: runs, entries, people."""
