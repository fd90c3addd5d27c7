"""What is wrong with the words of a command, and the command that was probably meant."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leyden.errors import UserError


@dataclass(frozen=True)
class Mistake:
    """`words` of the command, what is wrong with them, and the words to put in their place, where they are known."""

    words: tuple[str, ...]
    what: str
    instead: tuple[str, ...] | None = None


class WordsError(UserError):
    """All that is wrong with the words of one command."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = list(mistakes)
        super().__init__("; ".join(dict.fromkeys(mistake.what for mistake in mistakes)))

    def with_command(self, program: str, words: Sequence[str], spelt: Callable[[str], str] = str) -> UserError:
        """The same, and the command to paste: `words` as they were probably meant. `spelt` is how Hydra got a word."""
        typed = {spelt(word): word for word in words}
        corrected = self.corrected(list(map(spelt, words)))
        if not corrected:
            return UserError(str(self))
        return UserError(f"{self}; try: {program} {in_shell([typed.get(word, word) for word in corrected])}")

    def corrected(self, words: Sequence[str]) -> list[str] | None:
        """The words as they were probably meant; None where that is not known of all."""
        meant = list(words)
        for mistake in self.mistakes:
            starts = [i for i in range(len(meant)) if tuple(meant[i : i + len(mistake.words)]) == mistake.words]
            if mistake.instead is None or not starts:
                return None
            meant[starts[0] : starts[0] + len(mistake.words)] = mistake.instead
        many = [word for word in meant if word in ("-m", "--multirun")]
        return ["-m"] * bool(many) + [word for word in meant if word not in many]


def in_shell(words: Sequence[str]) -> str:
    """As they are typed. Hydra has quotes of its own, often single ones: the shell then gets double ones."""
    return " ".join(
        word
        if re.fullmatch(r"[\w@%+=:,./-]+", word)
        else f"'{word}'"
        if "'" not in word
        else '"' + re.sub(r'(["$`\\])', r"\\\1", word) + '"'
        for word in words
    )
