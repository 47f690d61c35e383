"""What the pages of this room read, and act on; one module a subject."""
