"""Pictures of a detector: where it looks, what it answers to, what it prefers, which part it marks.

What needs the living network and is not in the record: receptive fields, top exemplars cropped to
them, preferred images, dissection against part maps. Everything is returned as labelled arrays;
nothing is drawn here. May import torch, hooks, train, tasks, model, record, stats.
"""
