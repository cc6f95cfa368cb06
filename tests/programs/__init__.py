"""Programs that run recorded as they run alone."""
