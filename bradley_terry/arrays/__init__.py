"""How ``PreferencePairs`` checks its arrays and keeps them from changing.

given      turns tensors of other libraries into arrays
checked    checks the shape and the kind of numbers; an error says in one sentence what is wrong
frozen     makes arrays read-only, and copies them only if the original could change; reads mapped files in blocks
shown      one pair in words
visible    names and texts of other people, shown as text in a terminal, in Markdown, in HTML and in figures
"""
