"""What a file is, by its content: sound ones are told, bombs, fakes and polyglots refused."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, TiffImagePlugin

from pki.errors import InvalidInput
from policies.media import media_rules
from ra.documents.formats import Media, recognise

ROOT = Path(__file__).resolve().parents[2]
PAGE = b"<< /Type /Page /Parent 2 0 R >>"


def picture(kind: str = "JPEG", width: int = 420, height: int = 540, **options: Any) -> bytes:
    """A picture of noise-like bands, so that it does not shrink to nothing."""
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def pdf(*objects: bytes, tail: bytes = b"") -> bytes:
    """A PDF with those objects behind the catalogue."""
    octets = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
    for number, one in enumerate(objects, 3):
        octets += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    return octets + b"trailer << /Root 1 0 R >>\nstartxref\n0\n%%EOF\n" + tail


def object_stream(content: bytes, head: bytes = b"/Filter /FlateDecode") -> bytes:
    packed = zlib.compress(content)
    return b"<< /Type /ObjStm /N 1 /First 4 /Length %d %s >>\nstream\n%s\nendstream" % (
        len(packed), head, packed
    )  # fmt: skip


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png_bomb(side: int) -> bytes:
    """A picture of ``side`` times ``side`` pixels in few octets."""
    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    body = b"".join(packer.compress(row) for _ in range(min(side, 2000))) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", body), chunk(b"IEND", b""))
    )


def with_sides(jpeg: bytes, width: int, height: int) -> bytes:
    """The JPEG with other sides in its frame header."""
    place = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:place] + struct.pack(">HH", height, width) + jpeg[place + 4 :]


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("run.js", "alert(1)")
    return file.getvalue()


def code_of(octets: bytes, code: str = "RESIDENT_RECORD") -> str:
    with pytest.raises(InvalidInput) as refused:
        recognise(octets, code)
    assert "\n" not in refused.value.text
    assert refused.value.hint
    return refused.value.code


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"progressive": True},
        {"exif": bytes(2000), "comment": b"\xff\xd9 is no end here"},
        {"subsampling": 0, "quality": 95, "restart_marker_blocks": 1},
    ],
)
def test_jpegs_are_told(options: dict[str, Any]) -> None:
    octets = picture(**options)
    assert recognise(octets, "PHOTO") == Media("image/jpeg", len(octets), 420, 540)


@pytest.mark.parametrize("options", [{}, {"optimize": True}])
def test_pngs_are_told(options: dict[str, Any]) -> None:
    octets = picture("PNG", **options)
    assert recognise(octets, "PHOTO") == Media("image/png", len(octets), 420, 540)


def test_pdfs_are_told_with_their_pages() -> None:
    plain = pdf(PAGE, b"<</Type/Page>>", b"<< /Type /Pages /Count 2 >>")
    assert recognise(plain, "RESIDENT_RECORD") == Media("application/pdf", len(plain), pages=2)
    packed = pdf(object_stream(PAGE + PAGE), PAGE, object_stream(PAGE, b"/Filter [/FlateDecode]"))
    assert recognise(packed, "RESIDENT_RECORD").pages == 4
    assert recognise(picture_pdf(), "RESIDENT_RECORD").pages == 2


def picture_pdf() -> bytes:
    """What a scanner would make."""
    page, file = Image.new("L", (200, 300)), io.BytesIO()
    page.save(file, "PDF", save_all=True, append_images=[page])
    return file.getvalue()


def test_where_a_picture_was_taken_is_told() -> None:
    exif = Image.Exif()
    exif[0x8825] = {2: (TiffImagePlugin.IFDRational(35), 41, 22)}
    assert recognise(picture(exif=exif), "PHOTO").gps
    assert recognise(picture("PNG", exif=exif), "PHOTO").gps
    plain = Image.Exif()
    plain[0x010F] = "camera"
    assert not recognise(picture(exif=plain), "PHOTO").gps


FAKES: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "type"),
    "text": (lambda: "住民票".encode(), "type"),
    "gif": (lambda: picture("GIF"), "type"),
    "tiff": (lambda: picture("TIFF"), "type"),
    "bmp": (lambda: picture("BMP"), "type"),
    "zip": (zipped, "type"),
    "svg": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "type"),
    "only a beginning": (lambda: b"\xff\xd8\xff", "broken"),
    "beginning and end": (lambda: b"\xff\xd8\xff\xd9", "broken"),
    "words in a frame": (lambda: b"\xff\xd8\xff" + b"no picture" * 99 + b"\xff\xd9", "broken"),
    "jpeg cut": (lambda: picture()[:-2], "broken"),
    "jpeg cut in half": (lambda: picture()[: len(picture()) // 2], "broken"),
    "jpeg without a scan": (lambda: picture()[:20] + b"\xff\xd9", "broken"),
    "jpeg of no height": (lambda: with_sides(picture(), 420, 0), "pixels"),
    "jpeg bomb": (lambda: with_sides(picture(), 65500, 65500), "pixels"),
    "many scans": (lambda: picture()[:-2] + b"\xff\xda\x00\x02" * 21 + b"\xff\xd9", "broken"),
    "jpeg and zip": (lambda: picture() + zipped(), "behind"),
    "two jpegs": (lambda: picture() + picture(), "behind"),
    "png cut": (lambda: picture("PNG")[:-1], "broken"),
    "png without an end": (lambda: picture("PNG")[:-12], "broken"),
    "png only a beginning": (lambda: b"\x89PNG\r\n\x1a\n", "broken"),
    "png of words": (lambda: b"\x89PNG\r\n\x1a\n" + b"no picture" * 99, "broken"),
    "png without pixels": (
        lambda: b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 420, 540, 8, 2, 0, 0, 0))
        + chunk(b"IEND", b""),
        "broken",
    ),
    "png bomb": (lambda: png_bomb(60_000), "pixels"),
    "png of two sizes": (
        lambda: picture("PNG").replace(b"IEND", b"IHDR"),
        "broken",
    ),
    "png changed": (lambda: picture("PNG").replace(b"IDAT", b"IDAX", 1), "broken"),
    "png and zip": (lambda: picture("PNG") + zipped(), "behind"),
    "png that moves": (
        lambda: picture("PNG", save_all=True, append_images=[Image.new("RGB", (420, 540))]),
        "moving",
    ),
    "tiny": (lambda: picture(width=20, height=20), "pixels"),
    "pdf cut": (lambda: pdf(PAGE)[:-7], "broken"),
    "pdf late": (lambda: b"%PDF-9\n" + pdf(PAGE), "broken"),
    "pdf and zip": (lambda: pdf(PAGE, tail=zipped()), "broken"),
    "pdf of no page": (pdf, "pages"),
    "pdf of many pages": (lambda: pdf(*[PAGE] * 51), "pages"),
    "pdf of many packed pages": (lambda: pdf(object_stream(PAGE * 51)), "pages"),
    "pdf encrypted": (lambda: pdf(PAGE, b"<< /Encrypt 9 0 R >>"), "encrypted"),
    "pdf encrypted, masked": (lambda: pdf(PAGE, b"<< /E#6ecr#79pt 9 0 R >>"), "encrypted"),
    "script": (lambda: pdf(PAGE, b"<< /S /JavaScript /JS (app.alert(1)) >>"), "active"),
    "script, masked": (lambda: pdf(PAGE, b"<</S/J#61vaScrip#74/JS(x)>>"), "active"),
    "script, packed": (lambda: pdf(PAGE, object_stream(b"<</S/JavaScript/JS(x)>>")), "active"),
    "launch": (lambda: pdf(PAGE, b"<< /S /Launch /F (cmd.exe) >>"), "active"),
    "file within": (lambda: pdf(PAGE, b"<< /Type /EmbeddedFile >>"), "active"),
    "packed twice": (
        lambda: pdf(PAGE, object_stream(b"x", b"/Filter [/FlateDecode /LZW#44ecode]")),
        "hidden",
    ),
    "packed otherwise": (lambda: pdf(PAGE, object_stream(b"x", b"/Filter /LZWDecode")), "hidden"),
    "packed and foretold": (
        lambda: pdf(
            PAGE, object_stream(b"x", b"/Filter /FlateDecode /DecodeParms << /Predictor 12 >>")
        ),
        "hidden",
    ),
    "packed badly": (
        lambda: pdf(PAGE, object_stream(PAGE).replace(b"\x78\x9c", b"\x00\x00", 1)),
        "hidden",
    ),
    "pdf bomb": (lambda: pdf(PAGE, object_stream(bytes(40_000_000))), "hidden"),
    "many streams": (lambda: pdf(PAGE, b"<< /Type /ObjStm >>" * 200_000), "hidden"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAKES)
def test_fakes_are_refused_at_once(name: str) -> None:
    make, code = FAKES[name]
    octets = make()
    started = time.process_time()
    assert code_of(octets) == f"ra.document.{code}"
    assert time.process_time() - started < 1


def test_fakes_cost_little_memory() -> None:
    """All in one process, whose peak is compared with what it had before the first."""
    script = """
import resource, tests.unit.test_documents_formats as t
from pki.errors import InvalidInput
files = [make() for make, _ in t.FAKES.values()]
assert t.recognise(t.picture(), "PHOTO").width == 420
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for octets in files:
    try:
        t.recognise(octets, "RESIDENT_RECORD")
    except InvalidInput:
        continue
    raise SystemExit("taken")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100 * 1024


HOSTILE: dict[bytes, str] = {
    b"/": "%PDF", b"#4a": "hidden", b"/E": "%PDF", b"/EmbeddedFil": "%PDF", b"/ObjStm": "hidden",
    b"\xff\xfe\x00\x02": "broken", b"\xff\x00": "stuffed", b"\xff\xff": "stuffed",
}  # fmt: skip


@pytest.mark.parametrize("filler", HOSTILE)
def test_the_largest_files_are_judged_at_once(filler: bytes) -> None:
    """A file of full size that is nothing but beginnings."""
    count = (media_rules("RESIDENT_RECORD").max_octets.value - 9000) // len(filler)
    octets = picture()[:-2] + filler * count + b"\xff\xd9"
    if not filler.startswith(b"\xff"):
        octets = pdf(PAGE, filler * count)
    started = time.process_time()
    if HOSTILE[filler] == "%PDF":
        assert recognise(octets, "RESIDENT_RECORD").pages == 1
    else:
        assert code_of(octets) == f"ra.document.{HOSTILE[filler]}"
    assert time.process_time() - started < 2


def test_each_document_has_its_limits() -> None:
    limit = media_rules("PHOTO").max_octets.value
    assert code_of(bytes(limit + 1), "PHOTO") == "ra.document.size"
    assert code_of(bytes(limit + 1)) == "ra.document.type"
    assert code_of(pdf(PAGE), "PHOTO") == "ra.document.type"
    assert code_of(picture(width=350, height=450), "PHOTO") == "ra.document.pixels"


@pytest.mark.parametrize(
    ("width", "height", "sound"),
    [(413, 531, True), (600, 730, True), (700, 900, True), (600, 700, False), (540, 420, False),
     (500, 700, False)],
)  # fmt: skip
def test_a_photo_has_the_shape_of_a_passports(width: int, height: int, sound: bool) -> None:
    octets = picture(width=width, height=height)
    if sound:
        assert recognise(octets, "PHOTO").width == width
    else:
        assert code_of(octets, "PHOTO") == "ra.document.ratio"
    assert recognise(octets, "LICENCE_COPY").height == height
