"""Exceptions whose message says what was expected, what was found and what to do about it."""


class EmergentError(Exception):
    """Base of every error that a user can cause and mend; command-line verbs print it without a traceback."""


class ConfigError(EmergentError):
    """A configuration file has an unknown key, a wrong type or an impossible combination."""


class DataError(EmergentError):
    """A file is missing, corrupt, truncated or not of the expected schema."""


class ResourceError(EmergentError):
    """A computation would not fit into the memory that it may use."""
