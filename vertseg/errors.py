"""Errors whose text is a sentence for the person who can mend them.

The command line prints the sentence without a traceback and exits with status 2.
"""


class VertsegError(Exception):
    """Base of every error that a user can cause and mend."""


class InputError(VertsegError):
    """A scan or label file that cannot be used as it is."""


class OutputError(VertsegError):
    """A result that could not be written."""


class ConfigError(VertsegError):
    """A configuration key, value or option that is not known or not possible."""


class CheckpointError(VertsegError):
    """Weights that are absent, damaged or of another version."""


class DeviceError(VertsegError):
    """A device that was asked for and is not there."""


class TrainingError(VertsegError):
    """A training that cannot go on, such as one whose loss is no number any more."""
