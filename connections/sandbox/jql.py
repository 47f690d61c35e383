"""As much of JQL as finding issues needs: =, !=, ~, in, not in, is EMPTY, AND, OR, NOT, brackets, ORDER BY, and
`updated >= -5m`.

`find(site, text)` gives the ids in order, or raises JqlError with Jira's words.
"""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from connections.sandbox.world import JiraField, JiraIssue, JiraSite

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<custom>cf\[\d+\])
      | (?P<sign>!=|<=|>=|!~|[()=~<>,])
      | (?P<word>[^\s()=~<>!,"']+)
    )""",
    re.VERBOSE | re.IGNORECASE,
)


_AGO = re.compile(r"-(\d+)([mhdw])")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


class JqlError(Exception):
    """The query is refused; the text is what Jira says."""


@dataclass(frozen=True)
class Token:
    text: str
    quoted: bool = False

    def is_word(self, *words: str) -> bool:
        return not self.quoted and self.text.lower() in words


def find(site: JiraSite, text: str, now: float | None = None) -> list[int]:
    """Ids of visible issues that match, ordered; archived ones are never found. `now` in seconds since 1970."""
    query, order = _split_order(tokens(text))
    if not query:
        raise JqlError(
            "Unbounded JQL queries are not allowed here. Please add a search restriction to your query."
        )
    found = Parser(site, query, time.time() if now is None else now).parse()
    issues = [
        issue for issue in map(site.issues.__getitem__, found) if issue.visible and not issue.is_archived
    ]
    return [issue.id for issue in _ordered(issues, order)]


def tokens(text: str) -> list[Token]:
    found, position = [], 0
    while text[position:].strip():
        match = _TOKEN.match(text, position)
        if match is None:
            raise JqlError(
                f"Error in the JQL Query: '{text[position:].strip()[0]}' is a reserved JQL character."
            )
        quoted = match["quoted"]
        found.append(Token(_unquoted(quoted), quoted=True) if quoted else Token(match[0].strip()))
        position = match.end()
    return found


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _split_order(found: list[Token]) -> tuple[list[Token], list[Token]]:
    for number, token in enumerate(found[:-1]):
        if token.is_word("order") and found[number + 1].is_word("by"):
            return found[:number], found[number + 2 :]
    return found, []


def _ordered(issues: list[JiraIssue], order: list[Token]) -> list[JiraIssue]:
    name = order[0].text.lower() if order else "id"
    keys: dict[str, Callable[[JiraIssue], object]] = {
        "id": lambda issue: issue.id,
        "created": lambda issue: issue.id,
        "updated": lambda issue: (issue.updated, issue.id),
        "key": lambda issue: (issue.project.key, int(issue.key.rpartition("-")[2])),
    }
    if name not in keys:
        raise JqlError(f"Not able to sort using field '{name}'.")
    descending = bool(order[1:]) and order[-1].is_word("desc")
    return sorted(issues, key=keys[name], reverse=descending)  # type: ignore[arg-type]


class Parser:
    """Recursive descent; every step gives the set of issue ids it stands for."""

    def __init__(self, site: JiraSite, query: list[Token], now: float) -> None:
        self.site = site
        self.query = query
        self.now = now
        self.position = 0

    def parse(self) -> set[int]:
        found = self._either()
        if self.position < len(self.query):
            raise JqlError(
                f"Error in the JQL Query: Expecting either 'OR' or 'AND' but got '{self._next().text}'."
            )
        return found

    def _either(self) -> set[int]:
        found = self._both()
        while self._take("or"):
            found = found | self._both()
        return found

    def _both(self) -> set[int]:
        found = self._one()
        while self._take("and"):
            found = found & self._one()
        return found

    def _one(self) -> set[int]:
        if self._take("not"):
            return set(self.site.issues) - self._one()
        if self._take("("):
            found = self._either()
            self._expect(")")
            return found
        return self._clause()

    def _clause(self) -> set[int]:
        name, operator = self._next(), self._operator()
        if operator in {"is", "is not"}:
            empty = self._empty(name.text)
            return empty if operator == "is" else set(self.site.issues) - empty
        values = self._values() if operator in {"in", "not in"} else [self._next().text]
        if operator == ">=":
            return self._since(name.text, values[0])
        positive = {"!=": "=", "not in": "in", "!~": "~"}.get(operator)
        found = self._search(name.text, positive or operator, values)
        return set(self.site.issues) - found if positive else found

    def _operator(self) -> str:
        token = self._next()
        if token.is_word("not"):
            self._expect("in")
            return "not in"
        if token.is_word("is"):
            return "is not" if self._take("not") else "is"
        if not token.is_word("=", "!=", "~", "!~", "in", ">="):
            raise JqlError(
                f"Error in the JQL Query: Expecting operator but got '{token.text}'. The valid operators are '=', "
                "'!=', '<', '>', '<=', '>=', '~', '!~', 'IN', 'NOT IN', 'IS' and 'IS NOT'."
            )
        return token.text.lower()

    def _empty(self, name: str) -> set[int]:
        """Issues that have no such label or value."""
        if not self._next().is_word("empty", "null"):
            raise JqlError("Error in the JQL Query: Expecting either 'EMPTY' or 'NULL'.")
        if name.lower() == "labels":
            return {issue.id for issue in self.site.issues.values() if not issue.labels}
        known = self._field(name).id
        return {issue.id for issue in self.site.issues.values() if issue.fields.get(known) in (None, "")}

    def _since(self, name: str, value: str) -> set[int]:
        """Issues that changed since so long ago."""
        ago = _AGO.fullmatch(value)
        if name.lower() != "updated" or ago is None:
            raise JqlError(f"Date value '{value}' for field '{name}' is invalid.")
        since = self.now - int(ago[1]) * _SECONDS[ago[2]]
        return {issue.id for issue in self.site.issues.values() if issue.updated.timestamp() >= since}

    def _values(self) -> list[str]:
        self._expect("(")
        values = [self._next().text]
        while self._take(","):
            values.append(self._next().text)
        self._expect(")")
        return values

    def _search(self, name: str, operator: str, values: list[str]) -> set[int]:
        searches = {
            "labels": self._by_label,
            "project": self._by_project,
            "id": self._by_key,
            "key": self._by_key,
            "issuekey": self._by_key,
            "issue": self._by_key,
        }
        search = searches.get(name.lower())
        if search is None:
            return self._by_field(self._field(name), name, operator, values)
        if operator == "~":
            raise JqlError(f"The operator '~' is not supported by the '{name}' field.")
        return search(values)

    def _by_label(self, values: list[str]) -> set[int]:
        return set().union(*(self.site.by_label.get(value, set()) for value in values))

    def _by_project(self, values: list[str]) -> set[int]:
        wanted = {self._project(value) for value in values}
        return {issue.id for issue in self.site.issues.values() if issue.project.key in wanted}

    def _project(self, value: str) -> str:
        for project in self.site.projects.values():
            if value.casefold() in {project.key.casefold(), project.name.casefold(), str(project.id)}:
                return project.key
        raise JqlError(f"The value '{value}' does not exist for the field 'project'.")

    def _by_key(self, values: list[str]) -> set[int]:
        return {self._issue(value).id for value in values}

    def _issue(self, value: str) -> JiraIssue:
        issue = self.site.issue(value)
        if issue is None or not issue.visible:
            raise JqlError(f"An issue with key '{value}' does not exist for field 'key'.")
        return issue

    def _field(self, name: str) -> JiraField:
        wanted = name.lower()
        for known in self.site.custom_fields:
            if wanted in {f"cf[{known.number}]", known.name.lower(), known.id}:
                return known
        raise JqlError(f"Field '{name}' does not exist or you do not have permission to view it.")

    def _by_field(self, known: JiraField, name: str, operator: str, values: list[str]) -> set[int]:
        if (known.kind == "text") != (operator == "~"):
            raise JqlError(f"The operator '{operator}' is not supported by the '{name}' field.")
        test = _contains(values) if operator == "~" else _equals(values, name)
        return {issue.id for issue in self.site.issues.values() if test(issue.fields.get(known.id))}

    def _next(self) -> Token:
        if self.position >= len(self.query):
            raise JqlError("Error in the JQL Query: The query is incomplete.")
        self.position += 1
        return self.query[self.position - 1]

    def _take(self, word: str) -> bool:
        if self.position < len(self.query) and self.query[self.position].is_word(word):
            self.position += 1
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise JqlError(f"Error in the JQL Query: Expecting '{word}'.")


def _equals(values: list[str], name: str) -> Callable[[object], bool]:
    try:
        numbers = {float(value) for value in values}
    except ValueError:
        raise JqlError(
            f"The value '{values[0]}' for field '{name}' is invalid; it must be a number."
        ) from None
    return lambda held: isinstance(held, (int, float)) and float(held) in numbers


def _contains(values: list[str]) -> Callable[[object], bool]:
    """Text search: every word asked for is a word of the text, or begins one where it ends with a star."""
    words = re.findall(r"\w+\*?", values[0].lower())

    def test(held: object) -> bool:
        present = re.findall(r"\w+", str(held or "").lower())
        return bool(words) and all(_found(word, present) for word in words)

    return test


def _found(word: str, present: list[str]) -> bool:
    if word.endswith("*"):
        return any(known.startswith(word[:-1]) for known in present)
    return word in present
