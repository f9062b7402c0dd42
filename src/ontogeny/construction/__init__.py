"""How a network's layers are built on each other, and its answers out of them.

Parts of networks are run apart, answers are taken apart. May import torch, xarray,
`ontogeny.pictures` and what lies below it.
"""
