"""The page and Python name the same arrays: none asked for in vain, none packed unread."""

import re
from pathlib import Path

from ontogeny.page.table import packed_names

WEB = Path(__file__).parents[2] / "web" / "src"
LIST = WEB / "data" / "names.ts"


def names_of_the_page():
    """Read the list that the page's compiler holds every reading of an array against."""
    text = re.sub(r"//.*", "", LIST.read_text())
    held = re.search(r"NAMES = \[(.*?)\] as const", text, re.DOTALL)
    assert held
    return re.findall(r'"(\w+)"', held[1])


def test_the_page_asks_for_what_is_packed_and_everything_packed_is_asked_for():
    asked, packed = names_of_the_page(), packed_names()
    assert len(asked) == len(set(asked)) and len(packed) == len(set(packed))
    assert set(asked) - set(packed) == set(), "asked for and never packed"
    assert set(packed) - set(asked) == set(), "packed and never asked for"


def test_every_name_is_read_somewhere():
    files = [f for f in WEB.rglob("*.ts*") if f != LIST and "testing" not in f.parts]
    text = "\n".join(file.read_text() for file in files)
    unread = [name for name in names_of_the_page() if f'"{name}"' not in text]
    assert unread == []
