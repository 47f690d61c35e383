"""The vendors' REST APIs. Clients are given an address and a secret and know nothing of our database."""
