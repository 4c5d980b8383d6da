"""fit_gelu.py: fits the polynomials of ext/local/simd/layers_each.h, and says how far off they are.

    python3 tests/golden/fit_gelu.py

GELU: x Phi(x) = max(x, 0) - a Phi(-a) with a = |x|. The fourth root of Phi(-a) is smooth and nearly
straight, so a polynomial of a low degree is near it, and its error counts for little where the root
is small: Phi(-a) ~ ((a - END) H(a))^4 up to a = END, and 0 beyond, where a Phi(-a) is below the
tolerance. Where that is large, the square root and a shorter polynomial do. H is the weighted
least-squares fit whose weights Lawson's method raises where the error is large (C. L. Lawson,
1961), until it is nearly the best in the maximum norm.

2^f on [-1/2, 1/2]: 1 + f Q(f), the same way.

The coefficients are rounded to float32, the lowest power first.
"""
import math

import numpy as np
from numpy.polynomial import chebyshev, polynomial

EXACT = (np.float32(5.5875), 7, 4)  # the end, the degree of H, the root
ROUGH = (np.float32(3.75), 3, 2)
TOLERANCE_FROM = 1.0  # the error may grow with |x| from here on


def nodes(low, high, n=3000):
    w = np.cos(np.pi * (np.arange(n) + 0.5) / n)
    return w, low + (w + 1) / 2 * (high - low)


def lawson(basis, wanted, weight, error, rounds):
    """The coefficients that make error(basis @ coefficients) flat; weight(fit) linearises it."""
    raised = np.ones(len(wanted))
    best, least = None, np.inf
    fit = wanted
    for _ in range(rounds):
        s = np.sqrt(raised) * weight(fit)
        coefficients = np.linalg.lstsq(basis * s[:, None], wanted * s, rcond=None)[0]
        fit = basis @ coefficients
        r = np.abs(error(fit))
        if r.max() < least:
            best, least = coefficients, r.max()
        raised *= r / r.max() + 2e-3
        raised /= raised.sum()
    return best, least


def in_powers(coefficients, low, high):
    """A Chebyshev series on [low, high] as powers of its argument."""
    line = [-(high + low) / (high - low), 2 / (high - low)]
    result = np.zeros(1)
    for c in chebyshev.cheb2poly(coefficients)[::-1]:
        result = polynomial.polyadd(polynomial.polymul(result, line), [c])
    return result[:len(coefficients)].astype(np.float32)


def phi_below(a):
    return np.array([math.erfc(x / math.sqrt(2)) / 2 for x in a])


def fit_gelu(end, degree, root_of):
    end = float(end)
    w, a = nodes(0.0, end)
    phi = phi_below(a)
    root = phi ** (1 / root_of)
    tolerance = np.maximum(TOLERANCE_FROM, a) / a
    basis = chebyshev.chebvander(w, degree) * (a - end)[:, None]

    def weight(fit):
        d = fit - root
        safe = np.where(np.abs(d) > 1e-14, d, 1)
        secant = np.where(np.abs(d) > 1e-14, (fit ** root_of - phi) / safe,
                          root_of * root ** (root_of - 1))
        return np.abs(secant) / tolerance

    coefficients, least = lawson(basis, root, weight,
                                 lambda fit: (fit ** root_of - phi) / tolerance, 150)
    return in_powers(coefficients, 0.0, end), least


def fit_power(degree=6):
    w, f = nodes(-0.5, 0.5)
    power = 2.0 ** f
    basis = chebyshev.chebvander(w, degree - 1) * f[:, None]
    coefficients, least = lawson(basis, power - 1, lambda _: 1 / power,
                                 lambda fit: (fit + 1) / power - 1, 60)
    return in_powers(coefficients, -0.5, 0.5), least


def fma(a, b, c):
    return (np.float64(a) * np.float64(b) + np.float64(c)).astype(np.float32)


def horner(coefficients, x):
    result = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        result = fma(result, x, c)
    return result


def gelu_error(coefficients, end, _, root_of):
    x = np.linspace(-8, 8, 1600001).astype(np.float32)
    a = np.minimum(np.abs(x), end)
    power = horner(coefficients, a) * (a - end)
    for _ in range(root_of // 2):
        power = power * power
    result = fma(-power, a, np.maximum(x, np.float32(0)))
    exact = np.float64(x) * phi_below(-np.float64(x))
    return (np.abs(result - exact) / np.maximum(1, np.abs(x))).max()


def power_error(coefficients):
    f = np.linspace(-0.5, 0.5, 1000001).astype(np.float32)
    result = fma(horner(coefficients, f), f, np.float32(1))
    exact = 2.0 ** np.float64(f)
    return (np.abs(result - exact) / exact).max()


def show(name, fitted, error):
    coefficients, least = fitted
    print(f"{name}: off by {least:.3g}, in float32 by {error(coefficients):.3g}")
    print("   ", ", ".join(f"{c:.9g}f" for c in coefficients))


if __name__ == "__main__":
    for kind in (EXACT, ROUGH):
        show("gelu", fit_gelu(*kind), lambda found, kind=kind: gelu_error(found, *kind))
    show("2^f", fit_power(), power_error)
