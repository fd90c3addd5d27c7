"""Mistakes that the reader of the message can put right."""


class UserError(Exception):
    """What was asked for cannot be done: a line for each mistake, of what is wrong, where, and what would be right."""

    command: str | None = None  # that was probably meant

    def __init__(self, *mistakes: str) -> None:
        self.lines = [" ".join(each.split()) for each in mistakes]
        super().__init__("; ".join(self.lines))
