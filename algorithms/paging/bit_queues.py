"""Queues that ask a bit before they spare a page: SIEVE and S3-FIFO with discard bits."""

from __future__ import annotations

from .bit_queues_kernels import serve_bit_s3_fifo, serve_bit_sieve
from .clock import Sieve
from .s3_fifo import S3FIFO


class BitSieve(Sieve):
    """SIEVE that spares the pages whose last bit was 0, instead of those that were requested again.

    The hand passes over the pages in the order in which they were loaded and evicts the first whose last bit was 1;
    0-pages that it passes are spared once. So a page that is to stay is spared from its first request on, and one that
    is requested often, but for the last time, is not. The policy is ours; no bound is known.

    Parameters
    ----------
    capacity, table
        See `CachePolicy`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import BitSieve
    >>> cache = BitSieve(capacity=2)
    >>> cache.access(1), cache.access(2, bit=1), cache.access(3)
    (Access(hit=False, evicted=None), Access(hit=False, evicted=None), Access(hit=False, evicted=2))
    """

    advice = "discard"
    _kernel = serve_bit_sieve


class BitS3FIFO(S3FIFO):
    """S3-FIFO in which pages whose bit is 0 need not pass the small queue, and 1-pages earn nothing by a hit.

    The policy is ours; no bound is known.

    Parameters
    ----------
    capacity, table, small, ghost
        See `S3FIFO`.

    Examples
    --------
    >>> from streamlearn.algorithms.paging import BitS3FIFO
    >>> cache = BitS3FIFO(capacity=3, small=0.4)
    >>> [cache.access(page, bit=page > 1).evicted for page in (1, 2, 3, 4)]
    [None, None, None, 2]
    """

    advice = "discard"
    _kernel = serve_bit_s3_fifo
