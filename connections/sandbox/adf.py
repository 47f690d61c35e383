"""Atlassian Document Format as Jira v3 takes it in worklog comments: checked, tidied, and read as plain text."""

import re
from typing import Any

TEXT_LIMIT = 32_767
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_BLOCKS = {
    "paragraph",
    "heading",
    "bulletList",
    "orderedList",
    "listItem",
    "blockquote",
    "codeBlock",
    "panel",
    "rule",
}
_INLINE = {"text", "hardBreak", "mention", "emoji", "inlineCard", "date", "status"}


def document(text: str) -> dict[str, Any] | None:
    """Plain text as a document: an empty line parts paragraphs, a line break is a hard break. "" gives None."""
    if not text:
        return None
    paragraphs = [_paragraph(part.split("\n")) for part in text.split("\n\n")]
    return {"type": "doc", "version": 1, "content": paragraphs}


def _paragraph(lines: list[str]) -> dict[str, Any]:
    nodes: list[dict[str, Any]] = []
    for number, line in enumerate(lines):
        if number:
            nodes.append({"type": "hardBreak"})
        if line:
            nodes.append({"type": "text", "text": line})
    return {"type": "paragraph", "content": nodes}


def problem(value: Any) -> str | None:
    """Why Jira refuses this comment (its words), or None."""
    if not isinstance(value, dict):
        return "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
    if value.get("type") != "doc" or value.get("version") != 1 or not _is_list(value.get("content")):
        return "Comment body is not valid!"
    if not all(_valid(node) for node in value["content"]):
        return "Comment body is not valid!"
    if _length(plain(value)) > TEXT_LIMIT:
        return "The entered text is too long. It exceeds the allowed limit of 32,767 characters."
    return None


def _valid(node: Any) -> bool:
    if not isinstance(node, dict):
        return False
    if node.get("type") == "text":
        text = node.get("text")
        return isinstance(text, str) and text != "" and not _CONTROL.search(text)
    if node.get("type") not in _BLOCKS | _INLINE:
        return False
    content = node.get("content", [])
    return _is_list(content) and all(_valid(child) for child in content)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _length(text: str) -> int:
    """Characters as Java counts them: one outside the basic plane is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def plain(value: dict[str, Any] | None) -> str:
    """The document's text: blocks parted by an empty line, hard breaks as line breaks."""
    if value is None:
        return ""
    return "\n\n".join(_text(block) for block in value.get("content", []))


def _text(node: dict[str, Any]) -> str:
    if node.get("type") == "hardBreak":
        return "\n"
    if node.get("type") == "text":
        return node["text"]
    joint = (
        "\n" if node.get("type") in {"bulletList", "orderedList", "listItem", "blockquote", "panel"} else ""
    )
    return joint.join(_text(child) for child in node.get("content", []))


def tidied(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """As Jira stores it: neighbouring text of one style merged, nothing at all where there is no text."""
    if value is None or plain(value) == "":
        return None
    return {**value, "content": [_tidied(block) for block in value["content"]]}


def _tidied(node: dict[str, Any]) -> dict[str, Any]:
    if "content" not in node:
        return node
    nodes: list[dict[str, Any]] = []
    for child in map(_tidied, node["content"]):
        if nodes and _joinable(nodes[-1], child):
            nodes[-1] = {**child, "text": nodes[-1]["text"] + child["text"]}
        else:
            nodes.append(child)
    return {**node, "content": nodes}


def _joinable(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return left.get("type") == right.get("type") == "text" and left.get("marks") == right.get("marks")
