"""One family of errors; each kind has the exit status the command line ends with.

An error carries a stable dotted ``code``, a ``text`` that says what happened and a ``hint``
that says what to do. Only ``cli/main.py`` prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from pki.findings import Finding


class HpkiError(Exception):
    """What every refusal of this program is made of."""

    exit_status: ClassVar[int] = 1

    def __init__(self, code: str, text: str, hint: str = "") -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.hint = hint

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets it whole."""
        return type(self), (self.code, self.text, self.hint), vars(self)


class InvalidInput(HpkiError):  # noqa: N818 - the five kinds are named by what they are
    """What was given cannot be read as what it should be."""

    exit_status = 2


class Refused(HpkiError):  # noqa: N818
    """A rule forbids it; ``findings`` name the rules where there are several."""

    exit_status = 3

    def __init__(
        self, code: str, text: str, hint: str = "", findings: Sequence[Finding] = ()
    ) -> None:
        super().__init__(code, text, hint)
        self.findings = tuple(findings)


class NotFound(HpkiError):  # noqa: N818
    """There is no such thing."""

    exit_status = 4


class Conflict(HpkiError):  # noqa: N818
    """It contradicts what is already there."""

    exit_status = 5


class Unavailable(HpkiError):  # noqa: N818
    """A disk, a database, a card or a file cannot be reached or written now."""

    exit_status = 6
