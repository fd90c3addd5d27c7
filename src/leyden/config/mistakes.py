"""What is wrong with the words of a command, and the command that was probably meant."""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from leyden.errors import UserError


@dataclass(frozen=True)
class Mistake:
    """`words` of the command, what is wrong with them, and the words to put in their place, where they are known."""

    words: tuple[str, ...]
    what: str
    instead: tuple[str, ...] | None = None

    def is_in(self, words: Sequence[str]) -> bool:
        return self._start(words) is not None

    def mended(self, words: Sequence[str]) -> tuple[str, ...] | None:
        """`words` with what was probably meant in them; None where that is not known."""
        start = self._start(words)
        if start is None or self.instead is None:
            return None
        return *words[:start], *self.instead, *words[start + len(self.words) :]

    def _start(self, words: Sequence[str]) -> int | None:
        length = len(self.words)
        found = (i for i in range(len(words)) if length and tuple(words[i : i + length]) == self.words)
        return next(found, None)


class WordsError(UserError):
    """All that is wrong with the words of one command."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = _each_once(mistakes)
        super().__init__(*dict.fromkeys(mistake.what for mistake in self.mistakes))

    def propose(
        self,
        program: str,
        words: Sequence[str],
        accepted: Callable[[Sequence[str]], bool],
        spelt: Callable[[str], str] = str,
    ) -> None:
        """Take as the command to paste `words` as they were probably meant, where they are then `accepted`.

        `spelt` is how Hydra got a word.
        """
        typed = {spelt(word): word for word in words}
        corrected = self.corrected(list(map(spelt, words)))
        if corrected and accepted(corrected):
            self.command = f"{program} {in_shell([typed.get(word, word) for word in corrected])}"

    def corrected(self, words: Sequence[str]) -> list[str] | None:
        """The words as they were probably meant; None where that is not known of all."""
        meant: Sequence[str] = words
        for mistake in self.mistakes:
            mended = mistake.mended(meant)
            if mended is None:
                return None
            meant = mended
        many = [word for word in meant if word in ("-m", "--multirun")]
        return ["-m"] * bool(many) + [word for word in meant if word not in many]


def _each_once(mistakes: Sequence[Mistake]) -> list[Mistake]:
    """What is found later is better known: it mends what an earlier mistake puts in place, or is told in its stead."""
    told: list[Mistake] = []
    for mistake in mistakes:
        for place, earlier in enumerate(told):
            if mistake.words and mistake.words == earlier.words:
                told[place] = mistake
                break
            if mistake.is_in(earlier.instead or ()):
                told[place] = replace(earlier, instead=mistake.mended(earlier.instead or ()))
                break
        else:
            told.append(mistake)
    return told


def in_shell(words: Sequence[str]) -> str:
    """As they are typed. Hydra has quotes of its own, often single ones: the shell then gets double ones."""
    return " ".join(
        word
        if re.fullmatch(r"[\w@%+=:,./-]+", word)
        else shlex.quote(word)
        if "'" not in word or "!" in word  # which a shell expands in double quotes
        else '"' + re.sub(r'(["$`\\])', r"\\\1", word) + '"'
        for word in words
    )
