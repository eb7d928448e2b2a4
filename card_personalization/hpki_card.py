"""Making of an HPKI card: the issuer's side, on top of the holder's in ``hpki_reader.py``.

Files and directory follow the layout; the issuer's session is SCP03, and the issuing commands in it
are those of ``virtual_card.py``, since no issuing specification of a real HPKI card is public.
Source: ISO/IEC 7816-4, -8, -9, -15; GlobalPlatform Card Specification 2.3, Amendment D.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import rsa

from card_personalization import iso7816_15 as cia
from card_personalization import scp03, tlv
from card_personalization.apdu import CardChannel, FileExists
from card_personalization.card import Pin
from card_personalization.hpki_reader import HpkiReader, pin_text
from card_personalization.layout import EF_DIR, EF_DIR_SFI, MF, CaSlot, FileLayout, Role
from pki.errors import Conflict, InvalidInput, Refused

_PIECE = 1024  # bytes written by one command in extended length
_SHORT_PIECE = 239  # what fits into a short one with padding and MAC


class HpkiCard(HpkiReader):
    """A card to be personalized; every step may be repeated after a broken run."""

    def reset(self) -> None:
        """Warm reset: PIN and issuer's session are gone."""
        super().reset()
        self.channel = CardChannel(self._transport)

    def authenticate_issuer(self, keys: scp03.StaticKeys) -> None:
        """Open the issuer's session; from now on every command and answer goes through it.

        It holds for both applications, until reset or ``finalize``. IssuerKeyRefused, with the
        tries left if the card told.
        """
        self.channel = CardChannel(self._transport)
        challenge = os.urandom(scp03.CHALLENGE_SIZE)
        self.channel = scp03.open_channel(self.channel, keys, challenge)

    def create_application(self, role: Role) -> None:
        """Create application, files and directory; what is there already is used again.

        Conflict if a file of another size or kind is in the way.
        """
        application = self.layout.applications[role]
        self._directories.pop(role, None)
        if self.layout.ef_dir:
            self._register(application.aid)
        self._select_mf()
        descriptor = tlv.encode(0x82, b"\x38") + tlv.encode(0x84, application.aid)
        try:
            self.channel.send(0x00, 0xE0, 0, 0, tlv.encode(0x62, descriptor))
        except FileExists:
            self._select(role)
        self._role = role
        for name, content in self._static_files(role).items():
            self._create_file(self.layout.files[name], size=len(content))
            self._update(self.layout.files[name], content)
        self._create_file(self.layout.files["cd"], size=self.layout.cd_capacity)
        for file in (self.layout.files["holder"], *(ca.file for ca in self.layout.ca_slots)):
            self._create_file(file, size=self.layout.certificate_capacity)
        pin = self.layout.pin
        self._create_file(
            self.layout.files["pin"],
            tlv.encode(0x83, bytes([pin.reference])),
            tlv.encode(0x9A, bytes([pin.tries])),
            tlv.encode(0x9B, bytes([pin.min_length, pin.max_length])),
        )
        self._create_file(
            self.layout.files["key"],
            tlv.encode(0x80, application.key_bits.to_bytes(2, "big")),
            tlv.encode(0x9C, bytes([application.user_consent])),
        )

    def generate_key(self, role: Role) -> rsa.RSAPublicKey:
        """Make the application's key on the card, in place of an earlier one; its public half."""
        public_key = self._key_pair(role, 0x80)
        self._describe_key(role, generated=True)
        return public_key

    def import_key(self, role: Role, key: rsa.RSAPrivateKey) -> None:
        """Write a key made elsewhere in place of an earlier one, under K-DEK within the session.

        PUT DATA of B6{81 file reference} and, wrapped in 84, 7F48{91 exponent, 92 and 93 primes}.
        Refused by the card once it is activated. Source of the tags: ISO/IEC 7816-8.
        """
        session = self._issuer_session()
        reference = tlv.encode(0x81, self._key_reference(self._directory(role).key))
        wrapped = session.wrapped(_private_key_template(key))
        data = tlv.encode(0xB6, reference) + tlv.encode(0x84, wrapped)
        session.send(0x00, 0xDB, 0x3F, 0xFF, data)
        self._describe_key(role, generated=False)

    def write_certificates(
        self, role: Role, holder_der: bytes, ca_certificates: Sequence[tuple[str, bytes]]
    ) -> None:
        """Write holder and CA certificates (label, DER) and the directory that leads to them.

        A CA certificate goes to the place of its label, others to the free places in order.
        InvalidInput if there are too many, one is too long or a label is there twice.
        """
        slots = self._slots([label for label, _ in ca_certificates])
        for label, certificate_der in (("holder", holder_der), *ca_certificates):
            if not 0 < len(certificate_der) <= self.layout.certificate_capacity:
                raise InvalidInput(
                    "card.certificate_size",
                    f"{label}: {len(certificate_der)} bytes, the card takes "
                    f"{self.layout.certificate_capacity}",
                )
        placed = list(zip(slots, ca_certificates, strict=True))
        directory = self._certificate_directory([(slot, label) for slot, (label, _) in placed])
        self._select(role)
        self._update(self.layout.files["holder"], holder_der)
        for slot, (_, certificate_der) in placed:
            self._update(slot.file, certificate_der)
        self._update(self.layout.files["cd"], directory)

    def set_initial_pin(self, role: Role, pin: Pin) -> None:
        """Set the PIN in the issuer's session; refused by the card once it is activated."""
        self._issuer_session()
        self._change_pin(role, pin_text(pin))

    def replace_issuer_key(self, new_keys: scp03.StaticKeys) -> None:
        """Give the card other issuer keys, enciphered under the K-DEK of the session.

        The version counts up. Refused (card.issuer_session) without ``authenticate_issuer``.
        """
        session, version = self._issuer_session(), self.identify().issuer_key_version
        session.put_keys(new_keys, version % scp03.MAX_KEY_VERSION + 1, version)

    def finalize(self) -> None:
        """Activate the card and end the issuer's session; ConditionsNotSatisfied if unfinished.

        From now on creating, writing and generating need a new issuer authentication, and the PIN
        belongs to the holder alone.
        """
        self.channel.send(0x00, 0x44, 0, 0, MF.to_bytes(2, "big"))
        self.channel = CardChannel(self._transport)

    def _describe_key(self, role: Role, *, generated: bool) -> None:
        """Let EF.PrKD say where the key was made."""
        key = self._directory(role).key
        if key.generated is not generated:
            entry = cia.encode_private_key(replace(key, generated=generated))
            self._update(self.layout.files["prkd"], entry)
            self._directories.pop(role)

    def _issuer_session(self) -> scp03.SecureChannel:
        """Channel of the issuer's session, before a secret goes anywhere else."""
        if not isinstance(self.channel, scp03.SecureChannel):
            raise Refused("card.issuer_session", "the issuer's session is not open")
        return self.channel

    def _update(self, file: FileLayout, content: bytes) -> None:
        """Write an EF of the current application from its start."""
        piece = _PIECE if self.channel.extended else _SHORT_PIECE
        for start in range(0, len(content), piece):
            p1, p2 = divmod(start, 256) if start else (0x80 | file.sfi, 0)
            self.channel.send(0x00, 0xD6, p1, p2, content[start : start + piece])

    def _create_file(self, file: FileLayout, *internal: bytes, size: int = 0) -> None:
        """Create an EF, or an internal one from its ``internal`` objects, unless it is there."""
        parts = [
            tlv.encode(0x82, b"\x09" if internal else b"\x01"),
            tlv.encode(0x83, file.fid.to_bytes(2, "big")),
            tlv.encode(0x88, bytes([file.sfi << 3])),
        ]
        if internal:
            parts.append(tlv.encode(0xA5, *internal))
        else:
            parts.append(tlv.encode(0x80, size.to_bytes(2, "big")))
        try:
            self.channel.send(0x00, 0xE0, 0, 0, tlv.encode(0x62, *parts))
        except FileExists:
            found = self.channel.send(0x00, 0xA4, 0x02, 0x00, file.fid.to_bytes(2, "big"), le=256)
            objects = tlv.parse(found)
            same = all(
                tlv.find(objects, 0x6F, wanted.tag) == wanted.value
                for wanted in tlv.parse(b"".join(parts))
                if wanted.tag != 0xA5
            )
            if not same:
                raise Conflict(
                    "card.layout_conflict",
                    f"file {file.fid:04X} on the card has another size or kind",
                    "take a blank card",
                ) from None

    def _register(self, aid: bytes) -> None:
        """Enter the application in EF.DIR, which OpenSC needs and others ignore."""
        self._select_mf()
        file = FileLayout(EF_DIR, EF_DIR_SFI)
        self._create_file(file, size=self.layout.ef_dir_capacity)
        present = {aid, *cia.decode_directory_aids(self._read(bytes([file.sfi << 3])))}
        entries = b"".join(
            cia.encode_directory_entry(application.aid, application.directory_label)
            for application in self.layout.applications.values()
            if application.aid in present
        )
        self._update(file, entries.ljust(self.layout.ef_dir_capacity, b"\0"))

    def _static_files(self, role: Role) -> dict[str, bytes]:
        """Directory files whose content the layout fixes."""
        layout, form = self.layout, self.layout.path_form
        application, pin = layout.applications[role], layout.pin
        paths = {name: (layout.files[name].path(form),) for name in ("aod", "prkd", "cd")}
        password = cia.PasswordObject(
            pin.label, pin.auth_id, pin.reference,
            pin.min_length, pin.max_length, pin.stored_length, pad_char=None,
        )  # fmt: skip
        key = cia.PrivateKeyObject(
            layout.key_label, layout.key_id, pin.auth_id, application.key_usage,
            application.user_consent, application.key_bits, layout.files["key"].path(form),
        )  # fmt: skip
        return {
            "cia_info": cia.encode_cia_info(layout.label),
            "od": cia.encode_object_directory(
                cia.ObjectDirectory(paths["aod"], paths["prkd"], paths["cd"])
            ),
            "aod": cia.encode_password(password),
            "prkd": cia.encode_private_key(key),
        }

    def _certificate_directory(self, placed: Sequence[tuple[CaSlot, str]]) -> bytes:
        """EF.CD of holder and CA certificates, zeros to its capacity; InvalidInput if too long."""
        layout, form = self.layout, self.layout.path_form
        holder = layout.files["holder"].path(form)
        directory = cia.encode_certificate(
            cia.CertificateObject(layout.holder_label, layout.key_id, holder, authority=False)
        )
        for slot, label in placed:
            path = slot.file.path(form)
            directory += cia.encode_certificate(
                cia.CertificateObject(label, slot.certificate_id, path, authority=True)
            )
        if len(directory) > layout.cd_capacity:
            raise InvalidInput("card.directory_size", "the labels are too long for EF.CD")
        return directory.ljust(layout.cd_capacity, b"\0")

    def _slots(self, labels: list[str]) -> list[CaSlot]:
        """Place of each CA certificate: the one of its label, else the next free one."""
        by_label = {slot.label: slot for slot in self.layout.ca_slots}
        free = iter([slot for slot in self.layout.ca_slots if slot.label not in labels])
        if len(labels) > len(by_label) or len(set(labels)) < len(labels):
            raise InvalidInput(
                "card.ca_certificates",
                f"{len(labels)} CA certificates; the card has {len(by_label)} places, "
                "one per label",
            )
        return [by_label.get(label) or next(free) for label in labels]


def _private_key_template(key: rsa.RSAPrivateKey) -> bytes:
    numbers, half = key.private_numbers(), key.key_size // 16
    exponent = numbers.public_numbers.e
    return tlv.encode(
        0x7F48,
        tlv.encode(0x91, exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")),
        tlv.encode(0x92, numbers.p.to_bytes(half, "big")),
        tlv.encode(0x93, numbers.q.to_bytes(half, "big")),
    )
