"""``hpki card disclose-pins`` and ``destroy``: what two people do with a card."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cli import options

if TYPE_CHECKING:
    from card_personalization.destruction import Doomed

app = typer.Typer()

_Code = TypeVar("_Code", bound=StrEnum)
_Card = Annotated[str, typer.Argument(help="A card's number (chip serial).")]


@app.command("disclose-pins")
def disclose_pins(
    card: _Card,
    reason: Annotated[
        str, typer.Option(help="FORGOTTEN, LETTER_LOST, LETTER_UNREADABLE or FIRST_LETTER.")
    ],
    operator: options.Operator,
    approver: Annotated[str, typer.Option(help="An RA or CA manager, who approves.")],
    out: Annotated[
        Path | None, typer.Option(help="Write the PINs to this new file, for you alone (0600).")
    ] = None,
) -> None:
    """Open a card's PIN envelope, approved by a manager.

    It is for a letter. You are a PIN operator. Both sign, and the trail says so before the envelope
    opens. Neither of you made the card or holds it. The PINs come on a terminal or into --out, and
    nowhere else; never read them out by telephone.

    Example: hpki card disclose-pins 0a1b2c3d4e5f6071 --reason LETTER_LOST --operator hara
    --approver tani --out pins.txt
    """
    from card_personalization.disclosure import DisclosureReason
    from cli.output import refuse_existing, say, write_output
    from cli.tables import write_stdout
    from pki.errors import Refused

    why = one_of(DisclosureReason, reason)
    if out is None and not sys.stdout.isatty():
        raise Refused(
            "cli.pins.terminal",
            "PINs are shown on a terminal only, and stdout is none",
            "Give --out FILE: a new file that you alone may read.",
        )
    refuse_existing(out)
    services = options.services()
    printing, approving = services.signer(operator), services.signer(approver)
    pins = services.disclosure.disclose(
        card.lower(),
        why,
        printing,
        approving,
        lambda credential_id: services.sealing_key(operator, credential_id),
    )
    lines = [f"card {pins.chip_serial}"]
    lines += [f"{name} {pin}" for name, pin in sorted(pins.by_application.items())]
    text = "".join(f"{line}\n" for line in lines)
    if out is None:
        write_stdout(text)
        say("clear the screen when the letter is written; the disclosure is in the trail")
    else:
        write_output(out, text.encode())
        say(f"{out}: destroy it when the letter is written; the disclosure is in the trail")


@app.command()
def destroy(
    card: _Card,
    reason: Annotated[str, typer.Option(help="FAULTY, SPOILED, RETURNED, UNDELIVERED or SURPLUS.")],
    operator: options.Operator,
    witness: Annotated[
        str, typer.Option(help="Who sees it: an IA or RA manager, or another card operator.")
    ],
    confirm: Annotated[
        str | None, typer.Option(help="Last four digits of the licence, else of the card number.")
    ] = None,
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Enter that a card was destroyed before a witness.

    It is for good. Nothing on it may live: revoke it first. A run that broke on it ends; where no
    certificate was reserved on it the order goes on another card. Its PIN envelopes go with it.

    Example: hpki card destroy 0a1b2c3d4e5f6071 --reason FAULTY --operator fujita --witness mori
    --confirm 6071
    """
    from card_personalization.destruction import DestructionReason
    from cli.output import confirm_digits, say, show_record

    services = options.services()
    why = one_of(DestructionReason, reason)
    doomed = services.destruction.find(card.lower())
    show_record(_row(doomed), as_json=as_json)
    if dry_run:
        if doomed.living:
            say(f"its certificates live: revoke it first, `hpki revoke {card}`", "yellow")
        return
    confirm_digits(doomed.confirmation, confirm)
    destroying, seeing = services.signer(operator), services.signer(witness)
    services.destruction.destroy(doomed.card.chip_serial, destroying, seeing, why)
    say(f"{doomed.card.chip_serial} is destroyed", "bold")


def one_of(codes: type[_Code], word: str) -> _Code:
    """Return the code that was typed; raises ``InvalidInput`` naming those there are."""
    from pki.errors import InvalidInput

    try:
        return codes(word.upper())
    except ValueError:
        raise InvalidInput(
            "cli.reason", f"there is no reason {word!r}", f"Known: {', '.join(codes)}."
        ) from None


def _row(doomed: Doomed) -> dict[str, Any]:
    person, card = doomed.applicant, doomed.card
    return {
        "card": card.chip_serial,
        "state": card.state.value,
        "order": card.order_id,
        "kanji_name": person.kanji_name if person else None,
        "kana_name": person.kana_name if person else None,
        "birth_date": str(person.birth_date) if person else None,
        "licence": f"{person.profession} {person.registration_number}" if person else None,
        "certificates": [f"{one.usage} {one.serial.lstrip('0')}" for one in doomed.certificates],
        "living": len(doomed.living),
        "runs": [f"{one.id} {one.state.value}" for one in doomed.runs],
        "pin_envelopes": len(doomed.envelopes),
    }
