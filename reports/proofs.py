"""The last proof of each connection: what `balance.proved` found, kept for those who look at it later."""

from dataclasses import asdict

from django.utils import timezone

from connections.models import Connection
from reports import balance
from reports.models import Proof

NAMED = 200


def prove(connection: Connection) -> Proof:
    """Reads the target now and keeps what came out. Raises SiteError where it cannot be read, TokenError."""
    found = balance.proved(connection)
    proof, _ = Proof.objects.update_or_create(
        connection=connection,
        defaults={
            **found.terms,
            "at": timezone.now(),
            "balanced": found.balanced,
            "different": len(found.differences),
            "differences": [asdict(one) for one in found.differences[:NAMED]],
        },
    )
    return proof
