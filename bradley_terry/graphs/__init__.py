"""Graphs of who has beaten whom, in time that grows in proportion to items and wins."""

from .components import components, count_connected

__all__ = ["components", "count_connected"]
