"""The prefecture report beside the bare GROUP BY of the same join, in the same process.

A million certificates, signing and authentication, each of the size of a real one, of half a
million doctors; one in twenty is revoked, one in a hundred scrapped. On an SQLite file as a site
has it and on PostgreSQL with its own settings. Limits: 1.2 x the bare GROUP BY for the table of
cards, and 150 MB for the process that makes it. Holders, whom the report counts once each, stand
beside the bare count of them. An argument gives another number of certificates.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

ROUNDS = 5
CERTIFICATES = 1_000_000
TIME_LIMIT, MEMORY_LIMIT = 1.2, 150

_JOINED = """
FROM certificate c JOIN issue_order o ON o.id = c.order_id
JOIN application a ON a.ref = o.application_ref JOIN carrier k ON k.id = c.carrier_id
LEFT JOIN revocation r ON r.certificate_id = c.id {ground}
WHERE k.kind = 'CARD' AND c.usage = 'SIGN' AND c.issued_seq <= {seq} AND r.seq IS NULL
AND a.profession = '医師'
"""
BARE = {
    "cards": "SELECT a.work_prefecture, count(*)"
    + _JOINED.replace("{ground}", "AND r.ground = 'C12_CARD_SCRAPPED'")
    + "GROUP BY a.work_prefecture",
    "holders": "SELECT a.work_prefecture, count(DISTINCT a.person_id)"
    + _JOINED.replace("{ground}", "")
    + "AND c.not_before <= '2026-11-01' AND c.not_after >= '2026-11-01'"
    + "GROUP BY a.work_prefecture",
}

# What differs between the two databases, in the statements below.
WORDS = {
    "sqlite": {"{hex}": "printf('%0{n}x', {v})", "{octets}": "randomblob(1200)"},
    "postgresql": {
        "{hex}": "lpad(to_hex({v}), {n}, '0')",
        "{octets}": "(SELECT decode(string_agg(md5(n::text || i::text), ''), 'hex') "
        "FROM generate_series(1, 75) i)",
    },
}
FILL = (
    "INSERT INTO import_run VALUES ('planted', '', '{zeros}', '2026-01-01', '')",
    "INSERT INTO person (id, search_key) SELECT 'H' || n, '' {n}",
    "INSERT INTO holder (id) SELECT 'H' || n {n}",
    "INSERT INTO person_version (person_id, valid_from, kanji_name, kana_name, romaji_name,"
    " postal_code, address, telephone, confirmed_on) SELECT 'H' || n, '2026-01-01', '', '', '', '',"
    " '東京都新宿区架空町1', '', '2026-02-01' {n}",
    "INSERT INTO application (ref, person_id, import_id, row_digest, salt, type, channel, state,"
    " received_on, profession, registration_number, work_prefecture, terms_version, carrier,"
    " state_since, stopped_days, attempt) SELECT 'A' || n, 'H' || n, 'planted', '{zeros}',"
    " '{zeros}', 'NEW', 'POST', 'ACTIVE', '2026-01-01', '医師', 'R' || n,"
    " substr('0' || (n % 47 + 1), -2 + length('0' || (n % 47 + 1)) + 1, 2), '', 'CARD',"
    " '2026-02-01', 0, 1 {n}",
    "INSERT INTO issue_order (id, application_ref, attempt, holder_id, dossier, digest,"
    " statement_ids, accepted_seq) SELECT 'O' || n, 'A' || n, 1, 'H' || n,"
    " '{zeros}{zeros}{zeros}{zeros}{zeros}{zeros}{zeros}{zeros}', '{zeros}', '[]', 1 {n}",
    "INSERT INTO carrier (id, order_id, kind) SELECT 'K' || n, 'O' || n, 'CARD' {n}",
    "INSERT INTO certificate (id, issuer_id, serial, order_id, carrier_id, usage, shard, profile,"
    " state, subject, not_before, not_after, spki_sha256, tbs_der, certificate_der, sha256,"
    " reserved_seq, issued_seq) SELECT {base} + 2 * n + {side}, '{issuer}',"
    " {hex:40}, 'O' || n, 'K' || n, '{usage}', 0, 'ee', 'ISSUED', '', '2026-02-01 00:00:00.000000',"
    " '2031-01-31 14:59:59.000000', {hex:64}, {octets}, {octets}, {hex:64}, {seq}, {seq} {n}",
    "INSERT INTO revocation (certificate_id, ground, revoked_at, statement_id, request_id, seq)"
    " SELECT {base} + 2 * n, CASE WHEN n % 100 = 0 THEN 'C12_CARD_SCRAPPED' ELSE 'S02_CARD_LOST'"
    " END, '2026-03-01', '', '', {seq} {n} WHERE n % 20 = 0",
)
