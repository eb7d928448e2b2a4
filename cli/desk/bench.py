"""What the desk does in the store: each verb on the file as it was shown, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from cli.desk.shown import Kind, Line, Shown, read_shown
from operators.statements import Signer
from pki.errors import Conflict, Refused
from ra.casework.duplicates import Duplicates
from ra.casework.guards import unexplained
from ra.casework.inquiries import Inquiries, Made
from ra.casework.matches import Matches, given_fields
from ra.casework.reception import Reception
from ra.casework.records import Choice, matches_of
from ra.casework.views import Use, Views
from ra.casework.worklist import Waiting, Wanted, Worklist
from ra.documents.cabinet import Cabinet
from ra.examination import Examination
from ra.records import find_application
from store.database import Store, Transaction

SHOWN_FILES = 200


class Services(Protocol):
    """What the desk needs of a site."""

    store: Store
    examination: Examination

    @property
    def views(self) -> Views: ...  # noqa: D102
    @property
    def worklist(self) -> Worklist: ...  # noqa: D102
    @property
    def cabinet(self) -> Cabinet: ...  # noqa: D102
    @property
    def matches(self) -> Matches: ...  # noqa: D102
    @property
    def duplicates(self) -> Duplicates: ...  # noqa: D102
    @property
    def inquiries(self) -> Inquiries: ...  # noqa: D102
    @property
    def reception(self) -> Reception: ...  # noqa: D102


@dataclass(frozen=True)
class Bench:
    """The verbs of one person at the desk.

    Every verb about a file takes it as shown and raises ``Conflict`` (``ra.file.changed``) if it
    is another by now.
    """

    services: Services
    signer: Signer

    def waiting(self) -> tuple[Waiting, ...]:
        """Return what waits for this person, those due first."""
        return self.services.worklist.page(self._wanted, SHOWN_FILES).rows

    def next_ref(self, besides: Collection[str]) -> str | None:
        """Return the file due first that is none of ``besides``."""
        found = self.services.worklist.next_file(self._wanted, besides)
        return found.ref if found else None

    @property
    def _wanted(self) -> Wanted:
        return Wanted(operator=self.signer.operator_id)

    def open(self, ref: str) -> Shown:
        """Return the file, after entering that this person looks at it."""
        self.services.views.enter(Use.VIEW, [ref], self.signer.operator_id, "desk")
        return self.look(ref)

    def look(self, ref: str) -> Shown:
        """Return an open file as it is now."""
        with self.services.store.read() as tx:
            return self._read(tx, ref)

    def _read(self, tx: Transaction, ref: str) -> Shown:
        application = find_application(tx, ref)
        return read_shown(tx, application, self.services.examination.seen(tx, application))

    def _verify_unchanged(self, shown: Shown) -> None:
        with self.services.store.read() as tx:
            application = find_application(tx, shown.ref)
            now = (application.state, self.services.examination.seen(tx, application))
        if now != (shown.state, shown.digest):
            raise Conflict(
                "ra.file.changed",
                f"{shown.ref} was changed by somebody else while it lay open",
                "It is shown anew: look at what changed.",
            )

    def tick_paper(self, shown: Shown, paper: Line, issued_on: date | None = None) -> None:
        """Say that a paper is in order."""
        self._verify_unchanged(shown)
        code, number = paper.key
        self.services.cabinet.check(
            shown.ref, code, int(number), self.signer, True, issued_on=issued_on
        )

    def fail_paper(self, shown: Shown, paper: Line, note: str) -> None:
        """Say that a paper is not in order, and why."""
        self._verify_unchanged(shown)
        code, number = paper.key
        self.services.cabinet.check(shown.ref, code, int(number), self.signer, False, note)

    def match(self, shown: Shown, source: str, seen: Mapping[str, str], said: str = "") -> None:
        """Keep what a paper shows of fields; ``said`` explains the difference of a single one."""
        self._verify_unchanged(shown)
        explanations = dict.fromkeys(seen, said) if said else {}
        self.services.matches.enter(shown.ref, source, seen, self.signer, explanations)

    def given(self, shown: Shown, fields: Sequence[str]) -> dict[str, str]:
        """Return what the application says of the fields."""
        with self.services.store.read() as tx:
            everything = given_fields(tx, find_application(tx, shown.ref))
        return {field: everything[field] for field in fields}

    def tick_equal(self, shown: Shown, source: str, fields: Sequence[str]) -> None:
        """Say that a paper shows the fields as the application does."""
        self.match(shown, source, self.given(shown, fields))

    def tick_whole(self, shown: Shown, paper: Line, issued_on: date | None = None) -> None:
        """Say that a paper is in order and shows every field that is still open."""
        source = paper.key[0]
        fields = [
            one.key[1]
            for one in shown.lines
            if one.kind is Kind.FIELD and one.key[0] == source and not one.mark
        ]
        if fields:
            self.tick_equal(shown, source, fields)
            shown = self.look(shown.ref)
        if not paper.mark:
            self.tick_paper(shown, paper, issued_on)

    def check(self, shown: Shown, kind: str, *, ok: bool, note: str = "") -> None:
        """Record a check; the data match is not OK with a difference that nobody explained."""
        self._verify_unchanged(shown)
        if kind == "DATA_MATCH" and ok:
            with self.services.store.read() as tx:
                left = unexplained(matches_of(tx, shown.ref))
            if left:
                raise Refused(
                    "ra.guard.explained",
                    f"differences that nobody explained: {', '.join(one.field for one in left)}",
                    "Explain each (m), or let the check fail (x).",
                )
        self.services.examination.check(shown.ref, kind, self.signer, ok=ok, note=note)

    def choose(self, shown: Shown, other: str, choice: Choice, reason: str) -> None:
        """Keep the choice about a possible duplicate."""
        self._verify_unchanged(shown)
        self.services.duplicates.choose(shown.ref, other, choice, reason, self.signer)

    def open_paper(self, shown: Shown, paper: Line) -> tuple[bytes, str]:
        """Return a paper's file and media type, entered as viewed."""
        code, number = paper.key
        return self.services.cabinet.open(shown.ref, code, int(number), self.signer)

    def complete(self, shown: Shown) -> None:
        """Pass the file on to the examination."""
        self._verify_unchanged(shown)
        self.services.reception.complete(shown.ref, self.signer)

    def carry_out(self, shown: Shown, done: str) -> None:
        """End a file that issues nothing."""
        self._verify_unchanged(shown)
        self.services.reception.carry_out(shown.ref, self.signer, done)

    def ask(self, shown: Shown, items: Sequence[str], note: str) -> None:
        """Ask the applicant for what is missing."""
        self._verify_unchanged(shown)
        self.services.reception.ask(shown.ref, items, note, self.signer)

    def inquire(self, refs: Sequence[str]) -> Made:
        """Put the files on a list for the register."""
        return self.services.inquiries.make(refs, self.signer)

    def examine(self, shown: Shown) -> None:
        """Sign the examination of the file as shown, the rest being OK."""
        self._verify_unchanged(shown)
        self.services.examination.examine(shown.ref, self.signer, rest_ok=True, seen=shown.digest)

    def approve(self, shown: Shown) -> None:
        """Sign the approval of the file as shown."""
        self._verify_unchanged(shown)
        self.services.examination.approve(shown.ref, self.signer, seen=shown.digest)

    def reject(self, shown: Shown, code: str, reason: str) -> None:
        """Sign the refusal."""
        self._verify_unchanged(shown)
        self.services.examination.reject(shown.ref, self.signer, code, reason)

    def send_back(self, shown: Shown, reason: str) -> None:
        """Give the file back to the examiner."""
        self._verify_unchanged(shown)
        self.services.examination.send_back(shown.ref, self.signer, reason)
