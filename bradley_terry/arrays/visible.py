"""Names and texts of other people, shown as what they are: as text, wherever they appear.

A name in a data file, a saved model or a learner's code may hold anything: a sequence that colours a terminal, renames
its window or fills the clipboard, a tag of HTML, a formula, a mark that reverses the line. Each destination has one
function, and whatever we did not write ourselves goes through it on its way there:

    visible        a terminal, a message, or any other plain text
    quoted         the same for a value of any type, as Python writes it
    in_markdown    a report in Markdown; ``from_markdown`` turns it back into plain text, for a terminal
    in_notebook    a report in Markdown that a notebook displays
    in_html        HTML
    in_figure      a text in Matplotlib
    for_json       values that become JSON
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from html import escape
from unicodedata import bidirectional, category, combining

__all__ = [
    "LONGEST_DRAWN",
    "LONGEST_SHOWN",
    "class_name",
    "counted",
    "for_json",
    "from_markdown",
    "in_figure",
    "in_html",
    "in_markdown",
    "in_notebook",
    "quoted",
    "visible",
]

LONGEST_SHOWN = 100  # characters of a name in a table or a sentence
LONGEST_DRAWN = 40  # and in a figure, where it must leave space for the picture

_FLAG = "\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]+\U000e007f"  # of a region, such as Scotland
_UNSEEN = (
    "\x00-\x1f\x7f-\x9f"  # control characters: the escape sequences of terminals begin with one of them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # marks that set the direction of the text around them
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # these have no width
    "\u2028\u2029"  # line breaks
    "\ud800-\udfff"  # half a character, as a broken escape in JSON leaves it
    "\ue000-\uf8ff\U000f0000-\U0010ffff\ufdd0-\ufdef"  # without a meaning that all fonts share
) + "".join(chr(plane << 16 | last) for plane in range(17) for last in (0xFFFE, 0xFFFF))
_HIDDEN = re.compile(f"({_FLAG})|[{_UNSEEN}]")

_JOINERS, _NON_JOINER = "\u200c\u200d", "\u200c"
_VARIANTS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")


def counted(n: float, noun: str, form: str = "") -> str:
    """Return a number with its noun, which gets an s unless the number is 1.

    Examples
    --------
    >>> counted(0, "pair"), counted(1, "pair"), counted(1200, "pair", ",")
    ('0 pairs', '1 pair', '1,200 pairs')
    """
    return f"{n:{form}} {noun}{'' if n == 1 else 's'}"


def visible(text: str, most: int | None = None, *, keep: str = "") -> str:
    r"""Return a text in one line, in which every character can be seen; a text longer than ``most`` is cut.

    Control characters, marks of direction, characters without width and halves of characters are replaced by their
    codes, as Python writes them: \n, \x1b, \u202e. Letters of all scripts, accents, emoji and backslashes stay. So do
    the characters without width that belong to what is seen: the joiners in emoji and in Arabic and Indic words, and
    the one mark after a character that selects its shape. Control characters in ``keep`` stay, too.
    """
    if most is not None:
        whole = visible(text[: most + 1], keep=keep)
        return whole if len(whole) <= most else f"{whole[: most - 1]}…"
    if text.isascii() and text.isprintable():
        return text

    def shown(found: re.Match[str]) -> str:
        if found[1] or found[0] in keep or _belongs(text, found.start()):
            return found[0]
        return found[0].encode("unicode_escape").decode("ascii")

    return _HIDDEN.sub(shown, text)


def _belongs(text: str, at: int) -> bool:
    """Return whether the unseen character at this place is part of how its neighbours are written."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before:
        return False
    if text[at] in _JOINERS and after:
        if 9 in {combining(before), combining(after)}:  # beside the mark that removes the vowel of an Indic letter
            return True
        if bidirectional(after) == "AL" and bidirectional(before) in {"AL", "NSM"}:  # in an Arabic word
            return True
        return text[at] != _NON_JOINER and _is_picture(after) and (_is_picture(before) or before == "\ufe0f")
    if _VARIANTS.match(text[at]):
        return (before in "#*0123456789©®" or before >= "\u1000") and not _HIDDEN.match(before)
    return False


def _is_picture(character: str) -> bool:
    return category(character) == "So" or "\U0001f000" <= character <= "\U0001faff"


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 120
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxset = _SHORT.maxfrozenset = _SHORT.maxdict = 8


def quoted(value: object, most: int = 200) -> str:
    """Return what ``repr`` says of a value, in one line of at most ``most`` characters, also if ``repr`` fails.

    Long texts and collections are cut before they are written, so this is fast for values of any size.
    """
    try:
        text = _SHORT.repr(value)
    except Exception:  # noqa: BLE001  # their __repr__ may raise anything
        text = f"<{class_name(value)}>"
    return visible(text if isinstance(value, str) else " ".join(text.split()), most)


def class_name(value: object) -> str:
    """Return the name of a value's class, also if its metaclass has another idea of names."""
    return str(type.__dict__["__name__"].__get__(type(value)))


# What begins markup within a line of Markdown, also in the dialects of GitHub and Jupyter.
_MARKUP = re.compile(
    r"""
    (?P<entity> \$                                                            # a formula
              | \\ (?= [!-/:-@\[-`{-~] | begin | end | eqref | ref | \Z )     # an escape, or a command of a formula
              | (?<=\w) @ (?=\w) )                                            # an address
    | (?P<tag> < (?= [a-z/!?] | \Z ) )                                        # HTML
    | (?<!\s)\* | \*(?!\s)                                                    # emphasis, unless the star stands alone
    | (?<![^\W_])_ | _(?![^\W_])                                              # emphasis, unless within a word
    | [`~|]                                                                   # code, deletion, cells of a table
    | \] (?= [(\[:] )                                                         # a link or a picture
    | & (?= \#?\w+; )                                                         # a named character
    | : (?= // ) | (?<= www ) \.                                              # a link without brackets
    | (?<! [^\s\#] ) \# (?= \#*\s*\Z )                                        # the end of a heading
    """,
    re.VERBOSE | re.IGNORECASE,
)


def in_markdown(text: str, most: int | None = None) -> str:
    r"""Return Markdown, for use within a line, that is displayed as this text; it is first made ``visible``.

    Only characters that would begin markup where they stand are escaped, so ordinary names, such as price_usd, stay as
    they are. Formulas are written with $ and \, which become the entities &#36; and &#92;, since Jupyter and GitHub
    look for formulas before they look at backslashes.
    """

    def escaped(found: re.Match[str]) -> str:
        if found["entity"]:
            return f"&#{ord(found[0])};"
        return "&lt;" if found["tag"] else f"\\{found[0]}"

    return _MARKUP.sub(escaped, visible(text, most))


def from_markdown(markdown: str) -> str:
    """Return Markdown with the texts in it as they were before ``in_markdown``, to be read in a terminal."""
    return re.sub(
        r"&#(36|64|92);|&lt;|\\([*_`~|\]&:.#])",
        lambda found: chr(int(found[1])) if found[1] else found[2] or "<",
        markdown,
    )


def in_notebook(markdown: str) -> str:
    """Return the Markdown of a report for a notebook, which looks for formulas on the page, too."""
    return re.sub(r"(?<!\\)&#(36|64|92);", r"<span>\g<0></span>", markdown)


def in_html(text: str, most: int | None = None) -> str:
    """Return HTML, for use between tags, that is displayed as this text; it is first made ``visible``.

    A notebook looks for formulas on the page; in an element of its own, $ or a backslash is never part of one.
    """
    return re.sub(r"[$\\]", r"<span>\g<0></span>", escape(visible(text, most)))


def in_figure(text: str, most: int | None = None, *, keep: str = "") -> str:
    r"""Return a text that Matplotlib draws as it is; it is first made ``visible``.

    Matplotlib takes what stands between two $ for a formula, but draws \$ as $, and all other backslashes as they are.
    """
    return visible(text, most, keep=keep).replace("$", r"\$")


def for_json(value: object) -> object:
    """Return the same values with halves of characters replaced by their codes, since many programs refuse these."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, Mapping):
        return {for_json(name): for_json(one) for name, one in value.items()}
    return [for_json(one) for one in value] if isinstance(value, list | tuple) else value
