"""Two sites and files between them, as people type it: a registration authority, and a CA."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from ca.records import CarrierKind
from cli.config import load_site
from cli.wiring import Services, open_services
from tests.cli.conftest import CEREMONY, PEOPLE
from tests.cli.terminal import Terminal
from tests.flows.registration import answers_to, list_of, row

OFFICERS_RA = ("--operator", "tani", "--co-operator", "sakurai")
OFFICERS_CA = ("--operator", "sakurai", "--co-operator", "mori")


@dataclass
class Two:
    """Both sites, and the folder that files lie in between."""

    ra: Terminal
    ca: Terminal
    folder: Path

    def file(self, name: str) -> Path:
        return self.folder / f"{name}.json"


@pytest.fixture(scope="module")
def two(new_site: Terminal, tmp_path_factory: pytest.TempPathFactory) -> Two:
    """Sites that accepted each other; orders of the first go to the second."""
    folder = tmp_path_factory.mktemp("exchange")
    shutil.copytree(new_site.site, folder / "ra")
    made = Two(Terminal(folder / "ra"), Terminal(folder / "ca"), folder)
    made.ca.run("init", made.ca.site)
    made.ca.run("ca", "ceremony", CEREMONY, *PEOPLE, "--yes")
    for sender, signers, receiver, takers in (
        (made.ra, OFFICERS_RA, made.ca, OFFICERS_CA),
        (made.ca, OFFICERS_CA, made.ra, OFFICERS_RA),
    ):
        name = made.file(f"register-{sender.site.name}")
        told = sender.run("exchange", "register", name, *signers, "--json").json
        asked = ("exchange", "accept", name, *takers)
        seen = receiver.run(*asked, status=3)
        assert "error cli.confirm.digest: " in seen.err
        assert told["id"] in seen.err
        assert told["sha256"] in seen.err
        receiver.refused("cli.confirm.digest", 3, *asked, "--confirm", "0" * 8)
        done = receiver.run(*asked, "--confirm", told["sha256"][:8], "--json").json
        assert done["id"] == told["id"]
    (ca,) = made.ra.run("exchange", "peers", "--json").json
    (ra,) = made.ca.run("exchange", "peers", "--json").json
    assert (ca["part"], ra["part"]) == ("CA", "RA")
    settings = made.ra.site / "hpki.toml"
    settings.write_text(f'{settings.read_text("utf-8")}\n[ra]\nca = "{ca["id"]}"\n', "utf-8")
    return made


def order(services: Services, *numbers: int) -> None:
    """Have files for keys in files received, examined and approved, step by step as people do."""
    examiner, approver = services.signer("aoki"), services.signer("endo")
    day = str(services.registrar.today)
    rows = [row(one, received_on=day) for one in numbers]
    for one in rows:
        one["documents"] = one["documents"].replace("@2026-08-20", f"@{day}")
    services.intake.import_list(list_of(*rows), "list.csv", examiner)
    refs = [one["application_ref"] for one in rows]
    for ref in refs:
        services.reception.complete(ref, examiner)
        for kind in ("IDENTITY", "DATA_MATCH"):
            services.examination.check(ref, kind, examiner, ok=True)
    made = services.inquiries.make(refs, examiner)
    services.inquiries.answer(answers_to(made.rows), examiner)
    for ref in refs:
        services.examination.examine(ref, examiner, None, CarrierKind.FILE, rest_ok=True)
        assert services.examination.approve(ref, approver) is not None


def issue(two: Two, order_id: str, openssl: str, number: int) -> None:
    for purpose in ("SIGN", "AUTH"):
        csr = two.folder / f"{number}-{purpose}.csr"
        command = [openssl, "req", "-new", "-newkey", "rsa:2048", "-noenc", "-subj", "/"]
        command += ["-keyout", f"{csr}.key", "-out", str(csr)]
        subprocess.run(command, check=True, capture_output=True)
        wanted = ("cert", "issue", order_id, "--csr", csr, "--purpose", purpose)
        two.ca.run(*wanted, "--operator", "fujita")


def test_orders_go_and_results_come(two: Two, openssl: str) -> None:
    services = open_services(load_site(two.ra.site))
    order(services, 1, 2)
    services.store.close()
    orders = two.file("orders")
    sent = two.ra.run("exchange", "orders", orders, "--operator", "endo", "--json").json
    assert sent["orders"] == 2
    taken = two.ca.run("exchange", "receive", orders, "--operator", "fujita", "--json").json
    ids = [one["order"] for one in taken]
    assert [one.partition("/")[2] for one in ids] == ["T2026-0001.1", "T2026-0002.1"]
    again = two.ca.run("exchange", "receive", orders, "--operator", "fujita", "--json")
    assert "taken before" in again.err
    assert again.json == taken
    results = ("--operator", "fujita")
    out = two.file("results")
    two.ca.refused("ca.results.unfinished", 5, "exchange", "results", out, ids[0], *results)
    issue(two, ids[0], openssl, 1)
    two.ca.run("exchange", "results", out, ids[0], *results)
    refusal = two.file("refusal")
    two.ca.run("exchange", "results", refusal, ids[1], "--refuse", "REQUEST", "--yes", *results)
    (found,) = two.ra.run("exchange", "take", out, "--operator", "endo", "--json").json
    assert (found["application"], found["certificates"]) == ("T2026-0001", ["AUTH", "SIGN"])
    (found,) = two.ra.run("exchange", "take", refusal, "--operator", "endo", "--json").json
    assert found["refusal"] == "REQUEST"
    listed = two.ra.run("ra", "list", "--json").json
    states = {one["application"]: one["state"] for one in listed}
    assert states == {"T2026-0001": "ISSUED", "T2026-0002": "ISSUING"}
    two.ra.run(
        "ra", "send-back", "T2026-0002", "--reason", "鍵の要求を差し替え", "--operator", "endo"
    )
    assert "taken before" in two.ra.run("exchange", "take", out, "--operator", "endo").err
    two.ra.refused(
        "cli.exchange.none", 5, "exchange", "orders", two.file("none"), "--operator", "endo"
    )
    for site in (two.ra, two.ca):
        site.run("audit", "verify", "--statements")


def test_a_newer_register_is_taken_by_one(two: Two) -> None:
    name = two.file("newer")
    two.ra.run("exchange", "register", name, *OFFICERS_RA)
    two.ca.run("exchange", "accept", name, "--operator", "sakurai")
    old = two.file(f"register-{two.ra.site.name}")
    told = two.ca.run("exchange", "accept", old, "--operator", "sakurai")
    assert "taken before" in told.err


def test_what_is_no_file_of_the_exchange(two: Two) -> None:
    bad = two.file("bad")
    bad.write_bytes(b'{"a":1}')
    by = ("--operator", "fujita")
    two.ca.refused("exchange.form", 2, "exchange", "receive", bad, *by)
    two.ca.refused("cli.file.none", 4, "exchange", "receive", two.file("nothing"), *by)
    register = two.file("register-ra")
    two.ca.refused("exchange.kind", 2, "exchange", "receive", register, *by)
    two.ca.refused("cli.exchange.to", 2, "exchange", "orders", two.file("x"), *by)
