"""What the choices that the paper leaves open do to the numbers: studies of stored scores. Nothing is run again."""
