"""Applications signed online at the terminal, with a certificate that the site issued."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cli.conftest import Story
from tests.cli.terminal import Terminal
from tests.cli.test_registration import sample, written

AOKI = ("--operator", "aoki")


def signed(story: Story, openssl: str, folder: Path, ref: str, channel: str = "ONLINE") -> Path:
    """A renewal of the holder whose key lies in a file, signed with it."""
    renewal = {"application_ref": ref, "type": "RENEW", "channel": channel, "documents": ""}
    row = sample("T2026-0003", replaces="T2026-0003", office="", **renewal)
    content = written(folder / f"{ref}.csv", row)
    words = ["cms", "-sign", "-binary", "-nodetach", "-cades", "-outform", "DER"]
    words += ["-in", str(content), "-out", str(folder / f"{ref}.p7m")]
    words += ["-signer", str(story.folder / "holder.pem")]
    words += ["-inkey", str(story.folder / "holder.key")]
    subprocess.run([openssl, *words], check=True, capture_output=True)
    return folder / f"{ref}.p7m"


def test_a_signed_application_is_taken_in(
    story: Story, own_centre: Terminal, openssl: str, tmp_path: Path
) -> None:
    good = signed(story, openssl, tmp_path, "T2026-0801")
    bad = signed(story, openssl, tmp_path, "T2026-0802", channel="POST")
    made = own_centre.run("ra", "receive-signed", good, *AOKI, "--json").json
    row = {"application": "T2026-0801", "outcome": "DONE", "state": "RECEIVED"}
    assert made == [{"file": good.name, **row}]
    head = own_centre.head()
    both = own_centre.run("ra", "receive-signed", good, bad, *AOKI, status=3)
    assert "ra.online.channel" in both.err
    assert "ra.receive_signed.some" in both.err
    assert "RECEIVED" in both.out
    assert own_centre.head() == head
    own_centre.refused("ra.online.channel", 2, "ra", "receive-signed", bad, *AOKI)
    own_centre.refused("cli.file.none", 4, "ra", "receive-signed", tmp_path / "none.p7m", *AOKI)
    adding = ("ra", "document", "add", "T2026-0801", "APPLICATION_FORM", good, *AOKI)
    line = own_centre.refused("ra.document.signed", 2, *adding, "--received-on", "2026-11-20")
    assert "signed message" in line
    forms = own_centre.run("ra", "document", "list", "T2026-0801", "--json").json
    assert [one["media_type"] for one in forms] == ["application/pkcs7-mime"]
    seen = own_centre.run("ra", "document", "open", "T2026-0801", "APPLICATION_FORM", *AOKI)
    assert "T2026-0801,RENEW,ONLINE" in seen.err
    check = ("ra", "check", "T2026-0801", "IDENTITY", "--ok", *AOKI)
    own_centre.run("ra", "document", "add", "T2026-0801", "PHOTO", *AOKI,
                   "--received-on", "2026-11-20")  # fmt: skip
    own_centre.run("ra", "complete", "T2026-0801", *AOKI)
    own_centre.run(*check)
