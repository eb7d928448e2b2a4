"""The demonstration: every step through the services that the single commands call."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ca.ceremonies import Officiants
from ca.records import Certificate, certificates_of_carrier
from card_personalization.profiles import HPKI, card_profile
from card_personalization.records import CardState, cards
from card_personalization.station import Report
from cli.compliance import write_compliance
from cli.config import FILE_NAME, load_site
from cli.openssl import Verdict, verify_with_openssl
from cli.output import read_input, say, show_banner, show_record, show_rows
from cli.personalization import VIRTUAL, Setup, personalize_all, waiting_orders
from cli.progress import Bars, bars
from cli.reporting import USUAL, Wish, present, write_month
from cli.site import make_site
from cli.staffing import decide
from cli.transcripts import write_transcript
from cli.wiring import Services, now, open_services
from crl.repository.documents import Draft
from crl.repository.records import DocumentKind
from operators.acts import Train
from operators.statements import Signer
from pki.errors import Conflict, HpkiError
from pki.validity import japan_date, start_of_day
from policies.controls import AuditKind
from policies.moves import ApplicationState
from policies.site import SiteKind
from ra import records as ra_records
from ra.casework.guards import ROMAJI, has_unusual_romaji
from ra.casework.inquiries import inquiry_csv
from ra.casework.records import NoticeKind
from ra.casework.views import Use
from ra.intake import ImportReport, Outcome
from ra.persons.applicants import birth_date_of
from ra.records import find_application
from ra.revocation import CallerCheck, Request
from ra.revocation import Verdict as Reviewed
from reports.period import Period
from reports.tables import Language

_MAX_OCTETS = 20 * 1024 * 1024
_TERMS = Draft(
    DocumentKind.TERMS,
    "terms",
    "1.0",
    "利用規約（見本）",
    "Terms of use (sample)",
    start_of_day(date(2026, 9, 1)),
    "見本の利用規約です。効力はありません。\nSample terms of use, without effect.\n".encode(),
)
"""What the sample applicants agreed to, in force since the first of their applications."""


@dataclass(frozen=True)
class _Staff:
    """Who does what in the training site that ``hpki init`` makes."""

    custodians: tuple[str, ...] = ("kagi-ichi", "kagi-futa", "kagi-mitsu")
    witness: str = "mori"
    reception: str = "aoki"
    approver: str = "endo"
    issuing: str = "fujita"
    revoking: str = "ishii"
    managers: tuple[str, str] = ("sakurai", "tani")


def run_demonstration(folder: Path, examples: Path, replace: bool) -> None:
    """Make the site and run the chain; ends with a summary that names every output."""
    ceremony = read_input(examples / "ceremony.toml", _MAX_OCTETS, "cli.demo.examples")
    applications = read_input(examples / "applications.csv", _MAX_OCTETS, "cli.demo.examples")
    if replace:
        _remove_training_site(folder)
    site = make_site(folder, "training", "DEMO 電子認証センター", None, "sqlite:///store.sqlite")
    show_banner(SiteKind.TRAINING)
    services = open_services(site)
    play = _Play(services, _Staff())
    say("鍵生成 key ceremony, then applications, examination, cards, revocations, lists, report")
    with bars() as shown:
        play.ceremony(ceremony, shown)
    play.preparation()
    report = play.intake(applications)
    say("受付・審査・承認・カード作成 reception to cards: a minute or two")
    with bars() as shown:
        refs = play.reception(report, shown)
        play.examination(refs, shown)
        play.approval(refs, shown)
        play.cards(shown)
    play.revocations()
    outputs = play.outputs()
    play.summary(report, outputs)


@dataclass
class _Play:
    services: Services
    staff: _Staff

    def __post_init__(self) -> None:
        self.files: list[Path] = []
        self.deficient: list[str] = []
        self.paid: list[str] = []
        self.good: Certificate | None = None
        self.revoked: Certificate | None = None

    def ceremony(self, octets: bytes, shown: Bars) -> None:
        task = shown.start("鍵生成 key ceremony", 3)
        signer = self.services.signer
        people = Officiants(
            [signer(one) for one in self.staff.custodians], signer(self.staff.witness)
        )
        held = self.services.ceremonies.hold(octets, people, lambda _: shown.advance(task))
        self.files += write_transcript(self.services, held, "ceremony.toml")

    def preparation(self) -> None:
        """Release the terms of use, and enter the training of everybody."""
        services = self.services
        manager, second = (services.signer(one) for one in self.staff.managers)
        services.documents.add(_TERMS, manager, second)
        with services.store.read() as tx:
            names, today = services.directory.register(tx).accounts, services.directory.now(tx).day
        for name in names:
            act = Train(operator=name, course="DEMO-1", on=today)
            decide(services, act, [manager if name == second.operator_id else second])

    def intake(self, octets: bytes) -> ImportReport:
        """Import the list and show each rejected row with code, text and hint."""
        services = self.services
        signer = services.signer(self.staff.reception)
        report = services.intake.import_list(octets, "applications.csv", signer)
        rows = [
            {"line": row.line, "code": str(fault.code), "text": fault.text, "hint": fault.hint}
            for row in report.rows
            for fault in row.faults
        ]
        show_rows(rows, ("line", "code", "text", "hint"), as_json=False)
        return report

    def reception(self, report: ImportReport, shown: Bars) -> list[str]:
        """Pass the files on; ask for the paper that one lacks (不備), which then arrives."""
        services, signer = self.services, self.services.signer(self.staff.reception)
        refs = [
            row.application_ref
            for row in report.rows
            if row.outcome is Outcome.ACCEPTED and row.application_ref is not None
        ]
        lacking = {row.application_ref: row.missing for row in report.rows if row.missing}
        for ref in shown.track(refs, len(refs), "受付 reception"):
            for code in lacking.get(ref, ()):
                services.reception.ask(ref, (code,), "", signer)
                services.letters.send(ref, NoticeKind.DEFICIENCY, "MAIL", signer)
                today = services.registrar.today
                services.cabinet.add(ref, code, today, signer, None, today)
                self.deficient.append(ref)
            services.reception.complete(ref, signer)
        return refs

    def examination(self, refs: list[str], shown: Bars) -> None:
        """Look at each file, ask the register, whose answers are played, and sign."""
        services, signer = self.services, self.services.signer(self.staff.reception)
        for ref in shown.track(refs, len(refs), "本人確認・照合 identity, data"):
            self._confirm_romaji(ref, signer)
            for kind in ("IDENTITY", "DATA_MATCH"):
                services.examination.check(ref, kind, signer, ok=True)
        made = services.inquiries.make(refs, signer)
        services.views.enter(Use.EXPORT, refs, self.staff.reception, f"inquiry {made.inquiry_id}")
        services.inquiries.answer(inquiry_csv(made.rows, "登録あり"), signer)
        for ref in shown.track(refs, len(refs), "審査 examine"):
            services.views.enter(Use.VIEW, [ref], self.staff.reception, "file")
            services.examination.examine(ref, signer, rest_ok=True)

    def _confirm_romaji(self, ref: str, signer: Signer) -> None:
        """Confirm a name in romaji that is not the passport spelling of its kana."""
        with self.services.store.read() as tx:
            application = find_application(tx, ref)
            name = ra_records.applicant(tx, application).romaji_name
            unusual = has_unusual_romaji(tx, application)
        if unusual:
            source, field = ROMAJI
            self.services.matches.enter(ref, source, {field: name}, signer)

    def approval(self, refs: list[str], shown: Bars) -> None:
        """Approve as another person; what is owed is paid, and the orders follow."""
        services = self.services
        approver = services.signer(self.staff.approver)
        for ref in shown.track(refs, len(refs), "承認 approve"):
            services.examination.approve(ref, approver)
        cashier = services.signer(self.staff.reception)
        for fee in services.fees.asked(settled=False):
            services.letters.send(fee.application_ref, NoticeKind.FEE, "MAIL", cashier)
            services.fees.pay(fee.application_ref, fee.yen, "DEMO", cashier)
            self.paid.append(fee.application_ref)

    def cards(self, shown: Bars) -> None:
        services = self.services
        orders = waiting_orders(services)
        task = shown.start("カード作成 cards", len(orders))
        signer = services.signer(self.staff.issuing)
        setup = Setup([VIRTUAL], card_profile(HPKI), 0, lambda _: None)
        for made in personalize_all(services, signer, signer, orders, setup):
            if isinstance(made, HpkiError):
                raise made
            assert isinstance(made, Report)  # noqa: S101 - the only other kind
            shown.advance(task)

    def revocations(self) -> None:
        """One card is lost, by telephone; one holder has died; the lists follow at once."""
        services = self.services
        with services.store.read() as tx:
            living = ra_records.applications(tx, [ApplicationState.PERSONALISED])
            lost, dead, good = living[0], living[1], living[2]
            caller = CallerCheck(
                called_back=True,
                registration_number=lost.registration_number,
                birth_date=birth_date_of(tx, lost),
            )
        officer = services.signer(self.staff.revoking)
        publish_due(services, self.staff.revoking)
        present(services)
        services.desk.revoke(
            services.desk.find(lost.ref),
            Request("S02_CARD_LOST", "subscriber", "TELEPHONE", "call-back 03:10", caller),
            officer,
            None,
        )
        present(services)
        revoked = services.desk.revoke(
            services.desk.find(dead.ref),
            Request("R01_DEATH", "heir", "NOTICE", "死亡届の写し"),
            officer,
            services.signer(self.staff.issuing),
        )
        publish_due(services, self.staff.revoking)
        reviewer = services.signer(self.staff.managers[1])
        for request in services.desk.requests(unreviewed=True):
            services.desk.review(request.id, reviewer, Reviewed.CONFIRMED, "通話記録を確認")
        self.revoked = revoked[0]
        affected = services.desk.find(good.ref)
        with services.store.read() as tx:
            self.good = certificates_of_carrier(tx, affected.carrier_id)[0]

    def outputs(self) -> list[Path]:
        """Write the reports and return the files that the demonstration leaves for people."""
        wish = Wish(None, Language.JAPANESE, USUAL, None)
        today = japan_date(now())
        month = today.replace(day=1)
        paths = write_month(self.services, month, wish)
        for _, files in write_compliance(
            self.services, [AuditKind.SIGN, AuditKind.AUTH], Period(month, today), wish
        ):
            paths += files
        public = sorted(self.services.targets[0].folder.glob("[!.]*"))
        return [*self.files, *public, *(one for one in paths if one.suffix == ".html")]

    def summary(self, report: ImportReport, outputs: list[Path]) -> None:
        """Show the counts, every output, the verified trail, and OpenSSL's two verdicts."""
        services = self.services
        with services.store.read() as tx:
            states = [row.state.value for row in ra_records.applications(tx)]
            made = sum(one.state is CardState.PERSONALISED for one in cards(tx))
        head = services.trail.verify()
        show_record(
            {
                "受付 rows accepted": report.count(Outcome.ACCEPTED),
                "不受理 rows rejected": report.count(Outcome.REJECTED),
                "不備照会 asked for papers": len(self.deficient),
                "手数料納付 fees paid": len(self.paid),
                "発行カード cards made": made,
                "失効 cards revoked": states.count("CLOSED_REVOKED"),
                "監査証跡 audit verify": f"whole, {head.seq} entries, head {head.hash[:16]}…",
            },
            as_json=False,
        )
        rows = [{"output": _purpose(path), "file": os.path.relpath(path)} for path in outputs]
        show_rows(rows, ("output", "file"), as_json=False)
        verdicts = [
            verify_with_openssl(services, row, expected)
            for row, expected in ((self.good, True), (self.revoked, False))
            if row is not None
        ]
        for verdict in verdicts:
            _show_verdict(verdict)
        if not all(verdict.as_expected for verdict in verdicts):
            raise Conflict("cli.demo.verdict", "OpenSSL does not judge as the centre does")
        say(
            "OpenSSL が有効な証明書を認め、失効した証明書を退けました / as it must be", "bold green"
        )


_PUBLISHED = {
    ".cer": "証明書 CA certificate",
    ".p7c": "証明書 CA certificate",
    ".crl": "失効リスト revocation list",
}


def _purpose(path: Path) -> str:
    """Say what an output is, by its folder and ending."""
    if path.parent.name == "public":
        return _PUBLISHED.get(path.suffix, "公開文書 public document")
    if path.parent.name == "ceremonies":
        return "鍵生成記録 ceremony transcript"
    if path.name.startswith("compliance"):
        return "準拠性監査報告書 compliance report"
    return "月次報告 monthly report"


def _show_verdict(verdict: Verdict) -> None:
    say(f"$ {verdict.command}", "dim")
    say(verdict.answer, "green" if verdict.as_expected else "bold red")


def _remove_training_site(folder: Path) -> None:
    """Remove what a demonstration made before, and nothing else."""
    if not folder.exists():
        return
    if not (folder / FILE_NAME).exists():
        raise Conflict("cli.demo.folder", f"{folder} is not a site", "Name another folder.")
    if load_site(folder).settings.centre.kind is not SiteKind.TRAINING:
        raise Conflict("cli.demo.folder", f"{folder} is no training site and stays")
    shutil.rmtree(folder)


def publish_due(services: Services, operator: str) -> None:
    """Make and publish the lists that are due; raise the first failure."""
    failures = services.publish_due(operator).failures
    if failures:
        raise failures[0]
