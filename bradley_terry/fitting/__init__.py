"""What a fit needs besides its method.

units       fit on features of mean 0 and variance 1
tally       fit a table of items to counts of comparisons
batches     mini-batches that never separate the pairs of a prompt
hessians    Hessians that are used again for as long as they serve
samples     a start for Newton's method from a sample of many pairs
records     the history, and who hears of each record
"""
