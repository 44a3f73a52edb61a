# What somebody who watches links computes: are two samples of one distribution, do two flows go together?
import math


def kolmogorov(x):
    """P(K > x) of Kolmogorov's distribution, the limit of sqrt(n) D."""
    if x < 0.2:
        return 1.0  # to 12 digits; there the series below converges too slowly
    return max(0.0, min(1.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * (k * x) ** 2) for k in range(1, 101))))


def ks(a, b):
    """
    The two-sample Kolmogorov-Smirnov test of two lists of numbers: D, the largest distance of their empirical distribution
    functions, and p, the probability of such a one or a larger if both are samples of one distribution. p is that of
    the limit, taken at the effective size nm / (n + m), and holds for independent numbers. Intervals of a jittered clock
    depend on their neighbours (one is longer, the next is shorter), which makes D smaller: p errs on the high side there.
    """
    a, b = sorted(a), sorted(b)
    n, m = len(a), len(b)
    i = j = 0
    d = 0.0
    while i < n and j < m:
        x = min(a[i], b[j])
        while i < n and a[i] == x:
            i += 1
        while j < m and b[j] == x:
            j += 1
        d = max(d, abs(i / n - j / m))
    return d, kolmogorov(math.sqrt(n * m / (n + m)) * d)


def counts(times, begin, end, width):
    """How many of the times are in each bin of that width from begin to end; the last bin is whole."""
    series = [0] * max(0, (end - begin) // width)
    for t in times:
        k = (t - begin) // width
        if 0 <= k < len(series):
            series[k] += 1
    return series


def pearson(a, b):
    """Correlation of two series of one length: -1 to 1, and 0 where one of them is constant."""
    n = len(a)
    if n == 0:
        return 0.0
    mean_a, mean_b = sum(a) / n, sum(b) / n
    aa = sum((x - mean_a) ** 2 for x in a)
    bb = sum((y - mean_b) ** 2 for y in b)
    if aa == 0 or bb == 0:
        return 0.0
    return sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b)) / math.sqrt(aa * bb)


def best_lag(a, b, most):
    """The highest correlation of a with b shifted by up to so many bins either way, and that shift: a comes later by it."""
    best = max(range(-most, most + 1), key=lambda lag: (shifted(a, b, lag), -abs(lag)))
    return shifted(a, b, best), best


def shifted(a, b, lag):
    return pearson(a[lag:], b[:len(b) - lag]) if lag >= 0 else pearson(a[:lag], b[-lag:])


def binomial_tail(k, n, p):
    """P(X >= k) of n trials."""
    return sum(math.comb(n, i) * p ** i * (1 - p) ** (n - i) for i in range(k, n + 1))
