"""What ``PreferencePairs`` does with the arrays it is given.

checked    the right shape and kind of numbers, or one sentence that says what is wrong
frozen     read-only, and copied only if something could change the original; mapped files are read block by block
"""
