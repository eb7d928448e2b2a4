"""Official Japanese terms before the codes they stand for: ``受付 RECEIVED``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

_CASEWORK: Mapping[str, str] = {
    "OK": "適",
    "FAIL": "否",
    "EQUAL": "一致",
    "VARIANT": "異体字",
    "FORM": "表記の違い",
    "DIFFERENT": "相違",
    "SAME_LICENCE": "同一登録番号",
    "SAME_PERSON": "同一人の疑い",
    "VALID_CERTIFICATE": "有効な証明書あり",
    "OTHER_PERSON": "別人",
    "REPLACES": "更新・再発行",
    "BOTH_WANTED": "両方必要",
    "DUPLICATE": "重複申請",
    "REGISTERED": "登録あり",
    "NOT_FOUND": "該当なし",
    "STRUCK_OFF": "抹消",
    "SUSPENDED": "業務停止",
    "CONFIRMED": "確認済",
    "REFUTED": "確認不可",
    "ALREADY": "取込済",
    "ACCEPTED": "受理",
    "REJECTED": "不受理",
    "DEFICIENCY": "不備通知",
    "RETURN": "返却通知",
    "REJECTION": "却下通知",
    "FEE": "手数料請求",
    "DUE": "未納",
    "PAID": "納付済",
    "WAIVED": "免除",
    "FORM_": "申請書",
    "FIELDS": "記載事項",
    "REGISTER": "登録簿",
    "DONE": "済",
    "REFUSED": "不可",
}


def term(code: str) -> str:
    """Return a code of the casework after its Japanese word; an unknown one stands alone."""
    return _joined(_CASEWORK.get(code, ""), code)


def state_term(code: str) -> str:
    """Return a state's term."""
    from policies.moves import ApplicationState, moves

    return _joined(moves().entry(ApplicationState(code)).japanese, code)


def type_term(code: str) -> str:
    """Return the term of a kind of application."""
    from policies.applications import ApplicationType, application_types

    return _joined(application_types()[ApplicationType(code)].japanese, code)


def channel_term(code: str) -> str:
    """Return a channel's term."""
    from policies.applications import Channel, channels

    return _joined(channels()[Channel(code)].japanese, code)


def document_term(code: str) -> str:
    """Return a document's term, also of CODE.NUMBER, FORM and REGISTER."""
    from policies.documents import load_document_rules

    kind = load_document_rules().document.get(code.partition(".")[0])
    if kind is None:
        return _joined(_CASEWORK["FORM_"] if code == "FORM" else _CASEWORK.get(code, ""), code)
    return _joined(kind.japanese, code)


def check_term(code: str) -> str:
    """Return the term of a check of the examination."""
    return _joined(_checks().get(code, ""), code)


def event_term(code: str) -> str:
    """Return the term of an entry's code."""
    from policies.events import known_codes

    entry = known_codes().get(code)
    return _joined(entry.japanese if entry else "", code)


def refusal_term(code: str) -> str:
    """Return the term of a refusal code."""
    from policies.checks import refusal_code

    return _joined(refusal_code(code).japanese, code)


@cache
def _checks() -> dict[str, str]:
    from policies.checks import checks_for

    return {rule.kind: rule.japanese for rule in checks_for(issues=True, administrator=True)}


def _joined(japanese: str, code: str) -> str:
    return f"{japanese} {code}" if japanese else code
