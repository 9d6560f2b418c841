"""Texts as the words that a search finds them by, and a search as what has to be among those words.

Chinese has no spaces: a text is found by the words of a dictionary and, where the dictionary cuts it differently
from the search, by every pair of neighbouring characters. Everything else is letters and digits, in any case.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

import rjieba

WORDING = 1
"""Raise it when `words_of` finds other words than before: the indexes are then written anew."""
MOST_CHARACTERS = 100_000
MOST_WORDS = 20_000
LONGEST_WORD = 60
MOST_TERMS = 40
_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_RUN = re.compile(rf"([{_HAN}]+)|((?:(?![{_HAN}])[^\W_])+)")


def words_of(texts: Iterable[str]) -> list[str]:
    """The words of the texts, each once, in lower case: letters and digits alone, at most 20,000."""
    whole = unicodedata.normalize("NFKC", "\n".join(texts)[:MOST_CHARACTERS]).casefold()
    return list(islice(dict.fromkeys(_words(whole)), MOST_WORDS))


@dataclass(frozen=True, slots=True)
class Term:
    """One run of a search: every word of one of the alternatives has to be there."""

    alternatives: tuple[tuple[str, ...], ...]
    begins: bool = False
    """Whether a word that begins with it will do."""

    def among(self, words: Collection[str]) -> bool:
        if self.begins:
            return any(word.startswith(self.alternatives[0][0]) for word in words)
        return any(all(part in words for part in parts) for parts in self.alternatives)

    def tsquery(self) -> str:
        """As PostgreSQL writes it; words are letters and digits, so quotes are enough."""
        mark = ":*" if self.begins else ""
        each = (" & ".join(f"'{part}'{mark}" for part in parts) for parts in self.alternatives)
        return f"({' | '.join(f'({parts})' for parts in each)})"


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody searches for: every term has to be there; without a term it finds nothing."""

    terms: tuple[Term, ...]

    def among(self, words: Collection[str]) -> bool:
        """Whether these words answer the search."""
        return bool(self.terms) and all(term.among(words) for term in self.terms)

    def tsquery(self) -> str:
        return " & ".join(term.tsquery() for term in self.terms)


def query(text: str) -> Query:
    """The search for a text; words may stand in any order, those of letters and digits may be unfinished."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    found = (_chinese(run[1]) if run[1] else Term(((run[2][:LONGEST_WORD],),), begins=True) for run in _runs(plain))
    return Query(tuple(islice(dict.fromkeys(found), MOST_TERMS)))


def _runs(text: str) -> Iterator[re.Match[str]]:
    return _RUN.finditer(text)


def _words(text: str) -> Iterator[str]:
    for run in _runs(text):
        if run[1]:
            yield from run[1]
            yield from _pairs(run[1])
            yield from (word[:LONGEST_WORD] for word in rjieba.cut_for_search(run[1], True))
        else:
            yield run[2][:LONGEST_WORD]


def _pairs(run: str) -> list[str]:
    return [first + second for first, second in pairwise(run)]


def _chinese(run: str) -> Term:
    run = run[:LONGEST_WORD]
    if len(run) == 1:
        return Term(((run,),))
    cut = tuple(dict.fromkeys(rjieba.cut_for_search(run, True)))
    return Term(tuple(dict.fromkeys((tuple(dict.fromkeys(_pairs(run))), cut))))
