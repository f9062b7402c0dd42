"""Kernels: functions on plain arrays. May import numpy and scipy only."""
