"""What users read has the words of the glossary, not the dialect of older versions."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "ontogeny"
DIALECT = (
    r"dealt? (them )?anew", r"deals? .{0,40}anew", r"\bdealings\b",
    r"\b(is|are|was|were|been|being|be|once|it)? ?told (apart|right|of many|from)",
    r"\btells? (a |the |five |its )?tokens?\b", r"\btell(s|ing)? .{0,20}\bapart\b",
    r"\bbecomes? (so many |five |\w+ )?things\b",
    r"by its silence", r"\b(dormant|dead|silent) units?\b",
    r"\bunits? (is|are) (dormant|dead|silent)",
    r"fall(s|en)? silent", r"come back from silence", r"named? (rightly|wrongly|right|wrong)\b",
    r"no knowledge", r"know nothing", r"loud (source|unit)", r"counts? alike",
    r"taking turns", r"for good\b", r"\bmend (these|it|all)", r": mend\b",
    r"course together in it", r"training that is possible",
    r"steps over which it rises", r"as many as there are \(None\)", r"\(None\)",
    r"bring a run's record up", r"serves? (a|the|several|one) tokens?",
    r"\bparts? tokens as far\b", r"gives one answer",
)  # fmt: skip
"""Phrases that an editor struck out, as patterns."""
PATTERN = re.compile("|".join(f"(?:{p})" for p in DIALECT), re.IGNORECASE)
READ = ("README.md", "docs/*.md")
STRINGS = (
    "report/*.py", "statements/*.py", "cli/*.py", "measure/*.py", "plot/*.py", "page/*.py",
    "errors.py", "extras.py", "config.py",
)  # fmt: skip
"""Modules all of whose strings are read by users."""


def strings(tree):
    """Return the strings of a module that are no docstrings; f-strings with {} for values."""
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    inside = {id(v) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
              for v in node.values}  # fmt: skip
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts = (v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
            yield node.lineno, "".join(str(part) for part in parts)
        elif isinstance(node, ast.Constant) and id(node) not in docstrings | inside:
            yield node.lineno, str(node.value)


def messages(tree):
    """Return the texts of errors: what is raised, and what is assigned to `msg`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and [getattr(t, "id", "") for t in node.targets] == ["msg"]:
            yield from strings(ast.Module([ast.Expr(ast.Tuple([node.value], ast.Load()))], []))
        elif isinstance(node, ast.Raise) and node.exc is not None:
            yield from strings(ast.Module([ast.Expr(ast.Tuple([node.exc], ast.Load()))], []))


def found(texts):
    return [f"{where}: {hit.group()!r} in {text[:90]!r}" for where, text in texts
            for hit in [PATTERN.search(text)] if hit]  # fmt: skip


def prose(page):
    """Return the paragraphs of a page, without the glossary's table of old words."""
    text = page.read_text().partition("## Words that are no longer used")[0]
    return [(page.name, " ".join(part.split())) for part in text.split("\n\n")]


@pytest.mark.parametrize(
    "page", [p for name in READ for p in sorted(ROOT.glob(name))], ids=lambda page: page.name
)
def test_pages_have_no_dialect(page):
    assert found(prose(page)) == []


def test_what_commands_reports_and_measures_say_has_no_dialect():
    files = [file for pattern in STRINGS for file in sorted(SOURCE.glob(pattern))]
    assert len(files) > 15
    texts = [(f"{file.name}:{line}", text) for file in files
             for line, text in strings(ast.parse(file.read_text()))]  # fmt: skip
    assert len(texts) > 1000
    assert found(texts) == []


def test_errors_have_no_dialect():
    texts = [(f"{file.name}:{line}", text) for file in sorted(SOURCE.rglob("*.py"))
             for line, text in messages(ast.parse(file.read_text()))]  # fmt: skip
    assert len(texts) > 200
    assert found(texts) == []


def test_labels_of_the_page_have_no_dialect():
    files = [f for end in ("ts", "tsx") for f in sorted((ROOT / "web" / "src").rglob(f"*.{end}"))]
    texts = [(f"{file.name}:{number}", line) for file in files
             for number, line in enumerate(file.read_text().splitlines(), 1)
             if not line.lstrip().startswith(("*", "/*", "//"))]  # fmt: skip
    assert len(texts) > 1000
    assert found(texts) == []


@pytest.mark.parametrize(
    "text",
    ["tokens dealt anew", "The five tokens become five things", "a dashed frame speaks by its "
     "silence", "3 dormant units", "units tell tokens", "told right at the end", "got 1: mend it"],
)  # fmt: skip
def test_the_worst_phrases_would_be_found(text):
    assert found([("here", text)])


def test_old_words_are_mapped_to_new_ones():
    words = (ROOT / "docs" / "glossary.md").read_text().partition("no longer used")[2]
    for old in ("dealt anew", "become things", "told", "dormant", "serves"):
        assert f"*{old}*" in words
