"""What stands in README.txt of an export."""

README_TEXT = """\
Evidence of a certification centre: its trail, every signed statement, anchors, public keys.
認証局の証跡: 監査ログ、署名された全ての決定、アンカー、公開鍵。

  trail.jsonl       one entry of the trail on each line; a line without its end is what is hashed
  statements.jsonl  one signed statement on each line: body, signature (hex), for acts the content
  anchors.jsonl     signed notes of the trail's head, one on each line
  keys/             public keys (PEM); the name is the first half of the SHA-256 of the key's DER
  manifest.json     SHA-256 and size of every file, and the head; manifest.sig signs it, if there

All at once, with the program (no site, no database, no configuration needed):

  hpki audit verify --export THIS-FOLDER --setup SHA256 --anchor FILE-KEPT-ELSEWHERE

SHA256 is the digest of the first set-up; ask the centre for the signed page that it stands on.
Without it the one in manifest.json is believed, so compare it.

By hand:

1. Files. Compare with manifest.json:
     sha256sum trail.jsonl statements.jsonl anchors.jsonl README.txt keys/*
2. Chain. The SHA-256 of line N is the prev_hash of line N+1; the last is head_hash:
     sed -n 7p trail.jsonl | tr -d '\\n' | sha256sum
     sed -n 8p trail.jsonl | grep -o '"prev_hash":"[0-9a-f]*"'
3. Statement. Its id and the SHA-256 of its body stand under "signed" of the entry "seq":
     jq -j 'select(.id == "ID") | .body' statements.jsonl > body.json
     jq -r 'select(.id == "ID") | .signature' statements.jsonl | xxd -r -p > signature.der
     sha256sum body.json
     openssl dgst -sha256 -verify keys/CREDENTIAL.pem -signature signature.der body.json
   CREDENTIAL stands in the body. The act that registered it is the content of another statement.
4. Manifest, if manifest.sig is there, by the newest anchor key:
     openssl dgst -sha256 -verify keys/KEY.pem -signature manifest.sig manifest.json
"""

STATEMENT_TEXT = """\
One signed statement. 署名された決定一件。

  openssl dgst -sha256 -verify key.pem -signature signature.der body.json

body.json says who decided what in which role; "digest" is the SHA-256 of what was decided about
(of act.json, if it is there). The trail names the statement by the SHA-256 of body.json.
"""
