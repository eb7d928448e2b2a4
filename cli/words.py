"""Japanese and English of table headings; the key is the name of the field in JSON."""

from __future__ import annotations

HEADINGS: dict[str, tuple[str, str]] = {
    "actor": ("行為者", "actor"),
    "application": ("申請番号", "application"),
    "birth_date": ("生年月日", "born"),
    "card": ("カード番号", "card"),
    "cards": ("発行枚数", "cards"),
    "certificates": ("証明書", "certificates"),
    "channel": ("経路", "channel"),
    "code": ("コード", "code"),
    "detail": ("内容", "detail"),
    "entries": ("件数", "entries"),
    "field": ("項目", "field"),
    "from": ("出所", "from"),
    "full_name": ("氏名", "name"),
    "hint": ("対処", "hint"),
    "id": ("識別名", "id"),
    "issuer": ("発行者", "issuer"),
    "kana_name": ("カナ氏名", "kana"),
    "kanji_name": ("漢字氏名", "name"),
    "key": ("鍵", "key"),
    "licence": ("免許", "licence"),
    "line": ("行", "line"),
    "next_update": ("次回更新", "next update"),
    "not_after": ("満了", "not after"),
    "not_before": ("開始", "not before"),
    "number": ("番号", "number"),
    "object": ("対象", "object"),
    "operator": ("操作者", "operator"),
    "order": ("発行指示", "order"),
    "outcome": ("結果", "outcome"),
    "prefecture": ("都道府県", "prefecture"),
    "profession": ("資格", "profession"),
    "profile": ("プロファイル", "profile"),
    "revoked": ("失効", "revoked"),
    "roles": ("役割", "roles"),
    "scope": ("種別", "scope"),
    "seq": ("連番", "seq"),
    "serial": ("シリアル番号", "serial"),
    "setting": ("設定", "setting"),
    "state": ("状態", "state"),
    "subject": ("主体者", "subject"),
    "text": ("説明", "text"),
    "this_update": ("発行日時", "this update"),
    "time": ("日時", "time"),
    "usage": ("用途", "usage"),
    "value": ("値", "value"),
}


def heading(name: str, lang: str) -> str:
    """Return a column's heading; a name without words stands for itself."""
    japanese, english = HEADINGS.get(name, (name, name))
    return japanese if lang == "ja" else english
