"""What ``fit`` needs besides Newton's method; ``arguments`` checks what it is given.

descent      gradient descent and Adam, and the loop around them
units        fit on features of mean 0 and variance 1
tally        fit a table of items to counts of comparisons
separation   what a fit does if there is no finite minimum
bias_reduced Firth's fit, which is finite if the pairs determine φ
by_component fit each strongly connected group of a table on its own
batches      mini-batches that never separate the pairs of a prompt
convex       what Newton's method needs from an objective
hessians     Hessians that are reused while their steps work well
substitution solve Newton's system H s = g
conjugate    Newton's step without the matrix H, for thousands of parameters
samples      a starting point for Newton's method, fitted to a sample of the pairs
ranges       refuses features whose squares would be infinite or zero
compiler     whether Numba is there, which compiles the kernels
memory       refuses a fit that does not fit into memory
scales       whether a gradient is small for features in small units
records      the history of a fit, and the callback
progress     bars that say how far long work is
checkpoint   the state of a fit in a file, so that it can go on after a crash
identity     which fit a checkpoint belongs to
matching     items of another file, matched by their names
interrupts   what Ctrl-C does
usefulness   whether a fit learned anything
determined   which parameters the pairs leave undetermined
contrasts    standard errors without a matrix
summaries    the text of ``RewardModel.summary``
"""
