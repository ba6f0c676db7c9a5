"""What can go wrong with the runtime itself, as opposed to the functions it runs."""

from __future__ import annotations


class LambdaRuntimeError(Exception):
    """The runtime, not the function it runs, is at fault."""


class EmulatorMissingError(LambdaRuntimeError):
    """AWS's Runtime Interface Emulator is not where aws-sam-cli should have put it."""


class EnvironmentStartError(LambdaRuntimeError):
    """An emulator process could not be started or did not answer."""


class NoEnvironmentError(LambdaRuntimeError):
    """All environments of a function stayed busy for longer than a caller may wait."""


class RuntimeClosedError(LambdaRuntimeError):
    """The runtime was used after ``close()``."""


class SupervisorLostError(LambdaRuntimeError):
    """The process that starts and stops emulators is gone; open a new runtime."""


class PackageMissingError(LambdaRuntimeError):
    """A distribution that AWS's Python runtime ships is not installed here."""
