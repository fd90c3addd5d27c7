"""Mistakes that the reader of the message can put right."""


class UserError(Exception):
    """Something asked for that cannot be done. Its message is one line: what is wrong, where, and what would be right."""
