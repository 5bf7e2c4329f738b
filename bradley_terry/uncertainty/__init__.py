"""How precise the parameters of a fit are: the methods of ``RewardModel`` for standard errors, and what they need.

methods      the methods: standard errors, intervals, contrasts, comparison intervals, deviance
kinds        the three kinds of standard errors, and when each is refused
clusters     which pairs belong together: those of a prompt, or of a column
scores       the sum over clusters of the outer products of their scores, for the sandwich
resampled    refits to resampled clusters, for the bootstrap
quasi        one variance for each item, from which those of all differences follow
nested       likelihood, deviance, AIC, and the likelihood-ratio test
chi_squared  the upper tail of the chi-squared distribution
half_wins    ties that count as half a win, for which the information is the wrong kind
"""
