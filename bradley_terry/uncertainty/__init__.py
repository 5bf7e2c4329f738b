"""How far the parameters of a fit are known: the methods of ``RewardModel`` that speak of errors, and their machinery.

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
