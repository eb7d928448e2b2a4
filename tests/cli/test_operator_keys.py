"""People's keys: replaced, lost, broken off, and where their passphrases come from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cli.config import load_site
from cli.unlock import Vault, operator_backend
from tests.cli.terminal import (
    HPKI,
    Result,
    Terminal,
    error_line,
    people_files,
    person,
)

SAKURAI = ("--operator", "sakurai")
BOTH = (*SAKURAI, "--co-operator", "tani")


class TestKeys:
    def test_new_keys_replace_old_ones_and_lose_none(self, own: Terminal) -> None:
        files, old = people_files(own.site), person(own, "fujita")["keys"][0]["credential"]
        done = own.run("operator", "rekey", "fujita", *SAKURAI, "--co-operator", "fujita")
        assert f"operators/fujita.sign.{old[:16]}.pem" in done.err
        first, second = person(own, "fujita")["keys"]
        assert (first["until"], second["until"], first["lost"]) == (second["from"], None, None)
        aside = people_files(own.site)
        for part in ("operators/fujita.sign", "operators/fujita.seal"):
            assert aside[f"{part}.{old[:16]}.pem"] == files[f"{part}.pem"]
            assert aside[f"{part}.pem"] != files[f"{part}.pem"]
        assert aside[f"secrets/operators/fujita.{old[:16]}"] == files["secrets/operators/fujita"]
        assert len(aside) == len(files) + 3
        own.run("crl", "due", "--operator", "fujita")
        own.run("operator", "rekey", "fujita", *BOTH)
        self.opens(own, f"fujita.seal.{old[:16]}")
        self.opens(own, f"fujita.seal.{second['credential'][:16]}")
        for path in (own.site / "operators").iterdir():
            assert path.stat().st_mode & 0o777 == 0o600

    @staticmethod
    def opens(shell: Terminal, label: str) -> None:
        site = load_site(shell.site)
        key = operator_backend(site, Vault(site)).open(label)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        assert isinstance(key.curve, ec.SECP256R1)

    def test_a_replaced_key_signs_nothing(self, own: Terminal) -> None:
        before = people_files(own.site)
        own.run("operator", "rekey", "fujita", *BOTH)
        self.put(own, {name: octets for name, octets in before.items() if "fujita" in name})
        own.refused("operators.credential.unknown", 3, "crl", "due", "--operator", "fujita")

    @staticmethod
    def put(shell: Terminal, files: dict[str, bytes]) -> None:
        for name, octets in files.items():
            (shell.site / name).write_bytes(octets)

    @pytest.mark.parametrize("moved", [1, 2, 3, 4, 5, 6])
    def test_a_change_that_broke_off_is_undone_by_the_next(self, own: Terminal, moved: int) -> None:
        files, old = people_files(own.site), person(own, "fujita")["keys"][0]["credential"]
        keys, secrets = own.site / "operators", own.site / "secrets" / "operators"
        new = {
            keys / "fujita.sign.pem": keys / "fujita.sign.{}.pem",
            keys / "fujita.seal.pem": keys / "fujita.seal.{}.pem",
            secrets / "fujita": secrets / "fujita.{}",
        }
        for path in new.values():
            Path(str(path).format("new")).write_text("never registered")
        moves = [(used, Path(str(path).format(old[:16]))) for used, path in new.items()]
        moves += [(Path(str(path).format("new")), used) for used, path in new.items()]
        for one, other in moves[:moved]:
            one.rename(other)
        assert "rekey" in person(own, "fujita")["key_files"]
        own.refused("operators.signatures", 3, "operator", "rekey", "fujita", "--operator", "endo")
        left = {
            name: octets for name, octets in people_files(own.site).items() if ".new" not in name
        }
        assert left == files
        own.run("operator", "rekey", "fujita", *BOTH)
        own.run("crl", "due", "--operator", "fujita")
        assert person(own, "fujita")["key_files"] == ""
        self.opens(own, f"fujita.seal.{old[:16]}")

    @pytest.mark.parametrize(
        ("code", "given"),
        [
            ("operators.signatures", ("rekey", "fujita", "--operator", "endo")),
            ("operators.grant.self", ("rekey", "sakurai", *SAKURAI)),
            ("operators.signatures", ("rekey", "sakurai", "--operator", "tani")),
            ("operators.separation", ("rekey", "fujita", *SAKURAI, "--co-operator", "sakurai")),
            ("operators.signatures", ("lost", "fujita", "--operator", "endo", "--yes")),
        ],
    )
    def test_refusals_change_no_key(
        self, office: Terminal, code: str, given: tuple[str, ...]
    ) -> None:
        office.refused(code, 3, "operator", *given)

    def test_a_loss_says_what_stops_before_it_asks(self, office: Terminal) -> None:
        asked = office.run("operator", "lost", "fujita", *SAKURAI, status=3).err
        assert asked.index("what stops until fujita has new keys") < asked.index("cli.confirm")

    def test_a_change_that_fails_at_the_end_leaves_the_old_keys(self, own: Terminal) -> None:
        files = people_files(own.site)
        aside = f"fujita.seal.{person(own, 'fujita')['keys'][0]['credential'][:16]}.pem"
        (own.site / "operators" / aside).mkdir()
        own.refused("cli.operator.files", 6, "operator", "rekey", "fujita", *BOTH)
        (own.site / "operators" / aside).rmdir()
        assert people_files(own.site) == files
        own.run("crl", "due", "--operator", "fujita")

    def test_a_lost_key_signs_nothing_more(self, own: Terminal) -> None:
        seq = own.head()[0] + 1
        done = own.run("operator", "lost", "fujita", "--operator", "tani", "--yes")
        credential = person(own, "fujita")["keys"][0]["credential"]
        assert f"the key {credential} is worth nothing after entry {seq}" in done.err
        assert "hpki operator rekey fujita" in done.err
        row = person(own, "fujita")
        assert (row["keys"][0]["lost"], row["key_expires"]) == (seq, None)
        own.refused("operators.credential.unknown", 3, "crl", "due", "--operator", "fujita")
        own.refused("operators.loss", 5, "operator", "lost", "fujita", *SAKURAI, "--yes")
        own.run("operator", "rekey", "fujita", *BOTH)
        own.run("crl", "due", "--operator", "fujita")
        own.run("audit", "verify")

    def test_the_person_reports_a_loss_and_an_old_key_may_be_lost(self, own: Terminal) -> None:
        own.run("operator", "rekey", "fujita", *BOTH)
        first, second = (one["credential"] for one in person(own, "fujita")["keys"])
        lost = ("operator", "lost", "fujita", "--yes", "--operator", "fujita")
        own.refused("operators.loss", 5, *lost, "--credential", "0" * 32)
        own.run(*lost, "--credential", first)
        own.run("crl", "due", "--operator", "fujita")
        assert second in own.run(*lost).err
        own.refused("operators.credential.unknown", 3, "crl", "due", "--operator", "fujita")

    def test_one_descriptor_does_not_serve_two(self, own: Terminal) -> None:
        def typed(*given: str) -> Result:
            with (own.site / "secrets" / "operators" / "sakurai").open("rb") as file:
                more = {"HPKI_SECRETS__OPERATORS__FD": str(file.fileno())}
                done = subprocess.run(
                    [HPKI, "operator", "suspend", "aoki", *given],
                    env=own.environment(more),
                    pass_fds=[file.fileno()],
                    capture_output=True,
                    check=False,
                )
            return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

        two = typed(*BOTH)
        assert two.status == 6
        told = error_line(two.err, "cli.secret.fd")
        assert "gave the passphrase of sakurai, not that of tani too" in told
        assert typed(*SAKURAI).status == 0

    def test_a_person_types_a_new_passphrase(self, own: Terminal) -> None:
        words = {name: own.site / "secrets" / "operators" / name for name in ("sakurai", "fujita")}
        old = {name: path.read_text() for name, path in words.items()}
        typed = {"HPKI_SECRETS__OPERATORS__PROMPT": "true"}
        answers = [
            ("Passphrase of sakurai: ", old["sakurai"]),
            ("Passphrase of fujita: ", old["fujita"]),
            ("New passphrase of fujita: ", "a new one\n"),
            ("The same again, of fujita: ", "a new one\n"),
        ]
        rekey = ("operator", "rekey", "fujita", *SAKURAI, "--co-operator", "fujita")
        done = own.typed(*rekey, answers=answers, variables=typed)
        assert done.status == 0, done.out
        publish = ("crl", "due", "--operator", "fujita")
        new = [("Passphrase of fujita: ", "a new one\n")]
        assert own.typed(*publish, answers=new, variables=typed).status == 0
        wrong = own.typed(*publish, answers=[(new[0][0], old["fujita"])], variables=typed)
        assert "keys.passphrase.wrong" in wrong.out


class TestTrialSite:
    """Passphrases lie in a folder that people fill; we move them, and never make or remove one."""

    @pytest.fixture
    def trial(self, tmp_path: Path) -> Terminal:
        words = tmp_path / "words"
        words.mkdir()
        for name in ("anchor", "ichi", "futa"):
            self.write(words / name, f"the words of {name}\n")
        staff = tmp_path / "staff.toml"
        staff.write_text(
            "".join(
                f'[[operator]]\nname = "{name}"\nfull_name = "{name}"\nroles = ["{role}"]\n'
                for name, role in (("ichi", "CA_MANAGER"), ("futa", "RA_MANAGER"))
            )
        )
        variables = {
            "HPKI_SECRETS__ANCHOR__FILE": str(words / "anchor"),
            "HPKI_SECRETS__OPERATORS__FOLDER": str(words),
        }
        shell = Terminal(tmp_path / "site", variables)
        shell.run("init", shell.site, "--kind", "trial", "--staff", staff)
        return shell

    @staticmethod
    def write(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)

    def test_a_new_passphrase_is_prepared_and_an_old_one_kept(self, trial: Terminal) -> None:
        words, keys = trial.site.parent / "words", trial.site / "operators"
        add = ("operator", "add", "san", "--full-name", "試 三", "--operator", "ichi")
        trial.run(*add, status=6)
        assert not [path for path in keys.iterdir() if "san" in path.name]
        self.write(words / "san.new", "first words\n")
        trial.run(*add, "--role", "LRA_RECEPTION", status=3)
        assert (words / "san.new").read_text() == "first words\n"
        trial.run(*add, "--role", "HELPDESK")
        assert (words / "san").read_text() == "first words\n"
        assert not (words / "san.new").exists()
        rekey = ("operator", "rekey", "san", "--operator")
        trial.run(*rekey, "ichi", status=6)
        self.write(words / "san.new", "second words\n")
        trial.run(*rekey, "san", status=3)
        trial.run(*rekey, "futa", "--co-operator", "san")
        (aside,) = [path for path in words.iterdir() if path.name.startswith("san.")]
        assert [path.read_text() for path in (aside, words / "san")] == [
            "first words\n",
            "second words\n",
        ]
        assert (keys / f"san.seal.{aside.suffix[1:]}.pem").exists()
        trial.run("operator", "lost", "san", "--operator", "san", "--yes")
