"""Small pictures of every kind that the decoder reads, with what PIL makes of them: convert("RGB") and resize(BILINEAR).

Run:  pip install pillow numpy;  python scripts/reference/images.py
Out:  test/fixtures/images/*.{png,jpg,bmp,tif,webp} and test/fixtures/images/expected.json
"""

import base64
import io
import json
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

OUT = Path(__file__).resolve().parents[2] / "test/fixtures/images"
SWAPPED = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)  # red first
ROWS, COLS = 13, 19  # odd, so that rows need padding and chroma is cut


def picture(rows, cols, seed):
    """Smooth colour with some noise: [rows, cols, 3] uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:cols]
    waves = [np.sin(x / (3 + c) + c) * 60 + np.cos(y / (4 - c)) * 60 + 128 for c in range(3)]
    return np.clip(np.stack(waves, -1) + random.normal(0, 12, (rows, cols, 3)), 0, 255).astype(np.uint8)


def png(depth, colour, rows_of_bytes, extra=b""):
    """A PNG by hand, for the depths that PIL does not write."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", COLS, len(rows_of_bytes), depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows_of_bytes))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bmp(bits, rows_of_bytes, *, top_down=False, header=40, masks=None, palette=b"", gap=0, colours=0):
    """A BMP by hand: rows of pixels from the top, each padded to four bytes here."""
    rows = [row + b"\0" * (-len(row) % 4) for row in rows_of_bytes]
    data = b"".join(rows if top_down else reversed(rows))
    height = -len(rows) if top_down else len(rows)
    info = struct.pack("<IiiHHIIiiII", header, COLS, height, 1, bits, 3 if masks else 0, len(data), 2835, 2835, colours, 0)
    mask_bytes = struct.pack(f"<{len(masks)}I", *masks) if masks else b""
    body = info + mask_bytes
    if header > 40:
        body = body.ljust(header, b"\0")
    start = 14 + len(body) + len(palette) + gap
    head = b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start)
    return head + body + palette + b"\xaa" * gap + data


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def files():
    rgb = picture(ROWS, COLS, 1)
    grey = rgb[..., 1]
    wide = (rgb.astype(np.uint16) * 257 ^ 0x0055).astype(np.uint16)  # low bytes that differ from the high ones
    alpha = np.dstack([rgb, np.linspace(0, 255, ROWS * COLS).reshape(ROWS, COLS).astype(np.uint8)])
    image, grey_image, alpha_image = Image.fromarray(rgb), Image.fromarray(grey), Image.fromarray(alpha)
    palette_image = image.quantize(16, dither=Image.Dither.NONE)
    exif = Image.Exif()
    exif[0x0112] = 6

    yield "rgb.png", encoded(image, "PNG")
    yield "grey.png", encoded(grey_image, "PNG")
    yield "alpha.png", encoded(alpha_image, "PNG")
    yield "grey-alpha.png", encoded(alpha_image.convert("LA"), "PNG")
    yield "palette.png", encoded(palette_image, "PNG")
    yield "palette-transparent.png", encoded(palette_image, "PNG", transparency=bytes(range(0, 256, 16)))
    yield "rgb-transparent.png", encoded(image, "PNG", transparency=tuple(int(v) for v in rgb[0, 0]))
    yield "bits-1.png", encoded(grey_image.convert("1"), "PNG")
    yield "grey-16.png", png(16, 0, [row.astype(">u2").tobytes() for row in wide[..., 1]])
    yield "rgb-16.png", png(16, 2, [row.astype(">u2").tobytes() for row in wide])
    yield "gamma.png", png(8, 2, [row.tobytes() for row in rgb], chunk_gamma())

    yield "rgb-420.jpg", encoded(image, "JPEG", quality=90)
    yield "rgb-444.jpg", encoded(image, "JPEG", quality=90, subsampling=0)
    yield "rgb-422.jpg", encoded(image, "JPEG", quality=75, subsampling=1)
    yield "grey.jpg", encoded(grey_image, "JPEG", quality=85)
    yield "progressive.jpg", encoded(image, "JPEG", quality=80, progressive=True)
    yield "orientation-6.jpg", encoded(image, "JPEG", quality=90, exif=exif)
    yield "cmyk.jpg", encoded(image.convert("CMYK"), "JPEG", quality=95)
    yield "large-420.jpg", encoded(Image.fromarray(picture(97, 131, 2)), "JPEG", quality=60)

    yield "rgb.tif", encoded(image, "TIFF")
    yield "rgb-lzw.tif", encoded(image, "TIFF", compression="tiff_lzw")
    yield "grey.tif", encoded(grey_image, "TIFF")
    yield "grey-16.tif", encoded(Image.fromarray(wide[..., 1]), "TIFF")
    yield "alpha.tif", encoded(alpha_image, "TIFF")
    yield "cmyk.tif", encoded(image.convert("CMYK"), "TIFF")
    yield "palette.tif", encoded(palette_image, "TIFF")

    yield "lossless.webp", encoded(image, "WEBP", lossless=True)
    yield "lossy.webp", encoded(image, "WEBP", quality=80)
    yield "alpha.webp", encoded(alpha_image, "WEBP", lossless=True, exact=True)

    bgr = rgb[..., ::-1]
    bgrx = np.dstack([bgr, alpha[..., 3]])
    greys = b"".join(bytes([i, i, i, 0]) for i in range(256))
    reds = b"".join(bytes([255 - i, i // 2, i, 0]) for i in range(256))
    packed = (rgb.astype(np.uint16) >> [3, 2, 3]) @ np.array([1 << 11, 1 << 5, 1], np.uint16)
    packed5 = (rgb.astype(np.uint16) >> 3) @ np.array([1 << 10, 1 << 5, 1], np.uint16)
    nibbles = np.pad(grey >> 4, ((0, 0), (0, 1)))
    for order in (False, True):
        name = "top-down" if order else "bottom-up"
        yield f"bits-24-{name}.bmp", bmp(24, [row.tobytes() for row in bgr], top_down=order)
        yield f"bits-32-{name}.bmp", bmp(32, [row.tobytes() for row in bgrx], top_down=order)
        yield f"bits-8-grey-{name}.bmp", bmp(8, [row.tobytes() for row in grey], top_down=order, palette=greys)
        yield f"bits-8-palette-{name}.bmp", bmp(8, [row.tobytes() for row in grey], top_down=order, palette=reds)
    few = b"".join(reds[i * 64 : i * 64 + 4] for i in range(16))
    yield "refused-4.bmp", bmp(
        4, [(row[0::2] << 4 | row[1::2]).astype(np.uint8).tobytes() for row in nibbles], palette=few
    )
    yield "bits-1.bmp", encoded(grey_image.convert("1"), "BMP")
    yield "bits-8-few-colours.bmp", bmp(8, [(row >> 4).tobytes() for row in grey], palette=few, colours=16)
    yield "refused-16-555.bmp", bmp(16, [row.astype("<u2").tobytes() for row in packed5])
    yield "refused-16-565.bmp", bmp(16, [row.astype("<u2").tobytes() for row in packed], masks=(0xF800, 0x7E0, 0x1F))
    yield "bits-32-fields.bmp", bmp(32, [row.tobytes() for row in bgrx], masks=(0xFF0000, 0xFF00, 0xFF))
    rgbx = np.dstack([rgb, alpha[..., 3]])
    yield "bits-32-swapped.bmp", bmp(32, [row.tobytes() for row in rgbx], header=108, masks=SWAPPED)
    yield "bits-24-header-108.bmp", bmp(24, [row.tobytes() for row in bgr], header=108)
    yield "bits-32-header-124.bmp", bmp(32, [row.tobytes() for row in bgrx], header=124)
    yield "bits-24-gap.bmp", bmp(24, [row.tobytes() for row in bgr], gap=10)


def chunk_gamma():
    body = b"gAMA" + struct.pack(">I", 100000)
    return struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))


def resizes():
    """Sizes [rows, cols] → [rows, cols]: shrinking, enlarging, one axis alone, prime factors."""
    yield (40, 61), (20, 30)
    yield (40, 61), (37, 61)
    yield (40, 61), (7, 5)
    yield (40, 61), (53, 80)
    yield (33, 97), (22, 64)
    yield (31, 29), (31, 57)


def base64_of(pixels):
    return base64.b64encode(zlib.compress(np.ascontiguousarray(pixels).tobytes(), 9)).decode()


def rgb_of(image):
    """convert("RGB"); but of 16-bit grey the high byte, since PIL cuts every value above 255 to white."""
    if image.mode == "I;16":
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, -1)
    return np.asarray(image.convert("RGB"))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    decoded = []
    for name, data in files():
        (OUT / name).write_bytes(data)
        if name.startswith("refused"):
            continue
        pixels = rgb_of(Image.open(io.BytesIO(data)))
        decoded.append({"file": name, "rows": pixels.shape[0], "cols": pixels.shape[1], "rgb": base64_of(pixels)})
    resized = []
    for (rows, cols), (to_rows, to_cols) in resizes():
        source = picture(rows, cols, rows * cols)
        out = np.asarray(Image.fromarray(source).resize((to_cols, to_rows), Image.Resampling.BILINEAR))
        resized.append(
            {
                "from": {"rows": rows, "cols": cols, "rgb": base64_of(source)},
                "to": {"rows": to_rows, "cols": to_cols, "rgb": base64_of(out)},
            }
        )
    made_by = {
        "script": "scripts/reference/images.py",
        "python": sys.version.split()[0],
        "pillow": PIL.__version__,
        "numpy": np.__version__,
    }
    expected = {"madeBy": made_by, "encoding": "base64 of zlib of [rows, cols, 3]", "decoded": decoded, "resized": resized}
    (OUT / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
