"""Search in the catalog: by tag, and by words in a fabric's texts."""

import unicodedata
from collections.abc import Iterable

from catalog.errors import CatalogError
from catalog.schema import MAX_TAG, Fabric

MAX_WORDS = 32
MAX_WORD = 64  # characters
_MAX_TEXT = MAX_WORDS * (MAX_WORD + 1)


class SearchIndex:
    """Fabrics and their folded texts, which are made once, when the fabrics are loaded."""

    def __init__(self, fabrics: Iterable[Fabric]) -> None:
        self._entries = [(fabric, _searched(fabric)) for fabric in fabrics]

    def find(self, tag: str | None, text: str | None) -> list[Fabric]:
        """The fabrics that have `tag` and every word of `text`. Raises CatalogError INVALID_INPUT."""
        words = _words(text or "")
        wanted = (tag or "").strip()
        if len(wanted) > MAX_TAG:
            raise CatalogError("INVALID_INPUT", f"tag: at most {MAX_TAG} characters are allowed")
        wanted = wanted.lower()
        return [
            fabric
            for fabric, searched in self._entries
            if (not wanted or wanted in fabric.tags) and all(word in searched for word in words)
        ]


def _words(text: str) -> list[str]:
    """The different words of a query, folded. The size is checked first: folding takes time per character."""
    words = text.split() if len(text) <= _MAX_TEXT else None
    if words is None or len(words) > MAX_WORDS or any(len(word) > MAX_WORD for word in words):
        raise CatalogError(
            "INVALID_INPUT", f"text: at most {MAX_WORDS} words of {MAX_WORD} characters are allowed"
        )
    return list(dict.fromkeys(map(fold, words)))


def _searched(fabric: Fabric) -> str:
    parts = (fabric.id, fabric.name, fabric.description, *fabric.tags, fabric.fibre, fabric.weave)
    return fold(" ".join(part for part in parts if part))


def fold(text: str) -> str:
    """Letters that look alike to a reader become the same: case, and accents that are written in two ways."""
    return unicodedata.normalize("NFKC", text).casefold()
