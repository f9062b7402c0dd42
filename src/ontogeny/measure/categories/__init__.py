"""Category structure: how tokens come to be separated, layer by layer and step by step."""
