"""What people choose on the pages of this room, read from the address."""

from django import forms

from connections.wording import CODES
from worklogs.forms import Address, connection_choices
from worklogs.models import Entry

OUTCOMES = [("", "Failed and parked"), (Entry.Standing.FAILED, "Failed"), (Entry.Standing.PARKED, "Parked")]
CAUSES = [("", "All causes"), *((code, word.title) for code, word in CODES.items() if word.kind != "stops")]


class FailureFilter(Address):
    outcome = forms.ChoiceField(label="Outcome", required=False, choices=OUTCOMES)
    connection = forms.ChoiceField(label="Connection", required=False, choices=connection_choices)
    code = forms.ChoiceField(label="Cause", required=False, choices=CAUSES)
