"""Groups in the graph of wins, found in time nearly proportional to the number of items and wins."""

from .components import components, connected, count_connected, count_strong, is_strong

__all__ = ["components", "connected", "count_connected", "count_strong", "is_strong"]
