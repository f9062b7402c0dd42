"""Learning: curves, onsets, what was learnt at the end, and a sketch of a run that still trains."""
