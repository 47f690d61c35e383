"""The form of a connection, new or to be changed.

It writes the table that would stand in the file, and `declare` judges it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from django import forms
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from connections import option_words
from connections.applying import keep_connection, known_sites
from connections.declare import ENDS, SITES_ALLOWED, ConnectionDeclaration, TableError, connection_of
from connections.forms import NOBODY_FILLS_IN, DeclaredForm, Needed, Optional
from connections.models import Connection, Site, UserMapping
from connections.options import ConnectionOptions, Ids, Match, Projects
from connections.pair_files import (
    ISSUE,
    LEFT,
    RIGHT,
    WORK_ITEM,
    Pair,
    PairFileError,
    decoded,
    ids_in,
    pairs_in,
)


def choice(label: str, words: Mapping[Any, str], hint: str = "", without: Iterable[Any] = ()) -> Needed:
    choices = [(str(value), word) for value, word in words.items() if value not in without]
    return Needed(label=label, widget=forms.Select(choices=choices), help_text=hint, initial=choices[0][0])


def one_of(label: str, words: Mapping[Any, str], hint: str = "", without: Iterable[Any] = ()) -> Needed:
    """As `choice`, all in sight: what is asked next depends on it."""
    field = choice(label, words, hint, without)
    field.widget = forms.RadioSelect(choices=field.widget.choices)
    return field


def lines(label: str, hint: str, example: str, kind: type[forms.CharField] = Needed) -> forms.CharField:
    attrs = {"rows": 4, "placeholder": example, **NOBODY_FILLS_IN}
    return kind(label=label, widget=forms.Textarea(attrs=attrs), help_text=hint)


def csv_file(label: str, hint: str) -> forms.FileField:
    widget = forms.FileInput(attrs={"accept": ".csv,text/csv,text/plain"})
    return forms.FileField(label=label, required=False, widget=widget, help_text=hint)


def day(label: str, hint: str) -> Optional:
    return Optional(label=label, help_text=hint, widget=forms.TextInput(attrs={"placeholder": "2026-01-01"}))


class ConnectionForm(DeclaredForm):
    """What both kinds have."""

    kind: ClassVar[Connection.Kind]
    usual_minimum: ClassVar[str]
    PLAIN: ClassVar[tuple[str, ...]] = (
        "minimum_seconds",
        "rounding",
        "rounding_minutes",
        "lookalikes",
        "estimate",
        "long_text",
    )
    WHOLE_NUMBERS = ("minimum_seconds", "rounding_minutes")
    KEYS: ClassVar[Mapping[str, str]] = {
        "issues": "issue_match",
        "issues.match": "issue_match",
        "issues.on": "issue_on",
        "issues.label": "issue_label",
        "issues.field": "issue_field",
        "issues.pairs": "issue_pairs",
        "people": "people_match",
        "people.match": "people_match",
        "people.pairs": "people_pairs",
        "people.fallback.left": "fallback_left",
        "people.fallback.right": "fallback_right",
        "people.timezones": "timezones",
        "scope.projects": "projects",
        "scope.ids": "ids",
    }

    PLACES: ClassVar[Mapping[str, str]] = {"ids": "number"}

    name = Needed(label="Name", help_text="What it is called here, such as contoso-to-jca. It stays.")

    people_match = one_of("People are found", option_words.PEOPLE_MATCHES)
    people_pairs = lines(
        "Pairs of people",
        "One pair a line: account id or e-mail on the left, then on the right. They come before e-mails.",
        "alice@example.com, 712020:5f2a…",
        Optional,
    )
    people_pairs_file = csv_file(
        "More pairs from a CSV file", "Columns left and right; its rows join those above."
    )
    fallback_left = Optional(
        label="Writes for people without an account on the left",
        help_text="An account id, Tempo only. Without it the site's own account writes.",
    )
    fallback_right = Optional(
        label="Writes for people without an account",
        help_text="An account id, Tempo only. Without it the site's own account writes.",
    )
    timezones = lines(
        "Time zones of people",
        "One person a line, where the zone is not the connection's.",
        "alice@example.com = Asia/Kolkata",
        Optional,
    )

    minimum_seconds = Optional(
        label="Shortest entry, in seconds",
        help_text="Shorter ones are skipped. Jira takes nothing under 60.",
        widget=forms.TextInput(attrs={"inputmode": "numeric"}),
    )
    rounding = choice("Rounding", option_words.ROUNDINGS)
    rounding_minutes = Needed(
        label="To how many minutes", initial="1", widget=forms.TextInput(attrs={"inputmode": "numeric"})
    )
    lookalikes = choice(
        "An entry there looks the same",
        option_words.LOOKALIKES,
        "Same person, issue, start, length and text, and not written by Twinlog.",
    )
    estimate = choice(
        "Remaining estimate of the issue",
        {"": "As usual: Jira leaves it, Tempo reduces it", **option_words.ESTIMATES},
    )
    long_text = choice("A text is too long for the other side", option_words.LONG_TEXTS)

    declared: ConnectionDeclaration

    def __init__(self, *args: Any, connection: Connection | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.connection = connection
        self.fields["estimate"].required = False
        self.fields["minimum_seconds"].widget.attrs["placeholder"] = self.usual_minimum
        if connection:
            for field in ("name", *self.ends):
                del self.fields[field]
            self.initial = self._as_fields(connection.get_options())
        else:
            self._offer_sites()

    @property
    def ends(self) -> tuple[str, str]:
        return ENDS[self.kind]

    def _offer_sites(self) -> None:
        sites = list(Site.objects.order_by("name"))
        for end in self.ends:
            names = [(each.name, f"{each.name} ({each.get_kind_display()})") for each in _fit(sites, end)]
            self.fields[end].widget = forms.Select(choices=[("", "Choose a site"), *names])
            if len(names) == 1:
                self.fields[end].initial = names[0][0]

    @property
    def ends_without_sites(self) -> list[str]:
        """Which sides no site there is fits."""
        return [end for end in self.ends if end in self.fields and len(self.fields[end].widget.choices) == 1]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        people = self._take_in("people_pairs", lambda text, file: pairs_in(text, file, LEFT, RIGHT))
        self._take_in("issue_pairs", lambda text, file: pairs_in(text, file, *self._issue_columns))
        try:
            self.declared = connection_of(self._table(data), known_sites(), self._from_file(people))
        except TableError as error:
            self.tell(error.problems)
        self._check_name_is_free(data)
        return data

    @property
    def _issue_columns(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return (WORK_ITEM, ISSUE) if self.kind == Connection.Kind.MIGRATION else (LEFT, RIGHT)

    def _take_in[T](self, field: str, read: Callable[[str, str], list[T]]) -> list[T]:
        """The rows of the file that came for a field of lines; they join its lines, also on the page."""
        file = self.cleaned_data.get(f"{field}_file")
        if not file:
            return []
        try:
            rows = read(decoded(file.read(), file.name), file.name)
        except PairFileError as error:
            self.add_error(f"{field}_file", forms.ValidationError(list(error.problems)))
            return []
        text = "\n".join(filter(None, [self.cleaned_data.get(field, ""), _as_lines(rows)]))
        self.cleaned_data[field] = text
        self._show(field, text)
        return rows

    def _show(self, field: str, text: str) -> None:
        shown = MultiValueDict(self.data)
        shown[self.add_prefix(field)] = text
        self.data = shown

    def _from_file(self, rows: Iterable[Pair]) -> frozenset[Pair]:
        """Pairs of people that came from a file, now or before."""
        if not self.connection:
            return frozenset(rows)
        before = self.connection.user_mappings.filter(found_by=UserMapping.FoundBy.FILE)
        told = {(row.left_email or row.left_account, row.right_email or row.right_account) for row in before}
        return frozenset(rows) | told

    def _table(self, data: Mapping[str, Any]) -> dict[str, Any]:
        table = self._ends_and_name(data) | {key: data[key] for key in self.PLAIN if data.get(key)}
        for key in self.WHOLE_NUMBERS:
            if table.get(key, "").isdecimal():
                table[key] = int(table[key])
        return table | self._untouched() | {"issues": self._issues(data), "people": _people(data)}

    def _ends_and_name(self, data: Mapping[str, Any]) -> dict[str, Any]:
        named = {key: data[key] for key in ("name", *self.ends) if data.get(key)}
        if self.connection:
            sides = (self.connection.left.name, self.connection.right.name)
            named = {"name": self.connection.name} | dict(zip(self.ends, sides, strict=True))
        return {"kind": self.kind.value} | named

    def _untouched(self) -> dict[str, Any]:
        """What this form does not ask about stays as it is."""
        stored = self.connection.get_options().dump() if self.connection else {}
        return {key: stored[key] for key in ("rules", "scripts") if key in stored}

    def _issues(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Only what belongs to the chosen match: the rest is out of sight."""
        match = data.get("issue_match", "")
        issues: dict[str, Any] = {"match": match}
        if match == Match.PAIRS:
            issues["pairs"] = _pairs(data.get("issue_pairs", ""))
        if match in (Match.FIELD, Match.LABEL) and (value := data.get(f"issue_{match}")):
            issues[match] = value
        if match not in (Match.KEY, Match.PAIRS) and (on := data.get("issue_on")):
            issues["on"] = on
        return issues

    def _check_name_is_free(self, data: Mapping[str, Any]) -> None:
        if not self.connection and Connection.objects.filter(name=data.get("name", "")).exists():
            self.add_error("name", "There is a connection of this name: open it, or take another name.")

    def save(self) -> Connection:
        return keep_connection(self.declared)

    def _as_fields(self, options: ConnectionOptions) -> dict[str, Any]:
        plain = {key: getattr(options, key) for key in self.PLAIN}
        return {key: value for key, value in plain.items() if value is not None} | {
            "issue_match": options.issues.match,
            "issue_on": options.issues.on,
            "issue_label": options.issues.label,
            "issue_field": options.issues.field,
            "issue_pairs": _as_lines(options.issues.pairs),
            "people_match": options.people.match,
            "people_pairs": _as_lines(options.people.pairs),
            "fallback_left": options.people.fallback.left,
            "fallback_right": options.people.fallback.right,
            "timezones": "\n".join(f"{who} = {zone}" for who, zone in options.people.timezones.items()),
        }


class MigrationForm(ConnectionForm):
    kind = Connection.Kind.MIGRATION
    usual_minimum = "60"
    PLAIN = (*ConnectionForm.PLAIN, "source_timezone", "date_from", "date_to", "read", "odata_times")

    source = Needed(label="Source", help_text="A 7pace Timetracker.")
    target = Needed(
        label="Target", help_text="A Jira, or the Tempo on it: there every entry gets its true author."
    )
    source_timezone = Needed(
        label="Time zone of the source",
        help_text="7pace holds wall clock times; this says where that clock hung.",
        widget=forms.TextInput(attrs={"list": "zones", "placeholder": "Europe/Berlin", **NOBODY_FILLS_IN}),
    )
    date_from = day("From", "The first day worked; nothing: from the beginning.")
    date_to = day("To", "The last day worked; nothing: until today.")
    scope = one_of("What is carried", option_words.SCOPES)
    projects = lines("Projects of Azure DevOps", "One a line.", "Contoso")
    ids = lines("Work item ids", "One a line, or separated by commas.", "4711")
    ids_file = csv_file("More ids from a CSV file", "A column named id; its rows join those above.")
    read = choice("Read through", option_words.READS, "REST is the better one wherever the token may use it.")
    odata_times = choice("Times of the reporting API are", option_words.ODATA_TIMES)
    issue_match = one_of("Work items find their issue", option_words.MATCHES, without=[Match.KEY])
    issue_label = Needed(
        label="Label",
        initial="ado-id-{id}",
        help_text="On the issue, with {id} where the work item's id stands.",
    )
    issue_field = Needed(
        label="Field", help_text="Name or id of the issue's field that holds the work item's id."
    )
    issue_pairs = lines("Pairs of issues", "One pair a line: work item id, issue key.", "4711, DEV-1")
    issue_pairs_file = csv_file(
        "More pairs from a CSV file", "Columns work_item and issue; its rows join those above."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        del self.fields["fallback_left"]
        zone = timezone.get_current_timezone_name()
        self.fields["source_timezone"].initial = zone if "/" in zone else ""

    def clean(self) -> dict[str, Any]:
        self._take_in("ids", ids_in)
        return super().clean()

    def _table(self, data: Mapping[str, Any]) -> dict[str, Any]:
        table = super()._table(data)
        table["issues"].pop("on", None)
        if data.get("scope") == "projects":
            table["scope"] = {"projects": _stripped(data.get("projects", "").split("\n"))}
        if data.get("scope") == "ids":
            words = re.split(r"[\s,;]+", data.get("ids", ""))
            table["scope"] = {"ids": [int(word) if word.isdecimal() else word for word in _stripped(words)]}
        return table

    def _as_fields(self, options: ConnectionOptions) -> dict[str, Any]:
        fields = super()._as_fields(options) | {"scope": "everything"}
        if isinstance(options.scope, Projects):
            fields |= {"scope": "projects", "projects": "\n".join(options.scope.projects)}
        if isinstance(options.scope, Ids):
            fields |= {"scope": "ids", "ids": "\n".join(map(str, options.scope.ids))}
        return fields


class SyncForm(ConnectionForm):
    kind = Connection.Kind.SYNC
    usual_minimum = "0"
    PLAIN = (
        *ConnectionForm.PLAIN,
        *("direction", "conflicts", "deletes", "since", "schedule", "carry_on"),
    )

    left = Needed(label="Left", help_text="A Tempo, or a Jira: its native worklogs.")
    right = Needed(label="Right", help_text="A Tempo or a Jira, on another Jira than the left.")
    direction = choice("Direction", option_words.DIRECTIONS)
    conflicts = choice("Both sides changed an entry", option_words.CONFLICTS)
    deletes = choice("An entry is deleted on one side", option_words.DELETES)
    since = day("Since", "Entries worked before this day are left alone; nothing: all.")
    schedule = Optional(
        label="Schedule",
        help_text="Five cron fields: minute, hour, day, month, weekday. Nothing: only when started.",
        widget=forms.TextInput(attrs={"placeholder": "*/5 * * * *", **NOBODY_FILLS_IN}),
    )
    carry_on = choice("Entries another connection wrote", option_words.CARRY_ON, "Which of them travel on.")
    issue_match = one_of("Issues find each other", option_words.MATCHES)
    issue_on = choice("The side that holds it", option_words.SIDES)
    issue_label = Needed(
        label="Label", help_text="With {key} or {id} where the other side's issue stands, such as twin-{key}."
    )
    issue_field = Needed(label="Field", help_text="Name or id of the field that holds the other side's key.")
    issue_pairs = lines("Pairs of issues", "One pair a line: left key, right key.", "ABC-1, XYZ-9")
    issue_pairs_file = csv_file(
        "More pairs from a CSV file", "Columns left and right; its rows join those above."
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["fallback_right"].label = "Writes for people without an account on the right"


FORMS: dict[str, type[ConnectionForm]] = {form.kind: form for form in (MigrationForm, SyncForm)}


def _fit(sites: Iterable[Site], end: str) -> list[Site]:
    return [site for site in sites if site.kind in SITES_ALLOWED[end]]


def _people(data: Mapping[str, Any]) -> dict[str, Any]:
    people: dict[str, Any] = {"match": data.get("people_match", "")}
    fallback = {side: account for side in ("left", "right") if (account := data.get(f"fallback_{side}"))}
    zones = dict(_zone(line) for line in _stripped(data.get("timezones", "").split("\n")))
    given = {"pairs": _pairs(data.get("people_pairs", "")), "fallback": fallback, "timezones": zones}
    return people | {key: value for key, value in given.items() if value}


def _zone(line: str) -> tuple[str, str]:
    person, _, zone = line.partition("=")
    return person.strip(), zone.strip()


def _pairs(text: str) -> list[list[str]]:
    """One for each line; one with more or less than two values is refused by the declaration."""
    return [_stripped(re.split(r"[\s,;]+", line)) for line in _stripped(text.split("\n"))]


def _stripped(parts: Iterable[str]) -> list[str]:
    return [part.strip() for part in parts if part.strip()]


def _as_lines(rows: Iterable[Any]) -> str:
    return "\n".join(", ".join(row) if isinstance(row, tuple) else str(row) for row in rows)
