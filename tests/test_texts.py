"""Texts are carried to the character, under a header line where the person has no account."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worklogs import texts

DAY = date(2024, 3, 15)
WILD = [
    "one line",
    "two\nlines",
    "two\n\nparagraphs",
    "three breaks\n\n\nin a row",
    "four\n\n\n\nin a row",
    "\nbegins with a break",
    "\n\nbegins with an empty line",
    "ends with a break\n",
    "ends with two\n\n",
    "  blanks lead,\n  and trail  \n",
    "a\ttab and\u00a0a hard blank",
    "👩‍🔧 worked 🕐 late",
    "\u202eעברית\u202c and \u200fمرحبا",
    " ",
    "\n",
    "\n\n",
    "\n\n\n",
    "",
    "<b>&amp;</b> \\n is no break",
]
CLEANED = st.text(alphabet=st.characters(exclude_categories=["Cs"])).map(texts.cleaned)
BREAKS = st.lists(st.sampled_from(["\n", "\n\n", "a", " ", "\t", "😀"])).map("".join)
NAMES = st.text(alphabet=st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"])).map(
    lambda name: " ".join(texts.cleaned(name).split())
)


# --- the header line


def test_alices_text_stands_below_her_name_and_day():
    said = texts.header("7pace", "Alice Smith", DAY, "Fixed the pump")
    assert said == "[7pace — Alice Smith on 2024-03-15]\n\nFixed the pump"


def test_without_a_text_the_header_stands_alone():
    assert texts.header("7pace", "Alice Smith", DAY, "") == "[7pace — Alice Smith on 2024-03-15]"


@pytest.mark.parametrize("vendor", ["7pace", "Tempo", "Jira"])
@pytest.mark.parametrize("text", WILD)
def test_a_header_is_read_as_it_was_written(vendor, text):
    read = texts.read_header(texts.header(vendor, "Alice Smith", DAY, text))
    assert read == texts.Headed("Alice Smith", DAY, text)


@pytest.mark.parametrize(
    "name",
    ["Bob] on 2020-01-01", "Bob on 2020-01-01", "[7pace — Bob on 2020-01-01]", "李 雷", "O’Neill, Bob"],
)
def test_a_name_that_looks_like_a_header_does_not_confuse_it(name):
    assert texts.read_header(texts.header("7pace", name, DAY, "text")) == texts.Headed(name, DAY, "text")


def test_a_name_stays_on_its_line():
    said = texts.header("7pace", " Alice\n\n Smith\u2028\x00", DAY, "")
    assert said == "[7pace — Alice Smith on 2024-03-15]"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Fixed the pump",
        "Alice: [7pace — Alice Smith on 2024-03-15]",
        "[7pace - Alice Smith on 2024-03-15]\n\na hyphen is no dash",
        "[7pace — Alice Smith on 2024-03-15]\nno empty line follows",
        "[7pace — Alice Smith on 2024-03-15] ",
        "[7pace — Alice Smith on 2024-02-30]\n\nno such day",
        "[Toggl — Alice Smith on 2024-03-15]",
    ],
)
def test_what_is_no_header_is_a_text(text):
    assert texts.read_header(text) is None


@given(NAMES, st.dates(), CLEANED)
def test_every_header_is_read_as_it_was_written(name, day, text):
    assert texts.read_header(texts.header("7pace", name, day, text)) == texts.Headed(name, day, text)


# --- what no target can hold


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("a\x00b\x1fc\x0bd\x0ce", "abcde"),
        ("tab\tstays", "tab\tstays"),
        ("half an emoji \ud83d", "half an emoji "),
        (" blanks stay ", " blanks stay "),
        (None, ""),
    ],
)
def test_line_breaks_become_one_kind_and_nothing_else_is_touched(text, cleaned):
    assert texts.cleaned(text) == cleaned


@given(st.text(alphabet=st.characters()))
def test_to_clean_twice_is_to_clean_once(text):
    once = texts.cleaned(text)
    assert texts.cleaned(once) == once
    assert once.encode().decode() == once


# --- long texts


def test_a_text_at_the_limit_is_left_alone():
    text = "x" * texts.LIMIT
    assert texts.cut(text) == text


def test_a_longer_text_is_cut_with_a_mark_that_names_its_length():
    cut = texts.cut("x" * 40_000)
    assert texts.length(cut) == texts.LIMIT
    assert cut.endswith("x\n[… cut: 40,000 characters in all]")


def test_an_emoji_counts_twice_as_jira_counts_and_is_never_cut_in_half():
    assert texts.length("😀") == 2
    for text in ("😀" * 20_000, "x" + "😀" * 20_000):
        cut = texts.cut(text)
        assert texts.LIMIT - 1 <= texts.length(cut) <= texts.LIMIT
        assert cut.removeprefix("x").startswith("😀")
        assert cut.encode()


def test_what_was_cut_is_not_cut_again():
    once = texts.cut("x" * 40_000)
    assert texts.cut(once) == once


# --- Jira's documents


def test_an_empty_line_separates_paragraphs_and_a_single_break_is_a_hard_break():
    assert texts.to_document("one\ntwo\n\nthree") == {
        "type": "doc",
        "version": 1,
        "content": [
            {
                "type": "paragraph",
                "content": [
                    {"type": "text", "text": "one"},
                    {"type": "hardBreak"},
                    {"type": "text", "text": "two"},
                ],
            },
            {"type": "paragraph", "content": [{"type": "text", "text": "three"}]},
        ],
    }


@pytest.mark.parametrize("text", WILD)
def test_a_text_comes_back_from_its_document_to_the_character(text):
    assert texts.from_document(texts.to_document(text)) == text


@given(CLEANED | BREAKS)
def test_any_text_comes_back_from_its_document(text):
    assert texts.from_document(texts.to_document(text)) == text


@given(CLEANED | BREAKS)
def test_no_document_holds_an_empty_text_node_or_a_line_break_in_one(text):
    for paragraph in texts.to_document(text)["content"]:
        for node in paragraph.get("content", []):
            assert node["type"] == "hardBreak" or (node["text"] and "\n" not in node["text"])


def text(said, **more):
    return {"type": "text", "text": said, **more}


def block(kind, *content, **attrs):
    return {"type": kind, "content": list(content), "attrs": attrs}


@pytest.mark.parametrize(
    ("document", "read"),
    [
        (None, ""),
        ("plain text of API v2\r\n", "plain text of API v2\n"),
        ({"type": "doc", "version": 1, "content": []}, ""),
        ({"type": "doc", "version": 1}, ""),
        (block("doc", block("paragraph", text("bo", marks=[{"type": "strong"}]), text("ld"))), "bold"),
        (block("doc", block("heading", text("Title")), block("paragraph", text("body"))), "Title\n\nbody"),
        (
            block(
                "doc",
                block(
                    "bulletList",
                    block("listItem", block("paragraph", text("one"))),
                    block("listItem", block("paragraph", text("two"))),
                ),
            ),
            "one\ntwo",
        ),
        (block("doc", block("codeBlock", text("if x:\n    y"))), "if x:\n    y"),
        (
            block(
                "doc",
                block("layoutSection", *[block("layoutColumn", block("paragraph", text(t))) for t in "ab"]),
            ),
            "a\nb",
        ),
        (
            block(
                "doc",
                block(
                    "paragraph",
                    {"type": "mention", "attrs": {"id": "1", "text": "@Bob"}},
                    text(" "),
                    {"type": "emoji", "attrs": {"shortName": ":smile:", "text": "😄"}},
                    text(" "),
                    {"type": "inlineCard", "attrs": {"url": "https://example.com/a"}},
                ),
            ),
            "@Bob 😄 https://example.com/a",
        ),
        (
            block("doc", {"type": "blockCard", "attrs": {"url": "https://example.com/a"}}),
            "https://example.com/a",
        ),
    ],
)
def test_of_a_document_a_person_wrote_every_text_is_read_in_order(document, read):
    assert texts.from_document(document) == read
