"""The transcript of a ceremony, as data and as a page to sign."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from ca.records import Ceremony
from cli.output import write_output
from cli.wiring import Services, now
from keys.backend import KeySpec
from pki.validity import whole_seconds
from reports.ceremony import (
    CeremonyCertificate,
    CeremonyKey,
    CeremonyParticipant,
    CeremonyTranscript,
    ceremony_html,
)
from reports.imprint import Imprint


def imprint(services: Services) -> Imprint:
    """Return who makes a report, in what kind of site, now."""
    centre = services.site.settings.centre
    return Imprint(str(services.kind), centre.name, whole_seconds(now()))


def write_transcript(services: Services, ceremony: Ceremony, script_name: str) -> list[Path]:
    """Write JSON and HTML into ceremonies/ and return their paths."""
    tree = json.loads(ceremony.transcript)
    transcript = CeremonyTranscript(
        title=tree["title"],
        kind="GENERATE",
        script_name=script_name,
        script_sha256=ceremony.script_sha256,
        place=tree["place"],
        started_at=ceremony.started_at,
        ended_at=ceremony.ended_at or ceremony.started_at,
        participants=tuple(
            CeremonyParticipant(one["name"], one["role"], one["statement"])
            for one in tree["participants"]
        ),
        keys=tuple(_key(one) for one in tree["made"]),
        certificates=tuple(_certificate(one) for one in tree["made"]),
        deviations=_deviations(tree["attempts"]),
        result="完了 completed",
    )
    folder = services.site.path("ceremonies")
    paths = [folder / f"{ceremony.id}.json", folder / f"{ceremony.id}.html"]
    write_output(paths[0], ceremony.transcript.encode(), replace=True)
    write_output(paths[1], ceremony_html(transcript, imprint(services)), replace=True)
    return paths


def _deviations(attempts: int) -> str:
    if attempts == 1:
        return ""
    return f"中断後に再開し、{attempts} 回目で完了。Broke off, done at attempt {attempts}."


def _key(made: dict[str, str]) -> CeremonyKey:
    spec = KeySpec(made["key"])
    bits = spec.rsa_bits
    if bits is not None:
        return CeremonyKey(made["ca"], "RSA", bits, made["spki_sha256"])
    return CeremonyKey(made["ca"], f"ECDSA {spec.name}", spec.curve.key_size, made["spki_sha256"])


def _certificate(made: dict[str, str]) -> CeremonyCertificate:
    return CeremonyCertificate(
        made["subject"],
        made["serial"],
        datetime.fromisoformat(made["not_before"]),
        datetime.fromisoformat(made["not_after"]),
        made["certificate_sha256"],
    )
