"""How the words of a command are written, before anybody looks up what they name."""

import re
from collections.abc import Sequence
from pathlib import Path

from leyden.config.mistakes import Mistake
from leyden.nearest import joined, nearest, or_such

FLAGS = (
    *("--help", "-h", "--hydra-help", "--version", "--cfg", "-c", "--resolve", "--package", "-p", "--run", "-r"),
    *("--multirun", "-m", "--shell-completion", "-sc", "--config-path", "-cp", "--config-name", "-cn"),
    *("--config-dir", "-cd", "--info", "-i"),
)
SHOWN = ("job", "hydra", "all")
INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
WITH_VALUE = (
    *("--cfg", "-c", "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd"),
    *("--info", "-i"),
)
# Quotes and dashes of a text processor: “ ” „ and the single ones, then en dash, em dash and the minus sign.
TYPOGRAPHIC = str.maketrans(
    dict(zip("\u201c\u201d\u201e\u2018\u2019\u2013\u2014\u2212", [*'"""', *"''", "-", "--", "-"], strict=True))
)
CLOSING = {"[": "]", "(": ")", "{": "}"}


def spelt(words: Sequence[str], configs: Path) -> tuple[list[str], list[Mistake]]:
    """The words as they were probably meant, and what is wrong with how they are written."""
    rest, good, mistakes = list(words), list[str](), list[Mistake]()
    while rest:
        if mistake := _misspelt(rest, configs):
            mistakes.append(mistake)
            good += mistake.instead or ()
            del rest[: len(mistake.words)]
        else:
            value = (
                rest[0] in WITH_VALUE and len(rest) > 1 and not (rest[0] in ("--info", "-i") and rest[1] not in INFO)
            )
            good += rest[: 1 + value]
            del rest[: 1 + value]
    return good, mistakes


def _misspelt(words: Sequence[str], configs: Path) -> Mistake | None:
    """What is wrong with the first of the words; the others tell whether the shell has split it."""
    word = words[0]
    following = words[1] if len(words) > 1 and not words[1].startswith("-") else ""
    plain = word.translate(TYPOGRAPHIC)
    if plain != word and (word[0] in "\u2013\u2014\u2212" or re.search("[\u201c\u201d\u201e\u2018\u2019]", word)):
        what = f"{word}: its quotes or dashes are those of a text processor"
        return Mistake((word,), what, (plain.strip("'\"") if plain[0] in "'\"" else plain,))
    if word.startswith("-"):
        return _wrong_flag(word, following, words[1:2])
    key, equals, text = word.partition("=")
    if not equals:
        return None if word[:1] in ("~", "+") and word.strip("~+") else _without_equals(word, following, words, configs)
    if not key.lstrip("+~").strip():
        return Mistake((word,), f"{word}: there is no key before the equals sign")
    if key != key.strip() or (text != text.strip() and not text.strip().startswith(("'", '"'))):
        return Mistake((word,), f"{word}: has spaces around its equals sign", (f"{key.strip()}={text.strip()}",))
    if not text and following and "=" not in following and following[0] not in "+~":
        return Mistake((word, following), f"{word} {following}: an override has no spaces", (f"{word}{following}",))
    if text.startswith("="):
        return Mistake((word,), f"{word}: one equals sign is enough", (f"{key}={text.lstrip('=')}",))
    if leads_out(word, configs):
        what = f"{word}: must be a plain name, with no way out of the folder that it is looked for in"
        return Mistake((word,), what)
    return _unbalanced(words)


def _wrong_flag(word: str, following: str, next_word: Sequence[str]) -> Mistake | None:
    name, equals, value = word.lstrip("-").partition("=")
    flag = word.partition("=")[0]
    if flag in FLAGS:
        shown = [value] if equals else list(next_word)
        choices = SHOWN if flag in ("--cfg", "-c") else INFO if equals and flag in ("--info", "-i") else ()
        if choices and not set(shown) & set(choices):
            meant = nearest(shown[0], choices) if shown else [choices[0]]
            what = f"{' '.join([flag, *shown])}: shows {joined(choices, 'or')}{or_such(meant)}"
            return Mistake((word, *([] if equals else shown)), what, (flag, meant[0]) if meant else None)
        if flag in WITH_VALUE and flag not in ("--info", "-i") and not shown:
            return Mistake((word,), f"{word}: must be followed by a value")
        if equals and flag not in WITH_VALUE:
            return Mistake((word,), f"{word}: takes no value", (flag,))
        return None
    flags = nearest(word, [flag for flag in FLAGS if flag.startswith("--")]) if not equals and name else []
    if flags and (not following or "=" in following):
        return Mistake((word,), f"{word}: no such flag{or_such(flags)}", (flags[0],))
    what = f"{word}: no such flag; overrides are written without dashes: {name}=..."
    if equals:
        return Mistake((word,), what, (word.lstrip("-"),))
    if following and "=" not in following:
        return Mistake((word, following), what, (f"{name}={following}",))
    return Mistake((word,), what)


def _without_equals(word: str, following: str, words: Sequence[str], configs: Path) -> Mistake:
    """The shell has split it, or something else than `=` stands between key and value, or it is an option alone."""
    if following == "=" and len(words) > 2:
        return Mistake(tuple(words[:3]), f"{' '.join(words[:3])}: an override has no spaces", (f"{word}={words[2]}",))
    if following.startswith("=") and len(following) > 1:
        return Mistake((word, following), f"{word} {following}: an override has no spaces", (f"{word}{following}",))
    what = f"{word}: an override is GROUP=OPTION or KEY=VALUE"
    options = {file.stem: f"{file.parent.name}={file.stem}" for file in sorted(configs.glob("*/*.yaml"))}
    key, colon, text = word.partition(":")
    if colon and key and text:
        return Mistake((word,), what, (f"{key}={text}",))
    is_key = (configs / key).is_dir() or "." in key or key not in options
    if following and "=" not in following and (colon or is_key):
        return Mistake((word, following), f"{what}, with no space", (f"{key}={following}",))
    if len(parts := re.split(r"[/.]", word)) == 2 and (configs / parts[0] / f"{parts[1]}.yaml").is_file():
        return Mistake((word,), f"{what}, did you mean {'='.join(parts)}?", ("=".join(parts),))
    meant = [options[name] for name in nearest(word, options)] if word else []
    return Mistake((word,), f"{what}{or_such(meant)}", (meant[0],) if meant else None)


def _unbalanced(words: Sequence[str]) -> Mistake | None:
    """A bracket or a quote that is not closed, or closed once too often."""
    word = words[0]
    key, _, text = word.partition("=")
    missing = _missing(text)
    if missing == "":
        return None
    for count in range(2, len(words) + 1):
        whole = " ".join(words[:count])
        if _missing(whole.partition("=")[2]) == "":
            what = f"{whole}: the shell splits it at its spaces"
            return Mistake(tuple(words[:count]), what, (re.sub(r"([,:\[{(]) +", r"\1", whole),))
    if missing is None:
        closed = text
        while closed and _missing(closed) is None:
            closed = closed[:-1]
        return Mistake((word,), f"{word}: closes more brackets than it opens", (f"{key}={closed}",))
    if missing == ")" and not re.search(r"\b(choice|range|interval|glob|sort|shuffle|tag|int|float|str|bool)\(", text):
        return Mistake((word,), f"{word}: a value with a bracket in it is put in quotes", (f"{key}='{text}'",))
    if missing in ("'", '"') and text[0] != missing:
        other = {"'": '"', '"': "'"}[missing]
        return Mistake(
            (word,), f"{word}: a value with a quote in it is put in quotes", (f"{key}={other}{text}{other}",)
        )
    return Mistake((word,), f"{word}: {missing} is missing at its end", (f"{word}{missing}",))


def _missing(text: str) -> str | None:
    """What would close all that is open in `text`; None where more is closed than was opened."""
    open_: list[str] = []
    quote, escaped = "", False
    for letter in text:
        if quote or escaped:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
        elif letter in "'\"":
            quote = letter
        elif letter == "\\":
            escaped = True
        elif letter in CLOSING:
            open_.append(CLOSING[letter])
        elif letter in CLOSING.values() and (not open_ or open_.pop() != letter):
            return None
    return quote + "".join(reversed(open_))


def leads_out(word: str, configs: Path) -> bool:
    """Whether what should name a file of `configs`, or a folder of logs/, is a path to somewhere else."""
    key, _, value = word.partition("=")
    key = key.lstrip("+~").partition("@")[0]
    if key != "name" and not (configs / key).is_dir():
        return False
    paths = [Path(part.strip("'\" ")) for part in value.strip("[]'\"").split(",")]
    return any(path.is_absolute() or ".." in path.parts for path in paths)


def flags_apart(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The overrides, and the flags with their values."""
    overrides, flags = list[str](), list[str]()
    for before, word in zip(["", *words], words, strict=False):
        is_value = before in WITH_VALUE and (before not in ("--info", "-i") or word in INFO)
        if word not in ("-m", "--multirun"):
            (flags if is_value or word.startswith("-") else overrides).append(word)
    return overrides, flags
