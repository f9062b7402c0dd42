"""Units: which tokens they discriminate, how they live, what they combine, how they match."""
