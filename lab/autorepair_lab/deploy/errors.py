"""What can go wrong while a template is read or a stack is made."""

from __future__ import annotations


class TemplateError(Exception):
    """A template or its parameters are wrong; becomes CloudFormation's ValidationError."""


class ResourceError(Exception):
    """One resource could not be made, changed or removed; the text becomes the event's reason."""


class SamError(Exception):
    """`sam build` or `sam deploy` failed; the text holds the end of its output."""
