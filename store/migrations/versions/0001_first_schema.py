"""The first schema, with the triggers that keep the trail append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlmodel.sql.sqltypes import UTCDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ceremony",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("script_sha256", sa.CHAR(length=64), nullable=False),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("transcript", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ceremony")),
    )
    op.create_table(
        "holder",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holder")),
    )
    op.create_table(
        "import_run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.CHAR(length=64), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_run")),
    )
    op.create_table(
        "operator",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("full_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("birth_date", sa.Date(), nullable=False),
        sa.Column("search_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person")),
    )
    op.create_index(op.f("ix_person_search_key"), "person", ["search_key"], unique=False)

    op.create_table(
        "trail_entry",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("object_type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("hash", sa.CHAR(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_trail_entry")),
        sa.UniqueConstraint("hash", name=op.f("uq_trail_entry_hash")),
    )
    op.create_index(op.f("ix_trail_entry_code"), "trail_entry", ["code"], unique=False)
    op.create_index(op.f("ix_trail_entry_object_id"), "trail_entry", ["object_id"], unique=False)

    op.create_table(
        "trail_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("site_id", sa.Text(), nullable=False),
        sa.Column(
            "site_kind",
            sa.Enum(
                "production",
                "trial",
                "training",
                name="sitekind_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("hash", sa.CHAR(length=64), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_trail_head_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail_head")),
    )
    op.create_table(
        "application",
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("row_digest", sa.CHAR(length=64), nullable=False),
        sa.Column("salt", sa.CHAR(length=64), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "RECEIVED",
                "EXAMINED",
                "REJECTED",
                "ISSUING",
                "ISSUED",
                "PERSONALISED",
                "CLOSED_REVOKED",
                name="applicationstate_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("profession", sa.Text(), nullable=False),
        sa.Column("registration_number", sa.Text(), nullable=False),
        sa.Column("registration_date", sa.Date(), nullable=False),
        sa.Column("director_role", sa.Text(), nullable=True),
        sa.Column("institution_ja", sa.Text(), nullable=True),
        sa.Column("institution_en", sa.Text(), nullable=True),
        sa.Column("work_prefecture", sa.CHAR(length=2), nullable=False),
        sa.Column("municipality", sa.Text(), nullable=True),
        sa.Column("member_id", sa.Text(), nullable=True),
        sa.Column("terms_version", sa.Text(), nullable=False),
        sa.Column("reject_code", sa.Text(), nullable=True),
        sa.Column("dossier", sa.Text(), nullable=True),
        sa.Column("examination_id", sa.Text(), nullable=True),
        sa.Column("carrier", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_run.id"], name=op.f("fk_application_import_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_application_person_id")
        ),
        sa.PrimaryKeyConstraint("ref", name=op.f("pk_application")),
    )
    op.create_index(
        op.f("ix_application_registration_number"),
        "application",
        ["registration_number"],
        unique=False,
    )
    op.create_index(op.f("ix_application_state"), "application", ["state"], unique=False)
    op.create_index(
        op.f("ix_application_work_prefecture"), "application", ["work_prefecture"], unique=False
    )

    op.create_table(
        "credential",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.Column(
            "use",
            sa.Enum(
                "SIGN",
                "SEAL",
                name="keyuse_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("public_key_der", sa.LargeBinary(), nullable=False),
        sa.Column("from_seq", sa.Integer(), nullable=False),
        sa.Column("until_seq", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name=op.f("fk_credential_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credential")),
    )
    op.create_table(
        "holder_subject",
        sa.Column("subject_sha256", sa.CHAR(length=64), nullable=False),
        sa.Column("holder_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holder.id"], name=op.f("fk_holder_subject_holder_id")
        ),
        sa.PrimaryKeyConstraint("subject_sha256", name=op.f("pk_holder_subject")),
    )
    op.create_table(
        "import_rejection",
        sa.Column("import_id", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("row_digest", sa.CHAR(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["import_id"], ["import_run.id"], name=op.f("fk_import_rejection_import_id")
        ),
        sa.PrimaryKeyConstraint("import_id", "line", "position", name=op.f("pk_import_rejection")),
    )
    op.create_table(
        "issue_order",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("application_ref", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("holder_id", sa.Text(), nullable=False),
        sa.Column("dossier", sa.Text(), nullable=False),
        sa.Column("digest", sa.CHAR(length=64), nullable=False),
        sa.Column("statement_ids", sa.Text(), nullable=False),
        sa.Column("accepted_seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["holder_id"], ["holder.id"], name=op.f("fk_issue_order_holder_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issue_order")),
        sa.UniqueConstraint(
            "application_ref", "attempt", name=op.f("uq_issue_order_application_ref_attempt")
        ),
    )
    op.create_table(
        "issuer",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ceremony_id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column(
            "purpose",
            sa.Enum(
                "SIGN",
                "AUTH",
                name="purpose_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column("crl_profile", sa.Text(), nullable=False),
        sa.Column("subject_der", sa.LargeBinary(), nullable=False),
        sa.Column("key_label", sa.Text(), nullable=False),
        sa.Column("cps_uri", sa.Text(), nullable=False),
        sa.Column("crl_uri", sa.Text(), nullable=False),
        sa.Column("own_list_uri", sa.Text(), nullable=True),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["ceremony_id"], ["ceremony.id"], name=op.f("fk_issuer_ceremony_id")
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["issuer.id"], name=op.f("fk_issuer_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_issuer")),
        sa.UniqueConstraint("key_label", name=op.f("uq_issuer_key_label")),
        sa.UniqueConstraint("subject_der", name=op.f("uq_issuer_subject_der")),
    )
    op.create_table(
        "person_version",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("kanji_name", sa.Text(), nullable=False),
        sa.Column("kana_name", sa.Text(), nullable=False),
        sa.Column("romaji_name", sa.Text(), nullable=False),
        sa.Column("former_surname", sa.Text(), nullable=True),
        sa.Column("postal_code", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("telephone", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_person_version_person_id")
        ),
        sa.PrimaryKeyConstraint("person_id", "valid_from", name=op.f("pk_person_version")),
    )
    op.create_table(
        "statement",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("object_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("signature", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name=op.f("fk_statement_operator_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement")),
    )
    op.create_index(op.f("ix_statement_object_id"), "statement", ["object_id"], unique=False)

    op.create_table(
        "card",
        sa.Column("chip_serial", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "STOCK",
                "RESERVED",
                "PERSONALISED",
                name="cardstate_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["issue_order.id"], name=op.f("fk_card_order_id")),
        sa.PrimaryKeyConstraint("chip_serial", name=op.f("pk_card")),
    )
    op.create_index(op.f("ix_card_state"), "card", ["state"], unique=False)

    op.create_table(
        "carrier",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "CARD",
                "FILE",
                name="carrierkind_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("chip_serial", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["order_id"], ["issue_order.id"], name=op.f("fk_carrier_order_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_carrier")),
        sa.UniqueConstraint("chip_serial", name=op.f("uq_carrier_chip_serial")),
    )
    op.create_index(op.f("ix_carrier_order_id"), "carrier", ["order_id"], unique=False)
    op.create_table(
        "document",
        sa.Column("application_ref", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_ref"], ["application.ref"], name=op.f("fk_document_application_ref")
        ),
        sa.PrimaryKeyConstraint("application_ref", "code", name=op.f("pk_document")),
    )
    op.create_table(
        "examination_check",
        sa.Column("application_ref", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column(
            "result",
            sa.Enum(
                "OK",
                "FAIL",
                name="checkresult_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("examiner", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_ref"],
            ["application.ref"],
            name=op.f("fk_examination_check_application_ref"),
        ),
        sa.PrimaryKeyConstraint("application_ref", "kind", name=op.f("pk_examination_check")),
    )
    op.create_table(
        "revocation_list",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.Text(), nullable=False),
        sa.Column(
            "scope",
            sa.Enum(
                "FULL",
                "RARL",
                "SARL",
                name="scope_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "NUMBERED",
                "STORED",
                "PUBLISHED",
                name="liststate_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("this_update", UTCDateTime(), nullable=True),
        sa.Column("next_update", UTCDateTime(), nullable=True),
        sa.Column("entries", sa.Integer(), nullable=True),
        sa.Column("high_water_seq", sa.Integer(), nullable=True),
        sa.Column("list_der", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.CHAR(length=64), nullable=True),
        sa.Column("coverage", sa.Text(), nullable=True),
        sa.Column("published_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["issuer_id"], ["issuer.id"], name=op.f("fk_revocation_list_issuer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocation_list")),
        sa.UniqueConstraint(
            "issuer_id", "number", name=op.f("uq_revocation_list_issuer_id_number")
        ),
        sa.UniqueConstraint("sha256", name=op.f("uq_revocation_list_sha256")),
    )
    op.create_table(
        "revocation_request",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("application_ref", sa.Text(), nullable=False),
        sa.Column("carrier_id", sa.Text(), nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("requester", sa.Text(), nullable=False),
        sa.Column("evidence", sa.Text(), nullable=False),
        sa.Column("emergency", sa.Boolean(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "EXECUTED",
                "REFUSED",
                name="requeststate_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("requested_at", UTCDateTime(), nullable=False),
        sa.Column("officer", sa.Text(), nullable=False),
        sa.Column("executor", sa.Text(), nullable=False),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["application_ref"],
            ["application.ref"],
            name=op.f("fk_revocation_request_application_ref"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_revocation_request")),
    )
    op.create_index(
        op.f("ix_revocation_request_carrier_id"), "revocation_request", ["carrier_id"], unique=False
    )
    op.create_index(
        op.f("ix_revocation_request_state"), "revocation_request", ["state"], unique=False
    )

    op.create_table(
        "role_grant",
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("from_seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("until_seq", sa.Integer(), nullable=True),
        sa.Column("statement_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["operator_id"], ["operator.id"], name=op.f("fk_role_grant_operator_id")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"], ["statement.id"], name=op.f("fk_role_grant_statement_id")
        ),
        sa.PrimaryKeyConstraint("operator_id", "role", "from_seq", name=op.f("pk_role_grant")),
    )
    op.create_table(
        "certificate",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer_id", sa.Text(), nullable=False),
        sa.Column("serial", sa.CHAR(length=40), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=True),
        sa.Column("carrier_id", sa.Text(), nullable=True),
        sa.Column(
            "usage",
            sa.Enum(
                "SIGN",
                "AUTH",
                name="purpose_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=True,
        ),
        sa.Column("profile", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "RESERVED",
                "ISSUED",
                name="certificatestate_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("not_before", UTCDateTime(), nullable=False),
        sa.Column("not_after", UTCDateTime(), nullable=False),
        sa.Column("spki_sha256", sa.CHAR(length=64), nullable=False),
        sa.Column("tbs_der", sa.LargeBinary(), nullable=False),
        sa.Column("certificate_der", sa.LargeBinary(), nullable=True),
        sa.Column("sha256", sa.CHAR(length=64), nullable=True),
        sa.Column("reserved_seq", sa.Integer(), nullable=False),
        sa.Column("issued_seq", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["carrier_id"], ["carrier.id"], name=op.f("fk_certificate_carrier_id")
        ),
        sa.ForeignKeyConstraint(
            ["issuer_id"], ["issuer.id"], name=op.f("fk_certificate_issuer_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["issue_order.id"], name=op.f("fk_certificate_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate")),
        sa.UniqueConstraint("carrier_id", "usage", name=op.f("uq_certificate_carrier_id_usage")),
        sa.UniqueConstraint("issuer_id", "serial", name=op.f("uq_certificate_issuer_id_serial")),
        sa.UniqueConstraint("sha256", name=op.f("uq_certificate_sha256")),
        sa.UniqueConstraint("spki_sha256", name=op.f("uq_certificate_spki_sha256")),
    )
    op.create_index(op.f("ix_certificate_order_id"), "certificate", ["order_id"], unique=False)
    op.create_index(op.f("ix_certificate_state"), "certificate", ["state"], unique=False)

    op.create_table(
        "personalization_run",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("chip_serial", sa.Text(), nullable=False),
        sa.Column("operator_id", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "OPEN",
                "DONE",
                name="runstate_known",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("started_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["chip_serial"], ["card.chip_serial"], name=op.f("fk_personalization_run_chip_serial")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["issue_order.id"], name=op.f("fk_personalization_run_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_personalization_run")),
        sa.UniqueConstraint(
            "order_id", "chip_serial", name=op.f("uq_personalization_run_order_id_chip_serial")
        ),
    )
    op.create_table(
        "pin_envelope",
        sa.Column("chip_serial", sa.Text(), nullable=False),
        sa.Column("credential_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["chip_serial"], ["card.chip_serial"], name=op.f("fk_pin_envelope_chip_serial")
        ),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credential.id"], name=op.f("fk_pin_envelope_credential_id")
        ),
        sa.PrimaryKeyConstraint("chip_serial", "credential_id", name=op.f("pk_pin_envelope")),
    )
    op.create_table(
        "personalization_step",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("begun_at", UTCDateTime(), nullable=False),
        sa.Column("ended_at", UTCDateTime(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["personalization_run.id"], name=op.f("fk_personalization_step_run_id")
        ),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_personalization_step")),
    )
    op.create_table(
        "revocation",
        sa.Column("certificate_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ground", sa.Text(), nullable=False),
        sa.Column("reason", sa.Integer(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=False),
        sa.Column("entry_der", sa.LargeBinary(), nullable=False),
        sa.Column("statement_id", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("crl_number", sa.Integer(), nullable=True),
        sa.Column("published_at", UTCDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["certificate_id"], ["certificate.id"], name=op.f("fk_revocation_certificate_id")
        ),
        sa.PrimaryKeyConstraint("certificate_id", name=op.f("pk_revocation")),
    )
    op.create_index(op.f("ix_revocation_seq"), "revocation", ["seq"], unique=False)

    _guard_trail()


def _guard_trail() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION trail_is_append_only() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'the trail is append-only'; END $$"
        )
        op.execute(
            "CREATE TRIGGER trail_entry_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON trail_entry "
            "FOR EACH STATEMENT EXECUTE FUNCTION trail_is_append_only()"
        )
        op.execute(
            "CREATE TRIGGER trail_head_kept BEFORE DELETE OR TRUNCATE ON trail_head "
            "FOR EACH STATEMENT EXECUTE FUNCTION trail_is_append_only()"
        )
        op.execute(
            "CREATE TRIGGER trail_head_site BEFORE UPDATE OF id, site_id, site_kind ON trail_head "
            "FOR EACH ROW WHEN (OLD.site_id <> NEW.site_id OR OLD.site_kind <> NEW.site_kind) "
            "EXECUTE FUNCTION trail_is_append_only()"
        )
        return
    refuse = "BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
    op.execute(f"CREATE TRIGGER trail_entry_unchanged BEFORE UPDATE ON trail_entry {refuse}")
    op.execute(f"CREATE TRIGGER trail_entry_kept BEFORE DELETE ON trail_entry {refuse}")
    op.execute(f"CREATE TRIGGER trail_head_kept BEFORE DELETE ON trail_head {refuse}")
    # SQLite's INSERT OR REPLACE removes the old row without asking the triggers on DELETE.
    op.execute(
        "CREATE TRIGGER trail_entry_once BEFORE INSERT ON trail_entry WHEN EXISTS "
        "(SELECT 1 FROM trail_entry WHERE seq = NEW.seq OR hash = NEW.hash) "
        "BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER trail_head_once BEFORE INSERT ON trail_head WHEN EXISTS "
        "(SELECT 1 FROM trail_head) BEGIN SELECT RAISE(ABORT, 'the trail is append-only'); END"
    )
    op.execute(
        "CREATE TRIGGER trail_head_site BEFORE UPDATE ON trail_head "
        "WHEN OLD.site_id <> NEW.site_id OR OLD.site_kind <> NEW.site_kind " + refuse
    )
