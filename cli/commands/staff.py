"""``hpki operator``: the people who act."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import options
from cli.commands import people

if TYPE_CHECKING:
    from cli.operator_cards import NewCard
    from operators.acts import PersonAct

app = typer.Typer(help="Operators, their keys and roles.")
app.command("list")(people.list_operators)
app.command("show")(people.show)
app.command("plan")(people.plan)

_Name = Annotated[str, typer.Argument(help="The operator's name.", show_default=False)]
_Roles = Annotated[list[str], typer.Option("--role", help="A role; may be repeated.")]
_Card = Annotated[
    str | None, typer.Option("--card", help="The signing key is on a card: piv or hpki.")
]
_Slot = Annotated[str, typer.Option("--slot", help="Of a PIV card: 9C or 9A.")]
_Reader = Annotated[
    str, typer.Option("--reader", help="Part of the name of the card's reader; any without it.")
]
_Fresh = Annotated[
    bool, typer.Option("--fresh", help="Make a new key on a PIV card, in place of one there.")
]


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="Name to act under: a-z, 0-9, hyphen.")],
    full_name: Annotated[str, typer.Option(help="The person's name.")],
    operator: options.Operator,
    role: Annotated[list[str] | None, typer.Option(help="A role; may be repeated.")] = None,
    birth_date: Annotated[
        str | None, typer.Option(help="YYYY-MM-DD; tells people of one name apart.")
    ] = None,
    external: Annotated[
        bool, typer.Option("--external", help="From outside the staff: custodian or auditor.")
    ] = False,
    office: Annotated[str | None, typer.Option(help="Code of a reception office.")] = None,
    card: _Card = None,
    slot: _Slot = "9C",
    reader: _Reader = "",
    fresh: _Fresh = False,
    co_operator: options.CoOperator = None,
) -> None:
    """Appoint a person, with keys and roles, signed by a manager.

    The new passphrase comes from the site's secret reference: typed, or in a training site made at
    random; a folder holds it as NAME.new. A role that two decide about needs --co-operator too.

    With --card the signing key is the one on the card, or is made on a PIV card without one; its
    PIN is the secret NAME.new, and the passphrase of the encryption key is NAME.seal.new.

    Example: hpki operator add yamada --full-name "山田 花子" --birth-date 1990-04-01
    --role RA_EXAMINER --operator sakurai
    """
    from cli.output import say
    from cli.staffing import NewPerson, appoint, known_roles, past_day, signers_of
    from policies.site import SiteKind

    roles = known_roles(role or ())
    services = options.services()
    born = past_day(services, birth_date) if birth_date is not None else None
    person = NewPerson(name, full_name, born, external, office, roles)
    place = _new_card(card, slot, reader, fresh=fresh)
    appoint(services, person, signers_of(services, operator, co_operator), place)
    say(f"{name} is appointed: {', '.join(roles) or 'no role yet'}")
    if services.kind is SiteKind.PRODUCTION and place is None:
        say("warning: the operator's key lies in a file; production wants it on a card", "yellow")


@app.command()
def grant(
    name: _Name, role: _Roles, operator: options.Operator, co_operator: options.CoOperator = None
) -> None:
    """Give roles, signed by those who appoint to them.

    Example: hpki operator grant yamada --role HELPDESK --operator sakurai
    """
    from cli.staffing import known_name, known_roles
    from operators.acts import Grant

    roles = known_roles(role)
    _decide(
        Grant(operator=known_name(name), roles=roles),
        operator,
        co_operator,
        f"now {', '.join(roles)}",
    )


@app.command()
def end(
    name: _Name, role: _Roles, operator: options.Operator, co_operator: options.CoOperator = None
) -> None:
    """Take roles back, substitutions in them too.

    Example: hpki operator end yamada --role HELPDESK --operator sakurai
    """
    from cli.staffing import known_name, known_roles
    from operators.acts import End

    roles = known_roles(role)
    told = f"no longer {', '.join(roles)}"
    _decide(End(operator=known_name(name), roles=roles), operator, co_operator, told)


@app.command()
def suspend(
    name: _Name, operator: options.Operator, co_operator: options.CoOperator = None
) -> None:
    """Let a person not act until resumed; roles and keys stay.

    Example: hpki operator suspend yamada --operator sakurai
    """
    from cli.staffing import known_name
    from operators.acts import Suspend

    _decide(Suspend(operator=known_name(name)), operator, co_operator, "suspended")


@app.command()
def resume(name: _Name, operator: options.Operator, co_operator: options.CoOperator = None) -> None:
    """End a suspension, signed as a grant of all the roles held.

    Example: hpki operator resume yamada --operator sakurai
    """
    from cli.staffing import known_name
    from operators.acts import Resume

    _decide(Resume(operator=known_name(name)), operator, co_operator, "acting again")


@app.command()
def leave(
    name: _Name,
    operator: options.Operator,
    co_operator: options.CoOperator = None,
    yes: options.Yes = False,
) -> None:
    """Enter that a person has left: roles and keys end for good.

    First shows what ends. The key files stay where they are, and are worth nothing: what was
    sealed to them can still be opened. The name is never given again.

    Example: hpki operator leave yamada --operator sakurai
    """
    from cli.output import confirm, say
    from cli.staffing import decide, known_name, signers_of
    from operators.acts import Leave

    act = Leave(operator=known_name(name))
    services = options.services()
    with services.store.read() as tx:
        account = services.directory.register(tx).account(name)
        now = services.directory.now(tx)
    signers = signers_of(services, operator, co_operator)
    with services.store.read() as tx:
        services.staff.verify_may_decide(tx, act, signers)
    keys = account.keys_at(now.seq)
    say(f"what ends: {', '.join(sorted(account.unended(now.day))) or 'no role'}")
    say(f"           key {keys.credential}" if keys is not None else "           no key")
    stops = people.work_that_stops(services, name)
    if stops:
        say(f"what stops without {name}: {stops}", "yellow")
    confirm(f"let {name} leave for good?", yes)
    seq = decide(services, act, signers)
    say(f"{name} has left, from entry {seq} on; the key files stay in operators/")


@app.command()
def substitute(
    name: _Name,
    absent: Annotated[str, typer.Option("--for", help="Who is away, and holds the role.")],
    role: Annotated[str, typer.Option(help="The role.")],
    first_day: Annotated[str, typer.Option("--from", help="First day in Japan, YYYY-MM-DD.")],
    last_day: Annotated[str, typer.Option("--until", help="Last day in Japan, YYYY-MM-DD.")],
    operator: options.Operator,
    co_operator: options.CoOperator = None,
) -> None:
    """Let a person hold another's role for days (代行), signed by two.

    Both are managers. The role ends by itself after the last day; conflicts of roles count as for
    a grant.

    Example: hpki operator substitute aoki --for endo --role RA_APPROVER --from 2026-12-01
    --until 2026-12-05 --operator sakurai --co-operator tani
    """
    from cli.staffing import known_day, known_name, known_roles
    from operators.acts import Substitute

    act = Substitute(
        operator=known_name(name),
        role=known_roles([role])[0],
        absent=known_name(absent),
        first_day=known_day(first_day),
        last_day=known_day(last_day),
    )
    told = f"{act.role} for {absent} from {act.first_day} until {act.last_day}"
    _decide(act, operator, co_operator, told)


@app.command()
def train(
    name: _Name,
    course: Annotated[str, typer.Option(help="Code of the course, e.g. RA-2026.")],
    on: Annotated[str, typer.Option(help="Day in Japan, YYYY-MM-DD.")],
    operator: options.Operator,
) -> None:
    """Enter that a person was trained.

    Example: hpki operator train yamada --course RA-2026 --on 2026-11-20 --operator tani
    """
    from cli.staffing import decide, known_name, make_act, past_day, signers_of
    from operators.acts import Train

    services = options.services()
    act = make_act(
        Train, "course", operator=known_name(name), course=course, on=past_day(services, on)
    )
    decide(services, act, signers_of(services, operator, None))
    _tell(name, f"trained: {act.course} on {act.on}")


@app.command()
def assign(
    name: _Name,
    operator: options.Operator,
    office: Annotated[str | None, typer.Option(help="Code of a reception office.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Of no office any more.")] = False,
) -> None:
    """Make a person a member of a reception office, or of none.

    Example: hpki operator assign yamada --office OSAKA-01 --operator tani
    """
    from cli.staffing import known_name, make_act
    from operators.acts import Assign
    from pki.errors import InvalidInput

    if (office is None) is not none:
        raise InvalidInput("cli.office", "name one office, or none", "Give --office or --none.")
    act = make_act(Assign, "office", operator=known_name(name), office=office)
    _decide(act, operator, None, f"of office {office}" if office else "of no office")


@app.command()
def rekey(
    name: _Name,
    operator: options.Operator,
    card: _Card = None,
    slot: _Slot = "9C",
    reader: _Reader = "",
    fresh: _Fresh = False,
    co_operator: options.CoOperator = None,
) -> None:
    """Make new keys for a person, signed by a manager.

    The person may sign beside the manager. The old keys end; their files are put aside under the
    key's id, so that what was sealed to them can be opened. If it breaks off, run it again. The
    new passphrase, and a key on a card, come as for `hpki operator add`.

    Example: hpki operator rekey yamada --card piv --operator sakurai --co-operator yamada
    """
    from cli.key_files import KeyFiles
    from cli.output import say
    from cli.staffing import newest_credential
    from cli.staffing import rekey as change_keys

    services = options.services()
    old = newest_credential(services, name)
    place = _new_card(card, slot, reader, fresh=fresh)
    seq, undone = change_keys(services, name, operator, co_operator, place)
    if undone:
        say(f"an earlier change of {name}'s keys had broken off and was undone", "yellow")
    say(f"{name}: new key {newest_credential(services, name)} from entry {seq} on")
    aside = [path for _, path in KeyFiles(services.site, name).put_aside(old)]
    told = [f"operators/{path.name}" for path in aside if path.suffix in (".pem", ".toml")]
    say(f"the old key files are put aside as {' and '.join(told)}")


@app.command()
def lost(
    name: _Name,
    operator: options.Operator,
    credential: Annotated[
        str | None, typer.Option(help="The key's id; without it the newest of the person.")
    ] = None,
    co_operator: options.CoOperator = None,
    yes: options.Yes = False,
) -> None:
    """Report a person's keys lost or in wrong hands, for good.

    A manager reports it, or the person. Whatever the key signs later in the trail is refused,
    whatever time it claims; what it signed before stays good. Says what stops until
    `hpki operator rekey`.

    Example: hpki operator lost yamada --operator tani
    """
    from cli.output import confirm, say
    from cli.staffing import decide, signers_of
    from operators.acts import Loss
    from pki.errors import Conflict

    services = options.services()
    with services.store.read() as tx:
        account = services.directory.register(tx).account(name)
    known = [one.credential for one in account.keys if one.lost_seq is None]
    if not known:
        raise Conflict("operators.loss", f"every key of {name} is reported lost already")
    act = Loss(operator=name, credential=credential or known[-1])
    signers = signers_of(services, operator, co_operator)
    with services.store.read() as tx:
        services.staff.verify_may_decide(tx, act, signers)
    stops = people.work_that_stops(services, name)
    if stops:
        say(f"what stops until {name} has new keys: {stops}", "yellow")
    confirm(f"report the key {act.credential} of {name} lost, for good?", yes)
    seq = decide(services, act, signers)
    say(f"{name}: the key {act.credential} is worth nothing after entry {seq}", "bold")
    say(f"next: new keys with a new passphrase, `hpki operator rekey {name} --operator MANAGER`;")
    say("and look at what was signed since the key was last in safe hands: "
        f"`hpki audit search --person {name}`")  # fmt: skip


def _new_card(card: str | None, slot: str, reader: str, *, fresh: bool) -> NewCard | None:
    """Return where the new key is to be; None for a file. Raises ``InvalidInput``."""
    from card_personalization.operator_card import KeyPlace
    from card_personalization.profiles import PIV
    from cli.operator_cards import NewCard

    if card is None:
        return None
    place = KeyPlace(card.lower(), slot.upper() if card.lower() == PIV else "")
    return NewCard(place, reader, fresh)


def _decide(act: PersonAct, operator: str, co_operator: str | None, told: str) -> None:
    """Enter the act and say what the person now is."""
    from cli.staffing import decide, signers_of

    services = options.services()
    decide(services, act, signers_of(services, operator, co_operator))
    _tell(act.operator, told)


def _tell(name: str, told: str) -> None:
    from cli.output import say

    say(f"{name}: {told}")
