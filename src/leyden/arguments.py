"""From the words of a command line to the arguments of a verb.

The signature of the verb's function is the one description of what it takes. It is read from the source, not imported,
so that help and misspelt words are answered before torch is loaded.
"""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leyden.errors import UserError


@dataclass(frozen=True)
class Key:
    """An argument: `kind` is its type hint, `default` what stands in the signature (None: it must be given)."""

    kind: str
    default: str | None

    def read(self, name: str, text: str) -> Any:
        """The value that `text` stands for. Raises UserError where it is none of this kind."""
        options = self.options
        if options and text not in options:
            raise UserError(f"{name}={text}: choose one of {', '.join(options)}")
        if self.kind == "bool":
            return text == "true"
        if self.kind == "int":
            try:
                return int(text)
            except ValueError as error:
                raise UserError(f"{name}={text}: must be a whole number") from error
        return text

    @property
    def options(self) -> list[str]:
        if self.kind == "bool":
            return ["true", "false"]
        if "Literal[" not in self.kind:
            return []
        return [str(option) for option in ast.literal_eval(self.kind[7:].split("]")[0] + "]")]  # before `| None`


@dataclass(frozen=True)
class Signature:
    """What a verb takes: words in their order, keys, and, where `overrides`, further `key=value` of the config."""

    verb: str
    documentation: str
    words: dict[str, Key]
    more_words: bool
    keys: dict[str, Key]
    overrides: bool

    @classmethod
    def of(cls, verb: str) -> "Signature":
        """Read from the function of that name in `leyden/verbs/<verb>.py`."""
        source = (Path(__file__).parent / "verbs" / f"{verb}.py").read_text()
        functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == verb]
        arguments = functions[0].args

        def key(argument: ast.arg, default: ast.expr | None) -> Key:
            hint = ast.unparse(argument.annotation) if argument.annotation else "str"
            return Key(hint, None if default is None else ast.unparse(default).strip("'"))

        keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        return cls(
            verb,
            ast.get_docstring(functions[0]) or "",
            {argument.arg: key(argument, None) for argument in arguments.args},
            arguments.vararg is not None,
            {argument.arg: key(argument, default) for argument, default in keyword},
            arguments.kwarg is not None,
        )

    def help(self) -> str:
        words = [word.upper() for word in self.words] + ["[FOLDER ...]"] * self.more_words
        usage = " ".join(["leyden", self.verb, *words, "[KEY=VALUE ...]"])
        rows = []
        for name, key in self.keys.items():
            shown = {None: "must be given", "None": "not set"}.get(key.default, str(key.default).lower())
            rows.append(f"  {name + '=':14}{', '.join(key.options) or 'a value'} ({shown})")
        if self.overrides:
            rows.append("  GROUP=OPTION, KEY.KEY=VALUE   as with train, on top of the run's own config")
        return "\n\n".join([usage, self.documentation, "\n".join(rows)])

    def bind(self, given: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
        """The positional and the keyword arguments. Raises UserError for words that do not fit."""
        from leyden.nearest import did_you_mean, edits

        words = [word for word in given if "=" not in word]
        pairs: dict[str, str] = {}
        for name, text in (word.split("=", 1) for word in given if "=" in word):
            if name in pairs:
                raise UserError(f"{name}={pairs[name]} {name}={text}: {name} is given twice")
            pairs[name] = text
        if len(words) < len(self.words) or (len(words) > len(self.words) and not self.more_words):
            wanted = " ".join(word.upper() for word in self.words) or "no word"
            raise UserError(f"leyden {self.verb} takes {wanted}, then KEY=VALUE; given: {' '.join(words) or 'nothing'}")
        for (name, key), word in zip(self.words.items(), words, strict=False):
            key.read(name, word)
        keywords = {}
        for name, text in pairs.items():
            if name in self.keys:
                keywords[name] = self.keys[name].read(name, text)
            elif self.overrides and not any(edits(name, key, 1) <= 1 for key in self.keys):
                keywords[name] = text
            else:
                hint = did_you_mean(name, self.keys)
                raise UserError(
                    f"{name}={text}: {self.verb} has no such argument{hint} (there are: {self._key_list()})"
                )
        missing = [name for name, key in self.keys.items() if key.default is None and name not in keywords]
        if missing:
            raise UserError(f"leyden {self.verb} needs {', '.join(f'{name}=...' for name in missing)}")
        return words, keywords

    def _key_list(self) -> str:
        return ", ".join(f"{name}=" for name in self.keys)
