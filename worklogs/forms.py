"""What people may ask of this room's pages, read from the address or sent."""

from typing import Any

from django import forms

from connections.models import Connection
from connections.wording import CODES
from worklogs.models import Run
from worklogs.reading.entries import Filters

ANY_STATE = (
    ("", "Any state"),
    ("queued", "Queued"),
    ("running", "Running"),
    ("paused", "Paused"),
    *((str(state), state.label) for state in Run.State if state != Run.State.RUNNING),
)
BIGGEST = 2**63 - 1
SEARCH = {"type": "search", "placeholder": "Id, issue, work item, person", "aria-label": "Search entries"}


def connection_choices() -> list[tuple[str, str]]:
    names = Connection.objects.order_by("name").values_list("name", flat=True)
    return [("", "All connections"), *((name, name) for name in names)]


class Address(forms.Form):
    """Filters in the address: one that cannot be read is named, and leaves nothing out."""

    use_required_attribute = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        connections = self.fields["connection"]
        if isinstance(connections, forms.ChoiceField):
            connections.choices = connection_choices()

    def read(self) -> dict[str, Any]:
        self.is_valid()
        return {name: self.cleaned_data.get(name) for name in self.fields}


class RunFilter(Address):
    connection = forms.ChoiceField(label="Connection", required=False)
    kind = forms.ChoiceField(
        label="Kind", required=False, choices=[("", "Runs and dry runs"), *Run.Kind.choices]
    )
    state = forms.ChoiceField(label="State", required=False, choices=ANY_STATE)


class EntryFilter(Address):
    """Of both lists of entries; the address calls the days `from` and `to`."""

    outcome = forms.CharField(required=False, max_length=20)
    q = forms.CharField(label="Search", required=False, max_length=200, widget=forms.TextInput(SEARCH))
    connection = forms.ChoiceField(
        label="Connection",
        required=False,
        widget=forms.Select({"aria-label": "Connection"}),
    )
    code = forms.ChoiceField(
        label="Code",
        required=False,
        choices=[("", "Any code"), *((code, f"{word.title} ({code})") for code, word in CODES.items())],
    )
    run = forms.IntegerField(label="Run", required=False, min_value=1, max_value=BIGGEST)
    person = forms.CharField(label="Person", required=False, max_length=254)
    issue = forms.CharField(label="Issue", required=False, max_length=100)
    work = forms.CharField(label="Work item", required=False, max_length=100)
    entry = forms.CharField(label="Entry id", required=False, max_length=100)

    field_order = (
        "outcome",
        "q",
        "connection",
        "code",
        "person",
        "issue",
        "work",
        "entry",
        "run",
        "from",
        "to",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in (("from", "Worked from"), ("to", "Worked to")):
            self.fields[name] = forms.DateField(
                label=label, required=False, widget=forms.DateInput({"type": "date"})
            )

    def filters(self) -> Filters:
        read = {name: value for name, value in self.read().items() if value}
        since, until = read.pop("from", None), read.pop("to", None)
        return Filters(**read, since=since, until=until)


class StartForm(forms.Form):
    connection = forms.ModelChoiceField(Connection.objects.with_sites(), to_field_name="name")
    dry_run = forms.BooleanField(required=False)
    retry = forms.BooleanField(required=False)
    full = forms.BooleanField(required=False)
    allow_deletes = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)


class PairForm(forms.Form):
    """One person of the source, and who that is on the target."""

    person = forms.CharField(max_length=254)
    target = forms.CharField(
        label="Account",
        max_length=254,
        help_text="Account id or e-mail address on the target.",
        error_messages={"required": "Say who this is on the target: an account id or an e-mail address."},
    )

    def clean_target(self) -> str:
        target: str = self.cleaned_data["target"].strip()
        if any(letter.isspace() for letter in target):
            raise forms.ValidationError(
                "An account id or an e-mail address has no blanks. A name is not enough: two people may bear it."
            )
        if len(target) > 200:
            raise forms.ValidationError("That is too long for an account id or an e-mail address.")
        return target


class PairsFileForm(forms.Form):
    file = forms.FileField(
        label="CSV with pairs",
        help_text="Columns left and right: account ids or e-mail addresses.",
        error_messages={"required": "Choose the file first.", "empty": "That file is empty."},
    )
