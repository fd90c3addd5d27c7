"""Mistakes that the reader of the message can put right."""


class UserError(Exception):
    """What was asked for cannot be done. The message is one line: what is wrong, where, and what would be right."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))
