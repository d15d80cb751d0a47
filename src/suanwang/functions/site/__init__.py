"""What goes to the site with a function: a program of its own, which finds nothing of Suanwang there.

`gate.py` is its `__main__`, in words that any Python understands; the rest is Python of the client's own version. Nothing
here imports anything but the standard library, cloudpickle (which travels with it) and its neighbours.
"""
