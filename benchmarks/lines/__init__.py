"""The comparisons, by what they have in common: each module yields some of them.

What a comparison needs is made right before it is yielded.
"""
