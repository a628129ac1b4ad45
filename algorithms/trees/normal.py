"""The standard normal distribution function as Cephes computes it, to the last bit.

The split points that a Hoeffding tree chooses depend on the last bits of this function: MOA, SciPy and we must use the
same rational approximations (S. L. Moshier, *Methods and Programs for Mathematical Functions*, 1989; Cephes ``ndtr``).
"""

from __future__ import annotations

import math

from streamlearn.compiled import kernel

SQRT_HALF = 0.70710678118654752440
LARGEST_EXPONENT = 7.09782712893383996843e2


@kernel
def erf_small(x: float) -> float:
    """Error function for |x| <= 1."""
    z = x * x
    p = 9.60497373987051638749
    p = p * z + 9.00260197203842689217e1
    p = p * z + 2.23200534594684319226e3
    p = p * z + 7.00332514112805075473e3
    p = p * z + 5.55923013010394962768e4
    q = z + 3.35617141647503099647e1
    q = q * z + 5.21357949780152679795e2
    q = q * z + 4.59432382970980127987e3
    q = q * z + 2.26290000613890934246e4
    q = q * z + 4.92673942608635921086e4
    return x * p / q


@kernel
def erfc_large(x: float) -> float:
    """Complementary error function for x >= 1; exactly 0 where exp(-x²) leaves the range of a double."""
    z = -x * x
    if not z >= -LARGEST_EXPONENT:
        return 0.0
    z = math.exp(z)
    if x < 8.0:
        p = 2.46196981473530512524e-10
        p = p * x + 5.64189564831068821977e-1
        p = p * x + 7.46321056442269912687
        p = p * x + 4.86371970985681366614e1
        p = p * x + 1.96520832956077098242e2
        p = p * x + 5.26445194995477358631e2
        p = p * x + 9.34528527171957607540e2
        p = p * x + 1.02755188689515710272e3
        p = p * x + 5.57535335369399327526e2
        q = x + 1.32281951154744992508e1
        q = q * x + 8.67072140885989742329e1
        q = q * x + 3.54937778887819891062e2
        q = q * x + 9.75708501743205489753e2
        q = q * x + 1.82390916687909736289e3
        q = q * x + 2.24633760818710981792e3
        q = q * x + 1.65666309194161350182e3
        q = q * x + 5.57535340817727675546e2
    else:
        p = 5.64189583547755073984e-1
        p = p * x + 1.27536670759978104416
        p = p * x + 5.01905042251180477414
        p = p * x + 6.16021097993053585195
        p = p * x + 7.40974269950448939160
        p = p * x + 2.97886665372100240670
        q = x + 2.26052863220117276590
        q = q * x + 9.39603524938001434673
        q = q * x + 1.20489539808096656605e1
        q = q * x + 1.70814450747565897222e1
        q = q * x + 9.60896809063285878198
        q = q * x + 3.36907645100081516050
    return z * p / q


@kernel
def ndtr(a: float) -> float:
    """Probability that a standard normal variable is below ``a``; NaN for NaN.

    Equal to ``scipy.special.ndtr`` bit for bit.

    Parameters
    ----------
    a
        Any float64, infinities included.

    Examples
    --------
    >>> ndtr(0.0), round(ndtr(1.0), 4), ndtr(-40.0)
    (0.5, 0.8413, 0.0)
    """
    if math.isnan(a):
        return math.nan
    x = a * SQRT_HALF
    z = abs(x)
    if z < 1.0:
        return 0.5 + 0.5 * erf_small(x)
    y = 0.5 * erfc_large(z)
    return 1.0 - y if x > 0.0 else y
