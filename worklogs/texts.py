"""Plain text and what the vendors make of it: the header line, the length limit, Jira's document format."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

# Jira refuses longer text with "The entered text is too long. It exceeds the allowed limit of 32,767
# characters."; Tempo mirrors its text into Jira.
LIMIT = 32_767

_HEADER = re.compile(r"\A\[(7pace|Tempo|Jira) — (?P<name>.*) on (?P<day>\d{4}-\d{2}-\d{2})\](?:\n\n|\Z)")
# Neither XML, which Jira exports, nor its document format can hold these.
_UNHOLDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Headed:
    """A copy's text: the person and day its header names, and what stands below the header."""

    name: str
    day: date
    text: str


def header(vendor: str, name: str, day: date, text: str) -> str:
    """`[7pace — Alice Smith on 2024-03-15]`, an empty line, the text; the header alone where there is none."""
    line = f"[{vendor} — {on_one_line(name)} on {day.isoformat()}]"
    return f"{line}\n\n{text}" if text else line


def on_one_line(name: str) -> str:
    """A name as a header holds it."""
    return " ".join(cleaned(" ".join(name.split())).split())


def read_header(text: str) -> Headed | None:
    found = _HEADER.match(text)
    if not found:
        return None
    try:
        day = date.fromisoformat(found["day"])
    except ValueError:
        return None
    return Headed(found["name"], day, text[found.end() :])


def cleaned(text: str | None) -> str:
    """Line breaks as `\\n`, without the control characters that no target can hold."""
    return _UNHOLDABLE.sub("", (text or "").replace("\r\n", "\n").replace("\r", "\n"))


def length(text: str) -> int:
    """Length as Jira counts: UTF-16 units, so that an emoji is two."""
    return len(text.encode("utf-16-le")) // 2


def cut(text: str) -> str:
    """The text within the limit; what is cut leaves a visible mark with the whole length."""
    if length(text) <= LIMIT:
        return text
    mark = f"\n[… cut: {length(text):,} characters in all]"
    room = (LIMIT - length(mark)) * 2
    return text.encode("utf-16-le")[:room].decode("utf-16-le", "ignore") + mark


def to_document(text: str) -> dict[str, Any]:
    """Atlassian document: an empty line separates paragraphs, a single line break is a hard break."""
    return {
        "type": "doc",
        "version": 1,
        "content": [_paragraph(part) for part in text.split("\n\n")],
    }


def _paragraph(part: str) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    for number, line in enumerate(part.split("\n")):
        if number:
            nodes.append({"type": "hardBreak"})
        if line:
            nodes.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": nodes} if nodes else {"type": "paragraph"}


def from_document(document: Any) -> str:
    """The reverse of `to_document`; of documents that people wrote, the text of every node in reading order.

    Takes plain strings (API v2 answers, webhooks) as they are; what is no document has no text.
    """
    if isinstance(document, str):
        return cleaned(document)
    return "\n\n".join(_block_texts(_children(document)))


def _children(node: Any) -> list[dict[str, Any]]:
    content = node.get("content") if isinstance(node, dict) else None
    return [child for child in content if isinstance(child, dict)] if isinstance(content, list) else []


def _block_texts(nodes: Iterable[dict[str, Any]]) -> list[str]:
    texts = []
    for node in nodes:
        children = _children(node)
        if any(str(child.get("type")) in _BLOCKS for child in children):
            texts.append("\n".join(_block_texts(children)))
        else:
            texts.append(_inline_text(node))
    return texts


_BLOCKS = {
    "paragraph", "heading", "bulletList", "orderedList", "listItem", "taskList", "taskItem", "blockquote",
    "codeBlock", "panel", "table", "tableRow", "tableCell", "tableHeader", "expand", "nestedExpand",
    "mediaSingle", "mediaGroup", "rule", "decisionList", "decisionItem", "layoutSection", "layoutColumn",
    "bodiedExtension", "blockCard", "embedCard",
}  # fmt: skip


def _inline_text(node: dict[str, Any]) -> str:
    kind, held = str(node.get("type")), node.get("attrs")
    attributes = held if isinstance(held, dict) else {}
    if kind == "hardBreak":
        return "\n"
    if kind in {"mention", "emoji", "status", "date"}:
        return str(attributes.get("text") or attributes.get("shortName") or attributes.get("timestamp") or "")
    if kind in {"inlineCard", "blockCard", "embedCard"}:
        return str(attributes.get("url") or "")
    return str(node.get("text") or "") + "".join(map(_inline_text, _children(node)))
