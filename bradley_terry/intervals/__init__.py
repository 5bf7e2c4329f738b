"""95 % intervals of shares and means over prompts, whose pairs are not independent.

proportions   Wilson's interval of a share, and how many independent prompts a bin is worth
resampling    the bootstrap over prompts, and its normal approximation for very many
"""

from .proportions import effective_numbers, wilson_intervals
from .resampling import bootstrap_interval, refuse_nan

__all__ = ["bootstrap_interval", "effective_numbers", "refuse_nan", "wilson_intervals"]
