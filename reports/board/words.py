"""What stands on the board's tables: names of measures and places, and what each counts."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from policies.hcroles import hc_role_table
from reports.board.counts import Measure, Question
from reports.board.places import OVERSEAS, Place, prefectures
from reports.tables import Text

MEASURES: Mapping[Measure, Text] = MappingProxyType(
    {
        Measure.CARDS: Text("累計発行", "Cards ever issued"),
        Measure.HOLDERS: Text("有効保有者", "Holders of a valid card"),
        Measure.APPLICATIONS: Text("申請", "Applications"),
    }
)

PLACES: Mapping[Place, Text] = MappingProxyType(
    {
        Place.WORK: Text("勤務地", "Place of work"),
        Place.RESIDENCE: Text("住所地", "Residence"),
        Place.ASSOCIATION: Text("所属医師会", "Medical association"),
        Place.MUNICIPALITY: Text("勤務地の市区町村", "Municipality of work"),
    }
)

_COUNTED: Mapping[Measure, Text] = MappingProxyType(
    {
        Measure.CARDS: Text(
            "累計発行: 基準時点までに署名用証明書を発行したカードの枚数"
            "(失効・満了を含み、交付前に廃棄したカードを除く)。",
            "Cards ever issued: cards with a signing certificate issued up to the moment, revoked "
            "and expired ones included, cards scrapped before delivery not.",
        ),
        Measure.HOLDERS: Text(
            "有効保有者: 基準時点に有効な署名用証明書(発行済み、失効なし、有効期間内)の"
            "入ったカードを持つ者の実人数。2枚以上を持つ者は1人とし、最後に発行したカードで数える。",
            "Holders of a valid card: persons with a card whose signing certificate is issued, not "
            "revoked and within its validity at the moment. Who has two cards counts once, by the "
            "card issued last.",
        ),
        Measure.APPLICATIONS: Text(
            "申請: 基準時点までに受け付けた、カードの発行を求める申請の件数"
            "(新規・更新・再発行・災害時臨時発行。却下・取下げを含み、書面の届いていない下書きを除く)。",
            "Applications: those for a card that were received up to the moment (new, renewal, "
            "reissue, temporary), refused and withdrawn ones included, drafts without their paper "
            "not.",
        ),
    }
)

_BY: Mapping[Place, Text] = MappingProxyType(
    {
        Place.WORK: Text(
            "都道府県は基準時点の勤務地(申請または処理済みの連絡先変更届による)。",
            "By place of work at the moment, as applied or as changed since.",
        ),
        Place.RESIDENCE: Text(
            "都道府県は基準時点に確認済みの住所の冒頭による。読み取れない住所は「不明」。",
            "By the prefecture that the address confirmed at the moment begins with; Unknown where "
            "it begins with none.",
        ),
        Place.ASSOCIATION: Text(
            "申請または処理済みの連絡先変更届に書かれた所属医師会による。記載のないものは「不明」。",
            "By medical association, as applied or as changed since; Unknown where none is named.",
        ),
        Place.MUNICIPALITY: Text(
            "基準時点の勤務地の市区町村による。記載のないものは「不明」。",
            "By municipality of the place of work at the moment; Unknown where none is named.",
        ),
    }
)

_OURS = Text(
    "当センターの登録局が受け付けたもの。",
    "Of applications to this centre's own registration authority.",
)
TOTAL = Text("合計", "Total")
ERASED = Text(
    "保存期間を過ぎて消去した住所・所属医師会・市区町村は「不明」に数える。",
    "Addresses, associations and municipalities erased after their retention count as Unknown.",
)
RANKED = Text(
    "同数は同順位(1、2、2、4)。取得率の順位は四捨五入前の値による。海外は合計に含み、取得率はない。",
    "Equal counts share a rank (1, 2, 2, 4). Rates rank before rounding. Overseas is in the total "
    "and has no rate.",
)


def profession_name(profession: str | None) -> Text:
    """Return the profession in both languages, or that all are counted."""
    if profession is None:
        return Text("全資格", "All professions")
    return Text(profession, hc_role_table().role_of(profession) or profession)


def place_name(code: str) -> Text:
    """Return the name of a prefecture, of overseas, or that the place is unknown."""
    if code == OVERSEAS:
        return Text("海外", "Overseas")
    found = (Text(one.name_ja, one.name_en) for one in prefectures() if one.code == code)
    return next(found, Text("不明", "Unknown"))


def definition(question: Question, *, by_place: bool = True) -> Text:
    """Return what is counted, of whom and by which place."""
    counted, who = _COUNTED[question.measure], profession_name(question.profession)
    place = _BY[question.place] if by_place else Text("", "")
    within = place_name(question.prefecture) if question.prefecture else None
    ja = f"対象: {who.ja}{'、' + within.ja if within else ''}。"
    en = f"Of: {who.en}{', ' + within.en if within else ''}."
    return Text(
        "".join((counted.ja, place.ja, ja, _OURS.ja)),
        " ".join(part for part in (counted.en, place.en, en, _OURS.en) if part),
    )
