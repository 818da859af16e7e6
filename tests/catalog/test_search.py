"""Search does its work once: fabrics are folded when they are loaded, a query when it comes."""

from pathlib import Path

import pytest

from catalog import Catalog, CatalogError, search
from catalog.schema import MAX_TAG
from catalog.search import MAX_WORD, MAX_WORDS
from tests.catalog.test_catalog import details, maps


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all texts that are folded."""
    lengths: list[int] = []
    fold = search.fold

    def counted(text: str) -> str:
        lengths.append(len(text))
        return fold(text)

    monkeypatch.setattr(search, "fold", counted)
    return lengths


def test_each_fabric_is_folded_once(folded: list[int]) -> None:
    catalog = Catalog()
    for text in ("wool", "wool navy", "nothing"):
        catalog.list(text=text)
    fabrics = len(catalog.built_in)
    assert len(folded) == fabrics + 4, "each fabric once, and each word once"


def test_a_word_that_comes_again_is_looked_for_once(folded: list[int]) -> None:
    catalog = Catalog()
    catalog.list()
    folded.clear()
    assert catalog.list(text="wool " * MAX_WORDS)
    assert len(folded) == MAX_WORDS
    assert search._words("Wool WOOL wool") == ["wool"]


@pytest.mark.parametrize(
    "query",
    [
        {"text": "ß" * 59_000},
        {"text": "a " * 29_500},
        {"text": " " * 59_000},
        {"text": "x" * (MAX_WORD + 1)},
        {"text": " ".join("x" * (MAX_WORDS + 1))},
        {"tag": "x" * (MAX_TAG + 1)},
        {"tag": "İ" * 59_000},
    ],
    ids=["a long word", "many words", "many blanks", "word", "words", "tag", "a long tag"],
)
def test_a_long_query_is_refused_before_it_costs_anything(query: dict[str, str], folded: list[int]) -> None:
    catalog = Catalog()
    catalog.list()
    folded.clear()
    with pytest.raises(CatalogError, match="at most") as caught:
        catalog.list(**query)
    assert caught.value.code == "INVALID_INPUT"
    assert len(caught.value.message) < 100, "it does not repeat the query"
    assert folded == []


def test_the_longest_queries_are_answered() -> None:
    assert Catalog().list(text=" ".join(["x" * MAX_WORD] * MAX_WORDS)) == []
    assert Catalog().list(tag="x" * MAX_TAG) == []


def test_accents_that_are_written_in_two_ways_are_the_same(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path)
    added = catalog.add(details("Crêpe de Chine", fibre="Ｓｉｌｋ"), maps())
    assert catalog.list(text="cre\u0302pe silk") == [added]
