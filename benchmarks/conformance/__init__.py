"""Golden cases for metrics, their exact answers, and a judge of anybody's answers. Needs no torch."""
