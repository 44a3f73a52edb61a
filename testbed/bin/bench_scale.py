"""What `make bench` measured of relays with many circuits: works of NAMES, each with a "count" of circuits (testbed/lib/bench-scale.sh)."""
import math
import statistics

import plot

PLACES = ("guard", "middle", "exit")
WAYS = ("up", "down")


class Work:
    """How values of one kind are shown: as `per` / value, or value * `scale`."""

    def __init__(self, name, title, unit, digits, scale=None, per=None):
        self.name, self.title, self.unit, self.digits, self.scale, self.per = name, title, unit, digits, scale, per

    def shown(self, value):
        return self.per / value if self.per else value * self.scale


KINDS = (("create", "CREATE", "a second", 0, None, 1e9), ("destroy", "DESTROY", "a second", 0, None, 1e9),
         ("install", "kernel's objects made", "µs", 0, 1e-3, None), ("remove", "taken away", "µs", 0, 1e-3, None),
         ("memory-kernel", "kernel's memory each", "kB", 2, 1e-3, None),
         ("memory-anond", "anond's memory each", "kB", 2, 1e-3, None), ("rss", "anond's memory", "MB", 1, 1e-6, None),
         ("start", "anond's start", "s", 2, 1e-9, None))
PACKETS = [Work("packet-%s-%s" % (place, way), "packet %s, %s" % (way, place), "µs", 2, 1e-3) for way in WAYS for place in PLACES]
OTHERS = [Work("%s-%s" % (name, place), "%s, %s" % (title, place), unit, digits, scale, per)
          for name, title, unit, digits, scale, per in KINDS for place in PLACES]
NAMES = {work.name for work in PACKETS + OTHERS}


class Scale:
    """Medians by work and number of circuits."""

    def __init__(self, figures, repetitions):
        self.values, found = {}, {}
        for f in figures:
            self.values.setdefault((f["work"], f["count"]), []).append(f["value"])
            found.setdefault((f["work"], f["count"]), []).append(f["repetition"])
        self.counts = sorted({count for _, count in self.values})
        for work in PACKETS if self.counts else ():
            for count in self.counts:
                if sorted(found.get((work.name, count), ())) != list(range(1, repetitions + 1)):
                    raise ValueError("%s with %d circuits: repetitions %s" % (work.name, count, found.get((work.name, count))))

    def median(self, work, count):
        values = self.values.get((work.name, count))
        return work.shown(statistics.median(values)) if values else None

    def cell(self, work, count):
        middle = self.median(work, count)
        if middle is None:
            return ""
        ends = sorted(work.shown(v) for v in self.values[work.name, count])
        text, low, high = ("%.*f" % (work.digits, v) for v in (middle, ends[0], ends[-1]))
        return text if low == high == text else "%s (%s–%s)" % (text, low, high)

    def growth(self, work):
        """Of a packet's cost, from the fewest to the most circuits, in hundredths."""
        return "%+.1f %%" % (100 * (self.median(work, self.counts[-1]) / self.median(work, self.counts[0]) - 1))

    def table(self):
        """Head and lines, whose cells are text."""
        head = ["circuits at the relay"] + ["%d" % n for n in self.counts] + ["growth"]
        lines = [["%s (%s)" % (w.title, w.unit)] + [self.cell(w, n) for n in self.counts] + [self.growth(w) if w in PACKETS else ""]
                 for w in PACKETS + OTHERS if any((w.name, n) in self.values for n in self.counts)]
        return head, lines

    def draw(self, path):
        """What a packet costs against circuits; one number of them alone makes no curve."""
        if len(self.counts) < 2:
            return
        svg = plot.Svg(860, 430)
        most = max(self.median(w, n) for w in PACKETS for n in self.counts)
        axes = plot.Axes(svg, (90, 50, 560, 320), (math.log10(self.counts[0]), math.log10(self.counts[-1])), (0, most),
                         "Packet at a relay", "circuits at the relay, power of ten", "µs")
        for row, work in enumerate(PACKETS):
            axes.curve([(math.log10(n), self.median(work, n)) for n in self.counts], work.title, row, dots=True)
        svg.write(path)
