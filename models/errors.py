"""The errors that are the world's fault, not the program's. No imports, so that everything may raise them."""


class UserFacingError(Exception):
    """One sentence that says what is wrong and what to do next; printed without a traceback, exit code 1."""


class ConfigError(UserFacingError):
    """A config.json that is damaged or describes a model outside the Falcon family."""


class CheckpointError(UserFacingError):
    """A checkpoint whose files or tensors are missing, spare, damaged or of the wrong shape."""
