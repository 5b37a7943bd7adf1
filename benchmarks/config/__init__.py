"""Configuration: what `conf/` offers, and how overrides make of it the configuration of a run. Needs no torch."""
