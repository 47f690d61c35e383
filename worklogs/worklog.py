"""Worklog: one time entry in Twinlog's own form, whichever vendor it came from."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any, Self

from worklogs.clock import Moment, Note


@dataclass(frozen=True, slots=True)
class Person:
    """Who worked. `account` is the vendor's own id of the person; `guid` the Azure DevOps user id, where known."""

    name: str = ""
    email: str = ""
    account: str = ""
    guid: str = ""

    @property
    def label(self) -> str:
        """E-mail, else name, else id: how reports name somebody without an account."""
        return self.email or self.name or self.account


@dataclass(frozen=True, slots=True)
class Worklog:
    """One entry: `entry` is its vendor's id, `work` the issue id or work item id it belongs to ("" for none),
    `seconds` and `billable` whole seconds (`billable` None: the vendor says nothing of it), `text` plain text.

    `defect` says in a sentence why the entry cannot be carried; the other values are then as far as readable;
    `has_length` is false where the source gave no length at all, and `seconds` 0 stands for nothing.
    `marker` is the source's entry id that Twinlog left on a copy, `marked_site` that source's name and
    `marked_account` the account found for the person, where the copy's vendor has room for them.
    """

    entry: str
    work: str
    person: Person
    moment: Moment | None
    seconds: int
    text: str = ""
    billable: int | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    updated: str = ""
    marker: str = ""
    marked_site: str = ""
    marked_account: str = ""
    defect: str = ""
    has_length: bool = True

    def content(self) -> dict[str, Any]:
        """What people entered, in one canonical form: no ids of the entry itself, no update times, no person's name."""
        return {
            "work": self.work,
            "person": self.person.account or self.person.email or self.person.name,
            "day": self.moment.day.isoformat() if self.moment else "",
            "start": self.moment.start.isoformat() if self.moment else "",
            "instant": self.moment.instant.isoformat() if self.moment else "",
            "seconds": self.seconds,
            "billable": self.billable,
            "text": self.text,
            "attributes": [list(pair) for pair in sorted(self.attributes)],
            "defect": self.defect,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of the content: equal digests mean that nothing a person entered has changed."""
        return digest_of(self.content())

    def to_json(self) -> dict[str, Any]:
        return {
            "entry": self.entry,
            "work": self.work,
            "person": {name: getattr(self.person, name) for name in ("name", "email", "account", "guid")},
            "moment": _moment_to_json(self.moment),
            "seconds": self.seconds,
            "text": self.text,
            "billable": self.billable,
            "attributes": [list(pair) for pair in self.attributes],
            "updated": self.updated,
            "marker": self.marker,
            "marked_site": self.marked_site,
            "marked_account": self.marked_account,
            "defect": self.defect,
            "has_length": self.has_length,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        return cls(
            **{
                **values,
                "person": Person(**values["person"]),
                "moment": _moment_from_json(values["moment"]),
                "attributes": tuple((key, value) for key, value in values["attributes"]),
            }
        )

    def with_(self, **changes: Any) -> Self:
        return replace(self, **changes)


def digest_of(content: Any) -> str:
    """SHA-256, in hex, of a JSON value in one canonical spelling."""
    spelled = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(spelled.encode("utf-8", "surrogatepass")).hexdigest()


def _moment_to_json(moment: Moment | None) -> dict[str, str] | None:
    if moment is None:
        return None
    return {
        "day": moment.day.isoformat(),
        "start": moment.start.isoformat(),
        "zone": moment.zone,
        "instant": moment.instant.isoformat(),
        "note": moment.note.value,
    }


def _moment_from_json(values: Mapping[str, str] | None) -> Moment | None:
    if values is None:
        return None
    return Moment(
        day=date.fromisoformat(values["day"]),
        start=time.fromisoformat(values["start"]),
        zone=values["zone"],
        instant=datetime.fromisoformat(values["instant"]).astimezone(UTC),
        note=Note(values["note"]),
    )
