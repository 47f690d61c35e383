"""Jira Cloud REST v3 as the vendor's OpenAPI document and developer pages describe it.

Besides what the vendor promises it shows what goes wrong there: totals lost under parallel writes, prefix searches
that find the wrong person, hidden e-mails, feeds that keep the last minute back.
"""

from connections.sandbox.jira import feeds, issues, permissions, properties, site, webhooks, worklogs
from connections.sandbox.jira.door import ROUTES, admit, crash, lost, throttle
from connections.sandbox.routes import Vendor

__all__ = ["VENDOR", "feeds", "issues", "permissions", "properties", "site", "webhooks", "worklogs"]

VENDOR = Vendor(ROUTES, admit, throttle, lost, crash)
