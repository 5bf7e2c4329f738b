"""How arguments are checked, and how ``PreferencePairs`` keeps its arrays from changing.

given      turns numbers as users give them into plain arrays, and refuses what only looks like numbers
single     single numbers, switches and names as users give them
checked    checks the shape and the kind of numbers; an error says in one sentence what is wrong
frozen     makes arrays read-only, and copies them only if the original could change; reads mapped files in blocks
shown      one pair in words
room       what memory there is, and which arrays do not fit into it
sums       sums and means that are correct to 2 units in the last place
"""
