# Plots as SVG, written by hand: axes with titles and round numbers, lines, a matrix of colours.
import math
from xml.sax.saxutils import escape

COLOURS = ("#1b6ca8", "#d1495b", "#2e8b57", "#8f5fb0", "#c9820a", "#555555")


def ticks(low, high, about=6):
    """Round numbers from low to high."""
    if high <= low:
        return [low]
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= raw)
    first = math.ceil(low / step - 1e-9)
    return [k * step for k in range(first, math.floor(high / step + 1e-9) + 1)]


def number(x):
    return "%g" % round(x, 9)


class Svg:
    def __init__(self, width, height):
        self.width, self.height, self.parts = width, height, []

    def text(self, x, y, words, size=13, anchor="middle", rotate=0, colour="#222"):
        turn = ' transform="rotate(%d %.1f %.1f)"' % (rotate, x, y) if rotate else ""
        self.parts.append('<text x="%.1f" y="%.1f" font-size="%d" text-anchor="%s" fill="%s"%s>%s</text>'
                          % (x, y, size, anchor, colour, turn, escape(words)))

    def line(self, points, colour="#222", width=1.0, dashed=False):
        path = " ".join("%.1f,%.1f" % p for p in points)
        dash = ' stroke-dasharray="4 4"' if dashed else ""
        self.parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="%g"%s/>' % (path, colour, width, dash))

    def rectangle(self, x, y, width, height, fill, hint=""):
        title = "<title>%s</title>" % escape(hint) if hint else ""
        self.parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s">%s</rect>'
                          % (x, y, width, height, fill, title))

    def write(self, path):
        with open(path, "w", encoding="utf-8") as file:
            file.write('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
                       'font-family="sans-serif">\n<rect width="100%%" height="100%%" fill="white"/>\n'
                       % (self.width, self.height, self.width, self.height))
            file.write("\n".join(self.parts) + "\n</svg>\n")


class Axes:
    """A frame at x, y of a picture, for values in the ranges xs and ys (pairs)."""

    def __init__(self, svg, box, xs, ys, title, xlabel, ylabel):
        self.svg, (self.x, self.y, self.w, self.h), self.xs, self.ys = svg, box, xs, ys
        svg.text(self.x + self.w / 2, self.y - 14, title, 15)
        svg.text(self.x + self.w / 2, self.y + self.h + 38, xlabel)
        svg.text(self.x - 46, self.y + self.h / 2, ylabel, rotate=-90)
        for v in ticks(*xs):
            px = self.at(v, ys[0])[0]
            svg.line([(px, self.y), (px, self.y + self.h)], "#e4e4e4")
            svg.text(px, self.y + self.h + 18, number(v), 11)
        for v in ticks(*ys):
            py = self.at(xs[0], v)[1]
            svg.line([(self.x, py), (self.x + self.w, py)], "#e4e4e4")
            svg.text(self.x - 6, py + 4, number(v), 11, "end")
        svg.line([(self.x, self.y), (self.x, self.y + self.h), (self.x + self.w, self.y + self.h)])

    def at(self, x, y):
        (x0, x1), (y0, y1) = self.xs, self.ys
        return (self.x + self.w * (x - x0) / ((x1 - x0) or 1), self.y + self.h * (1 - (y - y0) / ((y1 - y0) or 1)))

    def curve(self, points, name, row, dots=False):
        """Points of values; row: the how manieth curve, for its colour and its line of the legend."""
        colour = COLOURS[row % len(COLOURS)]
        placed = [self.at(*p) for p in points]
        self.svg.line(placed, colour, 1.6)
        if dots:
            for x, y in placed:
                self.svg.rectangle(x - 3, y - 3, 6, 6, colour)
        y = self.y + 14 + 18 * row
        self.svg.line([(self.x + self.w + 12, y), (self.x + self.w + 36, y)], colour, 3)
        self.svg.text(self.x + self.w + 42, y + 4, name, 12, "start")


def shade(value):
    """-1 is red, 0 white, 1 blue."""
    value = max(-1.0, min(1.0, value))
    far = (27, 108, 168) if value > 0 else (209, 73, 91)
    return "#%02x%02x%02x" % tuple(round(255 + (c - 255) * abs(value)) for c in far)


def matrix(svg, box, rows, names, columns, title, xlabel, ylabel):
    """Values from -1 to 1, one square each, with their scale beside them."""
    x, y, w, h = box
    cw, ch = w / len(columns), h / len(names)
    svg.text(x + w / 2, y - 14, title, 15)
    svg.text(x + w / 2, y + h + 40, xlabel)
    svg.text(x - 46, y + h / 2, ylabel, rotate=-90)
    for i, (name, row) in enumerate(zip(names, rows)):
        svg.text(x - 6, y + ch * (i + 0.5) + 4, name, 10, "end")
        for j, value in enumerate(row):
            svg.rectangle(x + cw * j, y + ch * i, cw, ch, shade(value), "%s, %s: %.2f" % (name, columns[j], value))
    for j, name in enumerate(columns):
        svg.text(x + cw * (j + 0.5), y + h + 16, name, 10)
    svg.line([(x, y), (x + w, y), (x + w, y + h), (x, y + h), (x, y)])
    for k in range(41):
        svg.rectangle(x + w + 16, y + h * k / 41, 14, h / 41 + 0.5, shade(1 - k / 20))
    for v in (-1, 0, 1):
        svg.text(x + w + 36, y + h * (1 - v) / 2 + 4, number(v), 11, "start")
