"""Groups in the graph of wins, found in time nearly proportional to the number of items and wins."""

from .components import components, count_connected

__all__ = ["components", "count_connected"]
