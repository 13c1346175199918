"""The errors that are the world's fault, not the program's. No imports, so that everything may raise them."""


class UserFacingError(Exception):
    """One sentence that says what is wrong and what to do next; printed without a traceback, exit code 1.

    `option` is what else helps at the command line, which a window has no place for: `str` has it, before the full stop
    of `sentence`, which is whole without it.
    """

    def __init__(self, sentence: str = "", *, option: str = "") -> None:
        super().__init__(f"{sentence.removesuffix('.')}{option}." if option else sentence)
        self.sentence = sentence
        self.option = option


class ConfigError(UserFacingError):
    """A config.json that is damaged or describes a model outside the Falcon family."""


class CheckpointError(UserFacingError):
    """A checkpoint whose files or tensors are missing, spare, damaged or of the wrong shape."""
