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
from PIL import Image, ImageCms

OUT = Path(__file__).resolve().parents[2] / "test/fixtures/images"
SWAPPED = (0xFF, 0xFF00, 0xFF0000, 0xFF000000)  # red first
ROWS, COLS = 13, 19  # odd, so that rows need padding and chroma is cut


def picture(rows, cols, seed):
    """Smooth color with some noise: [rows, cols, 3] uint8."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[0:rows, 0:cols]
    waves = [np.sin(x / (3 + c) + c) * 60 + np.cos(y / (4 - c)) * 60 + 128 for c in range(3)]
    return np.clip(np.stack(waves, -1) + random.normal(0, 12, (rows, cols, 3)), 0, 255).astype(np.uint8)


def chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def png(depth, color, rows_of_bytes, extra=b"", interlaced=0):
    """A PNG by hand, for the kinds that PIL does not write."""
    header = struct.pack(">IIBBBBB", COLS, ROWS, depth, color, 0, 0, interlaced)
    data = zlib.compress(b"".join(b"\0" + row for row in rows_of_bytes))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bmp(bits, rows_of_bytes, *, top_down=False, header=40, masks=None, palette=b"", gap=0, colors=0, runs=None):
    """A BMP by hand: rows of pixels from the top, each padded to four bytes here."""
    rows = [row + b"\0" * (-len(row) % 4) for row in rows_of_bytes]
    data = runs or b"".join(rows if top_down else reversed(rows))
    height = -len(rows) if top_down else len(rows)
    stored = 3 if masks else 0 if runs is None else {8: 1, 4: 2}[bits]
    info = struct.pack("<IiiHHIIiiII", header, COLS, height, 1, bits, stored, len(data), 2835, 2835, colors, 0)
    if header == 12:
        info = struct.pack("<IHHHH", header, COLS, len(rows), 1, bits)
    mask_bytes = struct.pack(f"<{len(masks)}I", *masks) if masks else b""
    body = info + mask_bytes
    if header > 40:
        body = body.ljust(header, b"\0")
    start = 14 + len(body) + len(palette) + gap
    head = b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start)
    return head + body + palette + b"\xaa" * gap + data


def runs_of(rows, bits):
    """Run-length codes of [rows, cols] indices from the top: a run where two neighbors agree, else single pixels."""
    out = b""
    for row in reversed(rows):
        col = 0
        while col < len(row):
            same = 1
            while col + same < len(row) and row[col + same] == row[col]:
                same += 1
            rest = row[col : col + 4]
            if same == 1 and len(rest) == 4:  # four single pixels: even, which PIL needs in 4 bits
                packed = bytes(rest) if bits == 8 else bytes([rest[0] << 4 | rest[1], rest[2] << 4 | rest[3]])
                out += bytes([0, 4]) + packed
                col += 4
            else:
                out += bytes([same, row[col] if bits == 8 else row[col] << 4 | row[col]])
                col += same
        out += b"\0\0"
    return out + b"\0\1"


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def damaged():
    """Files with damage that PIL reads through."""
    plain = bytearray(encoded(Image.fromarray(picture(ROWS, COLS, 1)), "JPEG", quality=90))
    plain[plain.rindex(b"\xff\xda") + 12] = 0  # the last coefficient of a sequential scan: 63
    yield "damaged-scan.jpg", bytes(plain)
    plain = encoded(Image.fromarray(picture(ROWS, COLS, 1)), "JPEG", quality=90)
    yield "damaged-extra-bytes.jpg", plain[:-2] + b"\x12\x34\x56" + plain[-2:]
    image = bytearray(encoded(Image.fromarray(picture(ROWS, COLS, 1)), "PNG"))
    at = image.index(b"IDAT")
    image[at + 4 + struct.unpack(">I", image[at - 4 : at])[0]] ^= 0xFF  # the checksum of the pixels
    yield "damaged-checksum.png", bytes(image)


def files():
    rgb = picture(ROWS, COLS, 1)
    gray = rgb[..., 1]
    wide = (rgb.astype(np.uint16) * 257 ^ 0x0055).astype(np.uint16)  # low bytes that differ from the high ones
    alpha = np.dstack([rgb, np.linspace(0, 255, ROWS * COLS).reshape(ROWS, COLS).astype(np.uint8)])
    image, gray_image, alpha_image = Image.fromarray(rgb), Image.fromarray(gray), Image.fromarray(alpha)
    palette_image = image.quantize(16, dither=Image.Dither.NONE)

    yield "rgb.png", encoded(image, "PNG")
    yield "grey.png", encoded(gray_image, "PNG")
    yield "alpha.png", encoded(alpha_image, "PNG")
    yield "grey-alpha.png", encoded(alpha_image.convert("LA"), "PNG")
    yield "palette.png", encoded(palette_image, "PNG")
    yield "palette-transparent.png", encoded(palette_image, "PNG", transparency=bytes(range(0, 256, 16)))
    yield "rgb-transparent.png", encoded(image, "PNG", transparency=tuple(int(v) for v in rgb[0, 0]))
    yield "bits-1.png", encoded(gray_image.convert("1"), "PNG")
    yield "grey-16.png", png(16, 0, [row.astype(">u2").tobytes() for row in wide[..., 1]])
    yield "rgb-16.png", png(16, 2, [row.astype(">u2").tobytes() for row in wide])
    yield "gamma.png", png(8, 2, [row.tobytes() for row in rgb], chunk(b"gAMA", struct.pack(">I", 100000)))

    yield "interlaced.png", png_interlaced(rgb)
    yield "grey-2.png", png(2, 0, [pack(row >> 6, 2) for row in gray])
    yield "grey-4.png", png(4, 0, [pack(row >> 4, 4) for row in gray])
    yield "grey-alpha-16.png", png(16, 4, [row.astype(">u2").tobytes() for row in wide[..., :2]])
    yield "alpha-16.png", png(16, 6, [row.astype(">u2").tobytes() for row in np.dstack([wide, wide[..., 0]])])
    yield "profile.png", encoded(image, "PNG", icc_profile=wide_gamut())

    yield "rgb-420.jpg", encoded(image, "JPEG", quality=90)
    yield "rgb-444.jpg", encoded(image, "JPEG", quality=90, subsampling=0)
    yield "rgb-422.jpg", encoded(image, "JPEG", quality=75, subsampling=1)
    yield "grey.jpg", encoded(gray_image, "JPEG", quality=85)
    yield "progressive.jpg", encoded(image, "JPEG", quality=80, progressive=True)
    yield "orientation-6.jpg", encoded(image, "JPEG", quality=90, exif=turned(6))
    yield "orientation-3.jpg", encoded(image, "JPEG", quality=90, exif=turned(3))
    yield "profile.jpg", encoded(image, "JPEG", quality=90, icc_profile=wide_gamut())
    yield "not-ycc.jpg", encoded(image, "JPEG", quality=90, keep_rgb=True)
    yield "restarts.jpg", encoded(image, "JPEG", quality=85, restart_marker_blocks=2, optimize=True)
    yield "two-pictures.jpg", encoded(image, "MPO", quality=90, save_all=True, append_images=[image.rotate(180)])
    yield "trailing.jpg", encoded(image, "JPEG", quality=90) + b"after the end"
    yield "noise-420.jpg", encoded(Image.fromarray(noise(61, 83)), "JPEG", quality=30)
    yield "noise-progressive-422.jpg", encoded(Image.fromarray(noise(40, 77)), "JPEG", quality=95, subsampling=1, progressive=True)
    yield "cmyk.jpg", encoded(image.convert("CMYK"), "JPEG", quality=95)
    yield "large-420.jpg", encoded(Image.fromarray(picture(97, 131, 2)), "JPEG", quality=60)

    yield "rgb.tif", encoded(image, "TIFF")
    yield "rgb-deflate.tif", encoded(image, "TIFF", compression="tiff_adobe_deflate")
    yield "rgb-packbits.tif", encoded(image, "TIFF", compression="packbits")
    yield "rgb-predictor.tif", encoded(image, "TIFF", compression="tiff_lzw", tiffinfo={317: 2})
    yield "rgb-jpeg.tif", encoded(image, "TIFF", compression="jpeg", quality=90)
    yield "bits-1.tif", encoded(gray_image.convert("1"), "TIFF", compression="group4")
    yield "grey-alpha.tif", encoded(alpha_image.convert("LA"), "TIFF")
    yield "two-pages.tif", encoded(image, "TIFF", save_all=True, append_images=[image.rotate(180)])
    yield "orientation-6.tif", encoded(image, "TIFF", exif=turned(6))
    yield "rgb-16.tif", tiff(wide.astype("<u2").tobytes(), bits=16, samples=3, photometric=2)
    yield "rgb-16-motorola.tif", tiff(wide.astype(">u2").tobytes(), bits=16, samples=3, photometric=2, order=">")
    yield "white-is-zero.tif", tiff(gray.tobytes(), bits=8, samples=1, photometric=0)
    yield "grey-4.tif", tiff(b"".join(pack(row >> 4, 4) for row in gray), bits=4, samples=1, photometric=1)
    yield "planes.tif", tiff(np.moveaxis(rgb, -1, 0).tobytes(), bits=8, samples=3, photometric=2, planes=2)
    yield "rgb-lzw.tif", encoded(image, "TIFF", compression="tiff_lzw")
    yield "grey.tif", encoded(gray_image, "TIFF")
    yield "grey-16.tif", encoded(Image.fromarray(wide[..., 1]), "TIFF")
    yield "alpha.tif", encoded(alpha_image, "TIFF")
    yield "cmyk.tif", encoded(image.convert("CMYK"), "TIFF")
    yield "palette.tif", encoded(palette_image, "TIFF")

    yield "lossless.webp", encoded(image, "WEBP", lossless=True)
    yield "lossy.webp", encoded(image, "WEBP", quality=80)
    yield "alpha.webp", encoded(alpha_image, "WEBP", lossless=True, exact=True)

    yield "lossy-alpha.webp", encoded(alpha_image, "WEBP", quality=70)
    yield "animated.webp", encoded(image, "WEBP", lossless=True, save_all=True, append_images=[image.rotate(180)])
    yield "noise.webp", encoded(Image.fromarray(noise(50, 47)), "WEBP", quality=50)

    bgr = rgb[..., ::-1]
    bgrx = np.dstack([bgr, alpha[..., 3]])
    grays = b"".join(bytes([i, i, i, 0]) for i in range(256))
    reds = b"".join(bytes([255 - i, i // 2, i, 0]) for i in range(256))
    packed = (rgb.astype(np.uint16) >> [3, 2, 3]) @ np.array([1 << 11, 1 << 5, 1], np.uint16)
    packed5 = (rgb.astype(np.uint16) >> 3) @ np.array([1 << 10, 1 << 5, 1], np.uint16)
    nibbles = np.pad(gray >> 4, ((0, 0), (0, 1)))
    for order in (False, True):
        name = "top-down" if order else "bottom-up"
        yield f"bits-24-{name}.bmp", bmp(24, [row.tobytes() for row in bgr], top_down=order)
        yield f"bits-32-{name}.bmp", bmp(32, [row.tobytes() for row in bgrx], top_down=order)
        yield f"bits-8-grey-{name}.bmp", bmp(8, [row.tobytes() for row in gray], top_down=order, palette=grays)
        yield f"bits-8-palette-{name}.bmp", bmp(8, [row.tobytes() for row in gray], top_down=order, palette=reds)
    few = b"".join(reds[i * 64 : i * 64 + 4] for i in range(16))
    packed4 = [(row[0::2] << 4 | row[1::2]).astype(np.uint8).tobytes() for row in nibbles]
    yield "bits-4.bmp", bmp(4, packed4, palette=few)
    yield "bits-4-runs.bmp", bmp(4, packed4, palette=few, runs=runs_of((gray >> 4).tolist(), 4))
    flat = gray // 40 * 40  # so that there are runs
    yield "bits-8-runs.bmp", bmp(8, [row.tobytes() for row in flat], palette=reds, runs=runs_of(flat.tolist(), 8))
    yield "bits-8-past-palette.bmp", bmp(8, [row.tobytes() for row in gray], palette=few, colors=16)
    yield "bits-24-os2.bmp", bmp(24, [row.tobytes() for row in bgr], header=12)
    short = b"".join(reds[i * 4 : i * 4 + 3] for i in range(256))
    yield "bits-8-os2.bmp", bmp(8, [row.tobytes() for row in gray], header=12, palette=short)
    for name, header in ("bits-8-offset-54.bmp", 40), ("bits-8-offset-26.bmp", 12), ("bits-8-offset-0.bmp", 40):
        colors = reds if header == 40 else short
        late = bytearray(bmp(8, [row.tobytes() for row in gray], header=header, palette=colors))
        late[10:14] = struct.pack("<I", 0 if "offset-0" in name else 14 + header)  # in place of where the pixels begin
        yield name, bytes(late)
    yield "bits-1.bmp", encoded(gray_image.convert("1"), "BMP")
    yield "bits-8-few-colours.bmp", bmp(8, [(row >> 4).tobytes() for row in gray], palette=few, colors=16)
    yield "bits-16-555.bmp", bmp(16, [row.astype("<u2").tobytes() for row in packed5])
    yield "bits-16-565.bmp", bmp(16, [row.astype("<u2").tobytes() for row in packed], masks=(0xF800, 0x7E0, 0x1F))
    yield "bits-32-fields.bmp", bmp(32, [row.tobytes() for row in bgrx], masks=(0xFF0000, 0xFF00, 0xFF))
    rgbx = np.dstack([rgb, alpha[..., 3]])
    yield "bits-32-swapped.bmp", bmp(32, [row.tobytes() for row in rgbx], header=108, masks=SWAPPED)
    yield "bits-24-header-108.bmp", bmp(24, [row.tobytes() for row in bgr], header=108)
    yield "bits-32-header-124.bmp", bmp(32, [row.tobytes() for row in bgrx], header=124)
    yield "bits-24-gap.bmp", bmp(24, [row.tobytes() for row in bgr], gap=10)

    inks = np.dstack([wide, wide[::-1, :, 1]])
    yield "cmyk-16.tif", tiff(inks.astype("<u2").tobytes(), bits=16, samples=4, photometric=5)
    yield from damaged()


def noise(rows, cols):
    return np.random.default_rng(rows * cols).integers(0, 256, (rows, cols, 3), np.uint8)


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def wide_gamut():
    """An ICC profile whose colors are far from sRGB's: red and green change places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for i in range(struct.unpack_from(">I", profile, 128)[0]):
        entry = 132 + 12 * i
        name = bytes(profile[entry : entry + 4])
        if name in (b"rXYZ", b"gXYZ"):
            profile[entry : entry + 4] = {b"rXYZ": b"gXYZ", b"gXYZ": b"rXYZ"}[name]
    return bytes(profile)


def pack(values, bits):
    """A row of small numbers, the first one highest, padded to whole bytes."""
    values = list(values) + [0] * (-len(values) % (8 // bits))
    step = 8 // bits
    return bytes(sum(int(v) << (8 - bits * (i + 1)) for i, v in enumerate(values[at : at + step])) for at in range(0, len(values), step))


def png_interlaced(rgb):
    """Adam7: seven pictures of every n-th pixel, one after the other."""
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    rows = [row.tobytes() for top, left, down, right in passes for row in rgb[top::down, left::right]]
    return png(8, 2, rows, interlaced=1)


def tiff(data, *, bits, samples, photometric, planes=1, order="<"):
    """An uncompressed TIFF by hand, for the kinds that PIL does not write."""
    strips = samples if planes == 2 else 1
    size = len(data) // strips
    head = 8
    bits_at = head + len(data)
    offsets_at = bits_at + 2 * samples + (2 * samples) % 4
    counts_at = offsets_at + 4 * strips
    tags_at = counts_at + 4 * strips

    def tag(number, kind, count, value):
        body = struct.pack(order + ("HH" if kind == 3 and count == 1 else "I"), *((value, 0) if kind == 3 and count == 1 else (value,)))
        return struct.pack(order + "HHI", number, kind, count) + body

    offsets = [head + i * size for i in range(strips)]
    tags = [
        tag(256, 3, 1, COLS),
        tag(257, 3, 1, ROWS),
        tag(258, 3, samples, bits if samples == 1 else bits_at),
        tag(259, 3, 1, 1),
        tag(262, 3, 1, photometric),
        tag(273, 4, strips, offsets[0] if strips == 1 else offsets_at),
        tag(277, 3, 1, samples),
        tag(278, 3, 1, ROWS),
        tag(279, 4, strips, size if strips == 1 else counts_at),
        tag(284, 3, 1, planes),
    ]
    mark = {"<": b"II*\0", ">": b"MM\0*"}[order]
    depths = struct.pack(f"{order}{samples}H", *[bits] * samples) + b"\0" * ((2 * samples) % 4)
    lists = struct.pack(f"{order}{2 * strips}I", *offsets, *[size] * strips)
    return mark + struct.pack(order + "I", tags_at) + data + depths + lists + struct.pack(order + "H", len(tags)) + b"".join(tags) + b"\0" * 4


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
    """convert("RGB"); but of 16-bit gray the high byte, since PIL cuts every value above 255 to white."""
    if image.mode == "I;16":
        return np.repeat((np.asarray(image) >> 8).astype(np.uint8)[..., None], 3, -1)
    return np.asarray(image.convert("RGB"))


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    decoded = []
    for name, data in files():
        (OUT / name).write_bytes(data)
        pixels = rgb_of(Image.open(io.BytesIO(data)))
        packed = base64_of(pixels)
        same = next((other["file"] for other in decoded if other.get("rgb") == packed), None)
        values = {"rgb": packed} if same is None else {"sameAs": same}
        decoded.append({"file": name, "rows": pixels.shape[0], "cols": pixels.shape[1], **values})
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
