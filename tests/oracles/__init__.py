"""Naive twins: each measure written from its definition with loops, one module a topic."""
