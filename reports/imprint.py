"""What stands on every report: who made it, when, and on what kind of site."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from types import MappingProxyType

from pki.errors import InvalidInput

JST = timezone(timedelta(hours=9), "JST")


@dataclass(frozen=True)
class Banner:
    """The warning of a site that is not in production: two words, two sentences, a colour."""

    word_ja: str
    word_en: str
    text_ja: str
    text_en: str
    colour: str


_BANNERS = MappingProxyType(
    {
        "production": None,
        "trial": Banner(
            word_ja="試験",
            word_en="TRIAL",
            text_ja="試験サイトで作成。実際の発行・実際の鍵を示すものではありません。",
            text_en="Made at a trial site. Not evidence of real issuance or real keys.",
            colour="#5b3a8c",
        ),
        "training": Banner(
            word_ja="訓練",
            word_en="TRAINING",
            text_ja="訓練サイトで作成。実際の発行・実際の鍵を示すものではありません。",
            text_en="Made at a training site. Not evidence of real issuance or real keys.",
            colour="#b33c00",
        ),
    }
)


@dataclass(frozen=True)
class Imprint:
    """Kind of site, name of the centre and the moment of making.

    ``site_kind`` is "production", "trial" or "training"; ``centre`` is free text (may be empty);
    ``made_at`` is aware. Anything else raises InvalidInput.
    """

    site_kind: str
    centre: str
    made_at: datetime

    def __post_init__(self) -> None:
        banner_of(self.site_kind)
        jst(self.made_at)

    @property
    def banner(self) -> Banner | None:
        """The warning to print; None in production."""
        return banner_of(self.site_kind)


def banner_of(site_kind: str) -> Banner | None:
    """Give the warning of a kind of site, None in production; InvalidInput for an unknown one."""
    if site_kind not in _BANNERS:
        raise InvalidInput(
            "reports.site_kind.unknown",
            f"no such kind of site: {site_kind!r}",
            "one of: " + ", ".join(_BANNERS),
        )
    return _BANNERS[site_kind]


def jst(moment: datetime) -> datetime:
    """Give the same moment in Japan's time; a naive one raises InvalidInput."""
    if moment.utcoffset() is None:
        raise InvalidInput(
            "reports.time.naive", f"{moment.isoformat()} has no time zone", "give an aware time"
        )
    return moment.astimezone(JST)


def jst_text(moment: datetime) -> str:
    """Write the moment as people in Japan read it, to the second: 2016-09-01 09:00:00 JST."""
    return f"{jst(moment):%Y-%m-%d %H:%M:%S} JST"


def day_text(day: date) -> str:
    """Write the day in Japanese: 2016年8月31日."""
    return f"{day.year}年{day.month}月{day.day}日"
