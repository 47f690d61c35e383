"""Tempo Cloud REST v4 as the vendor's OpenAPI document describes it.

The wording of refusals is not published: the sentences here name what a person would need to know.
"""

from connections.sandbox.routes import Vendor
from connections.sandbox.tempo import attributes, configuration, finding, papertrail, webhooks, writing
from connections.sandbox.tempo.door import ROUTES, admit, crash, lost, throttle

__all__ = ["VENDOR", "attributes", "configuration", "finding", "papertrail", "webhooks", "writing"]

VENDOR = Vendor(ROUTES, admit, throttle, lost, crash)
