"""What this room keeps: the last proof of each connection. Everything else it only reads."""

from django.db import models

from connections.models import Connection


class Proof(models.Model):
    """The hours of a connection with its target read at `at`. Of `different` copies the first `differences` are
    named: `{"entry", "twin", "agreed", "now"}`, seconds, `now` null where the copy is gone.
    """

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="last_proof")
    at = models.DateTimeField()
    source_seconds = models.BigIntegerField()
    target_seconds = models.BigIntegerField()
    skipped_seconds = models.BigIntegerField()
    failed_seconds = models.BigIntegerField()
    parked_seconds = models.BigIntegerField()
    rounding_seconds = models.BigIntegerField()
    balanced = models.BooleanField()
    different = models.PositiveIntegerField()
    differences = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"{self.connection}: {'balanced' if self.balanced else 'not balanced'}"
