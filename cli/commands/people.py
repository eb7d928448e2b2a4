"""``hpki operator list``, ``show`` and ``plan``: who there is, and what depends on whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import options

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from cli.wiring import Services
    from operators.accounts import Account, HeldKeys, HeldRole, Span
    from operators.records import Operator
    from policies.role_tables import RoleTable
    from policies.roles import Role


def list_operators(as_json: options.Json = False) -> None:
    """List operators with their state and the roles they hold now.

    State is ACTIVE, SUSPENDED or LEFT. The day is the last on which their keys count.

    Example: hpki operator list
    """
    from cli.output import show_rows

    services = options.services()
    with services.store.read() as tx:
        seq = services.directory.now(tx).seq
    rows = [_summary(*one, seq=seq, words=not as_json) for one in services.staff.everyone()]
    columns = ("operator", "full_name", "roles", "state", "key_expires", "office")
    show_rows(rows, columns, as_json=as_json)


def show(
    name: Annotated[str, typer.Argument(help="An operator's name.")],
    as_json: options.Json = False,
) -> None:
    """Show an operator: keys, roles, suspensions, training.

    From and until are positions in the trail; keys and roles count after the first, up to the
    second. `hpki audit show POSITION` shows the decision.

    Example: hpki operator show aoki
    """
    from cli.key_files import KeyFiles
    from cli.output import show_record
    from operators.identity import Identity, verify_identity
    from pki.errors import Refused

    services = options.services()
    with services.store.read() as tx:
        services.directory.register(tx).account(name)
        seq = services.directory.now(tx).seq
    found = [one for one in services.staff.everyone() if one[0].id == name]
    if not found:
        raise Refused(
            "operators.identity.changed",
            f"who {name} is was removed from the store",
            "Keep the store and call the auditor.",
        )
    row, account, roles = found[0]
    if row.full_name:  # neither name nor salt are left of a person erased
        identity = Identity(row.full_name, row.birth_date, row.salt)
        verify_identity(identity, name, account.person)
    aside = KeyFiles(services.site, name).put_aside(account.keys[-1].credential)
    record = {
        **_summary(row, account, roles, seq=seq, words=not as_json),
        "birth_date": str(row.birth_date) if row.birth_date else None,
        "external": account.external,
        "since": account.since_seq,
        "left": account.left_seq,
        "keys": [_keys(one) for one in account.keys],
        "held": [_held(one) for one in account.roles],
        "suspensions": [_span(one) for one in account.suspensions],
        "trainings": [{"course": course, "on": str(day)} for course, day in account.trainings],
        "key_files": "a change of keys broke off: run `hpki operator rekey` again" if aside else "",
    }
    show_record(record if as_json else _flat(record), as_json=as_json)


def plan(
    absent: Annotated[
        list[str] | None,
        typer.Option(help="What stops when these are away together; may be repeated."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Show what cannot be done, and what stops in whose absence.

    The first line is work that nobody can do now, everybody present. Who is suspended, or has no
    key that counts, does none meanwhile.

    Example: hpki operator plan --absent aoki --absent endo
    """
    from cli.output import show_json, show_record, show_rows
    from cli.words import phrase
    from operators.plan import plan as make_plan
    from operators.plan import stopped

    services = options.services()
    people = _people(services)
    table = services.role_table
    made = make_plan(people, table.custodians.present)
    away = sorted(set(absent or ()))
    together = stopped(people, away, table.custodians.present) if away else ()
    facts = _table_facts(table, people.values())
    if as_json:
        show_json(
            {
                **facts,
                "impossible": made.impossible,
                "stops": made.stops,
                "absent": away,
                "stopped": together,
            }
        )
        return
    show_record(_told(facts), as_json=False)
    nobody = phrase("nobody", options.current.lang)
    rows = [{"absent": nobody, "work": _work_words(made.impossible)}]
    if away:
        rows.append({"absent": ", ".join(away), "work": _work_words(together)})
    else:
        rows += [{"absent": one, "work": _work_words(made.stops[one])} for one in made.stops]
    show_rows(rows, ("absent", "work"), as_json=False)


def work_that_stops(services: Services, name: str) -> str:
    """Return in words what stops without a person, or an empty string."""
    from operators.plan import stopped

    present = services.role_table.custodians.present
    return _work_words(stopped(_people(services), [name], present))


def _people(services: Services) -> dict[str, frozenset[Role]]:
    """Return all who have not left, with the roles they can act in now: none without a key."""
    with services.store.read() as tx:
        now = services.directory.now(tx)

    def can_sign(account: Account) -> bool:
        keys = account.keys_at(now.seq)
        return keys is not None and now.day <= keys.keys.expires_on

    return {
        row.id: roles if can_sign(account) else frozenset()
        for row, account, roles in services.staff.everyone()
        if account.left_seq is None
    }


def _work_words(codes: Sequence[str]) -> str:
    from policies.work import works

    names = {
        one.code: one.japanese if options.current.lang == "ja" else one.english for one in works()
    }
    return ", ".join(names[code] for code in codes)


def _table_facts(table: RoleTable, held: Collection[Collection[Role]]) -> dict[str, Any]:
    from policies.roles import Role

    return {
        "role_table": table.reference,
        "dropped": [
            {"roles": [one.role, one.against], "reason": one.reason} for one in table.dropped
        ],
        "custodians": {
            "appointed": sum(Role.KEY_CUSTODIAN in roles for roles in held),
            "wanted": table.custodians.appointed,
            "present": table.custodians.present,
        },
    }


def _told(facts: dict[str, Any]) -> dict[str, Any]:
    from cli.words import phrase

    custodians = facts["custodians"]
    numbers = (custodians["appointed"], custodians["wanted"], custodians["present"])
    lang = options.current.lang
    return {
        "role_table": facts["role_table"],
        "dropped": [
            f"{' + '.join(one['roles'])} ({one['reason']})" for one in facts["dropped"]
        ] or phrase("none", lang),
        "custodians": phrase("custodians", lang, *numbers),
    }  # fmt: skip


def _summary(
    row: Operator, account: Account, roles: Collection[Role], *, seq: int, words: bool
) -> dict[str, Any]:
    from cli.words import phrase
    from policies.roles import japanese_name

    lang = options.current.lang
    state = "SUSPENDED" if account.suspended(seq) else "ACTIVE"
    state = "LEFT" if account.left_seq is not None else state
    keys = account.keys_at(seq)
    expires = str(keys.keys.expires_on) if keys is not None else None
    if words and expires is None and state != "LEFT":
        expires = phrase("no_key", lang)
    japanese = words and lang == "ja"
    return {
        "operator": row.id,
        "full_name": row.full_name,
        "roles": [japanese_name(one) if japanese else one.value for one in sorted(roles)],
        "state": phrase(state, lang) if words else state,
        "key_expires": expires,
        "office": account.office,
    }


def _span(span: Span) -> dict[str, Any]:
    return {"from": span.from_seq, "until": span.until_seq}


def _keys(held: HeldKeys) -> dict[str, Any]:
    return {
        "credential": held.credential,
        **_span(held),
        "expires": str(held.keys.expires_on),
        "lost": held.lost_seq,
    }


def _held(held: HeldRole) -> dict[str, Any]:
    if not held.absent:
        return {"role": held.role.value, **_span(held)}
    days = {"first_day": str(held.first_day), "last_day": str(held.last_day)}
    return {"role": held.role.value, **_span(held), "for": held.absent, **days}


def _flat(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with what it nests in words, and without what is not there."""
    told = {key: value for key, value in record.items() if value not in (None, "", [])}
    return {
        key: _phrase(key, value) if key in ("since", "left") else _words(value)
        for key, value in told.items()
    }


def _words(value: object) -> object:
    """Return several things one below the other, each in words."""
    if isinstance(value, dict):
        comma = "、" if options.current.lang == "ja" else ", "
        return comma.join(_phrase(key, one) for key, one in value.items() if one is not None)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "\n".join(str(_words(one)) for one in value)
    return value


def _phrase(key: str, value: object) -> str:
    from cli.words import phrase
    from policies.roles import Role, japanese_name

    lang = options.current.lang
    if key == "role" and lang == "ja":
        value = f"{japanese_name(Role(str(value)))}（{value}）"
    return phrase(key, lang, value)
