"""Names, titles and comments of the demo's people."""

import random

FIRST_NAMES = (
    "Amelie", "Andrés", "Anke", "Ayşe", "Bartosz", "Birgit", "Carlos", "Chiara", "Dagmar", "Deniz", "Elif", "Emre",
    "Fatima", "Florian", "Giulia", "Grzegorz", "Hannah", "Henrik", "Ines", "Jürgen", "Katarzyna", "Kofi", "Lars",
    "Leila", "Magdalena", "Marek", "Nadia", "Niels", "Olga", "Pavel", "Priya", "Rafael", "Sanne", "Søren", "Tomasz",
    "Uwe", "Valentina", "Wei", "Yasmin", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Adler", "Bauer", "Berger", "Costa", "Dvořák", "Eriksen", "Fischer", "García", "Groß", "Haddad", "Huber", "Ivanova",
    "Jansen", "Kaya", "Klein", "Kowalski", "Köhler", "Lehmann", "Li", "Moreau", "Müller", "Nguyen", "Novák", "O'Neill",
    "Petersen", "Rossi", "Sato", "Schulze", "Silva", "Weber",
)  # fmt: skip

_VERBS = ("Add", "Fix", "Improve", "Review", "Remove", "Migrate", "Document", "Test", "Speed up", "Rewrite")
_THINGS = (
    "the login form", "invoice export", "the order history", "price rules", "the nightly import", "search results",
    "address validation", "the stock report", "push messages", "payment retries", "the delivery calendar",
    "user roles", "the audit trail", "image upload", "the mobile cart", "tax rates", "the returns process",
    "e-mail templates", "the data warehouse feed", "session handling",
)  # fmt: skip
_DONE = (
    "Worked on {}", "Analysed {}", "Review of {}", "Bug fixing in {}", "Pairing on {}", "Call about {}",
    "Tests for {}", "Refinement: {}", "Deployed {}", "Documentation of {}", "Meeting about {}", "Started with {}",
)  # fmt: skip

SPECIAL_COMMENTS = (
    "First the analysis,\nthen the fix.",
    "Call with the customer\n\nOpen points:\n- dates\n- prices",
    "Release 🚀 went well 🎉",
    "עבודה על הדוח החודשי",
    "مراجعة الطلبات \u200f(2)",
    '=SUM(A1:A9)',
    "+49 30 1234567 called back",
    "-1 day in the report, found it",
    "@all please test",
    "<b>Important</b>: see <a href=\"https://wiki.contoso.example\">wiki</a> & tell Bob",
    "if (a < b && c > d) { return; }",
    "Größenänderung für Übermaße, 10 % schneller",
    "在测试环境中验证",
    "Tab\tseparated\tnotes",
    "  indented by two blanks",
    "trailing blanks  ",
    "",
    None,
    "Quote: \"it's done\"",
    "C:\\temp\\export.csv",
)  # fmt: skip


def title(source: random.Random) -> str:
    return f"{source.choice(_VERBS)} {source.choice(_THINGS)}"


def comment(source: random.Random) -> str:
    return source.choice(_DONE).format(source.choice(_THINGS))
