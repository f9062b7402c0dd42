"""Couplings: edges, assemblies, flow and ancestry, and what of them stands beyond chance."""
