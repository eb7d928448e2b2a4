"""Words of the desk in Japanese and English; the official Japanese terms stand in both."""

from __future__ import annotations

from collections.abc import Mapping

from cli.options import current
from policies.moves import ApplicationState
from ra.casework.worklist import Urgency, Waiting

_S = ApplicationState

KEYS: Mapping[str, tuple[str, str, str, str, str]] = {
    "\r": ("Enter", "適", "OK", "適(一致)として次へ", "tick as OK or equal"),
    " ": ("Space", "書類適", "all", "この書類はすべて適・一致", "all of this paper is OK"),
    "m": (
        "m",
        "記載",
        "text",
        "書類の記載を入力 (数字・漢字はすぐ入力)",
        "type what the paper shows",
    ),
    "x": ("x", "否", "fail", "否とし、内容を書く", "not in order, and why"),
    "o": ("o", "開く", "open", "書類をビューアで開く", "open the paper in the viewer"),
    "i": ("i", "照会", "ask", "登録簿への照会に加え、次へ", "to be asked 照会; next file"),
    "I": (
        "I",
        "一覧",
        "list",
        "照会一覧を作る (終了時にも)",
        "make the list 照会 (also at the end)",
    ),
    "e": ("e", "審査済", "examined", "審査済: 署名して次へ", "examined 審査済: sign; next file"),
    "d": (
        "d",
        "不備",
        "deficient",
        "不備: 不足を照会し、次へ",
        "ask the applicant 不備; next file",
    ),
    "c": ("c", "完備", "complete", "完備・処理済として次へ", "complete or carried out; next file"),
    "a": ("a", "承認", "approve", "承認: 署名して次へ", "approve 承認: sign; next file"),
    "k": ("k", "却下", "reject", "却下: 署名して次へ", "refuse 却下: sign; next file"),
    "b": ("b", "差戻し", "back", "差戻し・照会の取消", "send back 差戻し"),
    "n": ("n", "次", "next", "飛ばして次へ", "skip to the next file"),
    "p": ("p", "印刷", "print", "審査チェックシート", "print the check sheet"),
    "r": ("r", "再読", "reload", "読み直す", "read anew"),
    "\x1b": ("Esc", "一覧", "list", "一覧へ戻る", "back to the list"),
    "?": ("?", "キー", "keys", "キー一覧", "these keys"),
    "q": ("q", "終了", "quit", "終了 (Ctrl-C: すぐに)", "quit (Ctrl-C: at once)"),
}
"""What each key is called on the screen, short and whole, in both languages."""

_TICKING = ("\r", " ", "m", "x", "o")
KEYS_IN: Mapping[ApplicationState, tuple[str, ...]] = {
    _S.RECEIVED: ("c", "d", "o"),
    _S.DEFICIENT: ("c", "o"),
    _S.EXAMINING: (*_TICKING, "i", "e", "d"),
    _S.QUAL_INQUIRY: (*_TICKING, "e", "b"),
    _S.EXAMINED: ("a", "k", "b", "c", "o"),
}
"""The keys that do something with a file in the state."""
ANYWHERE = ("n", "p")
"""The keys that do something with any file."""
WITHOUT_FILE = ("r", "I", "q")
"""The keys that do something without a file too."""
ALWAYS = ("?", "q")
"""The keys that are always shown."""
TICKED_IN = (_S.EXAMINING, _S.QUAL_INQUIRY)
"""Where an examiner ticks."""

_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("審査デスク", "審査デスク desk"),
    "waiting": ("待ち {} 件", "{} waiting"),
    "over": ("超過 {}", "{} overdue"),
    "asked": ("照会予定 {}", "{} to ask 照会"),
    "empty": ("待っている書類はありません", "nothing waits for you"),
    "open": ("開く", "open"),
    "busy": ("処理中…", "working…"),
    "went": ("{}: {}", "{}: {}"),
    "signing": ("署名中…", "signing…"),
    "seen": ("書類の記載 ({}): {}", "What the paper shows ({}): {}"),
    "explain": ("相違の説明 (空欄: 説明なし)", "Why it differs (empty: no explanation)"),
    "note": ("不備の内容", "What is wrong with it"),
    "dated": ("書類の発行日 (例 R8.8.20)", "The date on it (as R8.8.20)"),
    "items": ("不足書類: Spaceで選び、Enter", "What is missing: Space chooses, Enter"),
    "why_asked": ("不備の説明 (審査中は必須)", "Note to it (wanted out of an examination)"),
    "reason": ("理由", "Reason"),
    "done": ("何をしたか", "What was done"),
    "choice": ("重複の疑い {}", "Possible duplicate 重複 {}"),
    "code": ("却下の理由", "Refusal code 却下"),
    "sure": ("y: 署名する   n: やめる", "y: sign   n: do not"),
    "yes": ("y: はい   n: いいえ", "y: yes   n: no"),
    "examine": ("審査済として署名", "Sign as examined 審査済"),
    "approve": ("承認として署名", "Sign the approval 承認"),
    "inquire": ("登録簿への照会一覧: {} 件", "List for the register 照会: {} files"),
    "rest": ("この署名で適とするもの: {}", "OK by this signature: {}"),
    "faults": ("否・相違: {}", "Not OK or different: {}"),
    "clean": ("否・相違なし", "nothing failed or differs"),
    "missing": ("不足書類: {}", "missing 不足書類: {}"),
    "basket": ("照会予定", "to be asked 照会予定"),
    "sheet": ("審査チェックシート: {}", "check sheet: {}"),
    "opened": ("{} を開きました", "{} is open"),
    "viewer": ("ビューアが終了コード {} で終わりました", "the viewer ended with {}"),
    "keys": ("キー一覧 — 任意のキーで閉じる", "Keys — any key closes"),
}

_URGENCY: Mapping[Urgency, tuple[str, str, str]] = {
    Urgency.OVERDUE: ("超過{}日", "超過 {}d", "bold red"),
    Urgency.URGENT: ("至急{}日", "至急 {}d", "bold yellow"),
    Urgency.SOON: ("あと{}日", "あと {}d", "cyan"),
    Urgency.LATER: ("余裕{}日", "余裕 {}d", ""),
    Urgency.STANDS: ("停止{}日", "停止 {}d", "dim"),
}


def say(name: str, *values: object) -> str:
    """Return a text of the desk in the language of this run."""
    return _TEXTS[name][0 if current.lang == "ja" else 1].format(*values)


def key_words(name: str, *, whole: bool = False) -> tuple[str, str]:
    """Return a key and what it does, in a word or in whole."""
    key, *words = KEYS[name]
    return key, words[(2 if whole else 0) + (current.lang != "ja")]


def urgency_words(row: Waiting) -> tuple[str, str]:
    """Return how soon a file is due, in words, and the style that says the same."""
    japanese, english, style = _URGENCY[row.urgency]
    return (japanese if current.lang == "ja" else english).format(abs(row.days_left)), style
