"""Maps to decisions: arrays in, numbers out. Knows neither files nor methods."""
