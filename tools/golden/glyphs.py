"""Writes packages/tiny/src/world/digit-outlines.ts: the digits 0-9 of freely licensed faces as polylines.

    python tools/golden/glyphs.py FONTSOURCE_FOLDER packages/tiny/src/world/digit-outlines.ts

FONTSOURCE_FOLDER is the node_modules/@fontsource of a folder with the packages named below
(version 5.3). DejaVu, STIX and Computer Modern come from matplotlib, Aileron from Pillow.
Needs fonttools, brotli, matplotlib, pillow.

Coordinates are 1/1024 of the face's digit height, x to the right, y downwards from the top of the digits,
each as two base-64 digits (value + 1024). A glyph is its advance width followed by its contours, joined
by commas.
"""

import io
import math
import sys
from pathlib import Path

import matplotlib
from fontTools.pens.basePen import BasePen
from fontTools.pens.boundsPen import BoundsPen
from fontTools.ttLib import TTFont
from PIL import ImageFont

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
TOLERANCE = 0.0035  # of the digit height

# source, weight, style, held out of training
FACES = [
    ("arimo", 400, "sans", False),
    ("arimo", 700, "sans", False),
    ("roboto", 400, "sans", False),
    ("roboto", 700, "sans", False),
    ("open-sans", 400, "sans", False),
    ("open-sans", 700, "sans", False),
    ("noto-sans", 400, "sans", False),
    ("source-sans-3", 400, "sans", False),
    ("source-sans-3", 700, "sans", False),
    ("lato", 400, "sans", False),
    ("lato", 700, "sans", False),
    ("inter", 400, "sans", False),
    ("montserrat", 400, "sans", False),
    ("work-sans", 400, "sans", False),
    ("nunito", 400, "sans", False),
    ("public-sans", 700, "sans", False),
    ("carlito", 400, "sans", False),
    ("carlito", 700, "sans", False),
    ("cousine", 400, "sans", False),
    ("ibm-plex-sans", 400, "sans", False),
    ("pt-sans", 400, "sans", False),
    ("pt-sans", 700, "sans", False),
    ("matplotlib:DejaVuSans", 400, "sans", False),
    ("matplotlib:DejaVuSans-Bold", 700, "sans", False),
    ("matplotlib:DejaVuSansMono", 400, "sans", False),
    ("pillow:Aileron", 400, "sans", False),
    ("tinos", 400, "serif", False),
    ("tinos", 700, "serif", False),
    ("noto-serif", 400, "serif", False),
    ("noto-serif", 700, "serif", False),
    ("pt-serif", 400, "serif", False),
    ("pt-serif", 700, "serif", False),
    ("source-serif-4", 400, "serif", False),
    ("lora", 400, "serif", False),
    ("lora", 700, "serif", False),
    ("crimson-text", 400, "serif", False),
    ("eb-garamond", 400, "serif", False),
    ("caladea", 400, "serif", False),
    ("domine", 400, "serif", False),
    ("bitter", 400, "serif", False),
    ("roboto-slab", 400, "serif", False),
    ("merriweather", 400, "serif", False),
    ("aleo", 400, "serif", False),
    ("matplotlib:DejaVuSerif", 400, "serif", False),
    ("matplotlib:DejaVuSerif-Bold", 700, "serif", False),
    ("matplotlib:STIXGeneral", 400, "serif", False),
    ("matplotlib:cmr10", 400, "serif", False),
    ("fira-sans", 400, "sans", True),
    ("libre-franklin", 700, "sans", True),
    ("ibm-plex-serif", 400, "serif", True),
    ("libre-baskerville", 400, "serif", True),
]


class Flatten(BasePen):
    """Contours as polylines, curves cut so finely that the chord leaves the curve by less than a tolerance."""

    def __init__(self, glyphs, tolerance):
        super().__init__(glyphs)
        self.contours, self.tolerance = [], tolerance

    def _moveTo(self, p):
        self.contours.append([p])

    def _lineTo(self, p):
        self.contours[-1].append(p)

    def _curveToOne(self, a, b, c):
        p = self.contours[-1][-1]
        # Largest second difference bounds the distance from chord to curve: d / (8 n^2).
        d = max(math.dist((p[0] - 2 * a[0] + b[0], p[1] - 2 * a[1] + b[1]), (0, 0)),
                math.dist((a[0] - 2 * b[0] + c[0], a[1] - 2 * b[1] + c[1]), (0, 0))) * 6
        n = max(1, math.ceil(math.sqrt(d / (8 * self.tolerance))))
        for i in range(1, n + 1):
            t = i / n
            u = 1 - t
            self._lineTo(tuple(u**3 * p[k] + 3 * u * u * t * a[k] + 3 * u * t * t * b[k] + t**3 * c[k] for k in (0, 1)))

    def _qCurveToOne(self, a, c):
        p = self.contours[-1][-1]
        d = math.dist((p[0] - 2 * a[0] + c[0], p[1] - 2 * a[1] + c[1]), (0, 0)) * 2
        n = max(1, math.ceil(math.sqrt(d / (8 * self.tolerance))))
        for i in range(1, n + 1):
            t = i / n
            u = 1 - t
            self._lineTo(tuple(u * u * p[k] + 2 * u * t * a[k] + t * t * c[k] for k in (0, 1)))


def open_font(source, weight, fontsource):
    if source.startswith("matplotlib:"):
        return TTFont(Path(matplotlib.get_data_path()) / "fonts/ttf" / f"{source[11:]}.ttf")
    if source.startswith("pillow:"):
        return TTFont(io.BytesIO(ImageFont.load_default(20).font_bytes))
    return TTFont(fontsource / source / "files" / f"{source}-latin-{weight}-normal.woff2")


def number(v):
    v = round(v) + 1024
    assert 0 <= v < 4096, v
    return ALPHABET[v >> 6] + ALPHABET[v & 63]


def face(font):
    glyphs, names = font.getGlyphSet(), font.getBestCmap()
    bounds = {}
    for digit in "0123456789":
        pen = BoundsPen(glyphs)
        glyphs[names[ord(digit)]].draw(pen)
        bounds[digit] = pen.bounds
    height = bounds["1"][3] - bounds["1"][1]
    for digit, (_, low, _, high) in bounds.items():  # old-style figures descend or are low
        assert abs(high - bounds["1"][3]) < 0.08 * height and abs(low - bounds["1"][1]) < 0.08 * height, digit
    scale, top = 1024 / height, bounds["1"][3]
    out = []
    for digit in "0123456789":
        glyph = glyphs[names[ord(digit)]]
        pen = Flatten(glyphs, TOLERANCE * height)
        glyph.draw(pen)
        parts = [number(glyph.width * scale)]
        for contour in pen.contours:
            points = [(round(x * scale), round((top - y) * scale)) for x, y in contour]
            points = [p for i, p in enumerate(points) if p != points[i - 1]]
            if len(points) > 2:
                parts.append("".join(number(x) + number(y) for x, y in points))
        out.append(",".join(parts))
    return out


def main():
    fontsource, target = Path(sys.argv[1]), Path(sys.argv[2])
    lines = []
    for source, weight, style, held_out in FACES:
        name = source.split(":")[-1].lower().removesuffix("-bold") + f"-{weight}"
        try:
            digits = face(open_font(source, weight, fontsource))
        except AssertionError as error:
            raise SystemExit(f"{name}: old-style figures ({error})")
        body = "\n".join(f"      '{digit}'," for digit in digits)
        lines.append(f"  {{\n    name: '{name}',\n    style: '{style}',\n    heldOut: {str(held_out).lower()},\n    digits: [\n{body}\n    ],\n  }},")
    target.write_text(
        "// Written by tools/golden/glyphs.py; sources and licences in FONTS.md.\n\n"
        "/** A typeface with its ten digits, encoded as `digits.ts` reads them. */\n"
        "export interface EncodedFace {\n"
        "  readonly name: string;\n"
        "  readonly style: 'sans' | 'serif';\n"
        "  /** Faces that training never sees, so that reading is measured on unknown ones. */\n"
        "  readonly heldOut: boolean;\n"
        "  readonly digits: readonly string[];\n"
        "}\n\n"
        "/** The digits 0 to 9 of every face: advance width, then contours, 1/1024 of the digit height. */\n"
        "export const encodedFaces: readonly EncodedFace[] = [\n" + "\n".join(lines) + "\n];\n"
    )
    print(f"{len(FACES)} faces, {target.stat().st_size} bytes")


main()
