"""Run work on several threads. No result depends on their number, not even in the last bit.

pool    shares blocks of work among threads and returns the answers in the order of the data
blas    keeps the matrix products of the BLAS on one thread
"""

from .blas import blas_on_one_thread
from .pool import get_threads, in_parts, set_threads

__all__ = ["blas_on_one_thread", "get_threads", "in_parts", "set_threads"]
