"""Is this gradient right? It is compared with references that share nothing with its derivation.

The report says where the gradient differs from them, and which known mistake it looks like.

Read the modules in this order; each imports only from those before it:

    blocks         how the flat φ is divided into named blocks
    process        what a function can change in the process, put back after a check
    runner         call somebody else's function and turn every failure into a sentence
    progress       a bar for checks that take long
    differences    finite differences, extrapolated to h = 0; random directions; the error of many steps
    autodiff       autograd, jax or torch differentiate the same loss, written in plain formulas
    under_test     the function phi -> (loss, gradient) that is checked
    state          what a function keeps from one call to the next
    doubts         what weakens a verdict: φ = 0, saturated pairs, float32, rounded losses, noise
    paths          does a difference add up along a path? The error of an inner iteration does not
    kinks          a second look at what differs: a mistake, or a kink, a jump or noise
    slips          mistakes on the way back through the layers of an MLP
    mistakes       the known mistakes of a backward pass, made on purpose
    diagnosis      which known mistake a wrong gradient looks like
    report         what a check found, in words, as a table and in plain types
    wrong_pairs    which pairs disagree
    verdict        check_gradient
    hessian        check_hessian
"""

from .autodiff import autodiff_gradient, reference_loss
from .differences import StepSweep, numerical_gradient, step_sweep
from .hessian import check_hessian
from .report import BlockReport, GradientReport, PairReport
from .verdict import check_gradient

__all__ = [
    "BlockReport",
    "GradientReport",
    "PairReport",
    "StepSweep",
    "autodiff_gradient",
    "check_gradient",
    "check_hessian",
    "numerical_gradient",
    "reference_loss",
    "step_sweep",
]
