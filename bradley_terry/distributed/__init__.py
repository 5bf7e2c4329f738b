"""Fit one model to data in many files, called shards, on one machine or on a Dask cluster.

The loss is a weighted mean over the pairs. So Σ w, Σ w·loss, Σ w·gradient and Σ w·Hessian can be computed for each
shard where it is, and their sums over the shards give the loss, gradient and Hessian of all data.

    shards        what is computed for one shard, by a worker or in this process
    pool          who computes it: this process, or the workers of a Dask cluster
    summed        adds the answers in the order of the shards, and takes the steps
    driver        ``survey`` and ``fit``

The sums are always added in the order of the shards, never in the order in which the answers arrive. So the fitted φ
does not depend on the number of workers, or on whether one of them died, not even in the last bit.

Only ``cluster`` and a ``client`` need the package ``distributed``: ``pip install 'bradley-terry[distributed]'``.
"""

from .driver import Survey, fit, survey
from .pool import cluster

__all__ = ["Survey", "cluster", "fit", "survey"]
