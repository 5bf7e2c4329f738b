"""A battery of hostile calls on everything that is public, in the manner of scikit-learn's ``check_estimator``.

entries     finds every public function, class, method and property by introspection
arguments   valid values for the arguments, by the name of the parameter
hostile     what is put in the place of one argument, and in which other forms the same values can be given
calls       makes the calls, and says which promise a call breaks

A new public name is called without being listed anywhere. If one of its parameters has a name that ``arguments`` does
not know, or if it is a class of which ``arguments`` has no example, the test fails and says what to add.

    python -m pytest --full tests/test_battery.py     every entry, every argument, every fifth value
    cd tests && python -m battery                      every value, with the counts by kind (--breaches lists breaches)
"""
